import Synchronization
import WasmInterpreter

/// A stream of the embedder that may have no bytes or no space yet: the guest then waits.
///
///     wasi.standardInput = .stream(body)
///
/// `MemoryPipe` is an implementation. Reads and writes are called on the guest's thread, everything
/// else on any thread.
public protocol GuestStream: AnyObject, Sendable {
    /// Must be signalled after bytes, space, the end or an error became available.
    var changes: WakeSource { get }

    /// Fills a buffer, which is not empty, with the available bytes, and returns their number; 0 at
    /// the end. Throws `again` if there are none yet; the guest then waits for `changes`.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int
    /// Takes bytes of a buffer, which is not empty and valid only during the call, and returns
    /// their number, at least one. Throws `again` if there is no space; the guest then waits for
    /// `changes`.
    func write(_ bytes: UnsafeRawBufferPointer) throws(Errno) -> Int

    /// Bytes that could be read now, 0 at the end or if reading would fail; nil if it would wait.
    var readableByteCount: Int? { get }
    /// Bytes that could be written now, 0 if writing would fail; nil if it would wait.
    var writableByteCount: Int? { get }
    /// The same for a `poll_oneoff` of the guest, which is told a result that is not nil. The default
    /// is one of both counts; a stream may hold back what the guest was told before.
    func poll(isReading: Bool) -> Int?
    /// Whether the other side is gone, which `poll_oneoff` reports with its events.
    var isHungUp: Bool { get }

    /// Called after a guest has closed a descriptor of the stream that it could use in these
    /// directions.
    func guestDidClose(_ directions: Wait.Directions)
}

extension GuestStream {
    public func read(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
        throw .badf
    }
    public func write(_ bytes: UnsafeRawBufferPointer) throws(Errno) -> Int { throw .badf }
    public var readableByteCount: Int? { 0 }
    public var writableByteCount: Int? { 0 }
    public func poll(isReading: Bool) -> Int? {
        isReading ? readableByteCount : writableByteCount
    }
    public var isHungUp: Bool { false }
    public func guestDidClose(_ directions: Wait.Directions) {}
}

/// A stream of the embedder that its guest sees as a socket: `fd_fdstat_get` reports a stream socket,
/// and `sock_recv`, `sock_send` and `sock_shutdown` apply to it.
///
/// Writes are all or nothing: where `write` throws `again`, or takes only a part, the guest waits and
/// continues until everything is taken, also with the flag `nonblock`. So a guest never sees `again`
/// or a short count from a write, unless it is stopped or the connection fails.
public protocol StreamSocket: GuestStream {
    /// As `read(into:)`, but the bytes can be read again.
    func peek(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int
    /// Ends directions of the connection: of writing after what was written before.
    func shutdown(_ directions: Wait.Directions) throws(Errno)
    /// Whether it carries datagrams: `fd_fdstat_get` reports a datagram socket. `read` then takes one
    /// datagram, whose rest is lost if the buffer is too small; `write` gets one, both perhaps with an
    /// empty buffer, and takes all of it; `readableByteCount` is the length of the next. Asked
    /// once. Without an implementation: no.
    var carriesDatagrams: Bool { get }
}

extension StreamSocket {
    public var carriesDatagrams: Bool { false }
}

/// A stream of the embedder that its guest sees as a listening socket: `sock_accept` takes the
/// connections. There is something to read when a connection waits; `read` and `write` are not used.
public protocol StreamListener: GuestStream {
    /// Takes the next connection for a guest.
    ///
    /// - Throws: `again` if there is none.
    func accept() throws(Errno) -> any StreamSocket
    /// Whether `sock_accept` fails with `again` if there is none, also without the flag `nonblock`.
    /// Without an implementation: no.
    var isPolled: Bool { get }
}

extension StreamListener {
    public var isPolled: Bool { false }
}

/// A pipe in memory, of limited size, between a guest and its embedder, or between two guests.
///
///     let input = MemoryPipe(), output = MemoryPipe()
///     wasi.standardInput = .stream(input)
///     wasi.standardOutput = .stream(output)
///     // while the guest runs or waits, from any thread
///     input.write(request)
///     input.closeWriting()
///
/// It ends when the writing side is closed, by `closeWriting()` or by a guest that closes its
/// descriptor; writing fails with `pipe` once the reading side is closed. Each side can be given to
/// one guest. An embedder that waits for the other side subscribes to `changes`.
public final class MemoryPipe: GuestStream {
    fileprivate struct State {
        /// Bytes that were written and not read, from `start` on.
        var bytes: [UInt8] = []
        var start = 0
        var isWritingClosed = false
        var isReadingClosed = false

        var count: Int { bytes.count - start }
    }

    public let changes = WakeSource()
    /// The most bytes that it holds.
    public let capacity: Int
    private let state = Mutex(State())

    /// An empty pipe. The default capacity is 64 KiB; at least one byte.
    public init(capacity: Int = 65536) { self.capacity = max(capacity, 1) }

    // MARK: Reading

    public func read(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
        let count = try state.withLock { (state) throws(Errno) -> Int in
            let count = min(buffer.count, state.count)
            guard count > 0 || state.isWritingClosed || buffer.isEmpty else { throw .again }
            buffer.copyBytes(from: state.bytes[state.start..<(state.start + count)])
            state.start += count
            state.dropRead()
            return count
        }
        if count > 0 { changes.signal() }
        return count
    }

    /// Takes all available bytes; nil at the end.
    public func readAll() -> [UInt8]? {
        let bytes = state.withLock { state -> [UInt8]? in
            guard state.count > 0 || !state.isWritingClosed else { return nil }
            defer {
                state.bytes = []
                state.start = 0
            }
            return Array(state.bytes[state.start...])
        }
        if bytes?.isEmpty == false { changes.signal() }
        return bytes
    }

    public var readableByteCount: Int? {
        state.withLock { $0.count > 0 || $0.isWritingClosed ? $0.count : nil }
    }

    /// Closes the reading side: unread bytes are discarded, and writing fails.
    public func closeReading() {
        state.withLock { state in
            state.isReadingClosed = true
            state.bytes = []
            state.start = 0
        }
        changes.signal()
    }

    // MARK: Writing

    public func write(_ bytes: UnsafeRawBufferPointer) throws(Errno) -> Int {
        let count = try state.withLock { (state) throws(Errno) -> Int in
            guard !state.isReadingClosed, !state.isWritingClosed else { throw .pipe }
            let count = min(bytes.count, capacity - state.count)
            guard count > 0 || bytes.isEmpty else { throw .again }
            state.bytes.append(contentsOf: bytes.prefix(count))
            return count
        }
        if count > 0 { changes.signal() }
        return count
    }

    /// Writes as many bytes as fit, and returns their number.
    ///
    /// - Throws: `pipe` if a side is closed.
    @discardableResult
    public func write(_ bytes: some Collection<UInt8>) throws(Errno) -> Int {
        var result = Result<Int, Errno>.success(0)
        Array(bytes).withUnsafeBytes { bytes in
            result = Result { () throws(Errno) in try write(bytes) }
        }
        do throws(Errno) {
            return try result.get()
        } catch .again {
            return 0
        }
    }

    public var writableByteCount: Int? {
        state.withLock { state in
            if state.isReadingClosed || state.isWritingClosed { return 0 }
            return state.count < capacity ? capacity - state.count : nil
        }
    }

    /// Closes the writing side: after the written bytes, reading is at its end.
    public func closeWriting() {
        state.withLock { $0.isWritingClosed = true }
        changes.signal()
    }

    public func guestDidClose(_ directions: Wait.Directions) {
        if directions.contains(.reading) { closeReading() }
        if directions.contains(.writing) { closeWriting() }
    }
}

extension MemoryPipe.State {
    /// Frees the space of read bytes, such that each byte is moved once or twice.
    fileprivate mutating func dropRead() {
        guard start == bytes.count || start >= 4096, start >= count else { return }
        bytes.removeFirst(start)
        start = 0
    }
}
