import Synchronization
import WasmInterpreter

/// Bytes in memory, read once from start to end.
final class MemorySource: VirtualFile {
    private let bytes: [UInt8]
    private let position = Mutex(0)

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    func read(_ vectors: UnsafeBufferPointer<HostVector>) throws(Errno) -> Int {
        position.withLock { position in
            let start = position
            for vector in vectors {
                let count = min(vector.buffer.count, bytes.count - position)
                vector.buffer.copyBytes(from: bytes[position..<(position + count)])
                position += count
            }
            return position - start
        }
    }

    var readableByteCount: Int { position.withLock { bytes.count - $0 } }
}

/// Discards all bytes.
final class NullSink: VirtualFile {
    func write(_ vectors: UnsafeBufferPointer<HostVector>) throws(Errno) -> Int {
        vectors.reduce(0) { $0 &+ $1.buffer.count }
    }
}

/// A standard stream that the process does not have: every use of it fails.
final class ClosedStream: VirtualFile {}

final class ClosureSource: VirtualFile {
    private let body: WASI.ReadBody

    init(_ body: @escaping WASI.ReadBody) { self.body = body }

    func read(_ vectors: UnsafeBufferPointer<HostVector>) throws(Errno) -> Int {
        guard let vector = vectors.first(where: { $0.buffer.count > 0 }) else { return 0 }
        // Guards against a closure that reports more bytes than fit into the buffer.
        return min(max(try body(vector.buffer), 0), vector.buffer.count)
    }
}

final class ClosureSink: VirtualFile {
    private let body: WASI.WriteBody

    init(_ body: @escaping WASI.WriteBody) { self.body = body }

    func write(_ vectors: UnsafeBufferPointer<HostVector>) throws(Errno) -> Int {
        var total = 0
        for vector in vectors where vector.buffer.count > 0 {
            do throws(Errno) {
                try body(UnsafeRawBufferPointer(vector.buffer))
            } catch {
                // Bytes taken before the error are reported; the next call gets the error.
                guard total > 0 else { throw error }
                break
            }
            total &+= vector.buffer.count
        }
        return total
    }
}

/// An open stream of the embedder.
final class EmbedderStream: VirtualFile {
    let stream: any GuestStream
    private let directions: Wait.Directions
    /// Decided once: casts to protocols are slow, and each read and write depends on it.
    let filetype: Filetype

    /// - Parameter directions: the directions that the guest may use.
    init(_ stream: any GuestStream, _ directions: Wait.Directions) {
        self.stream = stream
        self.directions = directions
        if let socket = stream as? any StreamSocket {
            filetype = socket.carriesDatagrams ? .socketDgram : .socketStream
        } else {
            filetype = stream is any StreamListener ? .socketStream : .unknown
        }
    }

    deinit { stream.guestDidClose(directions) }

    private var carriesDatagrams: Bool { filetype == .socketDgram }

    /// Whether the next datagram is longer than the buffers.
    func isTruncated(for vectors: UnsafeBufferPointer<HostVector>) -> Bool {
        guard carriesDatagrams, let count = stream.readableByteCount else { return false }
        return vectors.reduce(0) { min($0 &+ min($1.buffer.count, count), count) } < count
    }

    func read(_ vectors: UnsafeBufferPointer<HostVector>) throws(Errno) -> Int {
        if carriesDatagrams {
            return try scattering(vectors, atMost: Self.datagramLimit) { (buffer) throws(Errno) in
                try stream.read(into: buffer)
            }
        }
        return try move(vectors) { (buffer) throws(Errno) in try stream.read(into: buffer) }
    }

    func write(_ vectors: UnsafeBufferPointer<HostVector>) throws(Errno) -> Int {
        if carriesDatagrams { return try writeDatagram(vectors) }
        return try move(vectors) { (buffer) throws(Errno) in
            try stream.write(UnsafeRawBufferPointer(buffer))
        }
    }

    /// Reads bytes of a socket that stay readable.
    func peek(_ vectors: UnsafeBufferPointer<HostVector>) throws(Errno) -> Int {
        guard let socket = stream as? any StreamSocket else { throw .notsock }
        guard carriesDatagrams || vectors.contains(where: { $0.buffer.count > 0 }) else { return 0 }
        // All bytes come from the start of the stream, so they are taken at once.
        return try scattering(vectors, atMost: Self.peekLimit) { (buffer) throws(Errno) in
            try socket.peek(into: buffer)
        }
    }

    /// Calls `body` once, and distributes the bytes that it fills in over all buffers.
    private func scattering(
        _ vectors: UnsafeBufferPointer<HostVector>, atMost limit: Int,
        _ body: (UnsafeMutableRawBufferPointer) throws(Errno) -> Int
    ) throws(Errno) -> Int {
        let buffers = vectors.map(\.buffer).filter { $0.count > 0 }
        if let first = buffers.first, buffers.count == 1 {
            return min(max(try body(first), 0), first.count)
        }
        let total = buffers.reduce(0) { min($0 &+ min($1.count, limit), limit) }
        return try withUnsafeTemporaryAllocation(byteCount: total, alignment: 1) {
            (bytes) throws(Errno) in
            let count = min(max(try body(bytes), 0), total)
            var rest = bytes[..<count]
            for buffer in buffers {
                let part = rest.prefix(buffer.count)
                buffer.copyBytes(from: part)
                rest = rest.dropFirst(part.count)
            }
            return count
        }
    }

    /// Writes all buffers as one datagram.
    private func writeDatagram(_ vectors: UnsafeBufferPointer<HostVector>) throws(Errno) -> Int {
        let buffers = vectors.map(\.buffer).filter { $0.count > 0 }
        if let first = buffers.first, buffers.count == 1 {
            return try stream.write(UnsafeRawBufferPointer(first))
        }
        let total = buffers.reduce(0) {
            min($0 &+ min($1.count, Self.datagramLimit), Self.datagramLimit)
        }
        guard total < Self.datagramLimit else { throw .msgsize }
        return try withUnsafeTemporaryAllocation(byteCount: total, alignment: 1) {
            (bytes) throws(Errno) in
            var rest = bytes[...]
            for buffer in buffers {
                UnsafeMutableRawBufferPointer(rebasing: rest).copyBytes(from: buffer)
                rest = rest.dropFirst(buffer.count)
            }
            return try stream.write(UnsafeRawBufferPointer(bytes))
        }
    }

    /// More bytes than any datagram has.
    private static let datagramLimit = 65_536

    /// The most bytes that one call peeks into several buffers.
    private static let peekLimit = 256 << 10

    func filestat() throws(Errno) -> Filestat {
        Filestat(filetype: filetype)
    }

    /// Calls `body` with the buffers that are not empty until it moves fewer bytes than possible.
    /// Bytes moved before an error are reported; the next call gets the error.
    private func move(
        _ vectors: UnsafeBufferPointer<HostVector>,
        _ body: (UnsafeMutableRawBufferPointer) throws(Errno) -> Int
    ) throws(Errno) -> Int {
        var total = 0
        for vector in vectors where vector.buffer.count > 0 {
            do throws(Errno) {
                // Guards against a stream that reports more bytes than fit into the buffer.
                let count = min(max(try body(vector.buffer), 0), vector.buffer.count)
                total &+= count
                guard count == vector.buffer.count else { break }
            } catch {
                guard total > 0 else { throw error }
                break
            }
        }
        return total
    }
}

/// Collects the bytes that a guest writes.
///
///     let output = OutputBuffer()
///     wasi.standardOutput = .buffer(output)
///     // after the run
///     print(output.string)
public final class OutputBuffer: VirtualFile, Sendable {
    private let storage = Mutex(FileContent())
    /// The most bytes that it holds; a write beyond them fails with `nospc`.
    public var limit: Int { most.load(ordering: .relaxed) }
    private let most: Atomic<Int>
    private let fullHandler = Mutex<(@Sendable () -> Void)?>(nil)

    /// An empty buffer. The default limit is 64 MiB.
    public init(limit: Int = 64 << 20) { most = Atomic(max(limit, 0)) }

    /// Makes the limit lower; a higher one changes nothing.
    public func lowerLimit(to limit: Int) { most.min(max(limit, 0), ordering: .relaxed) }

    /// The bytes that were written so far.
    public var bytes: [UInt8] { storage.withLock { $0.bytes } }

    /// How many bytes were written so far.
    public var byteCount: Int { storage.withLock { $0.count } }

    /// Calls `body` for each write that finds no room, on the guest's thread, before the write fails:
    /// it can stop a guest that does not stop itself.
    public func whenFull(_ body: @escaping @Sendable () -> Void) {
        fullHandler.withLock { $0 = body }
    }

    /// The bytes that were written so far as text, with malformed UTF-8 replaced.
    public var string: String { String(decoding: bytes, as: UTF8.self) }

    func write(_ vectors: UnsafeBufferPointer<HostVector>) throws(Errno) -> Int {
        let limit = limit
        let taken = storage.withLock { content in
            let before = content.count
            for vector in vectors {
                let part = vector.buffer.prefix(max(limit - content.count, 0))
                content.write(UnsafeRawBufferPointer(rebasing: part), at: content.count)
            }
            return content.count - before
        }
        guard taken > 0 || vectors.allSatisfy({ $0.buffer.isEmpty }) else {
            fullHandler.withLock { $0 }?()
            throw .nospc
        }
        return taken
    }
}
