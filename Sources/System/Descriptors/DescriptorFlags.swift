import Glibc

/// Flags for opening a file, and of an open file: open(2).
public struct FileFlags: OptionSet, Hashable, Sendable {
    /// The flags of `open`.
    public var rawValue: Int32

    @inlinable
    public init(rawValue: Int32) { self.rawValue = rawValue }

    /// No right to write; the default, since its value is 0.
    @inlinable public static var readOnly: FileFlags { FileFlags(rawValue: O_RDONLY) }
    @inlinable public static var writeOnly: FileFlags { FileFlags(rawValue: O_WRONLY) }
    @inlinable public static var readWrite: FileFlags { FileFlags(rawValue: O_RDWR) }
    /// Only a place in the tree: names can be resolved from it, without the right to read.
    @inlinable public static var pathOnly: FileFlags { FileFlags(rawValue: O_PATH) }
    /// Makes the file if it is not there.
    @inlinable public static var create: FileFlags { FileFlags(rawValue: O_CREAT) }
    /// With `create`: fails with `EEXIST` if the file is there.
    @inlinable public static var exclusive: FileFlags { FileFlags(rawValue: O_EXCL) }
    @inlinable public static var truncate: FileFlags { FileFlags(rawValue: O_TRUNC) }
    /// Writes go to the end of the file.
    @inlinable public static var append: FileFlags { FileFlags(rawValue: O_APPEND) }
    /// Calls that would wait fail with `EAGAIN`.
    @inlinable public static var nonblock: FileFlags { FileFlags(rawValue: O_NONBLOCK) }
    /// Fails with `ENOTDIR` for anything but a directory.
    @inlinable public static var directory: FileFlags { FileFlags(rawValue: O_DIRECTORY) }
    /// Fails with `ELOOP` for a symbolic link.
    @inlinable public static var noFollow: FileFlags { FileFlags(rawValue: O_NOFOLLOW) }
    /// A terminal does not become this process's controlling terminal.
    @inlinable public static var noControllingTerminal: FileFlags {
        FileFlags(rawValue: O_NOCTTY)
    }
    /// Each write waits for the data, and for what is needed to read it again.
    @inlinable public static var dsync: FileFlags { FileFlags(rawValue: O_DSYNC) }
    /// Each write waits for data and all attributes. Includes the bit of `dsync`.
    @inlinable public static var sync: FileFlags { FileFlags(rawValue: O_SYNC) }
    /// Closed in programs that the process executes.
    @inlinable public static var closeOnExec: FileFlags { FileFlags(rawValue: O_CLOEXEC) }

    /// Whether it may be read.
    @inlinable public var reads: Bool { rawValue & O_ACCMODE != O_WRONLY }
    /// Whether it may be written.
    @inlinable public var writes: Bool { rawValue & O_ACCMODE != O_RDONLY }
}

extension Kernel {
    /// How a descriptor was opened, and its flags now: fcntl(2), `F_GETFL`.
    public static func flags(_ descriptor: Int32) throws(SystemError) -> FileFlags {
        FileFlags(rawValue: try retrying { fcntl(descriptor, F_GETFL) })
    }

    /// Sets the flags that an open file can change: `append` and `nonblock`; others are ignored.
    public static func setFlags(_ descriptor: Int32, _ flags: FileFlags) throws(SystemError) {
        try retrying { fcntl(descriptor, F_SETFL, flags.rawValue) }
    }

    /// Opens the file of a descriptor again, nonblocking, under a number above those of the
    /// standard streams; -1 if the host does not allow it.
    public static func reopen(_ descriptor: Int32) -> Int32 {
        let mode = fcntl(descriptor, F_GETFL) & O_ACCMODE
        let opened = unsafe Glibc.open(
            "/proc/self/fd/\(descriptor)", mode | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
        return opened < 0 ? -1 : (try? aboveStandardStreams(opened)) ?? -1
    }

    /// Whether the descriptor is that of a terminal: isatty(3).
    public static func isTerminal(_ descriptor: Int32) -> Bool { isatty(descriptor) == 1 }
}
