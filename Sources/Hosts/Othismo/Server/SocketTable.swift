import Synchronization
import WasmdDocuments
import WasmdGuests

/// The WebSockets of a server, by the names that objects of the image know them by.
final class SocketTable: Sendable {
    enum Event: Sendable {
        case text(String)
        case binary([UInt8])
        case close(UInt16, String)
    }

    typealias Outbox = Feed<Event>

    private let sockets = Mutex<[String: Outbox]>([:])

    /// Messages that a client has not taken. One that leaves more is closed.
    private static let messageLimit = 256
    private static let byteLimit = 1 << 20

    static let prefix = "othismo.http.websocket."

    var count: Int { sockets.withLock { $0.count } }

    /// A new name, and what objects send to it.
    func add() -> (name: String, outbox: Outbox) {
        let outbox = Outbox(capacity: Self.messageLimit, byteLimit: Self.byteLimit)
        let name = String(UInt64.random(in: 0 ... .max), radix: 16)
        sockets.withLock { $0[name] = outbox }
        return (name, outbox)
    }

    func remove(_ name: String) { sockets.withLock { $0[name] = nil } }

    /// Takes a message to the server; returns why it could not.
    func take(_ envelope: Envelope) -> MessageError? {
        for member in envelope.payload where member.name.hasPrefix(Self.prefix) {
            let fields = member.value
            let event: Event
            switch member.name.dropFirst(Self.prefix.count) {
            case "send":
                if case .bytes(let bytes)? = fields["data"] {
                    event = .binary(bytes)
                } else if let text = fields["text"]?.stringValue {
                    event = .text(text)
                } else {
                    return .badRequest("a message has 'text', a string, or 'data', binary")
                }
            case "close":
                let code = fields["code"]?.integerValue ?? 1000
                event = .close(
                    UInt16(exactly: code) ?? 1000, fields["reason"]?.stringValue ?? "")
            default: continue
            }
            guard let name = fields["socket"]?.stringValue,
                let outbox = sockets.withLock({ $0[name] })
            else {
                return .noObject(path: Array((fields["socket"]?.stringValue ?? "socket").utf8))
            }
            outbox.append(event, byteCount: 64 + PendingRequest.weight(fields))
            return nil
        }
        return .badRequest(
            "the server knows othismo.http.websocket.send and othismo.http.websocket.close")
    }
}
