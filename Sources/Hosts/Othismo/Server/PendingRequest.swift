import WasmdDocuments
import WasmdEventLoop
import WasmdGuests
import WasmdImages

/// A request of a client, and the answers to it that were not taken yet.
final class PendingRequest: Sendable {
    /// What its `request_id` is in the image.
    let number: Int64
    let end: End
    let byteCount: Int
    private let events: Feed<Event>
    private let reader: FeedReader<Event>

    /// What comes besides answers.
    enum End: Sendable {
        /// Nothing: the client knows when its answer is whole.
        case answer
        /// `ended`, when no message is in flight.
        case idle
        /// `ended`, when the message was delivered and this is durable.
        case handled
    }

    enum Event: Sendable {
        case answer(Envelope)
        case ended
        /// The message could not be put into the image.
        case refused(MessageError)
        case failed(ImageError)
    }

    /// More answers that nobody takes are dropped.
    private static let eventLimit = 256
    private static let byteLimit = 16 << 20

    init(_ number: Int64, _ end: End, byteCount: Int) {
        self.number = number
        self.end = end
        self.byteCount = byteCount
        events = Feed(capacity: Self.eventLimit, byteLimit: Self.byteLimit)
        reader = FeedReader(events.subscribe(batchLimit: 1))
    }

    func add(_ event: Event) {
        var weight = 64
        if case .answer(let envelope) = event { weight += Self.weight(envelope.document) }
        events.append(event, byteCount: weight)
    }

    /// Why there is no next event.
    enum Failure: Error, Sendable {
        case timedOut
        /// Events were dropped, because the client was too slow.
        case lost
    }

    /// The next event.
    ///
    /// - Throws: `Failure`; `LoopError.cancelled` if the client is gone.
    func next(until deadline: LoopInstant, on loop: EventLoop) async throws -> Event {
        let batch: FeedSubscription<Event>.Batch?
        if let now = reader.nextNow() {
            batch = now
        } else {
            do {
                batch = try await reader.next(until: deadline, on: loop)
            } catch LoopError.timedOut {
                throw Failure.timedOut
            }
        }
        guard let batch else {
            throw Task.isCancelled ? LoopError.cancelled as any Error : Failure.timedOut
        }
        guard batch.lost == 0, let event = batch.elements.first else { throw Failure.lost }
        return event
    }

    /// Bytes that a document takes, about.
    static func weight(_ document: Document) -> Int {
        switch document {
        case .string(let text): 16 + text.utf8.count
        case .bytes(let bytes): 16 + bytes.count
        case .array(let elements): elements.reduce(16) { $0 + weight($1) }
        case .object(let members):
            members.reduce(16) { $0 + $1.name.utf8.count + weight($1.value) }
        default: 16
        }
    }
}
