import WasmInterpreter

// Calls with paths. Each resolves its path to a name in a directory beneath the one that the guest
// named, then makes one call of the host on that name.

extension WASIGuest {
    func path_open(
        _ memory: GuestMemory, _ fd: UInt32, _ dirflags: UInt32, _ path: UInt32,
        _ pathByteCount: UInt32, _ oflags: UInt32, _ base: UInt64, _ inheriting: UInt64,
        _ fdflags: UInt32, _ result: UInt32
    ) throws(Errno) {
        let parent = try table[fd]
        let number = try parent.requireDirectory(.pathOpen)
        let oflags = try Oflags(checking: oflags)
        let fdflags = try Fdflags(checking: fdflags)
        let path = try memory.path(path, byteCount: pathByteCount)
        let result = try memory.result32(result)
        if oflags.contains(.creat) {
            guard !oflags.contains(.directory) else { throw .inval }
            try parent.require(.pathCreateFile)
        }
        if oflags.contains(.trunc) { try parent.require(.pathFilestatSetSize) }
        guard table.hasRoom else { throw .mfile }

        let request = OpenRequest(
            path: path, follow: Lookupflags(rawValue: dirflags).contains(.symlinkFollow),
            oflags: oflags, fdflags: fdflags, rights: Rights(rawValue: base),
            inheriting: Rights(rawValue: inheriting), parent: parent)
        let opened = try request.open(in: number, resolver)
        result.store(try table.insert(opened))
    }

    func path_create_directory(
        _ memory: GuestMemory, _ fd: UInt32, _ path: UInt32, _ byteCount: UInt32
    ) throws(Errno) {
        let root = try table[fd].requireWritableDirectory(.pathCreateDirectory)
        let path = try memory.path(path, byteCount: byteCount)
        let location = try resolver.locate(path, in: root, follow: false)
        try System.createDirectory(location.directory.number, location.nameWithSlash)
    }

    func path_remove_directory(
        _ memory: GuestMemory, _ fd: UInt32, _ path: UInt32, _ byteCount: UInt32
    ) throws(Errno) {
        let root = try table[fd].requireWritableDirectory(.pathRemoveDirectory)
        let path = try memory.path(path, byteCount: byteCount)
        let location = try resolver.locate(path, in: root, follow: false)
        try System.removeDirectory(location.directory.number, location.nameWithSlash)
    }

    func path_unlink_file(
        _ memory: GuestMemory, _ fd: UInt32, _ path: UInt32, _ byteCount: UInt32
    ) throws(Errno) {
        let root = try table[fd].requireWritableDirectory(.pathUnlinkFile)
        let path = try memory.path(path, byteCount: byteCount)
        let location = try resolver.locate(path, in: root, follow: false)
        try System.unlinkFile(location.directory.number, location.nameWithSlash)
    }

    func path_rename(
        _ memory: GuestMemory, _ fd: UInt32, _ oldPath: UInt32, _ oldByteCount: UInt32,
        _ newFd: UInt32, _ newPath: UInt32, _ newByteCount: UInt32
    ) throws(Errno) {
        let oldRoot = try table[fd].requireWritableDirectory(.pathRenameSource)
        let newRoot = try table[newFd].requireWritableDirectory(.pathRenameTarget)
        let oldPath = try memory.path(oldPath, byteCount: oldByteCount)
        let newPath = try memory.path(newPath, byteCount: newByteCount)
        let old = try resolver.locate(oldPath, in: oldRoot, follow: false)
        let new = try resolver.locate(newPath, in: newRoot, follow: false)
        try System.rename(
            old.directory.number, old.nameWithSlash, new.directory.number, new.nameWithSlash)
    }

    /// A link to a file beneath a read-only folder would be a way to write to it: both sides must
    /// be writable.
    func path_link(
        _ memory: GuestMemory, _ oldFd: UInt32, _ oldFlags: UInt32, _ oldPath: UInt32,
        _ oldByteCount: UInt32, _ newFd: UInt32, _ newPath: UInt32, _ newByteCount: UInt32
    ) throws(Errno) {
        let oldRoot = try table[oldFd].requireWritableDirectory(.pathLinkSource)
        let newRoot = try table[newFd].requireWritableDirectory(.pathLinkTarget)
        let follow = Lookupflags(rawValue: oldFlags).contains(.symlinkFollow)
        let oldPath = try memory.path(oldPath, byteCount: oldByteCount)
        let newPath = try memory.path(newPath, byteCount: newByteCount)
        let old = try resolver.locate(
            oldPath, in: oldRoot, follow: follow || oldPath.hasTrailingSlash)
        let new = try resolver.locate(newPath, in: newRoot, follow: false)
        // Directories have no links; asking here keeps the slash at the end out of the call.
        if old.mustBeDirectory, try old.filestat().filetype == .directory { throw .perm }
        try System.link(
            old.directory.number, old.name.cString, new.directory.number, new.nameWithSlash)
    }

    /// Links with absolute targets are refused: nobody beneath the folder could follow them, and
    /// programs of the host would follow them elsewhere.
    func path_symlink(
        _ memory: GuestMemory, _ target: UInt32, _ targetByteCount: UInt32, _ fd: UInt32,
        _ path: UInt32, _ byteCount: UInt32
    ) throws(Errno) {
        let root = try table[fd].requireWritableDirectory(.pathSymlink)
        let target = try memory.path(target, byteCount: targetByteCount)
        let path = try memory.path(path, byteCount: byteCount)
        guard !target.isAbsolute else { throw .perm }
        let location = try resolver.locate(path, in: root, follow: false)
        try System.symlink(
            target.cString, location.directory.number, location.nameWithSlash)
    }

    func path_readlink(
        _ memory: GuestMemory, _ fd: UInt32, _ path: UInt32, _ byteCount: UInt32,
        _ buffer: UInt32, _ bufferByteCount: UInt32, _ result: UInt32
    ) throws(Errno) {
        let root = try table[fd].requireDirectory(.pathReadlink)
        let path = try memory.path(path, byteCount: byteCount)
        let buffer = try memory.buffer(buffer, byteCount: bufferByteCount)
        let result = try memory.result32(result)
        let location = try resolver.locate(path, in: root, follow: path.hasTrailingSlash)
        // With a slash at the end the path names a directory, which is no link.
        if location.mustBeDirectory, try location.filestat().filetype == .directory {
            throw .inval
        }
        guard !buffer.isEmpty else {
            // The host refuses an empty buffer; the specification fills it with the first 0 bytes.
            let filestat = try location.filestat()
            guard filestat.filetype == .symbolicLink else { throw .inval }
            return result.store(0)
        }
        let count = try System.readLink(
            location.directory.number, location.name.cString, into: buffer)
        result.store(UInt32(clamping: count))
    }

    func path_filestat_get(
        _ memory: GuestMemory, _ fd: UInt32, _ flags: UInt32, _ path: UInt32,
        _ byteCount: UInt32, _ result: UInt32, _ version: Version
    ) throws(Errno) {
        let root = try table[fd].requireDirectory(.pathFilestatGet)
        let path = try memory.path(path, byteCount: byteCount)
        let result = try memory.pointer(result, byteCount: Filestat.size(version))
        let follow = Lookupflags(rawValue: flags).contains(.symlinkFollow) || path.hasTrailingSlash
        if !path.hasTrailingSlash {
            // Most names are no links: looking costs one call of the host then.
            let filestat = try resolver.locate(path, in: root, follow: false).filestat()
            if !follow || filestat.filetype != .symbolicLink {
                return filestat.store(to: result, version)
            }
        }
        let filestat = try resolver.locate(path, in: root, follow: true).filestat()
        filestat.store(to: result, version)
    }

    func path_filestat_set_times(
        _ memory: GuestMemory, _ fd: UInt32, _ flags: UInt32, _ path: UInt32,
        _ byteCount: UInt32, _ atim: UInt64, _ mtim: UInt64, _ fstflags: UInt32
    ) throws(Errno) {
        let root = try table[fd].requireWritableDirectory(.pathFilestatSetTimes)
        let path = try memory.path(path, byteCount: byteCount)
        let times = try FileTimes(atim: atim, mtim: mtim, flags: fstflags, clock)
        let follow = Lookupflags(rawValue: flags).contains(.symlinkFollow) || path.hasTrailingSlash
        let location = try resolver.locate(path, in: root, follow: follow)
        if location.mustBeDirectory { _ = try location.filestat() }
        try System.setTimes(location.directory.number, location.name.cString, times)
    }
}

/// What `path_open` was asked for.
private struct OpenRequest {
    let path: GuestPath
    let follow: Bool
    let oflags: Oflags
    let fdflags: Fdflags
    /// Rights that cannot be given are left out: programs ask for more than there is.
    let rights: Rights
    let inheriting: Rights
    let parent: Descriptor

    init(
        path: GuestPath, follow: Bool, oflags: Oflags, fdflags: Fdflags, rights: Rights,
        inheriting: Rights, parent: Descriptor
    ) {
        self.path = path
        self.follow = follow
        self.oflags = oflags
        self.fdflags = fdflags
        self.rights = rights.intersection(parent.allowedInheriting)
        self.inheriting = inheriting.intersection(parent.allowedInheriting)
        self.parent = parent
    }

    func open(in directory: Int32, _ resolver: PathResolver) throws(Errno) -> Descriptor {
        guard parent.isReadOnly else { return try open(in: directory, resolver, oflags) }
        return try openReadOnly(in: directory, resolver)
    }

    /// As on a file system that is mounted read-only: what exists can be opened to read.
    private func openReadOnly(
        in directory: Int32, _ resolver: PathResolver
    ) throws(Errno) -> Descriptor {
        guard !rights.contains(.fdWrite), !oflags.contains(.trunc) else { throw .rofs }
        guard oflags.contains(.creat) else {
            return try open(in: directory, resolver, oflags)
        }
        do throws(Errno) {
            let existing = try open(
                in: directory, resolver, oflags.subtracting([.creat, .excl]))
            guard !oflags.contains(.excl) else { throw .exist }
            return existing
        } catch .noent {
            throw .rofs
        }
    }

    private func open(
        in directory: Int32, _ resolver: PathResolver, _ oflags: Oflags
    ) throws(Errno) -> Descriptor {
        // Emptying a file is writing to it, whatever the descriptor may do afterwards.
        let writes = rights.contains(.fdWrite) || oflags.contains(.trunc)
        let reads = !writes || rights.contains(.fdRead)
        let mode = OpenMode(reads: reads, writes: writes, oflags, fdflags)
        let number = try resolver.open(path, in: directory, mode, follow: follow)
        do throws(Errno) {
            let filetype = try System.filestat(number).filetype
            return makeDescriptor(number, filetype)
        } catch {
            try? System.close(number)
            throw error
        }
    }

    private func makeDescriptor(_ number: Int32, _ filetype: Filetype) -> Descriptor {
        let isTerminal = filetype == .characterDevice && System.isTerminal(number)
        let applicable = Rights.applicable(to: filetype, isTerminal: isTerminal)
        var allowed = applicable.intersection(parent.allowedInheriting)
        if !rights.contains(.fdRead) { allowed.remove(.fdRead) }
        if !rights.contains(.fdWrite) { allowed.subtract(.writing) }
        return Descriptor(
            filetype == .directory ? .directory(number) : .file(number), filetype: filetype,
            rights: rights.intersection(applicable).intersection(allowed),
            inheriting: inheriting, allowed: allowed,
            allowedInheriting: parent.allowedInheriting, isReadOnly: parent.isReadOnly)
    }
}

extension Oflags {
    /// - Throws: `inval` for bits that the specification does not name.
    fileprivate init(checking value: UInt32) throws(Errno) {
        guard let value = UInt16(exactly: value), Oflags.all.rawValue | value == Oflags.all.rawValue
        else { throw .inval }
        self.init(rawValue: value)
    }
}
