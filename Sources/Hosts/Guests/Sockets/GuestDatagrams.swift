// Soundness: everything is used on the loop's thread only; functions that others may call compare the
// thread first. Buffers are lent to one call at a time.

import WasmInterpreter
import WasmSystem
import WasmWASI
import WasmdEventLoop

/// A socket of a guest that carries datagrams, as such or in a stream.
///
/// `.whole`: the guest sees a datagram socket. Each read takes one datagram, whose rest is lost if the
/// buffers are too small; each write sends one, at most `byteLimit` bytes. A read of 0 bytes is an
/// empty datagram: there is no end.
///
/// `.framed`: the guest sees a stream. Each datagram has its length before it, 2 bytes, the high one
/// first.
///
/// Nothing waits for a datagram to be sent: what the carrier does not take is dropped and counted. The
/// same happens to datagrams that come while `queueLimit` bytes wait for the guest.
@safe public final class GuestDatagrams: GuestSocket, @unchecked Sendable {
    /// How the guest sees datagrams.
    public enum Form: Sendable { case whole, framed }

    /// Sends a datagram; false if it was not taken.
    public typealias Send = (UnsafeRawBufferPointer) -> Bool

    /// The most bytes of a datagram: of UDP over IPv4.
    public static let byteLimit = 65_507
    /// What a datagram that waits is counted as, beside its bytes.
    private static let cost = 64

    private let form: Form
    private let counts: DatagramCounts
    /// Nil after the end.
    private var send: Send?
    private var isOpen = true
    /// Called once, when the guest has closed the socket or has ended.
    public var whenClosed: (() -> Void)?
    private var queue = DatagramQueue()
    /// Of the first datagram, with its length: how much of it a guest of a stream has read.
    private var position = 0
    /// Bytes of a guest of a stream that are no whole datagram yet, with their length.
    private var partial: [UInt8] = []
    private var closedDirections: Wait.Directions = []
    /// Bytes that are counted in the loop's total.
    private var waiting = 0
    /// When a datagram was delivered or sent the last time.
    public private(set) var lastUse = LoopInstant.now

    public init(
        _ form: Form, _ limits: GuestSocketLimits = .init(), counts: DatagramCounts,
        on guests: GuestLoop, send: @escaping Send
    ) {
        self.form = form
        self.counts = counts
        unsafe self.send = send
        super.init(limits, guests)
    }

    deinit {
        guard waiting > 0 else { return }
        let (guests, waiting) = (guests, waiting)
        if guests.loop.isCurrent { return guests.count(-waiting) }
        _ = guests.loop.callOnLoop { guests.count(-waiting) }
    }

    public override var carriesDatagrams: Bool { form == .whole }

    /// Bytes that wait for the guest at most.
    public var queueLimit: Int {
        let (bytes, isTooMuch) = limits.queuedBytes.multipliedReportingOverflow(by: 4)
        return isTooMuch ? .max : bytes
    }

    // MARK: The carrier

    /// Gives the guest a datagram; false if it was dropped. On the loop's thread.
    @discardableResult
    public func deliver(_ bytes: [UInt8]) -> Bool {
        guard guests.loop.isCurrent, isOpen else { return false }
        let size = bytes.count + Self.cost
        guard bytes.count <= Int(UInt16.max), size <= queueLimit - waiting,
            size <= guests.queueRoom || waiting == 0
        else {
            counts.countDropped()
            return false
        }
        lastUse = guests.loop.turnTime
        queue.append(bytes)
        count(size)
        counts.countReceived()
        if !isHeldBack { guests.signal(changes) }
        return true
    }

    private func count(_ change: Int) {
        waiting += change
        guests.count(change)
    }

    private func dropFirst() {
        position = 0
        if let first = queue.removeFirst() { count(-(first.count + Self.cost)) }
    }

    private func transmit(_ bytes: UnsafeRawBufferPointer) {
        lastUse = guests.loop.turnTime
        if unsafe send?(bytes) == true { counts.countSent() } else { counts.countDropped() }
    }

    // MARK: Reading

    private func mayRead() throws(Errno) {
        guard guests.loop.isCurrent else { throw .io }
        guard isOpen else { throw .badf }
        guard !isHeldBack, queue.first != nil else { throw .again }
    }

    public override func read(
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) -> Int {
        try mayRead()
        wasUsed()
        var count = 0
        switch form {
        case .whole:
            count = unsafe copyFirst(from: 0, to: buffer)
            dropFirst()
        case .framed:
            while count < buffer.count, queue.first != nil {
                let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[count...])
                count += unsafe copyFramed(to: rest)
            }
        }
        readByteCount &+= UInt64(count)
        return count
    }

    public override func peek(
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) -> Int {
        try mayRead()
        guard form == .framed else { return unsafe copyFirst(from: 0, to: buffer) }
        let before = position
        defer { position = before }
        return unsafe copyPart(to: buffer)
    }

    private func copyFirst(from start: Int, to buffer: UnsafeMutableRawBufferPointer) -> Int {
        guard let first = queue.first, start < first.count else { return 0 }
        let count = min(first.count - start, buffer.count)
        unsafe buffer.copyBytes(from: first[start..<(start + count)])
        return count
    }

    /// A part of the first datagram and its length, which is dropped if it is read.
    private func copyFramed(to buffer: UnsafeMutableRawBufferPointer) -> Int {
        let count = unsafe copyPart(to: buffer)
        if let first = queue.first, position >= first.count + 2 { dropFirst() }
        return count
    }

    private func copyPart(to buffer: UnsafeMutableRawBufferPointer) -> Int {
        guard let first = queue.first else { return 0 }
        var count = 0
        while position < 2, count < buffer.count {
            unsafe buffer[count] = UInt8(
                truncatingIfNeeded: position == 0 ? first.count >> 8 : first.count)
            position += 1
            count += 1
        }
        guard position >= 2, count < buffer.count else { return count }
        let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[count...])
        let copied = unsafe copyFirst(from: position - 2, to: rest)
        position += copied
        return count + copied
    }

    public override var readableByteCount: Int? {
        guard guests.loop.isCurrent, isOpen else { return 0 }
        guard !isHeldBack, let first = queue.first else { return nil }
        return form == .whole ? first.count : first.count + 2 - position
    }

    // MARK: Writing

    override var writeFailure: Errno? { isOpen ? nil : .badf }

    public override func write(_ bytes: UnsafeRawBufferPointer) throws(Errno) -> Int {
        guard guests.loop.isCurrent else { throw .io }
        guard isOpen else { throw .badf }
        wasUsed()
        switch form {
        case .whole:
            guard bytes.count <= Self.byteLimit else { throw .msgsize }
            unsafe transmit(bytes)
        case .framed: unsafe writeFramed(bytes)
        }
        writtenByteCount &+= UInt64(bytes.count)
        return bytes.count
    }

    private func writeFramed(_ bytes: UnsafeRawBufferPointer) {
        var rest = unsafe bytes[...]
        while unsafe !rest.isEmpty {
            while partial.count < 2, let byte = unsafe rest.first {
                partial.append(byte)
                unsafe rest = rest.dropFirst()
            }
            guard partial.count >= 2 else { return }
            let length = Int(partial[0]) << 8 | Int(partial[1])
            let part = unsafe rest.prefix(length + 2 - partial.count)
            unsafe rest = rest.dropFirst(part.count)
            let isWhole = unsafe partial.count == 2 && part.count == length
            if isWhole {
                // The whole datagram is in one piece, as from most guests.
                unsafe transmit(UnsafeRawBufferPointer(rebasing: part))
                partial.removeAll(keepingCapacity: true)
                continue
            }
            unsafe partial.append(contentsOf: part)
            guard partial.count == length + 2 else { return }
            unsafe partial.withUnsafeBytes { whole in
                unsafe transmit(UnsafeRawBufferPointer(rebasing: whole[2...]))
            }
            // A guest that sent a long one does not keep its room for ever.
            partial = []
        }
    }

    // MARK: The end

    public override func guestDidClose(_ directions: Wait.Directions) {
        if guests.loop.isCurrent { return didClose(directions) }
        _ = guests.loop.callOnLoop { self.didClose(directions) }
    }

    private func didClose(_ directions: Wait.Directions) {
        closedDirections.formUnion(directions)
        if closedDirections == [.reading, .writing] { close() }
    }

    /// Drops what waits, and ends the carrier. The guest's calls fail with `badf` from now on.
    public func close() {
        guard guests.loop.isCurrent, isOpen else { return }
        isOpen = false
        unsafe send = nil
        while queue.first != nil { dropFirst() }
        partial = []
        let body = whenClosed
        whenClosed = nil
        body?()
        guests.signal(changes)
    }
}

/// Datagrams in the order in which they came.
struct DatagramQueue {
    private var all: [[UInt8]] = []
    private var start = 0

    var first: [UInt8]? { start < all.count ? all[start] : nil }

    mutating func append(_ bytes: [UInt8]) { all.append(bytes) }

    mutating func removeFirst() -> [UInt8]? {
        guard start < all.count else { return nil }
        let first = all[start]
        all[start] = []
        start += 1
        if start == all.count {
            all = []
            start = 0
        } else if start >= 64, start * 2 >= all.count {
            all.removeFirst(start)
            start = 0
        }
        return first
    }
}
