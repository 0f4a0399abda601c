import Wasmd

/// A guest in an endless loop is stopped from another task, or by a deadline.
func stop() async throws {
    let engine = Engine()
    let module = try Module(
        text: #"(module (func (export "forever") (loop $l (br $l))))"#, engine: engine)
    let store = Store(engine: engine)
    let forever = try Instance(module, in: store).function("forever", as: (() -> Void).self)

    // In case the other task gets no thread.
    store.deadline = .now + .seconds(5)
    let handle = store.interruptHandle
    Task {
        try await Task.sleep(for: .milliseconds(20))
        handle.interrupt()
    }
    do {
        try forever()
    } catch let trap as Trap {
        print("by another task:", trap)
    }

    store.deadline = .now + .milliseconds(20)
    do {
        try forever()
    } catch let trap as Trap {
        print("by its deadline:", trap)
    }
}
