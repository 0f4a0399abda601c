// Embedded Swift has no `Mutex`. The compared program decodes, validates and translates on one
// thread, so that there is nothing to exclude.

final class Mutex<Value>: @unchecked Sendable {
    private var value: Value

    init(_ value: Value) { self.value = value }

    func withLock<Result, Failure: Error>(
        _ body: (inout Value) throws(Failure) -> Result
    ) throws(Failure) -> Result { try body(&value) }
}
