import WasmInterpreter
import WasmdGuests
import WasmdStorage

/// Why the executor did not do what it was asked for.
public enum ExecutorError: Error, Sendable {
    /// There is no module with this id.
    case notFound
    /// The bytes are no valid module.
    case invalidModule(String)
    /// The module has more bytes than are allowed.
    case tooLarge(limit: Int)
    /// What was asked for makes no sense: arguments, names, types.
    case invalid(String)
    /// The module imports what nobody has.
    case importMissing(String)
    /// The key of a request was used for another module.
    case keyTaken
    /// More waits than may: try again later.
    case busy(String)
    /// Nothing can be written.
    case storage(StorageError)
    /// What is stored is damaged.
    case damaged(String)
    /// The module was changed while it was read.
    case changed
    /// What is known about the module beside its bytes takes too much room.
    case recordTooLarge(bytes: Int, limit: Int)
    /// The server is ending.
    case stopping
}

extension ExecutorError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .notFound: "there is no module with this id"
        case .invalidModule(let text), .invalid(let text), .importMissing(let text),
            .busy(let text), .damaged(let text):
            text
        case .keyTaken: "this Idempotency-Key was used for another module: use a new one"
        case .tooLarge(let limit): "the module has more than \(limit) bytes, the limit"
        case .storage(let error): "\(error)"
        case .changed: "the module was changed meanwhile: try again"
        case .recordTooLarge(let bytes, let limit):
            "function, parameters and results take \(bytes) bytes, more than the limit of \(limit)"
        case .stopping: "the server is stopping"
        }
    }
}
