import Synchronization

/// What answers of devices take in memory at one time: devices are asked by many executions.
final class AnswerRoom: Sendable {
    private let taken = Mutex(0)

    /// Bytes of all answers, and of what was read from them.
    static let limit = 512 << 20

    /// Whether there was room.
    fileprivate func take(_ count: Int) -> Bool {
        taken.withLock { taken in
            guard count <= Self.limit - taken else { return false }
            taken += count
            return true
        }
    }

    fileprivate func free(_ count: Int) { taken.withLock { $0 -= count } }
}

/// The room of one answer, until it is gone.
final class AnswerHold: Sendable {
    private let room: AnswerRoom
    private let held = Mutex((bytes: 0, document: 0))

    init(_ room: AnswerRoom) { self.room = room }

    deinit { room.free(held.withLock { $0.bytes + $0.document }) }

    /// Takes room for more bytes; false if there is none.
    func add(_ count: Int) -> Bool {
        guard room.take(count) else { return false }
        held.withLock { $0.bytes += count }
        return true
    }

    /// Takes room for what was read from the bytes, once however often they are read; false if there
    /// is none.
    func add(document size: Int) -> Bool {
        let more = held.withLock { max(size - $0.document, 0) }
        guard room.take(more) else { return false }
        held.withLock { $0.document += more }
        return true
    }
}
