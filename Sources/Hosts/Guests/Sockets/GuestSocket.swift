// Soundness: everything is used on the loop's thread only; functions that others may call compare the
// thread first. Arrays are lent to one call at a time.

import WasmInterpreter
import WasmWASI
import WasmdEventLoop

/// A connection that a host gives to a guest: `KernelSocket` or `MemorySocket`.
///
/// ```swift
/// let near = try KernelSocket(adopting: accepted, on: guests)
/// let far = try KernelSocket(adopting: connected, on: guests)
/// near.pair(with: far)
/// world.streams = [near, far]
/// ```
///
/// Published programs lose data where a write takes fewer bytes than offered, or fails with `again`.
/// So a write to such a socket takes everything: what the connection does not accept is queued, and
/// sent by the loop. While the queue is above a mark, the *paired* socket, from which the guest has the
/// bytes, has nothing to read; so the queue stays short, and nothing has to wait. A guest that
/// writes all the same waits in its write when the queue is full.
///
/// Guests that ask for ever whether they may write are told at intervals: see
/// `GuestSocketLimits.writableDelays`.
///
/// Belongs to the loop of its `GuestLoop`: elsewhere its functions fail with `io`.
public class GuestSocket: StreamSocket, @unchecked Sendable {
    public final let changes = WakeSource()
    public final let limits: GuestSocketLimits
    final let guests: GuestLoop
    private final weak var counterpart: GuestSocket?
    /// Whether the queue has reached the mark, and was not half empty since.
    private final var isAboveMark = false
    /// Whether the guest waits until it may write.
    private final var isWriterWaiting = false
    private final var damping: WriteDamping
    /// The last round of it in which the guest was told about this socket.
    private final var toldRound: UInt64 = 0
    private final var dampingTimer: LoopTimer?
    /// Bytes that are counted in the loop's total.
    private(set) final var counted = 0
    /// Bytes that were read from the socket.
    public internal(set) final var readByteCount: UInt64 = 0
    /// Bytes that were written to the socket, the queued ones included.
    public internal(set) final var writtenByteCount: UInt64 = 0
    /// Called on the loop's thread when the peer has stopped sending, or is gone; perhaps several
    /// times. It must not keep the socket.
    public final var whenPeerEnds: (() -> Void)?
    /// See `hideEnd`.
    private final var whenEndIsHidden: (() -> Void)?
    /// Whether the end of the peer's bytes was found, and was hidden.
    public private(set) final var isEndHidden = false

    init(_ limits: GuestSocketLimits, _ guests: GuestLoop) {
        self.limits = limits.checked
        self.guests = guests
        damping = WriteDamping(limits.writableDelays)
    }

    deinit {
        // Elsewhere it fires, and finds nothing.
        if guests.loop.isCurrent { dampingTimer?.cancel() }
    }

    // MARK: Overridden

    /// Bytes of the guest that wait to be sent.
    public var queuedByteCount: Int { 0 }
    /// Why writing fails; nil if it would not.
    var writeFailure: Errno? { nil }
    public func read(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
        throw .badf
    }
    public func peek(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
        throw .badf
    }
    public func write(_ bytes: UnsafeRawBufferPointer) throws(Errno) -> Int { throw .badf }
    public func shutdown(_ directions: Wait.Directions) throws(Errno) {}
    public var carriesDatagrams: Bool { false }
    public var readableByteCount: Int? { nil }
    public var isHungUp: Bool { false }
    /// Whether the peer has stopped sending, and the guest could read that, or bytes before it, and
    /// did not yet.
    public var isEndUnread: Bool { false }
    public func guestDidClose(_ directions: Wait.Directions) {}

    // MARK: The host

    /// Reads available bytes as the guest does, at most `limit`; empty at the end. On the loop's
    /// thread.
    ///
    /// - Throws: `again` if there are none yet, and as `read(into:)`.
    public final func readNow(upTo limit: Int) throws(Errno) -> [UInt8] {
        let count = min(max(limit, 1), max(readableByteCount ?? 1, 1))
        var bytes = [UInt8](repeating: 0, count: count)
        let taken = try unsafe bytes.withUnsafeMutableBufferPointer { (buffer) throws(Errno) in
            try unsafe read(into: UnsafeMutableRawBufferPointer(buffer))
        }
        bytes.removeLast(count - min(max(taken, 0), count))
        return bytes
    }

    /// Writes bytes from `start` on as the guest does, as far as there is room; returns how many. On
    /// the loop's thread.
    ///
    /// - Throws: `again` if there is no room, and as `write`.
    public final func writeNow(_ bytes: [UInt8], from start: Int = 0) throws(Errno) -> Int {
        guard start >= 0, start < bytes.count else { return 0 }
        return try unsafe bytes.withUnsafeBufferPointer { (all) throws(Errno) in
            let all = UnsafeRawBufferPointer(all)
            return try unsafe write(UnsafeRawBufferPointer(rebasing: all[start...]))
        }
    }

    // MARK: Hiding the end

    /// Lets the guest find no end where the peer has stopped sending: there is nothing to read then.
    /// For guests that end both directions when one has ended. A connection that is over in both
    /// directions is reported all the same.
    ///
    /// - Parameter body: called once, when the guest has read all bytes and looks for more.
    public final func hideEnd(_ body: @escaping () -> Void) { whenEndIsHidden = body }

    /// Lets the guest find the end.
    public final func revealEnd() {
        whenEndIsHidden = nil
        guard isEndHidden else { return }
        isEndHidden = false
        guests.signal(changes)
    }

    /// Whether the end, which the guest would find now, is hidden.
    final func hidesEnd() -> Bool {
        guard let whenEndIsHidden else { return false }
        if !isEndHidden {
            isEndHidden = true
            whenEndIsHidden()
        }
        // Hiding may have been ended by the closure.
        return self.whenEndIsHidden != nil
    }

    // MARK: Holding back

    /// Holds `other` back while this socket's queue is above the mark, and the other way round. A
    /// socket may be its own pair, for a guest that answers on the connection that it reads from.
    public final func pair(with other: GuestSocket) {
        guard guests.loop.isCurrent else { return }
        unpair()
        other.unpair()
        counterpart = other
        other.counterpart = self
        other.wakeTogether(with: self)
    }

    /// Lets a guest that asks for ever whether it may write be told about this socket when it is told
    /// about `other`.
    public final func wakeTogether(with other: GuestSocket) {
        guard guests.loop.isCurrent, damping !== other.damping else { return }
        dampingTimer?.cancel()
        dampingTimer = nil
        damping = other.damping
        toldRound = 0
    }

    /// Nothing holds the socket or its former pair back.
    private final func unpair() {
        guard let former = counterpart else { return }
        counterpart = nil
        if former.counterpart === self { former.counterpart = nil }
        for socket in [self, former] { guests.signal(socket.changes) }
    }

    /// Whether there is nothing to read because the paired socket's queue is above its mark.
    public final var isHeldBack: Bool { counterpart?.isAboveMark ?? false }

    /// Bytes that may be queued now.
    final var room: Int {
        let count = queuedByteCount
        // Beyond the total of the loop, each socket may still queue a little, when its queue is empty.
        let least = count == 0 ? Self.leastRoom : 0
        return min(limits.queuedBytes - count, max(guests.queueRoom, least))
    }

    private static let leastRoom = 16 << 10

    /// The guest could not write: it is woken when it can.
    final func waitForRoom() { isWriterWaiting = true }

    /// To be called after each change of the queue.
    final func queueChanged() {
        let count = queuedByteCount
        guests.count(count - counted)
        counted = count
        if count >= limits.holdMark {
            isAboveMark = true
        } else if count <= limits.holdMark / 2 {
            if isAboveMark {
                isAboveMark = false
                if let counterpart { guests.signal(counterpart.changes) }
            }
            writerMayContinue()
        }
    }

    /// Wakes the guest if it waits until it may write.
    final func writerMayContinue() {
        guard isWriterWaiting else { return }
        isWriterWaiting = false
        damping.reset()
        guests.signal(changes)
    }

    // MARK: Readiness

    public final var writableByteCount: Int? {
        if writeFailure != nil { return 0 }
        let room = isAboveMark ? 0 : room
        return room > 0 ? room : nil
    }

    public final func poll(isReading: Bool) -> Int? {
        if isReading { return readableByteCount }
        guard guests.loop.isCurrent else { return 0 }
        guard let count = writableByteCount else {
            waitForRoom()
            return nil
        }
        if damping.report(at: guests.loop.turnTime, told: &toldRound) { return count }
        setDampingTimer()
        return nil
    }

    /// The guest has read or written bytes.
    final func wasUsed() {
        damping.reset()
        if let counterpart, counterpart.damping !== damping { counterpart.damping.reset() }
    }

    private final func setDampingTimer() {
        guard dampingTimer == nil, let next = damping.next else { return }
        dampingTimer = LoopTimer(at: next, on: guests.loop) { [weak self] in
            guard let self else { return }
            dampingTimer = nil
            guard let next = damping.next else { return }
            // The guest was told again meanwhile, for another reason to look.
            if next > guests.loop.turnTime { return setDampingTimer() }
            guests.signal(changes)
        }
    }
}
