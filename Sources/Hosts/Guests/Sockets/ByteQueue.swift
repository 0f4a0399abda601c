// Invariant: `start` is at most the number of bytes.

/// Bytes that are appended at the end and removed at the start. Holds no memory while it is empty.
struct ByteQueue {
    private var bytes: [UInt8] = []
    /// The first byte that was not removed.
    private var start = 0

    var count: Int { bytes.count - start }
    var isEmpty: Bool { start == bytes.count }

    mutating func append(_ new: UnsafeRawBufferPointer) {
        unsafe bytes.append(contentsOf: new)
    }

    /// Passes all bytes to `body`.
    func withBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try unsafe bytes.withUnsafeBufferPointer { (all) throws(Failure) in
            let all = UnsafeRawBufferPointer(all)
            return try unsafe body(UnsafeRawBufferPointer(rebasing: all[start...]))
        }
    }

    /// Copies bytes from the start to `buffer`, as many as there are and fit; returns how many.
    func copy(to buffer: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(buffer.count, count)
        unsafe buffer.copyBytes(from: bytes[start..<(start + count)])
        return count
    }

    /// Removes `count` bytes from the start. Each byte is moved once or twice in all.
    mutating func drop(_ count: Int) {
        start += min(max(count, 0), self.count)
        if start == bytes.count {
            removeAll()
        } else if start >= 4096, start >= self.count {
            bytes.removeFirst(start)
            start = 0
        }
    }

    mutating func removeAll() {
        bytes = []
        start = 0
    }
}
