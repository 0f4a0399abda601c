import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPServer
import WasmdStorage

/// An answer that tells what went wrong.
///
/// Some recorded statuses are wrong (500 for a fault of the client) but known to clients: `status`
/// is the recorded one, `rightStatus` what it should be; `Orchestrator.Options` chooses.
struct Failure: Error {
    enum Body: Sendable, Equatable {
        case json(Document)
        case text(String)
    }

    var status: Status
    var rightStatus: Status
    var body: Body

    init(_ status: Status, right: Status? = nil, body: Body) {
        self.status = status
        rightStatus = right ?? status
        self.body = body
    }

    /// `{"errorText": …, "error": …}`
    init(_ status: Status, right: Status? = nil, _ text: String, _ detail: Document = "error") {
        self.init(
            status, right: right,
            body: .json(.object([.init("errorText", .string(text)), .init("error", detail)])))
    }

    init(_ status: Status, right: Status? = nil, _ text: String, _ detail: String) {
        self.init(status, right: right, text, .string(detail))
    }

    /// `{NAME: …}`
    init(_ status: Status, _ name: String, only text: String) {
        self.init(status, body: .json(.object([.init(name, .string(text))])))
    }

    /// What an error of another layer is for a client.
    init(_ error: any Error) {
        switch error {
        case let failure as Failure: self = failure
        case let error as StorageError:
            self.init(
                error.isFull ? .insufficientStorage : .serviceUnavailable, "storing failed",
                "\(error)")
        case LoopError.tooManyCalls:
            self.init(.serviceUnavailable, "the server is busy", "too many calls wait")
        default: self.init(.internalServerError, "unknown error", "\(error)")
        }
    }

    /// What went wrong, as one text.
    var reason: String {
        switch body {
        case .text(let text): return text
        case .json(let document):
            let detail = document["error"]?.stringValue.map { ": \($0)" } ?? ""
            return (document["errorText"]?.stringValue ?? "") + detail
        }
    }

    static var badURL: Failure { Failure(.notFound, "err", only: "Bad URL") }
}

extension JSONOptions {
    /// Names may repeat: the last one counts, as in JavaScript.
    static var tolerant: JSONOptions {
        var options = JSONOptions()
        options.duplicates = .keep
        return options
    }

    /// For what is stored: documents that came from outside are deeper in it than they were.
    static var stored: JSONOptions {
        var options = JSONOptions.tolerant
        options.limits.depth = 512
        return options
    }
}

extension StorageError {
    /// Whether the disk has no room.
    fileprivate var isFull: Bool {
        if case .full = self { true } else { false }
    }
}
