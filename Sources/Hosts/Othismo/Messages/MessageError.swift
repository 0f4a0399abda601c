import WasmInterpreter
import WasmdDocuments
import WasmdImages

/// Why a message was not handled: what `othismo.error` says of it.
public enum MessageError: Error, Sendable {
    /// The bytes are no BSON document.
    case malformed(BSONError)
    /// The message is larger than a message may be, in bytes.
    case tooLarge(Int)
    /// The receiver has as many messages waiting as it may have.
    case queueFull(limit: Int)
    /// The messages that wait have as many bytes as they may have.
    case queueFullOfBytes
    /// The guest sent more bytes during one delivery than it may.
    case tooManyBytes(limit: Int)
    /// The guest sent more messages during one delivery than it may.
    case tooManySends(limit: Int)
    /// The object is a module, not an instance of one.
    case notAnInstance(path: [UInt8])
    /// The module exports none of the interfaces of guests.
    case noInterface
    /// The module cannot be loaded, or its imports cannot be given.
    case refused(String)
    /// The guest was stopped while it handled the message.
    case trap(String)
    /// The guest was stopped because it took too long.
    case timeout
    /// The guest's buffer for the message is not inside of its memory.
    case buffer(AccessError)
    /// The guest's state cannot be stored.
    case unsavable(SavedModuleError)
    /// A service of the host does not know the message, or a member of it is wrong.
    case badRequest(String)
    case objectExists(path: [UInt8])
    case noObject(path: [UInt8])
    /// Only the command line may do this.
    case forbidden(String)

    static let key = "othismo.error"

    /// The short name that the member `code` has.
    public var code: String {
        switch self {
        case .malformed: "malformed"
        case .tooLarge: "too_large"
        case .queueFull, .queueFullOfBytes: "queue_full"
        case .tooManySends, .tooManyBytes: "too_many_sends"
        case .notAnInstance: "not_an_instance"
        case .noInterface: "no_interface"
        case .refused: "refused"
        case .trap: "trap"
        case .timeout: "timeout"
        case .buffer: "bad_buffer"
        case .unsavable: "unsavable_state"
        case .badRequest: "bad_request"
        case .objectExists: "object_exists"
        case .noObject: "no_object"
        case .forbidden: "forbidden"
        }
    }

    /// The members of a reply that reports the error.
    var payload: [Document.Member] {
        [
            Document.Member(
                Self.key,
                .object([
                    Document.Member("code", .string(code)),
                    Document.Member("message", .string(description)),
                ]))
        ]
    }
}

extension MessageError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .malformed(let error): "the message is no BSON document: \(error)"
        case .tooLarge(let count): "the message has \(count) bytes, which is too large"
        case .queueFull(let limit): "\(limit) messages wait for the receiver already"
        case .queueFullOfBytes: "the messages that wait have too many bytes already"
        case .tooManyBytes(let limit):
            "messages of more than \(limit) bytes were sent during one delivery"
        case .tooManySends(let limit): "more than \(limit) messages were sent during one delivery"
        case .notAnInstance(let path): "\(text(path)) is a module; only instances get messages"
        case .noInterface:
            "the module exports neither prepare_inbox and message_received nor _allocate_message"
        case .refused(let reason): reason
        case .trap(let reason): reason
        case .timeout: "the guest took too long"
        case .buffer(let error): "the buffer for the message: \(error)"
        case .unsavable(let error): "the state cannot be stored: \(error)"
        case .badRequest(let reason): reason
        case .objectExists(let path): "there is an object at \(text(path)) already"
        case .noObject(let path): "there is no object at \(text(path))"
        case .forbidden(let reason): reason
        }
    }

    private func text(_ path: [UInt8]) -> String { String(decoding: path, as: UTF8.self) }
}
