import WasmInterpreter

// Attributes of open descriptors, their space and durability, and the descriptors themselves.

extension WASIGuest {
    func fd_close(_ fd: UInt32) throws(Errno) {
        var descriptor = try table.remove(fd)
        // A call of another thread may still use it; then the last one closes it.
        if isKnownUniquelyReferenced(&descriptor) { try descriptor.close() }
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
        seen(try descriptor.filestat()).store(to: result, version)
    }

    func fd_filestat_set_size(
        _ fd: UInt32, _ size: UInt64, _ stop: StopSignal? = nil
    ) throws(Errno) {
        let descriptor = try table[fd]
        try descriptor.requireFile(.fdFilestatSetSize)
        guard let size = Int64(exactly: size) else { throw .inval }
        guard let quota else { return try descriptor.setSize(size, stop) }
        // The new bytes take no space yet, but they count against the quota.
        let added = UInt64(size).saturatingSubtracting(try descriptor.filestat().size)
        try quota.charging(added) { () throws(Errno) in try descriptor.setSize(size, stop) }
    }

    func fd_filestat_set_times(
        _ fd: UInt32, _ atim: UInt64, _ mtim: UInt64, _ flags: UInt32
    ) throws(Errno) {
        let descriptor = try table[fd]
        try descriptor.require(.fdFilestatSetTimes)
        let times = try FileTimes(atim: atim, mtim: mtim, flags: flags, clock)
        guard !descriptor.isReadOnly else { throw .rofs }
        try descriptor.setTimes(times)
    }

    func fd_sync(_ fd: UInt32) throws(Errno) {
        let descriptor = try table[fd]
        try descriptor.requireSync(.fdSync)
        try descriptor.sync(dataOnly: false)
    }

    func fd_datasync(_ fd: UInt32) throws(Errno) {
        let descriptor = try table[fd]
        try descriptor.requireSync(.fdDatasync)
        try descriptor.sync(dataOnly: true)
    }

    func fd_advise(
        _ fd: UInt32, _ offset: UInt64, _ count: UInt64, _ advice: UInt32, _ stop: StopSignal? = nil
    ) throws(Errno) {
        let descriptor = try table[fd]
        guard let advice = UInt8(exactly: advice).flatMap(Advice.init) else { throw .inval }
        try descriptor.requirePosition(.fdAdvise)
        guard let offset = Int64(exactly: offset), let count = Int64(exactly: count) else {
            throw .inval
        }
        try descriptor.advise(offset, count, advice, stop)
    }

    func fd_allocate(
        _ fd: UInt32, _ offset: UInt64, _ count: UInt64, _ stop: StopSignal? = nil
    ) throws(Errno) {
        let descriptor = try table[fd]
        try descriptor.requireFile(.fdAllocate)
        guard count > 0, let offset = Int64(exactly: offset), let count = Int64(exactly: count)
        else { throw .inval }
        guard let quota else { return try descriptor.allocate(offset, count, stop) }
        try quota.charging(UInt64(count)) { () throws(Errno) in
            try descriptor.allocate(offset, count, stop)
        }
    }
}

extension Descriptor {
    /// For streams `inval`, as on the host: they have no data on a disk.
    fileprivate func requireSync(_ needed: Rights) throws(Errno) {
        guard filetype == .regularFile || isDirectory || filetype == .blockDevice else {
            throw .inval
        }
        try require(needed)
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
    /// - Throws: `inval` for bits that the specification does not name, and for a time that is set
    ///   both to a value and to now.
    init(
        atim: UInt64, mtim: UInt64, flags: UInt32, _ clock: ClockSource
    ) throws(Errno) {
        guard let value = UInt16(exactly: flags),
            Fstflags.all.rawValue | value == Fstflags.all.rawValue
        else { throw .inval }
        let flags = Fstflags(rawValue: value)
        self.init(
            access: try Self.choose(
                atim, isSet: flags.contains(.atim), isNow: flags.contains(.atimNow), clock),
            modification: try Self.choose(
                mtim, isSet: flags.contains(.mtim), isNow: flags.contains(.mtimNow), clock))
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
