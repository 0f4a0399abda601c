import Glibc

// Invariant: a record of the kernel is within the bytes that the kernel wrote, and its name ends
// within the record; other records are refused.

/// An entry as the kernel lists it. `name` is valid until the buffer is filled again.
@unsafe public struct DirectoryEntry {
    /// The position of the entry after this one.
    public var next: UInt64
    public var inode: UInt64
    /// Nil if the file system does not report it.
    public var kind: FileStatus.Kind?
    public var name: UnsafeRawBufferPointer
}

extension Kernel {
    /// Fills `buffer` with entries of `directory` from its position on, and passes them to `body`
    /// one by one until it returns false: getdents64(2). Returns whether there may be more.
    public static func readDirectory(
        _ directory: Int32, into buffer: UnsafeMutableRawBufferPointer,
        _ body: (DirectoryEntry) -> Bool
    ) throws(SystemError) -> Bool {
        guard let start = buffer.baseAddress else { return false }
        let count = try retrying { unsafe symbol_getdents64(directory, start, buffer.count) }
        // The kernel's records: u64 inode, i64 next, u16 length of the record, u8 type, name, NUL.
        var offset = 0
        while offset < count {
            let record = unsafe UnsafeRawPointer(start) + offset
            let length = unsafe Int(record.loadUnaligned(fromByteOffset: 16, as: UInt16.self))
            guard length > 19, offset + length <= count else { throw .io }
            let name = unsafe record + 19
            let nameCount = unsafe strnlen(name.assumingMemoryBound(to: CChar.self), length - 19)
            let entry = unsafe DirectoryEntry(
                next: record.loadUnaligned(fromByteOffset: 8, as: UInt64.self),
                inode: record.loadUnaligned(as: UInt64.self),
                kind: FileStatus.Kind(
                    directoryType: record.load(fromByteOffset: 18, as: UInt8.self)),
                name: UnsafeRawBufferPointer(start: name, count: Int(nameCount)))
            guard unsafe body(entry) else { return true }
            offset += length
        }
        return count > 0
    }

    /// Goes to the entry with `cookie`, which an earlier one named as `next`.
    ///
    /// - Throws: `EINVAL` if it is not a cookie.
    public static func seekDirectory(
        _ directory: Int32, _ cookie: UInt64
    ) throws(SystemError) {
        guard let offset = Int(exactly: cookie) else { throw .inval }
        guard lseek(directory, offset, SEEK_SET) >= 0 else { throw .ofLastCall }
    }

    /// The names in the folder at `path`, except `.` and `..`, in no particular order.
    public static func names(
        inFolder path: UnsafePointer<CChar>
    ) throws(SystemError) -> [[UInt8]] {
        try unsafe names(inFolder: workingFolder, path)
    }

    /// The names in the folder at `path`, relative to `directory`, except `.` and `..`, in no
    /// particular order.
    public static func names(
        inFolder directory: Int32, _ path: UnsafePointer<CChar>
    ) throws(SystemError) -> [[UInt8]] {
        let folder = unsafe FileDescriptor(owning: try open(in: directory, path, [.directory]))
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 32 << 10, alignment: 8)
        defer { unsafe buffer.deallocate() }
        var names: [[UInt8]] = []
        while try unsafe readDirectory(
            folder.number, into: buffer,
            { entry in
                let name = unsafe [UInt8](entry.name)
                if name != [0x2e], name != [0x2e, 0x2e] { names.append(name) }
                return true
            })
        {}
        return names
    }
}
