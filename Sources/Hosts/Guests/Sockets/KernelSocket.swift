// Soundness: buffers are passed to one call of the kernel at a time. Everything is used on the loop's
// thread only; functions that others may call compare the thread first.

import WasmInterpreter
import WasmSystem
import WasmWASI
import WasmdEventLoop

/// A connection of TCP or of a unix socket that is given to a guest: see `GuestSocket`.
///
/// Takes one descriptor of the kernel, which is registered with the loop once: waiting costs no call
/// of the kernel, and bytes that move at once cost one each.
///
/// When the guest has closed it, or its instance has ended, queued bytes are sent first, for at most
/// `limits.closingTime`; then the descriptor is closed.
public final class KernelSocket: GuestSocket, @unchecked Sendable {
    private enum State {
        case open
        /// Queued bytes are sent.
        case closing
        /// All is sent; the peer's bytes are discarded, since closing before they are read would
        /// reset the connection, and lose what the peer has not received.
        case lingering
        case closed
    }

    private var descriptor: Int32
    private var watch: DescriptorWatch?
    private var queue = ByteQueue()
    private var state = State.open
    /// Whether a read may find something; false after one that did not.
    private var mayRead = true
    private var hasEnd = false
    /// Whether the guest has read the end.
    private var isEndRead = false
    private var hasHangup = false
    private var isReadingShut = false
    /// Also while the end is not sent yet, because there are queued bytes.
    private var isWritingShut = false
    /// Why queued bytes were not sent: the error of the next write.
    private var failure: Errno?
    private var closedDirections: Wait.Directions = []
    private var closingTimer: LoopTimer?

    /// Takes ownership of a connected stream socket, which is made nonblocking. On the loop's thread.
    ///
    /// - Throws: `GuestSocketError` at the loop's limit; `SystemError` if it cannot be watched, or
    ///   carries messages.
    public init(
        adopting descriptor: consuming FileDescriptor, _ limits: GuestSocketLimits = .init(),
        on guests: GuestLoop
    ) throws {
        guard !Kernel.carriesMessages(descriptor.number) else { throw SystemError.opnotsupp }
        try guests.addSocket()
        let flags: FileFlags
        do {
            flags = try Kernel.flags(descriptor.number)
            if !flags.contains(.nonblock) {
                try Kernel.setFlags(descriptor.number, flags.union(.nonblock))
            }
        } catch {
            guests.removeSocket()
            throw error
        }
        try? Kernel.setNoDelay(descriptor.number)
        self.descriptor = descriptor.release()
        super.init(limits, guests)
        // From here on `deinit` closes the descriptor.
        watch = try DescriptorWatch(
            self.descriptor, .reading, reporting: .changes, on: guests.loop
        ) { [weak self] in self?.becameReady($0) }
    }

    deinit {
        guard descriptor >= 0 else { return }
        queue.removeAll()
        let owner = Remains(descriptor: descriptor, watch: watch, guests: guests, count: counted)
        if guests.loop.isCurrent { return owner.end() }
        // Without a loop that runs, the descriptor is closed with `owner`.
        _ = guests.loop.callOnLoop { owner.end() }
    }

    /// What is left of a socket whose last reference was released.
    private final class Remains: @unchecked Sendable {
        private var descriptor: Int32
        private let watch: DescriptorWatch?
        private let guests: GuestLoop
        private let count: Int

        init(descriptor: Int32, watch: DescriptorWatch?, guests: GuestLoop, count: Int) {
            self.descriptor = descriptor
            self.watch = watch
            self.guests = guests
            self.count = count
        }

        deinit { if descriptor >= 0 { try? Kernel.close(descriptor) } }

        func end() {
            watch?.end()
            guests.count(-count)
            guests.removeSocket()
            try? Kernel.close(descriptor)
            descriptor = -1
        }
    }

    // MARK: Reading

    public override func read(
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) -> Int {
        guard try mayTryToRead() else { return 0 }
        let count = try receive { () throws(SystemError) in
            try unsafe Kernel.read(descriptor, buffer)
        }
        // A short count does not say that there is no more: reading stops also at urgent bytes, and
        // where descriptors were sent along.
        if count > 0 {
            wasUsed()
            readByteCount &+= UInt64(count)
        } else if unsafe !buffer.isEmpty {
            hasEnd = true
            if !hasHangup, hidesEnd() { throw .again }
            isEndRead = true
        }
        return count
    }

    public override func peek(
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) -> Int {
        guard try mayTryToRead() else { return 0 }
        return try receive { () throws(SystemError) in
            try unsafe Kernel.peek(descriptor, buffer)
        }
    }

    /// Whether the kernel is to be asked; throws `again` if there is nothing.
    private func mayTryToRead() throws(Errno) -> Bool {
        guard guests.loop.isCurrent else { throw .io }
        guard state == .open else { throw .badf }
        if isReadingShut { return false }
        guard mayRead, !isHeldBack else { throw .again }
        return true
    }

    private func receive(_ call: () throws(SystemError) -> Int) throws(Errno) -> Int {
        do throws(SystemError) {
            return try call()
        } catch {
            if error == .again { mayRead = false }
            throw Errno(error)
        }
    }

    public override var readableByteCount: Int? {
        guard guests.loop.isCurrent, state == .open, !isReadingShut else { return 0 }
        guard mayRead, !isHeldBack else { return nil }
        let count = Kernel.readableByteCount(descriptor)
        if count == 0, hasEnd, !hasHangup, hidesEnd() { return nil }
        if count > 0 || hasEnd { return Int(clamping: count) }
        // Before an urgent byte none is counted.
        if (try? Kernel.isReady(descriptor, isReading: true)) == true { return 1 }
        mayRead = false
        return nil
    }

    public override var isHungUp: Bool { hasHangup && !isHeldBack }

    public override var isEndUnread: Bool {
        hasEnd && !isEndRead && !isEndHidden && state == .open && !isReadingShut && !isHeldBack
    }

    // MARK: Writing

    public override var queuedByteCount: Int { queue.count }

    override var writeFailure: Errno? {
        if state != .open { return .badf }
        return failure ?? (isWritingShut ? .pipe : hasHangup && queue.isEmpty ? .connreset : nil)
    }

    public override func write(_ bytes: UnsafeRawBufferPointer) throws(Errno) -> Int {
        guard guests.loop.isCurrent else { throw .io }
        guard state == .open else { throw .badf }
        if let failure {
            self.failure = nil
            throw failure
        }
        guard !isWritingShut else { throw .pipe }
        wasUsed()
        let sent = queue.isEmpty ? try unsafe send(bytes) : 0
        writtenByteCount &+= UInt64(sent)
        guard sent < bytes.count else { return sent }
        let taken = min(bytes.count - sent, max(room, 0))
        if taken > 0 {
            let wasEmpty = queue.isEmpty
            unsafe queue.append(UnsafeRawBufferPointer(rebasing: bytes[sent..<(sent + taken)]))
            writtenByteCount &+= UInt64(taken)
            if wasEmpty { arm([.reading, .writing]) }
            queueChanged()
        } else {
            waitForRoom()
            guard sent > 0 else { throw .again }
        }
        return sent + taken
    }

    /// Bytes that the kernel takes now.
    private func send(_ bytes: UnsafeRawBufferPointer) throws(Errno) -> Int {
        do throws(SystemError) {
            return try unsafe Kernel.send(descriptor, bytes)
        } catch .again {
            return 0
        } catch {
            throw Errno(error)
        }
    }

    /// Sends queued bytes until the kernel takes no more.
    private func drain() {
        guard !queue.isEmpty else { return }
        do throws(Errno) {
            while !queue.isEmpty {
                let sent = try unsafe queue.withBytes { (bytes) throws(Errno) in
                    try unsafe send(bytes)
                }
                if sent == 0 { break }
                queue.drop(sent)
            }
        } catch {
            // The peer is gone, and with it what it has not received.
            failure = error
            queue.removeAll()
            writerMayContinue()
        }
        if queue.isEmpty { queueIsEmpty() }
        queueChanged()
    }

    private func queueIsEmpty() {
        if isWritingShut, failure == nil {
            try? Kernel.shutdown(descriptor, reading: false, writing: true)
        }
        if state == .closing { return linger() }
        arm(.reading)
    }

    /// What the kernel reports from now on; changes of room for writing only while it matters.
    private func arm(_ interests: Poller.Interests) {
        // Fails only for descriptors that are not registered.
        do throws(SystemError) { try watch?.arm(interests) } catch { fail(Errno(error)) }
    }

    private func fail(_ error: Errno) {
        failure = error
        hasEnd = true
        mayRead = true
        queue.removeAll()
    }

    private func becameReady(_ readiness: Poller.Readiness) {
        if readiness.contains(.hangup) { hasHangup = true }
        if readiness.contains(.hangup) || readiness.contains(.endOfInput) { hasEnd = true }
        if readiness.contains(.reading) { mayRead = true }
        if readiness.contains(.writing) { drain() }
        switch state {
        case .open:
            if hasEnd { whenPeerEnds?() }
            if hasHangup { writerMayContinue() }
            if readiness.contains(.reading), !isHeldBack || hasHangup { guests.signal(changes) }
        case .lingering: discardInput()
        case .closing, .closed: break
        }
    }

    // MARK: The end

    public override func shutdown(_ directions: Wait.Directions) throws(Errno) {
        guard guests.loop.isCurrent else { throw .io }
        guard state == .open else { throw .badf }
        let writes = directions.contains(.writing) && !isWritingShut
        let reads = directions.contains(.reading)
        do throws(SystemError) {
            if reads || writes && queue.isEmpty {
                try Kernel.shutdown(
                    descriptor, reading: reads, writing: writes && queue.isEmpty)
            }
        } catch {
            throw Errno(error)
        }
        if reads { isReadingShut = true }
        if writes { isWritingShut = true }
        guests.signal(changes)
    }

    public override func guestDidClose(_ directions: Wait.Directions) {
        if guests.loop.isCurrent { return didClose(directions) }
        _ = guests.loop.callOnLoop { self.didClose(directions) }
    }

    private func didClose(_ directions: Wait.Directions) {
        closedDirections.formUnion(directions)
        if closedDirections == [.reading, .writing] { close() }
    }

    /// Whether the descriptor is closed.
    public var isClosed: Bool { guests.loop.isCurrent && state == .closed }

    /// Sends queued bytes, for at most `limits.closingTime`, and closes the connection. On the loop's
    /// thread. The guest's calls fail with `badf` from now on.
    public func close() {
        guard guests.loop.isCurrent, state == .open else { return }
        state = .closing
        if failure != nil || hasHangup { queue.removeAll() }
        let end = LoopInstant.after(limits.closingTime)
        // Keeps the socket until it is closed.
        closingTimer = LoopTimer(at: end, on: guests.loop) { self.reset() }
        if queue.isEmpty { linger() }
        guests.signal(changes)
    }

    /// Closes the connection now, and drops queued bytes: the peer sees a reset.
    public func reset() {
        guard guests.loop.isCurrent, state != .closed else { return }
        if !hasHangup { try? Kernel.setResetsOnClose(descriptor) }
        closeNow()
    }

    /// Closes the connection as soon as the peer has stopped sending.
    private func linger() {
        state = .lingering
        guard !hasHangup, failure == nil, Kernel.readableByteCount(descriptor) > 0 else {
            return closeNow()
        }
        if !isWritingShut { try? Kernel.shutdown(descriptor, reading: false, writing: true) }
        let end = LoopInstant.after(min(limits.closingTime, Self.lingeringTime))
        closingTimer?.cancel()
        closingTimer = LoopTimer(at: end, on: guests.loop) { self.closeNow() }
        arm(.reading)
        discardInput()
    }

    private static let lingeringTime = Duration.seconds(2)
    /// Discarded bytes between two polls of the loop.
    private static let discardedPieces = 16

    private func discardInput() {
        let isOver = unsafe withUnsafeTemporaryAllocation(byteCount: 16 << 10, alignment: 1) {
            for _ in 0..<Self.discardedPieces {
                do throws(SystemError) {
                    if try unsafe Kernel.read(descriptor, $0) == 0 { return true }
                } catch {
                    return error != .again
                }
            }
            // Armed again, since only changes are reported.
            arm(.reading)
            return false
        }
        if isOver { closeNow() }
    }

    private func closeNow() {
        guard state != .closed else { return }
        // The timer may have the last reference.
        withExtendedLifetime(self) {
            state = .closed
            watch?.end()
            watch = nil
            closingTimer?.cancel()
            closingTimer = nil
            try? Kernel.close(descriptor)
            descriptor = -1
            queue.removeAll()
            queueChanged()
            guests.removeSocket()
            guests.signal(changes)
        }
    }

    /// Waits until the descriptor is closed: until queued bytes are sent, after the guest has closed
    /// it or has ended.
    ///
    /// - Throws: `LoopError.cancelled`.
    public func closed() async throws(LoopError) {
        while !isClosed {
            let turn = changes.turn
            if isClosed { return }
            try await guests.wait(for: changes, since: turn)
        }
    }
}
