import Synchronization
import WasmdHTTP

/// The bytes of the last events of a sequence, made once for all streams that send them.
///
/// An event has a number of the sequence, and a place by that number: a later event with the same
/// place replaces it. So a stream that is far behind makes the bytes again, and those that keep up
/// share them.
public final class SharedEvents: Sendable {
    fileprivate struct State {
        var places: [(number: UInt64, bytes: [UInt8])?]
        var byteCount = 0
    }

    private let byteLimit: Int
    private let state: Mutex<State>

    /// - Parameters:
    ///   - capacity: the most events that are kept.
    ///   - byteLimit: the most bytes that they take; an event that is larger is not kept.
    public init(capacity: Int = 1024, byteLimit: Int = 2 << 20) {
        self.byteLimit = byteLimit
        state = Mutex(State(places: Array(repeating: nil, count: max(capacity, 1))))
    }

    /// The bytes of an event, as they are sent.
    ///
    /// - Parameters:
    ///   - number: its number; what the event is depends on nothing else.
    ///   - make: makes the event, if its bytes are not there.
    public func bytes(
        _ number: UInt64, _ make: () throws -> ServerSentEvent
    ) throws -> [UInt8] {
        if let known = state.withLock({ $0.bytes(number) }) { return known }
        // Two loops may do this at the same time, but none waits for the other.
        var bytes: [UInt8] = []
        try ServerSentEventWriter.write(make(), to: &bytes)
        state.withLock { $0.keep(bytes, number, byteLimit) }
        return bytes
    }

    /// Bytes of the events that are kept.
    public var byteCount: Int { state.withLock { $0.byteCount } }
}

extension SharedEvents.State {
    fileprivate func place(_ number: UInt64) -> Int {
        Int(truncatingIfNeeded: number % UInt64(places.count))
    }

    fileprivate func bytes(_ number: UInt64) -> [UInt8]? {
        guard let kept = places[place(number)], kept.number == number else { return nil }
        return kept.bytes
    }

    fileprivate mutating func keep(_ bytes: [UInt8], _ number: UInt64, _ limit: Int) {
        guard bytes.count <= limit else { return }
        let place = place(number)
        if let old = places[place] {
            // A stream that is behind takes no place of those that keep up.
            guard old.number <= number else { return }
            byteCount -= old.bytes.count
            places[place] = nil
        }
        if byteCount + bytes.count > limit {
            for index in places.indices { places[index] = nil }
            byteCount = 0
        }
        places[place] = (number, bytes)
        byteCount += bytes.count
    }
}
