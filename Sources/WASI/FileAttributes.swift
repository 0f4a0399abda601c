import WasmInterpreter

// Attributes of open descriptors, their space and durability, and the descriptors themselves.

extension WASIGuest {
    func fd_close(_ fd: UInt32) throws(Errno) {
        _ = try table.remove(fd)
    }

    func fd_renumber(_ fd: UInt32, _ to: UInt32) throws(Errno) {
        try table.renumber(fd, to: to)
    }

    func fd_fdstat_get(_ memory: GuestMemory, _ fd: UInt32, _ result: UInt32) throws(Errno) {
        let descriptor = try table[fd]
        let result = try memory.pointer(result, byteCount: Fdstat.size)
        Fdstat.store(
            to: result, filetype: descriptor.filetype, flags: try descriptor.flags,
            base: descriptor.rights, inheriting: descriptor.inheriting)
    }

    func fd_fdstat_set_flags(_ fd: UInt32, _ flags: UInt32) throws(Errno) {
        let descriptor = try table[fd]
        try descriptor.require(.fdFdstatSetFlags)
        try descriptor.setFlags(try Fdflags(checking: flags))
    }

    func fd_fdstat_set_rights(
        _ fd: UInt32, _ base: UInt64, _ inheriting: UInt64
    ) throws(Errno) {
        try table[fd].restrict(
            to: Rights(rawValue: base), inheriting: Rights(rawValue: inheriting))
    }

    func fd_filestat_get(
        _ memory: GuestMemory, _ fd: UInt32, _ result: UInt32, _ version: Version
    ) throws(Errno) {
        let descriptor = try table[fd]
        try descriptor.require(.fdFilestatGet)
        let result = try memory.pointer(result, byteCount: Filestat.size(version))
        let filestat =
            if let number = descriptor.hostNumber {
                try System.filestat(number)
            } else {
                Filestat(filetype: descriptor.filetype)
            }
        filestat.store(to: result, version)
    }

    func fd_filestat_set_size(_ fd: UInt32, _ size: UInt64) throws(Errno) {
        let descriptor = try table[fd]
        try descriptor.requireFile(.fdFilestatSetSize)
        let number = try descriptor.regularFile
        guard let size = Int64(exactly: size) else { throw .inval }
        if writableByteCount != nil {
            // The new bytes take no room, but reading them back must not be free of charge.
            let current = try System.filestat(number).size
            try spend(UInt64(size).saturatingSubtracting(current))
        }
        try System.setSize(number, size)
    }

    func fd_filestat_set_times(
        _ fd: UInt32, _ atim: UInt64, _ mtim: UInt64, _ flags: UInt32
    ) throws(Errno) {
        let descriptor = try table[fd]
        try descriptor.require(.fdFilestatSetTimes)
        let times = try FileTimes(atim: atim, mtim: mtim, flags: flags, clock)
        guard !descriptor.isReadOnly else { throw .rofs }
        guard let number = descriptor.hostNumber else { throw .inval }
        try System.setTimes(number, times)
    }

    func fd_sync(_ fd: UInt32) throws(Errno) {
        let descriptor = try table[fd]
        guard let number = descriptor.hostNumber else { throw .inval }
        try descriptor.require(.fdSync)
        try System.sync(number)
    }

    func fd_datasync(_ fd: UInt32) throws(Errno) {
        let descriptor = try table[fd]
        guard let number = descriptor.hostNumber else { throw .inval }
        try descriptor.require(.fdDatasync)
        try System.datasync(number)
    }

    func fd_advise(
        _ fd: UInt32, _ offset: UInt64, _ count: UInt64, _ advice: UInt32
    ) throws(Errno) {
        let descriptor = try table[fd]
        guard let advice = UInt8(exactly: advice).flatMap(Advice.init) else { throw .inval }
        let number = try descriptor.positionable(.fdAdvise)
        guard let offset = Int64(exactly: offset), let count = Int64(exactly: count) else {
            throw .inval
        }
        try System.advise(number, offset, count, advice)
    }

    func fd_allocate(_ fd: UInt32, _ offset: UInt64, _ count: UInt64) throws(Errno) {
        let descriptor = try table[fd]
        try descriptor.requireFile(.fdAllocate)
        let number = try descriptor.regularFile
        guard count > 0, let offset = Int64(exactly: offset), let count = Int64(exactly: count)
        else { throw .inval }
        try spend(UInt64(count))
        try System.allocate(number, offset, count)
    }

    /// Counts bytes against the limit on written bytes; `dquot` if there are not so many left.
    private func spend(_ count: UInt64) throws(Errno) {
        guard let left = writableByteCount else { return }
        guard count <= left else { throw .dquot }
        writableByteCount = left &- count
    }
}

extension Descriptor {
    /// The host's descriptor of a regular file; `inval` for anything else.
    fileprivate var regularFile: Int32 {
        get throws(Errno) {
            guard kind == .file, filetype == .regularFile, let number = hostNumber else {
                throw .inval
            }
            return number
        }
    }
}

extension Fdflags {
    /// - Throws: `inval` for bits that the specification does not name.
    init(checking value: UInt32) throws(Errno) {
        guard let value = UInt16(exactly: value),
            Fdflags.all.rawValue | value == Fdflags.all.rawValue
        else { throw .inval }
        self.init(rawValue: value)
    }
}

extension FileTimes {
    /// - Throws: `inval` for bits that the specification does not name, and if a time is to be
    ///   both the one given and now.
    init(
        atim: UInt64, mtim: UInt64, flags: UInt32, _ clock: ClockSource
    ) throws(Errno) {
        guard let value = UInt16(exactly: flags),
            Fstflags.all.rawValue | value == Fstflags.all.rawValue
        else { throw .inval }
        let flags = Fstflags(rawValue: value)
        access = try Self.choose(
            atim, isSet: flags.contains(.atim), isNow: flags.contains(.atimNow), clock)
        modification = try Self.choose(
            mtim, isSet: flags.contains(.mtim), isNow: flags.contains(.mtimNow), clock)
    }

    private static func choose(
        _ time: UInt64, isSet: Bool, isNow: Bool, _ clock: ClockSource
    ) throws(Errno) -> Value {
        switch (isSet, isNow) {
        case (true, true): throw .inval
        case (true, false): return .at(time)
        case (false, true):
            guard case .custom(let source) = clock else { return .now }
            return .at(source.time(.realtime))
        case (false, false): return .unchanged
        }
    }
}
