import Glibc

// Calls of the operating system on open descriptors.
//
// Invariants: pointers passed in start as many accessible bytes as the count beside them says;
// the kernel itself answers bad descriptor numbers with an error.

/// A buffer of a vectored call, as the host wants it.
typealias HostVector = iovec

extension HostVector {
    @inline(__always)
    init(_ start: UnsafeMutableRawPointer, _ byteCount: Int) {
        self.init(iov_base: start, iov_len: byteCount)
    }

    /// The host takes the same structure for reading and writing, and no constant memory.
    init(_ buffer: UnsafeMutableRawBufferPointer) {
        self.init(iov_base: buffer.baseAddress, iov_len: buffer.count)
    }

    /// The bytes.
    var buffer: UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(start: iov_base, count: Int(truncatingIfNeeded: iov_len))
    }
}

/// The operating system: every call of it is a static function here, in the files `System*`.
enum System {
    /// Runs `call` until it is not interrupted by a signal; a negative answer becomes its error.
    @inline(__always)
    @discardableResult
    static func retrying<Number: FixedWidthInteger & SignedInteger>(
        _ call: () -> Number
    ) throws(Errno) -> Number {
        while true {
            let answer = call()
            if answer >= 0 { return answer }
            if errno != EINTR { throw .ofHost }
        }
    }
}

// MARK: Reading and writing

extension System {
    @inline(__always)
    static func read(
        _ descriptor: Int32, _ vectors: UnsafeBufferPointer<HostVector>
    ) throws(Errno) -> Int {
        if vectors.count == 1 {
            let vector = vectors[0]
            return try retrying { Glibc.read(descriptor, vector.iov_base, vector.iov_len) }
        }
        return try retrying { readv(descriptor, vectors.baseAddress, Int32(vectors.count)) }
    }

    @inline(__always)
    static func write(
        _ descriptor: Int32, _ vectors: UnsafeBufferPointer<HostVector>
    ) throws(Errno) -> Int {
        try withoutWriteSignals { () throws(Errno) in
            if vectors.count == 1 {
                let vector = vectors[0]
                return try retrying { Glibc.write(descriptor, vector.iov_base, vector.iov_len) }
            }
            return try retrying { writev(descriptor, vectors.baseAddress, Int32(vectors.count)) }
        }
    }

    /// Reads what is there without waiting; `again` if there is nothing. Nil if the host cannot
    /// read in this way from this kind of file.
    static func readAtOnce(
        _ descriptor: Int32, _ vectors: UnsafeBufferPointer<HostVector>
    ) throws(Errno) -> Int? {
        try unlessUnsupported { () throws(Errno) in
            try retrying {
                symbol_preadv2(
                    descriptor, vectors.baseAddress, Int32(vectors.count), -1, RWF_NOWAIT)
            }
        }
    }

    /// Writes what fits without waiting; `again` if nothing does. Nil if the host cannot write in
    /// this way to this kind of file.
    static func writeAtOnce(
        _ descriptor: Int32, _ vectors: UnsafeBufferPointer<HostVector>
    ) throws(Errno) -> Int? {
        try unlessUnsupported { () throws(Errno) in
            try withoutWriteSignals { () throws(Errno) in
                try retrying {
                    symbol_pwritev2(
                        descriptor, vectors.baseAddress, Int32(vectors.count), -1, RWF_NOWAIT)
                }
            }
        }
    }

    private static func unlessUnsupported(_ call: () throws(Errno) -> Int) throws(Errno) -> Int? {
        do throws(Errno) {
            return try call()
        } catch {
            guard error == .notsup || error == .inval else { throw error }
            return nil
        }
    }

    static func read(
        _ descriptor: Int32, _ vectors: UnsafeBufferPointer<HostVector>, at offset: Int
    ) throws(Errno) -> Int {
        try retrying { preadv(descriptor, vectors.baseAddress, Int32(vectors.count), offset) }
    }

    static func write(
        _ descriptor: Int32, _ vectors: UnsafeBufferPointer<HostVector>, at offset: Int
    ) throws(Errno) -> Int {
        try withoutWriteSignals { () throws(Errno) in
            try retrying { pwritev(descriptor, vectors.baseAddress, Int32(vectors.count), offset) }
        }
    }

    static func seek(
        _ descriptor: Int32, _ offset: Int64, _ whence: Whence
    ) throws(Errno) -> UInt64 {
        let origin =
            switch whence {
            case .set: SEEK_SET
            case .cur: SEEK_CUR
            case .end: SEEK_END
            }
        let position = lseek(descriptor, Int(offset), origin)
        guard position >= 0 else { throw .ofHost }
        return UInt64(position)
    }
}

// MARK: Attributes

extension System {
    static func filestat(_ descriptor: Int32) throws(Errno) -> Filestat {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .ofHost }
        return Filestat(status, descriptor: descriptor)
    }

    /// The flags of the open file, and whether it was opened to read and to write.
    static func flags(
        _ descriptor: Int32
    ) throws(Errno) -> (flags: Fdflags, reads: Bool, writes: Bool) {
        let value = try retrying { fcntl(descriptor, F_GETFL) }
        var flags: Fdflags = []
        if value & O_APPEND != 0 { flags.insert(.append) }
        if value & O_NONBLOCK != 0 { flags.insert(.nonblock) }
        if value & O_DSYNC != 0 { flags.insert(.dsync) }
        // O_SYNC holds the bit of O_DSYNC.
        if value & O_SYNC == O_SYNC { flags.formUnion([.sync, .rsync]) }
        let mode = value & O_ACCMODE
        return (flags, mode != O_WRONLY, mode != O_RDONLY)
    }

    /// Sets `append` and `nonblock`; the host cannot change the other flags of an open file.
    static func setFlags(_ descriptor: Int32, _ flags: Fdflags) throws(Errno) {
        var value = try retrying { fcntl(descriptor, F_GETFL) } & ~(O_APPEND | O_NONBLOCK)
        if flags.contains(.append) { value |= O_APPEND }
        if flags.contains(.nonblock) { value |= O_NONBLOCK }
        try retrying { fcntl(descriptor, F_SETFL, value) }
    }

    static func setSize(_ descriptor: Int32, _ size: Int64) throws(Errno) {
        _ = try withoutWriteSignals { () throws(Errno) in
            try retrying { ftruncate(descriptor, Int(size)) }
        }
    }

    static func setTimes(_ descriptor: Int32, _ times: FileTimes) throws(Errno) {
        try times.withValues { (values) throws(Errno) in
            try retrying { futimens(descriptor, values) }
        }
    }

    /// Opens what is behind a descriptor again, not to wait; -1 if the host does not allow it.
    static func reopen(_ descriptor: Int32) -> Int32 {
        let mode = fcntl(descriptor, F_GETFL) & O_ACCMODE
        let opened = open(
            "/proc/self/fd/\(descriptor)", mode | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
        return opened < 0 ? -1 : (try? aboveStandardStreams(opened)) ?? -1
    }

    static func isTerminal(_ descriptor: Int32) -> Bool { isatty(descriptor) == 1 }
}

// MARK: Space and durability

extension System {
    static func sync(_ descriptor: Int32) throws(Errno) {
        try retrying { fsync(descriptor) }
    }

    static func datasync(_ descriptor: Int32) throws(Errno) {
        try retrying { fdatasync(descriptor) }
    }

    static func advise(
        _ descriptor: Int32, _ offset: Int64, _ count: Int64, _ advice: Advice
    ) throws(Errno) {
        let value =
            switch advice {
            case .normal: POSIX_FADV_NORMAL
            case .sequential: POSIX_FADV_SEQUENTIAL
            case .random: POSIX_FADV_RANDOM
            case .willneed: POSIX_FADV_WILLNEED
            case .dontneed: POSIX_FADV_DONTNEED
            case .noreuse: POSIX_FADV_NOREUSE
            }
        let error = posix_fadvise(descriptor, Int(offset), Int(count), value)
        guard error == 0 else { throw Errno(host: error) }
    }

    /// Reserves space, and makes the file longer if it ends before the range does. Not
    /// `posix_fallocate`, which writes every block itself where the file system cannot reserve.
    static func allocate(_ descriptor: Int32, _ offset: Int64, _ count: Int64) throws(Errno) {
        _ = try withoutWriteSignals { () throws(Errno) in
            try retrying { symbol_fallocate(descriptor, 0, Int(offset), Int(count)) }
        }
    }

    static func close(_ descriptor: Int32) throws(Errno) {
        // Linux releases the number even when it reports EINTR: closing again could hit another.
        guard Glibc.close(descriptor) == 0 || errno == EINTR else { throw .ofHost }
    }

    static func makePipe() throws(Errno) -> (read: Int32, write: Int32) {
        var ends: (Int32, Int32) = (-1, -1)
        let answer = withUnsafeMutableBytes(of: &ends) { bytes -> Int32 in
            guard let start = bytes.baseAddress else { return -1 }
            return symbol_pipe2(start.assumingMemoryBound(to: Int32.self), O_CLOEXEC)
        }
        guard answer == 0 else { throw .ofHost }
        let read = Result { () throws(Errno) in try aboveStandardStreams(ends.0) }
        let write = Result { () throws(Errno) in try aboveStandardStreams(ends.1) }
        switch (read, write) {
        case (.success(let read), .success(let write)): return (read, write)
        case (.success(let end), .failure(let error)), (.failure(let error), .success(let end)):
            try? close(end)
            throw error
        case (.failure(let error), .failure): throw error
        }
    }
}

// MARK: Conversions

/// The times that a call sets on a file.
struct FileTimes {
    enum Value {
        case unchanged
        case now
        /// Nanoseconds since 1970.
        case at(UInt64)
    }

    var access: Value
    var modification: Value

    fileprivate var values: (timespec, timespec) {
        (Self.convert(access), Self.convert(modification))
    }

    private static func convert(_ value: Value) -> timespec {
        switch value {
        case .unchanged: timespec(tv_sec: 0, tv_nsec: UTIME_OMIT)
        case .now: timespec(tv_sec: 0, tv_nsec: UTIME_NOW)
        case .at(let nanoseconds): timespec(nanoseconds: nanoseconds)
        }
    }

    /// Hands `body` the two values in the order in which the host wants them.
    @discardableResult
    func withValues<Result>(_ body: (UnsafePointer<timespec>?) throws(Errno) -> Result)
        throws(Errno) -> Result
    {
        try withUnsafeBytes(of: values) { (bytes) throws(Errno) in
            try body(bytes.baseAddress?.assumingMemoryBound(to: timespec.self))
        }
    }
}

extension timespec {
    init(nanoseconds: UInt64) {
        self.init(
            tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
    }

    /// Nanoseconds since the clock's zero; times before it are 0.
    var nanoseconds: UInt64 {
        UInt64(clamping: tv_sec) &* 1_000_000_000 &+ UInt64(clamping: tv_nsec)
    }
}

extension Filestat {
    /// - Parameter descriptor: the open file, if there is one, to tell kinds of sockets apart.
    init(_ status: stat, descriptor: Int32?) {
        self.init(
            dev: UInt64(truncatingIfNeeded: status.st_dev),
            ino: UInt64(truncatingIfNeeded: status.st_ino),
            filetype: Self.filetype(status.st_mode, descriptor: descriptor),
            nlink: UInt64(truncatingIfNeeded: status.st_nlink),
            size: UInt64(clamping: status.st_size),
            atim: status.st_atim.nanoseconds,
            mtim: status.st_mtim.nanoseconds,
            ctim: status.st_ctim.nanoseconds)
    }

    private static func filetype(_ mode: mode_t, descriptor: Int32?) -> Filetype {
        switch mode & S_IFMT {
        case S_IFREG: .regularFile
        case S_IFDIR: .directory
        case S_IFLNK: .symbolicLink
        case S_IFCHR: .characterDevice
        case S_IFBLK: .blockDevice
        case S_IFSOCK: descriptor.map(System.socketType) ?? .socketStream
        default: .unknown
        }
    }
}
