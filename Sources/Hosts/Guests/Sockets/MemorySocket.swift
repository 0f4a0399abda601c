// Soundness: buffers are copied to and from queues by the smaller count. Everything is used on the
// loop's thread only; functions that others may call compare the thread first.

import WasmInterpreter
import WasmWASI
import WasmdEventLoop

/// One of two ends that are connected in memory, and take no descriptor of the kernel.
///
/// ```swift
/// let (cancel, guestsEnd) = MemorySocket.makePair(on: guests)
/// let number = try guest.insert(guestsEnd)
/// // later
/// try await cancel.write([0])
/// ```
///
/// An end is given to a guest, which sees a socket, or used by tasks of the loop with the `async`
/// functions. What one end writes is queued until the other one reads it; so for both ends the limits
/// and the pairing of `GuestSocket` apply. An end that is closed or released ends both directions.
public final class MemorySocket: GuestSocket, @unchecked Sendable {
    /// The bytes from one end to the other.
    private final class Direction: @unchecked Sendable {
        var bytes = ByteQueue()
        /// The writer has ended it.
        var isEnded = false
        /// The reader takes no more.
        var isRefused = false
        weak var reader: MemorySocket?
        weak var writer: MemorySocket?
    }

    private let incoming: Direction
    private let outgoing: Direction
    private var closedDirections: Wait.Directions = []
    /// Whether the end of the incoming bytes was read.
    private var isEndRead = false

    /// Two connected ends. On the loop's thread.
    public static func makePair(
        _ limits: GuestSocketLimits = .init(), on guests: GuestLoop
    ) -> (MemorySocket, MemorySocket) {
        let there = Direction()
        let back = Direction()
        return (
            MemorySocket(incoming: back, outgoing: there, limits, guests),
            MemorySocket(incoming: there, outgoing: back, limits, guests)
        )
    }

    private init(
        incoming: Direction, outgoing: Direction, _ limits: GuestSocketLimits, _ guests: GuestLoop
    ) {
        self.incoming = incoming
        self.outgoing = outgoing
        super.init(limits, guests)
        incoming.reader = self
        outgoing.writer = self
    }

    deinit {
        let ends = (incoming, outgoing, guests)
        // Bytes that the other end has not read yet are its own from now on.
        let count = counted
        if guests.loop.isCurrent { return Self.end(ends.0, ends.1, ends.2, count) }
        _ = guests.loop.callOnLoop { Self.end(ends.0, ends.1, ends.2, count) }
    }

    private static func end(
        _ incoming: Direction, _ outgoing: Direction, _ guests: GuestLoop, _ count: Int
    ) {
        guests.count(-count)
        refuse(incoming, guests)
        end(outgoing, guests)
    }

    private static func end(_ outgoing: Direction, _ guests: GuestLoop) {
        outgoing.isEnded = true
        guard let reader = outgoing.reader else { return }
        reader.whenPeerEnds?()
        guests.signal(reader.changes)
    }

    private static func refuse(_ incoming: Direction, _ guests: GuestLoop) {
        incoming.isRefused = true
        incoming.bytes.removeAll()
        guard let writer = incoming.writer else { return }
        writer.queueChanged()
        guests.signal(writer.changes)
    }

    // MARK: The guest

    public override func read(
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) -> Int {
        let count = try unsafe peek(into: buffer)
        guard count > 0 else {
            if unsafe !buffer.isEmpty {
                if !incoming.isRefused, hidesEnd() { throw .again }
                isEndRead = true
            }
            return 0
        }
        readByteCount &+= UInt64(count)
        incoming.bytes.drop(count)
        incoming.writer?.queueChanged()
        wasUsed()
        return count
    }

    public override func peek(
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) -> Int {
        guard guests.loop.isCurrent else { throw .io }
        if incoming.isRefused { return 0 }
        guard !isHeldBack else { throw .again }
        guard !incoming.bytes.isEmpty || incoming.isEnded else { throw .again }
        return unsafe incoming.bytes.copy(to: buffer)
    }

    public override func write(_ bytes: UnsafeRawBufferPointer) throws(Errno) -> Int {
        guard guests.loop.isCurrent else { throw .io }
        if let writeFailure { throw writeFailure }
        wasUsed()
        let taken = min(bytes.count, max(room, 0))
        guard unsafe taken > 0 || bytes.isEmpty else {
            waitForRoom()
            throw .again
        }
        unsafe outgoing.bytes.append(UnsafeRawBufferPointer(rebasing: bytes[..<taken]))
        writtenByteCount &+= UInt64(taken)
        queueChanged()
        if let reader = outgoing.reader { guests.signal(reader.changes) }
        if taken < bytes.count { waitForRoom() }
        return taken
    }

    public override func shutdown(_ directions: Wait.Directions) throws(Errno) {
        guard guests.loop.isCurrent else { throw .io }
        if directions.contains(.reading) { Self.refuse(incoming, guests) }
        if directions.contains(.writing) { Self.end(outgoing, guests) }
        guests.signal(changes)
    }

    public override var queuedByteCount: Int { outgoing.bytes.count }
    override var writeFailure: Errno? { outgoing.isEnded || outgoing.isRefused ? .pipe : nil }

    public override var readableByteCount: Int? {
        guard guests.loop.isCurrent, !incoming.isRefused else { return 0 }
        guard !isHeldBack, !incoming.bytes.isEmpty || incoming.isEnded else { return nil }
        if incoming.bytes.isEmpty, !isHungUp, hidesEnd() { return nil }
        return incoming.bytes.count
    }

    public override var isEndUnread: Bool {
        incoming.isEnded && !isEndRead && !isEndHidden && !incoming.isRefused && !isHeldBack
    }

    public override var isHungUp: Bool {
        guests.loop.isCurrent && incoming.isEnded && incoming.bytes.isEmpty && outgoing.isRefused
    }

    public override func guestDidClose(_ directions: Wait.Directions) {
        _ = guests.loop.callOnLoop { [self] in
            closedDirections.formUnion(directions)
            if closedDirections == [.reading, .writing] { close() }
        }
    }

    /// Ends both directions; the other end may still read what was written. On the loop's thread.
    public func close() {
        guard guests.loop.isCurrent else { return }
        Self.refuse(incoming, guests)
        Self.end(outgoing, guests)
        guests.signal(changes)
    }

    // MARK: Tasks of the loop

    /// Reads the available bytes, at most `limit`; waits if there are none. Empty at the end.
    ///
    /// - Throws: `LoopError.cancelled`, `LoopError.wrongLoop`.
    public func read(upTo limit: Int = 65_536) async throws(LoopError) -> [UInt8] {
        while true {
            let turn = changes.turn
            guard guests.loop.isCurrent else { throw .wrongLoop }
            if let count = readableByteCount {
                return unsafe [UInt8](
                    unsafeUninitializedCapacity: min(count, max(limit, 0))
                ) { buffer, filled in
                    filled = (try? unsafe read(into: UnsafeMutableRawBufferPointer(buffer))) ?? 0
                }
            }
            try await guests.wait(for: changes, since: turn)
        }
    }

    /// Writes all bytes; waits while the other end does not read them.
    ///
    /// - Throws: `LoopError.closed` if the other end takes no more; `LoopError.cancelled`,
    ///   `LoopError.wrongLoop`.
    public func write(_ bytes: [UInt8]) async throws(LoopError) {
        var position = 0
        while position < bytes.count {
            let turn = changes.turn
            guard guests.loop.isCurrent else { throw .wrongLoop }
            do throws(Errno) {
                position += try unsafe bytes.withUnsafeBufferPointer { (all) throws(Errno) in
                    let all = UnsafeRawBufferPointer(all)
                    return try unsafe write(UnsafeRawBufferPointer(rebasing: all[position...]))
                }
                continue
            } catch {
                guard error == .again else { throw .closed }
            }
            try await guests.wait(for: changes, since: turn)
        }
    }

    /// Ends writing: the other end reads what was written, and then the end.
    public func endWriting() {
        guard guests.loop.isCurrent else { return }
        Self.end(outgoing, guests)
    }
}
