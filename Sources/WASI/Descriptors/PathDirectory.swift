/// A directory in which a guest's paths are resolved: of the host or in memory.
///
/// A path that leads out of it fails with `perm`.
protocol PathDirectory {
    /// Opens what `path` names, or creates it according to `flags`.
    func open(_ path: GuestPath, _ flags: OpenFlags) throws(Errno) -> OpenedFile
    func createDirectory(_ path: GuestPath) throws(Errno)
    func removeDirectory(_ path: GuestPath) throws(Errno)
    func unlinkFile(_ path: GuestPath) throws(Errno)
    /// `xdev` if `target` is on another file system.
    func rename(
        _ path: GuestPath, to target: any PathDirectory, _ newPath: GuestPath
    ) throws(Errno)
    func link(
        _ path: GuestPath, follow: Bool, to target: any PathDirectory, _ newPath: GuestPath
    ) throws(Errno)
    func createSymbolicLink(_ path: GuestPath, to target: GuestPath) throws(Errno)
    /// Fills `buffer` with the start of a link's target; returns the number of bytes.
    func readLink(
        _ path: GuestPath, into buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) -> Int
    func filestat(_ path: GuestPath, follow: Bool) throws(Errno) -> Filestat
    func setTimes(_ path: GuestPath, follow: Bool, _ times: FileTimes) throws(Errno)
}

/// How a file is opened.
struct OpenFlags {
    var follow: Bool
    var reads: Bool
    var writes: Bool
    var oflags: Oflags
    var fdflags: Fdflags
}

/// An opened file.
struct OpenedFile {
    var resource: Descriptor.Resource
    var filetype: Filetype
    var isTerminal = false
    /// A pipe with a name.
    var isPipe = false
}

/// A directory of the host.
struct HostDirectory: PathDirectory {
    let number: Int32
    let resolver: PathResolver

    private func locate(_ path: GuestPath, follow: Bool = false) throws(Errno) -> Location {
        try resolver.locate(path, in: number, follow: follow)
    }

    func open(_ path: GuestPath, _ flags: OpenFlags) throws(Errno) -> OpenedFile {
        let mode = OpenMode(
            reads: flags.reads, writes: flags.writes, flags.oflags, flags.fdflags)
        let opened = try resolver.open(path, in: number, mode, follow: flags.follow)
        do throws(Errno) {
            let filetype = try System.filestat(opened).filetype
            // A stream opened here is not shared, and stays nonblocking on the host.
            let isStream = filetype == .unknown || filetype == .characterDevice
            if !isStream, !flags.fdflags.contains(.nonblock) {
                try System.clearNonblock(opened, mode)
            }
            // Not truncated by the host, because that frees a large file in one step.
            if flags.oflags.contains(.trunc), filetype == .regularFile {
                try System.setSize(opened, 0, resolver.stop)
            }
            return OpenedFile(
                resource: filetype == .directory ? .directory(opened) : .file(opened),
                filetype: filetype,
                isTerminal: filetype == .characterDevice && System.isTerminal(opened),
                isPipe: filetype == .unknown && System.isPipe(opened))
        } catch {
            try? System.close(opened)
            throw error
        }
    }

    /// Whether the path names a pipe.
    func isPipe(_ path: GuestPath, follow: Bool) -> Bool {
        guard let location = try? locate(path, follow: follow) else { return false }
        return System.isPipe(location.directory.number, location.name.cString)
    }

    func createDirectory(_ path: GuestPath) throws(Errno) {
        let location = try locate(path)
        try System.createDirectory(location.directory.number, location.nameWithSlash)
    }

    func removeDirectory(_ path: GuestPath) throws(Errno) {
        let location = try locate(path)
        try System.removeDirectory(location.directory.number, location.nameWithSlash)
    }

    func unlinkFile(_ path: GuestPath) throws(Errno) {
        let location = try locate(path)
        try System.unlinkFile(location.directory.number, location.nameWithSlash)
    }

    func rename(
        _ path: GuestPath, to target: any PathDirectory, _ newPath: GuestPath
    ) throws(Errno) {
        guard let target = target as? HostDirectory else { throw .xdev }
        let old = try locate(path)
        let new = try target.locate(newPath)
        try System.rename(
            old.directory.number, old.nameWithSlash, new.directory.number, new.nameWithSlash)
    }

    func link(
        _ path: GuestPath, follow: Bool, to target: any PathDirectory, _ newPath: GuestPath
    ) throws(Errno) {
        guard let target = target as? HostDirectory else { throw .xdev }
        let old = try locate(path, follow: follow || path.hasTrailingSlash)
        let new = try target.locate(newPath)
        // Directories have no hard links; this check removes the slash at the end from the call.
        if old.mustBeDirectory, try old.filestat().filetype == .directory { throw .perm }
        try System.link(
            old.directory.number, old.name.cString, new.directory.number, new.nameWithSlash)
    }

    func createSymbolicLink(_ path: GuestPath, to target: GuestPath) throws(Errno) {
        let location = try locate(path)
        try System.symlink(target.cString, location.directory.number, location.nameWithSlash)
    }

    func readLink(
        _ path: GuestPath, into buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) -> Int {
        let location = try locate(path, follow: path.hasTrailingSlash)
        // With a slash at the end the path names a directory, not a link.
        if location.mustBeDirectory, try location.filestat().filetype == .directory {
            throw .inval
        }
        guard !buffer.isEmpty else {
            // The host refuses an empty buffer; by the specification it is filled with 0 bytes.
            guard try location.filestat().filetype == .symbolicLink else { throw .inval }
            return 0
        }
        return try System.readLink(
            location.directory.number, location.name.cString, into: buffer)
    }

    func filestat(_ path: GuestPath, follow: Bool) throws(Errno) -> Filestat {
        let follow = follow || path.hasTrailingSlash
        if !path.hasTrailingSlash {
            // Most names are not links; then this costs one call of the host.
            let filestat = try locate(path).filestat()
            if !follow || filestat.filetype != .symbolicLink { return filestat }
        }
        return try locate(path, follow: true).filestat()
    }

    func setTimes(_ path: GuestPath, follow: Bool, _ times: FileTimes) throws(Errno) {
        let location = try locate(path, follow: follow || path.hasTrailingSlash)
        if location.mustBeDirectory { _ = try location.filestat() }
        try System.setTimes(location.directory.number, location.name.cString, times)
    }
}
