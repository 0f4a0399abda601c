// Soundness: paths are arrays that end with a NUL, and buffers are valid for the length of a call.

import WasmSystem

/// A folder of the host whose files are opened by paths that cannot lead out of it: no symbolic
/// link is followed, by the kernel (`openat2`) or, before Linux 5.6, by opening one part after the
/// other.
final class OpenFolder: Sendable {
    private let descriptor: FileDescriptor

    /// - Throws: `ENOENT`, `ENOTDIR`, `EACCES` and others of open(2).
    init(_ path: [UInt8]) throws(SystemError) {
        let number = try unsafe Kernel.open(CString(path: path), [.directory])
        descriptor = FileDescriptor(owning: try Kernel.aboveStandardStreams(number))
    }

    private init(owning descriptor: consuming FileDescriptor) { self.descriptor = descriptor }

    /// A folder within.
    ///
    /// - Throws: `ELOOP` or `ENOTDIR` for a symbolic link.
    func folder(_ name: [UInt8]) throws(SystemError) -> OpenFolder {
        OpenFolder(owning: try open([name], [.directory]))
    }

    /// Opens a file for reading. Devices and pipes do not make it wait.
    ///
    /// - Parameter segments: names without slash and NUL, none of them `..`.
    func open(
        _ segments: [[UInt8]], _ flags: FileFlags = []
    ) throws(SystemError) -> FileDescriptor {
        let flags: FileFlags = [flags, .readOnly, .nonblock, .noControllingTerminal]
        if segments.isEmpty { return try descriptor.duplicated() }
        if Kernel.hasOpenBeneath {
            let path = segments.joined(separator: [UInt8(ascii: "/")])
            return FileDescriptor(
                owning: try Kernel.openBeneath(
                    descriptor.number, CString(path: path), flags, followsLinks: false))
        }
        var folder: FileDescriptor?
        for (index, segment) in segments.enumerated() {
            let isLast = index == segments.count - 1
            let parent = folder?.number ?? descriptor.number
            let opened = try unsafe Kernel.open(
                in: parent, CString(path: segment),
                isLast ? [flags, .noFollow] : [.pathOnly, .directory, .noFollow])
            let next = FileDescriptor(owning: try Kernel.aboveStandardStreams(opened))
            if isLast { return next }
            folder = consume next
        }
        throw .noent
    }

    /// The status of a file, also of a symbolic link itself.
    func status(_ name: [UInt8]) throws(SystemError) -> FileStatus {
        try unsafe Kernel.status(in: descriptor.number, CString(path: name), followsLink: false)
    }

    /// The names in the folder in the order of their bytes, without `.` and `..`.
    ///
    /// - Parameter limit: the most names; the others are left out.
    func names(limit: Int) throws(SystemError) -> [[UInt8]] {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 32 << 10, alignment: 8)
        defer { unsafe buffer.deallocate() }
        // A descriptor of its own: the position belongs to the open file.
        let folder = try open([[UInt8(ascii: ".")]], [.directory])
        var names: [[UInt8]] = []
        var isMore = true
        while isMore, names.count < limit {
            isMore = try unsafe Kernel.readDirectory(folder.number, into: buffer) { entry in
                let name = unsafe [UInt8](entry.name)
                if name != [0x2e], name != [0x2e, 0x2e] { names.append(name) }
                return names.count < limit
            }
        }
        return names.sorted { $0.lexicographicallyPrecedes($1) }
    }
}
