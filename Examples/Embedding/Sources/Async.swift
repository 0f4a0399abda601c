import Wasmd

/// Host functions that wait: their guests are suspended and hold no thread.
func async() async throws {
    let engine = Engine()
    let module = try Module(
        text: """
            (module
              (import "env" "fetch" (func $fetch (param i32) (result i32)))
              (func (export "sum") (param $n i32) (result i32) (local $sum i32)
                (loop $l
                  (local.set $sum (i32.add (local.get $sum) (call $fetch (local.get $n))))
                  (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
                (local.get $sum)))
            """, engine: engine)

    // 300 guests, each with a store of its own, all suspended at the same time.
    let total = try await withThrowingTaskGroup(of: Int32.self) { group in
        for _ in 0..<300 {
            group.addTask {
                let linker = Linker()
                linker.define("env", "fetch") { (_: AsyncCaller, id: Int32) async throws -> Int32 in
                    try await Task.sleep(for: .milliseconds(5))
                    return id * 10
                }
                let instance = try linker.instantiate(module, in: Store(engine: engine))
                return try await instance.function("sum", as: ((Int32) -> Int32).self).call(4)
            }
        }
        return try await group.reduce(0, +)
    }
    print("300 guests:", total)

    // A short call need not be waited for: the same thread goes on.
    let answer = try Module(
        text: #"(module (func (export "answer") (result i32) (i32.const 42)))"#, engine: engine)
    if let function = try Instance(answer, in: Store(engine: engine)).function("answer") {
        print("and one that is not waited for:", try function.callSynchronously()[0])
    }

    // A cancelled task ends its guest.
    let endless = try Module(
        text: #"(module (func (export "forever") (loop $l (br $l))))"#, engine: engine)
    let task = Task {
        let instance = try Instance(endless, in: Store(engine: engine))
        try await instance.function("forever", as: (() -> Void).self).call()
    }
    try await Task.sleep(for: .milliseconds(20))
    task.cancel()
    do {
        try await task.value
    } catch is CancellationError {
        print("cancelled")
    }
}

/// The same without tasks: whoever runs the guest answers for the host function, when it likes.
func suspension() throws {
    let engine = Engine()
    let module = try Module(
        text: """
            (module
              (import "env" "ask" (func $ask (param i32) (result i32)))
              (func (export "double") (param i32) (result i32)
                (i32.mul (i32.const 2) (call $ask (local.get 0)))))
            """, engine: engine)
    let linker = Linker()
    linker.define("env", "ask") { (question: Int32) -> Int32 in throw Suspension(question) }
    let instance = try linker.instantiate(module, in: Store(engine: engine))

    let run = try instance.function("double", as: ((Int32) -> Int32).self).function.start([.i32(4)])
    guard case .suspended(.hostFunction(let suspension)) = try run.resume() else { return }
    print("the guest asks:", suspension.request)
    if case .finished(let results) = try run.resume(returning: [.i32(21)]) {
        print("and answers:", results[0])
    }
}
