// Invariant: 0 <= start <= end <= storage.count.

/// Bytes that were received and not yet consumed, in storage that is reused.
///
///     var buffer = loop.takeBuffer()
///     let count = try await stream.read(into: &buffer)
///     var position = buffer.start
///     parser.next(buffer.bytes.span.extracting(first: buffer.end), at: &position)
///     buffer.consume(to: position)
public struct InputBuffer: ~Copyable {
    private var storage: [UInt8]
    /// The place of the first byte that was not consumed.
    public private(set) var start = 0
    /// The place after the last byte that was received.
    public private(set) var end = 0

    /// An empty buffer with room for `capacity` bytes, at least one.
    public init(capacity: Int) { storage = [UInt8](repeating: 0, count: max(capacity, 1)) }

    init(storage: [UInt8]) { self.storage = storage }

    consuming func takeStorage() -> [UInt8] { storage }

    /// The whole storage; the bytes that count are from `start` to `end`.
    public var bytes: [UInt8] {
        @inline(__always) get { storage }
    }

    public var capacity: Int { storage.count }

    /// Bytes that were not consumed.
    public var count: Int { end &- start }
    public var isEmpty: Bool { start == end }

    /// The bytes that were not consumed, as a range of `bytes`.
    public var range: Range<Int> { start..<end }

    /// Consumes everything before a position of `bytes`, which is clamped to `start` and `end`.
    public mutating func consume(to position: Int) {
        start = min(max(position, start), end)
        if start == end { (start, end) = (0, 0) }
    }

    /// Consumes all and returns it.
    public mutating func take() -> [UInt8] {
        defer { (start, end) = (0, 0) }
        return Array(storage[start..<end])
    }

    /// Adds bytes; enlarges the storage if necessary.
    public mutating func append(_ bytes: some Collection<UInt8>) {
        if storage.count &- end < bytes.count {
            storage.removeSubrange(end...)
            storage.append(contentsOf: bytes)
            end = storage.count
        } else {
            storage.replaceSubrange(end..<(end &+ bytes.count), with: bytes)
            end &+= bytes.count
        }
    }

    /// Moves the rest to the front if there is no space after it; false if the buffer is full.
    mutating func makeRoom() -> Bool {
        if end < storage.count { return true }
        if start == 0 { return false }
        storage.replaceSubrange(0..<count, with: storage[start..<end])
        (start, end) = (0, count)
        return true
    }

    /// Passes the space after `end` to a call that returns how many bytes it has filled.
    mutating func fill<Failure: Error>(
        _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Int
    ) throws(Failure) -> (count: Int, room: Int) {
        let start = end
        let room = storage.count &- start
        let count = try unsafe storage.withUnsafeMutableBufferPointer { (bytes) throws(Failure) in
            let rest = unsafe UnsafeMutableBufferPointer(rebasing: bytes[start...])
            return try unsafe body(UnsafeMutableRawBufferPointer(rest))
        }
        end = min(start &+ max(count, 0), storage.count)
        return (count, room)
    }
}
