import WasmSystem

/// Why an operation of a loop failed.
public enum LoopError: Error, Hashable, Sendable {
    /// The task was cancelled.
    case cancelled
    /// The deadline has passed.
    case timedOut
    /// The stream, listener or socket was closed by this program.
    case closed
    /// Another task already waits for the same direction of the same descriptor.
    case busy
    /// The caller does not run on the loop that the object belongs to.
    case wrongLoop
    /// The pool's limit of calls that wait for a thread is reached.
    case tooManyCalls
    /// The kernel refused.
    case system(SystemError)
}

extension LoopError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .cancelled: "cancelled"
        case .timedOut: "timed out"
        case .closed: "closed"
        case .busy: "another task waits for the same descriptor"
        case .wrongLoop: "not called on the loop that owns the object"
        case .tooManyCalls: "too many blocking calls are waiting"
        case .system(let error): error.description
        }
    }
}

/// Runs a call of the kernel; its error becomes `LoopError.system`.
@inline(__always)
func system<Result: ~Copyable>(
    _ call: () throws(SystemError) -> Result
) throws(LoopError) -> Result {
    do throws(SystemError) { return try call() } catch { throw .system(error) }
}
