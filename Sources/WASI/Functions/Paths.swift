import WasmInterpreter

// Calls with paths. The descriptor's directory resolves them: see `PathDirectory`.

extension WASIGuest {
    /// - Throws: `Errno` for the guest; `Suspension` to wait until the other end of a pipe is
    ///   opened.
    func path_open(
        _ memory: GuestMemory, _ fd: UInt32, _ dirflags: UInt32, _ path: UInt32,
        _ pathByteCount: UInt32, _ oflags: UInt32, _ base: UInt64, _ inheriting: UInt64,
        _ fdflags: UInt32, _ result: UInt32, _ caller: borrowing Caller
    ) throws {
        let parent = try table[fd]
        _ = try parent.directory(.pathOpen, resolver)
        let oflags = try Oflags(checking: oflags)
        let fdflags = try Fdflags(checking: fdflags)
        let path = try memory.path(path, byteCount: pathByteCount)
        _ = try memory.result32(result)
        if oflags.contains(.creat) {
            guard !oflags.contains(.directory) else { throw Errno.inval }
            try parent.require(.pathCreateFile)
        }
        if oflags.contains(.trunc) { try parent.require(.pathFilestatSetSize) }

        let request = OpenRequest(
            path: path, follow: Lookupflags(rawValue: dirflags).contains(.symlinkFollow),
            oflags: oflags, fdflags: fdflags, rights: Rights(rawValue: base),
            inheriting: Rights(rawValue: inheriting), parent: parent)
        try open(request, OpeningPatience(), memory, result, caller.stopSignal)
    }

    /// Opens the file, or waits before the next attempt.
    private func open(
        _ request: OpenRequest, _ patience: OpeningPatience, _ memory: GuestMemory,
        _ result: UInt32, _ stop: StopSignal
    ) throws {
        guard table.hasRoom else { throw Errno.mfile }
        let directory = try request.parent.directory(.pathOpen, resolver.watching(stop))
        guard let opened = try request.open(in: directory) else {
            var patience = patience
            throw waiting(patience.wait()) { [self, patience] memory, caller in
                try open(request, patience, memory, result, caller.stopSignal)
            }
        }
        guard opened.isWaiting else { return try finish(opened.descriptor, memory, result) }
        try finish(OpenedPipe(opened.descriptor), patience, memory, result)
    }

    /// Waits until the pipe has a writer.
    private func finish(
        _ pipe: OpenedPipe, _ patience: OpeningPatience, _ memory: GuestMemory, _ result: UInt32
    ) throws {
        guard try !pipe.hasHadWriter else { return try finish(pipe.descriptor, memory, result) }
        var patience = patience
        throw waiting(patience.waitForWriter(pipe)) { [self, patience] memory, _ in
            try finish(pipe, patience, memory, result)
        }
    }

    private func finish(
        _ descriptor: Descriptor, _ memory: GuestMemory, _ result: UInt32
    ) throws(Errno) {
        let result = try memory.result32(result)
        result.store(try table.insert(descriptor))
    }

    func path_create_directory(
        _ memory: GuestMemory, _ fd: UInt32, _ path: UInt32, _ byteCount: UInt32,
        _ stop: StopSignal? = nil
    ) throws(Errno) {
        let directory = try table[fd].writableDirectory(
            .pathCreateDirectory, resolver.watching(stop))
        try directory.createDirectory(try memory.path(path, byteCount: byteCount))
    }

    func path_remove_directory(
        _ memory: GuestMemory, _ fd: UInt32, _ path: UInt32, _ byteCount: UInt32,
        _ stop: StopSignal? = nil
    ) throws(Errno) {
        let directory = try table[fd].writableDirectory(
            .pathRemoveDirectory, resolver.watching(stop))
        try directory.removeDirectory(try memory.path(path, byteCount: byteCount))
    }

    func path_unlink_file(
        _ memory: GuestMemory, _ fd: UInt32, _ path: UInt32, _ byteCount: UInt32,
        _ stop: StopSignal? = nil
    ) throws(Errno) {
        let directory = try table[fd].writableDirectory(.pathUnlinkFile, resolver.watching(stop))
        try directory.unlinkFile(try memory.path(path, byteCount: byteCount))
    }

    func path_rename(
        _ memory: GuestMemory, _ fd: UInt32, _ oldPath: UInt32,
        _ oldByteCount: UInt32,
        _ newFd: UInt32, _ newPath: UInt32, _ newByteCount: UInt32, _ stop: StopSignal? = nil
    ) throws(Errno) {
        let old = try table[fd].writableDirectory(.pathRenameSource, resolver.watching(stop))
        let new = try table[newFd].writableDirectory(.pathRenameTarget, resolver.watching(stop))
        let oldPath = try memory.path(oldPath, byteCount: oldByteCount)
        let newPath = try memory.path(newPath, byteCount: newByteCount)
        try old.rename(oldPath, to: new, newPath)
    }

    /// Both folders must be writable, because a link to a file in a read-only folder would make it
    /// writable.
    func path_link(
        _ memory: GuestMemory, _ oldFd: UInt32, _ oldFlags: UInt32,
        _ oldPath: UInt32,
        _ oldByteCount: UInt32, _ newFd: UInt32, _ newPath: UInt32, _ newByteCount: UInt32,
        _ stop: StopSignal? = nil
    ) throws(Errno) {
        let old = try table[oldFd].writableDirectory(.pathLinkSource, resolver.watching(stop))
        let new = try table[newFd].writableDirectory(.pathLinkTarget, resolver.watching(stop))
        let follow = Lookupflags(rawValue: oldFlags).contains(.symlinkFollow)
        let oldPath = try memory.path(oldPath, byteCount: oldByteCount)
        let newPath = try memory.path(newPath, byteCount: newByteCount)
        try old.link(oldPath, follow: follow, to: new, newPath)
    }

    /// Links with absolute targets are refused: no guest could follow them, and programs of the
    /// host would follow them out of the folder.
    func path_symlink(
        _ memory: GuestMemory, _ target: UInt32, _ targetByteCount: UInt32,
        _ fd: UInt32,
        _ path: UInt32, _ byteCount: UInt32, _ stop: StopSignal? = nil
    ) throws(Errno) {
        let directory = try table[fd].writableDirectory(.pathSymlink, resolver.watching(stop))
        let target = try memory.path(target, byteCount: targetByteCount)
        let path = try memory.path(path, byteCount: byteCount)
        guard !target.isAbsolute else { throw .perm }
        try directory.createSymbolicLink(path, to: target)
    }

    func path_readlink(
        _ memory: GuestMemory, _ fd: UInt32, _ path: UInt32,
        _ byteCount: UInt32,
        _ buffer: UInt32, _ bufferByteCount: UInt32, _ result: UInt32, _ stop: StopSignal? = nil
    ) throws(Errno) {
        let directory = try table[fd].directory(.pathReadlink, resolver.watching(stop))
        let path = try memory.path(path, byteCount: byteCount)
        let buffer = try memory.buffer(buffer, byteCount: bufferByteCount)
        let result = try memory.result32(result)
        result.store(UInt32(clamping: try directory.readLink(path, into: buffer)))
    }

    func path_filestat_get(
        _ memory: GuestMemory, _ fd: UInt32, _ flags: UInt32, _ path: UInt32,
        _ byteCount: UInt32, _ result: UInt32, _ version: Version, _ stop: StopSignal? = nil
    ) throws(Errno) {
        let directory = try table[fd].directory(.pathFilestatGet, resolver.watching(stop))
        let path = try memory.path(path, byteCount: byteCount)
        let result = try memory.pointer(result, byteCount: Filestat.size(version))
        let follow = Lookupflags(rawValue: flags).contains(.symlinkFollow)
        seen(try directory.filestat(path, follow: follow)).store(to: result, version)
    }

    func path_filestat_set_times(
        _ memory: GuestMemory, _ fd: UInt32, _ flags: UInt32, _ path: UInt32,
        _ byteCount: UInt32, _ atim: UInt64, _ mtim: UInt64, _ fstflags: UInt32,
        _ stop: StopSignal? = nil
    ) throws(Errno) {
        let directory = try table[fd].writableDirectory(
            .pathFilestatSetTimes, resolver.watching(stop))
        let path = try memory.path(path, byteCount: byteCount)
        let times = try FileTimes(atim: atim, mtim: mtim, flags: fstflags, clock)
        let follow = Lookupflags(rawValue: flags).contains(.symlinkFollow)
        try directory.setTimes(path, follow: follow, times)
    }
}

/// The arguments of `path_open`.
private struct OpenRequest {
    let path: GuestPath
    let follow: Bool
    let oflags: Oflags
    let fdflags: Fdflags
    /// Rights that the file cannot have are left out, because programs request them.
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

    /// Opens the file at the path; nil if the host would wait.
    func open(in directory: any PathDirectory) throws(Errno) -> Opened? {
        do throws(Errno) {
            return try attempt(in: directory)
        } catch {
            guard !fdflags.contains(.nonblock), isTemporary(error, directory as? HostDirectory)
            else { throw error }
            return nil
        }
    }

    /// Whether a blocking call would have waited instead of failing: for a reader of a pipe, or for
    /// the holder of a lease on a file.
    private func isTemporary(_ error: Errno, _ directory: HostDirectory?) -> Bool {
        switch error {
        case .again: directory != nil
        case .nxio: directory?.isPipe(path, follow: follow) ?? false
        default: false
        }
    }

    /// An opened file, and whether it is a pipe that may have no writer yet.
    typealias Opened = (descriptor: Descriptor, isWaiting: Bool)

    private func attempt(in directory: any PathDirectory) throws(Errno) -> Opened {
        guard parent.isReadOnly else { return try open(in: directory, oflags) }
        return try openReadOnly(in: directory)
    }

    /// As on a file system mounted read-only: existing files can be opened for reading.
    private func openReadOnly(in directory: any PathDirectory) throws(Errno) -> Opened {
        guard !rights.contains(.fdWrite), !oflags.contains(.trunc) else { throw .rofs }
        guard oflags.contains(.creat) else { return try open(in: directory, oflags) }
        do throws(Errno) {
            let existing = try open(in: directory, oflags.subtracting([.creat, .excl]))
            guard !oflags.contains(.excl) else { throw .exist }
            return existing
        } catch .noent {
            throw .rofs
        }
    }

    private func open(
        in directory: any PathDirectory, _ oflags: Oflags
    ) throws(Errno) -> Opened {
        // Truncating a file is a write, whatever the rights of the descriptor.
        let writes = rights.contains(.fdWrite) || oflags.contains(.trunc)
        let opened = try directory.open(
            path,
            OpenFlags(
                follow: follow, reads: !writes || rights.contains(.fdRead), writes: writes,
                oflags: oflags, fdflags: fdflags))
        let applicable = Rights.applicable(to: opened.filetype, isTerminal: opened.isTerminal)
        var allowed = applicable.intersection(parent.allowedInheriting)
        if !rights.contains(.fdRead) { allowed.remove(.fdRead) }
        if !rights.contains(.fdWrite) { allowed.subtract(.writing) }
        let descriptor = Descriptor(
            opened.resource, filetype: opened.filetype,
            rights: rights.intersection(applicable).intersection(allowed),
            inheriting: inheriting, allowed: allowed,
            allowedInheriting: parent.allowedInheriting, flags: fdflags,
            isReadOnly: parent.isReadOnly)
        let isWaiting = opened.isPipe && !writes && !fdflags.contains(.nonblock)
        return (descriptor, isWaiting)
    }
}

extension Oflags {
    /// - Throws: `inval` for bits that the specification does not name.
    fileprivate init(checking value: UInt32) throws(Errno) {
        guard let value = UInt16(exactly: value),
            Oflags.all.rawValue | value == Oflags.all.rawValue
        else { throw .inval }
        self.init(rawValue: value)
    }
}
