import WasmSystem

// Calls on names in directories.
//
// Invariants: a `CString` ends with its only NUL. Names given with a directory are a single
// component, made by `PathResolver`; whole paths are passed only to `openBeneath`, which the kernel
// confines, and to `openFolder`, which gets paths of the embedder and never of a guest.

/// Bytes of a path or name, the last of them a NUL.
typealias CString = WasmSystem.CString

/// How a file is opened, in the host's flags. The caller truncates it afterwards, and clears
/// `nonblock` unless the guest set it.
struct OpenMode {
    var flags: FileFlags

    /// A directory to resolve names in: needs no right to read it.
    static let path = OpenMode(flags: [.pathOnly, .directory])
    static let directory = OpenMode(flags: [.readOnly, .directory])

    private init(flags: FileFlags) { self.flags = flags }

    init(reads: Bool, writes: Bool, _ oflags: Oflags, _ fdflags: Fdflags) {
        flags = writes ? (reads ? .readWrite : .writeOnly) : .readOnly
        if oflags.contains(.creat) { flags.insert(.create) }
        if oflags.contains(.directory) { flags.insert(.directory) }
        if oflags.contains(.excl) { flags.insert(.exclusive) }
        if fdflags.contains(.append) { flags.insert(.append) }
        // Opening never waits, because a guest in the kernel could not be stopped: see
        // `OpeningPatience`.
        flags.insert(.nonblock)
        if fdflags.contains(.dsync) { flags.insert(.dsync) }
        if !fdflags.isDisjoint(with: [.rsync, .sync]) { flags.insert(.sync) }
        // A terminal that a guest opens must not become this process's controlling terminal.
        flags.insert(.noControllingTerminal)
    }

    /// The same, for directories only.
    var requiringDirectory: OpenMode { OpenMode(flags: flags.union(.directory)) }

    var creates: Bool { flags.contains(.create) }
}

extension System {
    /// Whether the kernel has `openat2` and lets this process use it.
    static var hasOpenat2: Bool { Kernel.hasOpenBeneath }

    /// Opens `path`, which the kernel keeps beneath `directory`, symbolic links included. Fails
    /// with `xdev` for a path that leads out, and with `again` if concurrent renames prevented
    /// resolving it.
    static func openBeneath(
        _ directory: Int32, _ path: CString, _ mode: OpenMode, follow: Bool
    ) throws(Errno) -> Int32 {
        let flags = follow ? mode.flags : mode.flags.union(.noFollow)
        return try mapping { () throws(SystemError) in
            try Kernel.openBeneath(directory, path, flags)
        }
    }

    /// Opens the component `name` of `directory`, never the target of a symbolic link.
    static func openComponent(
        _ directory: Int32, _ name: CString, _ mode: OpenMode
    ) throws(Errno) -> Int32 {
        try mapping { () throws(SystemError) in
            try Kernel.aboveStandardStreams(
                try Kernel.open(in: directory, name, mode.flags.union(.noFollow)))
        }
    }

    /// Makes calls on a file that was opened so wait again.
    static func clearNonblock(_ descriptor: Int32, _ mode: OpenMode) throws(Errno) {
        try mapping { () throws(SystemError) in
            try Kernel.setFlags(descriptor, mode.flags.subtracting(.nonblock))
        }
    }

    /// Whether the descriptor is that of a pipe.
    static func isPipe(_ descriptor: Int32) -> Bool {
        (try? Kernel.status(descriptor))?.kind == .pipe
    }

    /// Whether the name is that of a pipe.
    static func isPipe(_ directory: Int32, _ name: CString) -> Bool {
        (try? Kernel.status(in: directory, name, followsLink: false))?.kind == .pipe
    }

    /// Opens a folder that the embedder names.
    static func openFolder(_ path: CString) throws(Errno) -> Int32 {
        try mapping { () throws(SystemError) in
            try Kernel.aboveStandardStreams(try Kernel.open(path, [.readOnly, .directory]))
        }
    }

    /// Reads the target of a symbolic link into `buffer`; returns the number of bytes. `inval` if
    /// `name` is not a symbolic link.
    static func readLink(
        _ directory: Int32, _ name: CString, into buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) -> Int {
        try mapping { () throws(SystemError) in
            try Kernel.readLink(in: directory, name, into: buffer)
        }
    }

    static func filestat(_ directory: Int32, _ name: CString) throws(Errno) -> Filestat {
        let status = try mapping { () throws(SystemError) in
            try Kernel.status(in: directory, name, followsLink: false)
        }
        return Filestat(status, descriptor: nil)
    }

    static func setTimes(
        _ directory: Int32, _ name: CString, _ times: FileTimes
    ) throws(Errno) {
        try mapping { () throws(SystemError) in
            try Kernel.setTimes(in: directory, name, times)
        }
    }

    static func createDirectory(_ directory: Int32, _ name: CString) throws(Errno) {
        try mapping { () throws(SystemError) in
            try Kernel.createDirectory(in: directory, name)
        }
    }

    static func unlinkFile(_ directory: Int32, _ name: CString) throws(Errno) {
        try mapping { () throws(SystemError) in try Kernel.unlink(in: directory, name) }
    }

    static func removeDirectory(_ directory: Int32, _ name: CString) throws(Errno) {
        try mapping { () throws(SystemError) in
            try Kernel.removeDirectory(in: directory, name)
        }
    }

    static func rename(
        _ oldDirectory: Int32, _ oldName: CString, _ newDirectory: Int32, _ newName: CString
    ) throws(Errno) {
        try mapping { () throws(SystemError) in
            try Kernel.rename(in: oldDirectory, oldName, to: newDirectory, newName)
        }
    }

    static func link(
        _ oldDirectory: Int32, _ oldName: CString, _ newDirectory: Int32, _ newName: CString
    ) throws(Errno) {
        try mapping { () throws(SystemError) in
            try Kernel.link(in: oldDirectory, oldName, to: newDirectory, newName)
        }
    }

    static func symlink(
        _ target: CString, _ directory: Int32, _ name: CString
    ) throws(Errno) {
        try mapping { () throws(SystemError) in
            try Kernel.symlink(to: target, in: directory, name)
        }
    }

    /// The identity of the file at a path of the embedder; a symbolic link is not followed.
    static func identity(_ path: CString) throws(Errno) -> FileIdentity {
        let filestat = try filestat(Kernel.workingFolder, path)
        return FileIdentity(dev: filestat.dev, ino: filestat.ino)
    }

    /// Removes a file that the embedder names.
    static func unlinkFile(_ path: CString) throws(Errno) {
        try unlinkFile(Kernel.workingFolder, path)
    }
}

// MARK: Entries of directories

/// An entry as the kernel lists it. `name` is valid until the buffer is filled again.
struct DirectoryEntry {
    /// The position of the entry after this one.
    var next: UInt64
    var ino: UInt64
    /// Nil if the file system does not report it.
    var filetype: Filetype?
    var name: UnsafeRawBufferPointer
}

extension System {
    /// Fills `buffer` with entries of `directory` that are at or after `cookie`; passes them to
    /// `body` one by one until it returns false. Returns whether there may be more.
    static func readDirectory(
        _ directory: Int32, into buffer: UnsafeMutableRawBufferPointer,
        _ body: (DirectoryEntry) throws(Errno) -> Bool
    ) throws(Errno) -> Bool {
        var failure: Errno?
        let mayHaveMore = try mapping { () throws(SystemError) in
            try Kernel.readDirectory(directory, into: buffer) { entry in
                do throws(Errno) {
                    return try body(
                        DirectoryEntry(
                            next: entry.next, ino: entry.inode,
                            filetype: entry.kind.map { Filetype($0) }, name: entry.name))
                } catch {
                    failure = error
                    return false
                }
            }
        }
        if let failure { throw failure }
        return mayHaveMore
    }

    /// Goes to the entry with `cookie`, which an earlier one named as `next`.
    static func seekDirectory(_ directory: Int32, _ cookie: UInt64) throws(Errno) {
        try mapping { () throws(SystemError) in try Kernel.seekDirectory(directory, cookie) }
    }
}
