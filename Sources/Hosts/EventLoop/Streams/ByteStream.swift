// Invariant: buffers are passed to one call of the kernel at a time, within the bounds of the
// arrays that hold them.

import Synchronization
import WasmSystem

/// A connection of TCP or of a unix socket, or an end of a pipe.
///
/// One task reads and one task writes at a time. All functions are for tasks of the stream's loop.
/// The stream is closed when its last reference is released.
public final class ByteStream: Sendable {
    let channel: Channel
    /// Whether a short read means that there is no more now, and writes use `send`.
    private let isSocket: Bool

    /// Takes ownership of a descriptor, which is made nonblocking: a socket, pipe, terminal or
    /// other sequential file.
    public init(adopting descriptor: consuming FileDescriptor, on loop: EventLoop)
        throws(SystemError)
    {
        let number = descriptor.number
        let flags = try Kernel.flags(number)
        if !flags.contains(.nonblock) { try Kernel.setFlags(number, flags.union(.nonblock)) }
        isSocket = try Kernel.status(number).kind == .socket
        channel = Channel(descriptor.release(), loop)
    }

    init(socket number: Int32, on loop: EventLoop) {
        isSocket = true
        channel = Channel(number, loop)
    }

    deinit { channel.close() }

    public var loop: EventLoop { channel.loop }

    /// Whether `close` was not called.
    public var isOpen: Bool { channel.isOpen }

    /// Whether the peer has closed the connection or stopped sending, as far as reported; bytes may
    /// be left to be read. Reported while a task waits, or after one has waited.
    public var hasEnd: Bool { channel.hasEnd }

    /// Whether the connection is over in both directions, as far as reported: reset, or closed by a
    /// peer on this machine.
    public var isGone: Bool { channel.hasHangup }

    /// When reads and writes that still wait end with `LoopError.timedOut`; also those under way.
    /// Setting it is usually cheap: it allocates nothing, and a later deadline moves no timer.
    public var deadline: LoopInstant {
        get { channel.deadline }
        set { if loop.isCurrent { channel.setDeadline(newValue) } }
    }

    /// The same for writes only; the earlier of both holds.
    public var writeDeadline: LoopInstant {
        get { channel.writeDeadline }
        set { if loop.isCurrent { channel.setWriteDeadline(newValue) } }
    }

    // MARK: Reading

    /// Reads the available bytes, at most as many as fit after the bytes of `buffer`. Waits if
    /// there are none.
    ///
    /// - Returns: how many bytes; 0 when the peer has stopped sending, or if `buffer` is full.
    public func read(into buffer: inout InputBuffer) async throws(LoopError) -> Int {
        while true {
            if let count = try tryRead(into: &buffer) {
                if loop.spendCall() { await loop.yield() }
                return count
            }
            try await channel.ready(.reading)
        }
    }

    /// The same without waiting; nil if there is nothing yet.
    public func tryRead(into buffer: inout InputBuffer) throws(LoopError) -> Int? {
        let number = try channel.opened()
        guard channel.mayRead else { return nil }
        guard buffer.makeRoom() else { return 0 }
        do throws(SystemError) {
            let (count, room) = try unsafe buffer.fill { (bytes) throws(SystemError) in
                try unsafe Kernel.read(number, bytes)
            }
            // The socket has no more now, or it would have filled the buffer. Its end is another
            // event.
            if count < room, count > 0, isSocket, !channel.hasEnd { channel.mayRead = false }
            return count
        } catch .again {
            channel.mayRead = false
            return nil
        } catch {
            throw .system(error)
        }
    }

    /// Waits until there is something to read, or the end. A connection that waits in this way
    /// needs no buffer.
    public func readable() async throws(LoopError) {
        if try !mayHaveBytes() { try await channel.ready(.reading) }
    }

    /// The same for a task that calls `wakeReader` when it is cancelled, and then checks whether it
    /// is: the wait itself costs less than half.
    public func readableOrWoken() async throws(LoopError) {
        if try !mayHaveBytes() { try await channel.readyUnlessWoken(.reading) }
    }

    private func mayHaveBytes() throws(LoopError) -> Bool {
        _ = try channel.opened()
        if channel.mayRead {
            // `mayRead` is only a hint: the kernel may have nothing.
            if try hasBytes() { return true }
            channel.mayRead = false
        }
        return false
    }

    /// Lets the task that waits in `readable` go on, whether or not there is something to read: for
    /// what else it has to do. On the loop's thread.
    public func wakeReader() { if loop.isCurrent { channel.wakeReader() } }

    private func hasBytes() throws(LoopError) -> Bool {
        let number = try channel.opened()
        return try system { () throws(SystemError) in
            try Kernel.isReady(number, isReading: true)
        }
    }

    /// Sets a closure that is called, once, on the loop's thread, when the peer stops sending or
    /// disconnects, whether or not a task reads; nil removes it. It is released when the stream is
    /// closed.
    public func onEnd(_ body: (@Sendable () -> Void)?) throws(LoopError) {
        try loop.check()
        try system { () throws(SystemError) in try channel.setOnEnd(body) }
    }

    /// Keeps an object until the stream is closed: a program at its other end, for example, which
    /// then ends as well. Replaces the one before.
    public func attach(_ object: any AnyObject & Sendable) throws(LoopError) {
        _ = try channel.opened()
        channel.attach(object)
    }

    // MARK: Writing

    /// Waits until the kernel may accept bytes again, after `tryWrite` wrote only a part.
    public func writable() async throws(LoopError) {
        _ = try channel.opened()
        if channel.mayWrite { return }
        try await channel.ready(.writing)
    }

    /// Whether the kernel may accept bytes now, as far as known.
    public var mayWrite: Bool { channel.mayWrite }

    /// Writes all bytes from `start` on; waits while the peer does not read them.
    public func write(_ bytes: [UInt8], from start: Int = 0) async throws(LoopError) {
        var position = max(start, 0)
        while position < bytes.count {
            position &+= try tryWrite(bytes, from: position)
            if position < bytes.count {
                try await channel.ready(.writing)
            } else if loop.spendCall() {
                await loop.yield()
            }
        }
    }

    /// Writes bytes from `start` on as far as possible without waiting; returns how many.
    public func tryWrite(_ bytes: [UInt8], from start: Int = 0) throws(LoopError) -> Int {
        let number = try channel.opened()
        guard channel.mayWrite, start >= 0, start < bytes.count else { return 0 }
        do throws(SystemError) {
            let count = try unsafe bytes.withUnsafeBufferPointer { (bytes) throws(SystemError) in
                let rest = unsafe UnsafeRawBufferPointer(
                    UnsafeBufferPointer(rebasing: bytes[start...]))
                if isSocket { return try unsafe Kernel.send(number, rest) }
                return try Signals.withoutWriteSignals { () throws(SystemError) in
                    try unsafe Kernel.write(number, rest)
                }
            }
            if start &+ count < bytes.count { channel.mayWrite = false }
            return count
        } catch .again {
            channel.mayWrite = false
            return 0
        } catch {
            throw .system(error)
        }
    }

    /// Writes all bytes of several arrays, in order, with as few calls of the kernel as possible.
    public func write(_ pieces: [[UInt8]]) async throws(LoopError) {
        var index = 0
        var position = 0
        while true {
            while index < pieces.count, position >= pieces[index].count {
                position &-= pieces[index].count
                index &+= 1
            }
            guard index < pieces.count else { break }
            let count = try tryWrite(pieces, from: index, position)
            if count == 0 { try await channel.ready(.writing) }
            position &+= count
        }
        if loop.spendCall() { await loop.yield() }
    }

    /// The most arrays of one call of the kernel.
    private static let vectorLimit = 16

    private func tryWrite(
        _ pieces: [[UInt8]], from index: Int, _ position: Int
    ) throws(LoopError) -> Int {
        let number = try channel.opened()
        guard channel.mayWrite else { return 0 }
        let last = min(index &+ Self.vectorLimit, pieces.count)
        do throws(SystemError) {
            return try unsafe write(number, pieces, index..<last, position, [])
        } catch .again {
            channel.mayWrite = false
            return 0
        } catch {
            throw .system(error)
        }
    }

    /// Collects the buffers of the arrays by recursion, so that all are borrowed at once.
    private func write(
        _ number: Int32, _ pieces: [[UInt8]], _ range: Range<Int>, _ position: Int,
        _ vectors: consuming [BufferVector]
    ) throws(SystemError) -> Int {
        guard let index = range.first else {
            return try unsafe vectors.withUnsafeBufferPointer { (list) throws(SystemError) in
                if isSocket { return try unsafe Kernel.send(number, list) }
                return try unsafe Kernel.write(number, list)
            }
        }
        var vectors = unsafe vectors
        return try unsafe pieces[index].withUnsafeBufferPointer { (bytes) throws(SystemError) in
            let rest = unsafe UnsafeMutableRawBufferPointer(
                mutating: UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: bytes[position...])))
            unsafe vectors.append(BufferVector(rest))
            return try unsafe write(number, pieces, range.dropFirst(), 0, vectors)
        }
    }

    /// Tells the peer that nothing more will be written; reading is still possible. Closes an end
    /// of a pipe.
    public func finishWriting() throws(LoopError) {
        let number = try channel.opened()
        guard isSocket else { return channel.close() }
        do throws(SystemError) {
            try Kernel.shutdown(number, reading: false, writing: true)
        } catch {
            // The peer has disconnected already.
            if error != .notconn { throw .system(error) }
        }
    }

    /// Closes the stream now; waits for it end with `LoopError.closed`. From any thread.
    public func close() { channel.close() }

    /// Releases the descriptor to the caller without closing it.
    public func release() throws(LoopError) -> FileDescriptor {
        try loop.check()
        guard let number = channel.release() else { throw .closed }
        return FileDescriptor(owning: number)
    }

    // MARK: Addresses

    /// The address of the other side; nil if it has none or it cannot be read.
    public var peerAddress: SystemAddress? {
        channel.isOpen ? (try? Kernel.peerAddress(channel.descriptor)) ?? nil : nil
    }

    /// The address of this side; nil if it has none or it cannot be read.
    public var localAddress: SystemAddress? {
        knownLocalAddress.withLock { known in
            if known == nil, channel.isOpen {
                known = (try? Kernel.localAddress(channel.descriptor)) ?? nil
            }
            return known
        }
    }
    /// Read once: servers want it for each request.
    private let knownLocalAddress = Mutex<SystemAddress?>(nil)

    /// The number of the descriptor, for calls that this target does not have; -1 when it is
    /// closed.
    public var descriptor: Int32 { channel.descriptor }
}
