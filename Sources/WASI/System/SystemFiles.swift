import WasmSystem

// Calls on open descriptors.
//
// Invariants: a pointer is passed with the count of accessible bytes at it. The kernel returns an
// error for invalid descriptors.

/// A buffer of a vectored call, in the host's form.
typealias HostVector = BufferVector

// The same type in the whole target.
typealias FileTimes = WasmSystem.FileTimes
typealias PollDescriptor = WasmSystem.PollDescriptor
typealias HostLock = WasmSystem.HostLock
typealias Monitor = WasmSystem.Monitor

// MARK: Reading and writing

extension System {
    @inline(__always)
    static func read(
        _ descriptor: Int32, _ vectors: UnsafeBufferPointer<HostVector>
    ) throws(Errno) -> Int {
        try mapping { () throws(SystemError) in try Kernel.read(descriptor, vectors) }
    }

    @inline(__always)
    static func write(
        _ descriptor: Int32, _ vectors: UnsafeBufferPointer<HostVector>
    ) throws(Errno) -> Int {
        try mapping { () throws(SystemError) in try Kernel.write(descriptor, vectors) }
    }

    /// Reads available bytes without waiting; `again` if there are none. Nil if the host cannot
    /// read in this way from this kind of file.
    static func readAtOnce(
        _ descriptor: Int32, _ vectors: UnsafeBufferPointer<HostVector>
    ) throws(Errno) -> Int? {
        try mapping { () throws(SystemError) in try Kernel.readAtOnce(descriptor, vectors) }
    }

    /// Writes the bytes that fit, without waiting; `again` if none do. Nil if the host cannot write
    /// in this way to this kind of file.
    static func writeAtOnce(
        _ descriptor: Int32, _ vectors: UnsafeBufferPointer<HostVector>
    ) throws(Errno) -> Int? {
        try mapping { () throws(SystemError) in try Kernel.writeAtOnce(descriptor, vectors) }
    }

    static func read(
        _ descriptor: Int32, _ vectors: UnsafeBufferPointer<HostVector>, at offset: Int
    ) throws(Errno) -> Int {
        try mapping { () throws(SystemError) in try Kernel.read(descriptor, vectors, at: offset) }
    }

    static func write(
        _ descriptor: Int32, _ vectors: UnsafeBufferPointer<HostVector>, at offset: Int
    ) throws(Errno) -> Int {
        try mapping { () throws(SystemError) in try Kernel.write(descriptor, vectors, at: offset) }
    }

    static func seek(
        _ descriptor: Int32, _ offset: Int64, _ whence: Whence
    ) throws(Errno) -> UInt64 {
        let origin: Kernel.Origin =
            switch whence {
            case .set: .start
            case .cur: .position
            case .end: .end
            }
        return try mapping { () throws(SystemError) in
            try Kernel.seek(descriptor, offset, from: origin)
        }
    }
}

// MARK: Attributes

extension System {
    static func filestat(_ descriptor: Int32) throws(Errno) -> Filestat {
        let status = try mapping { () throws(SystemError) in try Kernel.status(descriptor) }
        return Filestat(status, descriptor: descriptor)
    }

    /// The flags of the open file, and whether it was opened for reading and for writing.
    static func flags(
        _ descriptor: Int32
    ) throws(Errno) -> (flags: Fdflags, reads: Bool, writes: Bool) {
        let value = try mapping { () throws(SystemError) in try Kernel.flags(descriptor) }
        var flags: Fdflags = []
        if value.contains(.append) { flags.insert(.append) }
        if value.contains(.nonblock) { flags.insert(.nonblock) }
        if value.contains(.dsync) { flags.insert(.dsync) }
        if value.contains(.sync) { flags.formUnion([.sync, .rsync]) }
        return (flags, value.reads, value.writes)
    }

    /// Sets `append` and `nonblock`; the host cannot change the other flags of an open file.
    static func setFlags(_ descriptor: Int32, _ flags: Fdflags) throws(Errno) {
        try mapping { () throws(SystemError) in
            var value = try Kernel.flags(descriptor).subtracting([.append, .nonblock])
            if flags.contains(.append) { value.insert(.append) }
            if flags.contains(.nonblock) { value.insert(.nonblock) }
            try Kernel.setFlags(descriptor, value)
        }
    }

    static func setSize(_ descriptor: Int32, _ size: Int64) throws(Errno) {
        try mapping { () throws(SystemError) in try Kernel.setSize(descriptor, size) }
    }

    static func setTimes(_ descriptor: Int32, _ times: FileTimes) throws(Errno) {
        try mapping { () throws(SystemError) in try Kernel.setTimes(descriptor, times) }
    }

    /// Opens the file of a descriptor again, nonblocking; -1 if the host does not allow it.
    static func reopen(_ descriptor: Int32) -> Int32 { Kernel.reopen(descriptor) }

    static func isTerminal(_ descriptor: Int32) -> Bool { Kernel.isTerminal(descriptor) }
}

// MARK: Space and durability

extension System {
    static func sync(_ descriptor: Int32) throws(Errno) {
        try mapping { () throws(SystemError) in try Kernel.sync(descriptor) }
    }

    static func datasync(_ descriptor: Int32) throws(Errno) {
        try mapping { () throws(SystemError) in try Kernel.datasync(descriptor) }
    }

    static func advise(
        _ descriptor: Int32, _ offset: Int64, _ count: Int64, _ advice: Advice
    ) throws(Errno) {
        let value: Kernel.Advice =
            switch advice {
            case .normal: .normal
            case .sequential: .sequential
            case .random: .random
            case .willneed: .willNeed
            case .dontneed: .dontNeed
            case .noreuse: .noReuse
            }
        try mapping { () throws(SystemError) in
            try Kernel.advise(descriptor, offset, count, value)
        }
    }

    /// Reserves space, and makes the file longer if it ends before the range does.
    static func allocate(_ descriptor: Int32, _ offset: Int64, _ count: Int64) throws(Errno) {
        try mapping { () throws(SystemError) in try Kernel.allocate(descriptor, offset, count) }
    }
}

// MARK: Descriptors

extension System {
    /// A new number for the same open file, closed in programs that the process executes.
    static func duplicate(_ descriptor: Int32) throws(Errno) -> Int32 {
        try mapping { () throws(SystemError) in try Kernel.duplicate(descriptor) }
    }

    /// A pipe that its caller closes.
    static func makePipe() throws(Errno) -> (read: Int32, write: Int32) {
        try mapping { () throws(SystemError) in try Kernel.makePipe() }
    }

    static func close(_ descriptor: Int32) throws(Errno) {
        try mapping { () throws(SystemError) in try Kernel.close(descriptor) }
    }
}

// MARK: Conversions

extension Filestat {
    /// - Parameter descriptor: the open file, if there is one, to tell kinds of sockets apart.
    init(_ status: FileStatus, descriptor: Int32?) {
        self.init(
            dev: status.device, ino: status.inode,
            filetype: Self.filetype(status.kind, descriptor: descriptor),
            nlink: status.linkCount,
            size: UInt64(clamping: status.byteCount),
            atim: status.accessTime, mtim: status.modificationTime, ctim: status.changeTime)
    }

    private static func filetype(_ kind: FileStatus.Kind, descriptor: Int32?) -> Filetype {
        if kind == .socket, let descriptor { return System.socketType(descriptor) }
        return Filetype(kind)
    }
}

extension Filetype {
    /// The specification has no kind for pipes.
    init(_ kind: FileStatus.Kind) {
        self =
            switch kind {
            case .regular: .regularFile
            case .directory: .directory
            case .symbolicLink: .symbolicLink
            case .characterDevice: .characterDevice
            case .blockDevice: .blockDevice
            case .socket: .socketStream
            case .pipe, .unknown: .unknown
            }
    }
}
