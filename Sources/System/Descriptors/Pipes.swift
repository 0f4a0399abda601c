import Glibc

// Invariant: the buffer for two descriptors has two `Int32`.

extension Kernel {
    /// Makes a pipe; the numbers of its ends are above those of the standard streams: pipe(2).
    public static func makePipe(
        isNonblocking: Bool = false
    ) throws(SystemError) -> (read: Int32, write: Int32) {
        var ends: (Int32, Int32) = (-1, -1)
        let flags = O_CLOEXEC | (isNonblocking ? O_NONBLOCK : 0)
        let result = unsafe withUnsafeMutableBytes(of: &ends) { bytes -> Int32 in
            guard let start = bytes.baseAddress else { return -1 }
            return unsafe symbol_pipe2(start.assumingMemoryBound(to: Int32.self), flags)
        }
        guard result == 0 else { throw .ofLastCall }
        return try aboveStandardStreams(ends)
    }

    /// Moves both descriptors above the standard streams; closes both if one cannot be moved.
    static func aboveStandardStreams(
        _ pair: (Int32, Int32)
    ) throws(SystemError) -> (read: Int32, write: Int32) {
        let first = Result { () throws(SystemError) in try aboveStandardStreams(pair.0) }
        let second = Result { () throws(SystemError) in try aboveStandardStreams(pair.1) }
        switch (first, second) {
        case (.success(let first), .success(let second)): return (first, second)
        case (.success(let end), .failure(let error)), (.failure(let error), .success(let end)):
            try? close(end)
            throw error
        case (.failure(let error), .failure): throw error
        }
    }

    /// Copies up to `count` bytes from a pipe to another one without removing them, and without
    /// waiting: tee(2). 0 if the pipe is empty and has no writer.
    ///
    /// - Throws: `EAGAIN` if the pipe is empty.
    public static func tee(
        _ source: Int32, _ target: Int32, _ count: Int
    ) throws(SystemError) -> Int {
        try retrying { symbol_tee(source, target, count, SPLICE_F_NONBLOCK) }
    }
}
