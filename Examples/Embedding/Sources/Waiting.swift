import Wasmd

/// A host function that waits for something of the host, and goes on when it is there.
func waiting() throws {
    let engine = Engine()
    let module = try Module(
        text: """
            (module
              (import "env" "next" (func $next (result i32)))
              (func (export "double") (result i32) (i32.mul (i32.const 2) (call $next))))
            """, engine: engine)
    let items = Items()
    let linker = Linker()
    linker.define("env", "next") { (_: borrowing Caller) -> Int32 in
        let turn = items.changes.turn
        if let item = items.take() { return item }
        var wait = Wait()
        wait.add(items.changes, since: turn)
        throw Suspension(wait) { _, slots in slots.setResult(i32: items.take() ?? -1) }
    }
    let double = try linker.instantiate(module, in: Store(engine: engine))
        .function("double", as: (() -> Int32).self)

    // A loop would watch the descriptors and the end of this wait; here, nobody has to.
    let execution = try double.function.start()
    guard case .suspended(.wait(let wait)) = try execution.resume() else { return }
    print("descriptors:", wait.interests.count)
    items.put(21)
    print("woken:", execution.wakeCell.isWoken)
    if case .finished(let results) = try execution.resume() { print("result:", results[0]) }

    // What is there already is not waited for.
    items.put(4)
    print("at once:", try double())
}

/// Items for guests that wait for them.
private final class Items {
    let changes = WakeSource()
    private var items: [Int32] = []

    func put(_ item: Int32) {
        items.append(item)
        changes.signal()
    }

    func take() -> Int32? { items.isEmpty ? nil : items.removeFirst() }
}
