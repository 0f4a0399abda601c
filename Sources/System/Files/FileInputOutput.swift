import Glibc

// Reading from descriptors and writing to them.
//
// Invariants: a pointer is passed with the count of accessible bytes at it. The kernel returns an
// error for invalid descriptors.

/// A buffer of a vectored call, in the kernel's form (`iovec`). The same structure is for reading
/// and writing, so it has no constant memory.
public typealias BufferVector = iovec

extension BufferVector {
    @inlinable
    @inline(__always)
    public init(_ start: UnsafeMutableRawPointer, _ byteCount: Int) {
        unsafe self.init(iov_base: start, iov_len: byteCount)
    }

    @inlinable
    public init(_ buffer: UnsafeMutableRawBufferPointer) {
        unsafe self.init(iov_base: buffer.baseAddress, iov_len: buffer.count)
    }

    /// The bytes.
    @inlinable
    public var buffer: UnsafeMutableRawBufferPointer {
        unsafe UnsafeMutableRawBufferPointer(
            start: iov_base, count: Int(truncatingIfNeeded: iov_len))
    }
}

extension Kernel {
    /// Reads into `buffer`; 0 at the end of the file: read(2).
    @inlinable
    public static func read(
        _ descriptor: Int32, _ buffer: UnsafeMutableRawBufferPointer
    ) throws(SystemError) -> Int {
        try retrying { unsafe Glibc.read(descriptor, buffer.baseAddress, buffer.count) }
    }

    /// Writes bytes of `buffer`; returns how many: write(2). May raise `SIGPIPE` and `SIGXFSZ`.
    @inlinable
    public static func write(
        _ descriptor: Int32, _ buffer: UnsafeRawBufferPointer
    ) throws(SystemError) -> Int {
        try retrying { unsafe Glibc.write(descriptor, buffer.baseAddress, buffer.count) }
    }

    /// Writes all bytes; waits also if another process that shares the stream has made it
    /// nonblocking. May raise `SIGPIPE` and `SIGXFSZ`.
    public static func writeAll(
        _ descriptor: Int32, _ buffer: UnsafeRawBufferPointer
    ) throws(SystemError) {
        var rest = unsafe buffer[...]
        while unsafe !rest.isEmpty {
            do throws(SystemError) {
                let count = try unsafe write(descriptor, UnsafeRawBufferPointer(rebasing: rest))
                // The kernel takes at least a byte or returns an error.
                guard count > 0 else { throw .io }
                unsafe rest = rest.dropFirst(count)
            } catch .again {
                _ = try waitUntilReady(descriptor, isReading: false)
            }
        }
    }

    /// Reads into several buffers, at most `IOV_MAX`: readv(2).
    @inlinable
    @inline(__always)
    public static func read(
        _ descriptor: Int32, _ vectors: UnsafeBufferPointer<BufferVector>
    ) throws(SystemError) -> Int {
        if vectors.count == 1 {
            let vector = unsafe vectors[0]
            return try retrying { unsafe Glibc.read(descriptor, vector.iov_base, vector.iov_len) }
        }
        return try retrying { unsafe readv(descriptor, vectors.baseAddress, count(vectors)) }
    }

    /// Writes several buffers, at most `IOV_MAX`, without a signal for a pipe without reader or a
    /// file that gets too long: writev(2).
    @inlinable
    @inline(__always)
    public static func write(
        _ descriptor: Int32, _ vectors: UnsafeBufferPointer<BufferVector>
    ) throws(SystemError) -> Int {
        try Signals.withoutWriteSignals { () throws(SystemError) in
            if vectors.count == 1 {
                let vector = unsafe vectors[0]
                return try retrying {
                    unsafe Glibc.write(descriptor, vector.iov_base, vector.iov_len)
                }
            }
            return try retrying { unsafe writev(descriptor, vectors.baseAddress, count(vectors)) }
        }
    }

    /// Reads available bytes without waiting, independent of the descriptor's flags; `EAGAIN` if
    /// there are none. Nil if the kernel cannot read in this way from this kind of file:
    /// preadv2(2).
    public static func readAtOnce(
        _ descriptor: Int32, _ vectors: UnsafeBufferPointer<BufferVector>
    ) throws(SystemError) -> Int? {
        try unlessUnsupported { () throws(SystemError) in
            try retrying {
                unsafe symbol_preadv2(
                    descriptor, vectors.baseAddress, count(vectors), -1, RWF_NOWAIT)
            }
        }
    }

    /// Writes the bytes that fit, without waiting; `EAGAIN` if none do. Nil if the kernel cannot
    /// write in this way to this kind of file: pwritev2(2).
    public static func writeAtOnce(
        _ descriptor: Int32, _ vectors: UnsafeBufferPointer<BufferVector>
    ) throws(SystemError) -> Int? {
        try unlessUnsupported { () throws(SystemError) in
            try Signals.withoutWriteSignals { () throws(SystemError) in
                try retrying {
                    unsafe symbol_pwritev2(
                        descriptor, vectors.baseAddress, count(vectors), -1, RWF_NOWAIT)
                }
            }
        }
    }

    private static func unlessUnsupported(
        _ call: () throws(SystemError) -> Int
    ) throws(SystemError) -> Int? {
        do throws(SystemError) {
            return try call()
        } catch {
            // ENOSYS: the kernel lacks the call.
            guard error == .opnotsupp || error == .inval || error == .nosys else { throw error }
            return nil
        }
    }

    /// Reads at `offset`, without changing the position: preadv(2).
    public static func read(
        _ descriptor: Int32, _ vectors: UnsafeBufferPointer<BufferVector>, at offset: Int
    ) throws(SystemError) -> Int {
        try retrying { unsafe preadv(descriptor, vectors.baseAddress, count(vectors), offset) }
    }

    /// Writes at `offset`, without changing the position: pwritev(2).
    public static func write(
        _ descriptor: Int32, _ vectors: UnsafeBufferPointer<BufferVector>, at offset: Int
    ) throws(SystemError) -> Int {
        try Signals.withoutWriteSignals { () throws(SystemError) in
            try retrying { unsafe pwritev(descriptor, vectors.baseAddress, count(vectors), offset) }
        }
    }

    /// The limit of the kernel: it refuses more buffers.
    @inlinable
    @inline(__always)
    static func count(_ vectors: UnsafeBufferPointer<BufferVector>) -> Int32 {
        Int32(clamping: vectors.count)
    }

    /// Bytes that can be read without waiting, if the kernel reports it: of a file, those after the
    /// position. Otherwise 0: ioctl(2), `FIONREAD`.
    public static func readableByteCount(_ descriptor: Int32) -> UInt64 {
        var count: Int32 = 0
        guard unsafe ioctl(descriptor, UInt(FIONREAD), &count) == 0 else { return 0 }
        return UInt64(clamping: count)
    }
}
