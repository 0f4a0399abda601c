import WasmInterpreter

// Preopened folders and the entries of directories.

extension WASIGuest {
    /// Succeeds only for folders that the guest got at its start; C libraries count them from 3 on
    /// and stop at the first `badf`.
    func fd_prestat_get(_ memory: GuestMemory, _ fd: UInt32, _ result: UInt32) throws(Errno) {
        guard let name = try table[fd].preopenName else { throw .badf }
        let result = try memory.pointer(result, byteCount: Prestat.size)
        Prestat.store(to: result, nameByteCount: UInt32(clamping: name.count))
    }

    func fd_prestat_dir_name(
        _ memory: GuestMemory, _ fd: UInt32, _ path: UInt32, _ byteCount: UInt32
    ) throws(Errno) {
        guard let name = try table[fd].preopenName else { throw .badf }
        guard Int(byteCount) >= name.count else { throw .nametoolong }
        try memory.buffer(path, byteCount: byteCount).copyBytes(from: name)
    }

    /// Fills the buffer with entries from `cookie` on. A last entry that does not fit is truncated,
    /// which shows the guest that there are more; a buffer that is not full means the end of the
    /// directory.
    func fd_readdir(
        _ memory: GuestMemory, _ fd: UInt32, _ buffer: UInt32, _ byteCount: UInt32,
        _ cookie: UInt64, _ result: UInt32, _ stop: StopSignal? = nil
    ) throws(Errno) {
        let descriptor = try table[fd]
        guard let cookies = descriptor.cookies else { throw .notdir }
        try descriptor.require(.fdReaddir)
        let result = try memory.result32(result)
        let target = try memory.buffer(buffer, byteCount: byteCount)
        var writer = EntryWriter(target: target, directory: descriptor)
        try cookies.lock.locked { () throws(Errno) in
            if cookie == 0 { cookies.removeAll() }
            let position = try cookies.position(of: cookie)
            guard !target.isEmpty else { return }
            var last = cookie
            var count = 0
            try descriptor.readDirectory(from: position, byteCount: target.count) {
                (entry) throws(Errno) in
                var entry = entry
                last = cookies.cookie(for: entry.next, after: last, cookieBudget, account)
                entry.next = last
                try writer.append(entry)
                count &+= 1
                return !writer.isFull && (count & 255 != 0 || !stop.isRaised)
            }
        }
        result.store(UInt32(clamping: writer.byteCount))
    }
}

/// Writes directory entries one after the other.
private struct EntryWriter {
    let target: UnsafeMutableRawBufferPointer
    let directory: Descriptor
    private(set) var byteCount = 0

    init(target: UnsafeMutableRawBufferPointer, directory: Descriptor) {
        self.target = target
        self.directory = directory
    }

    var isFull: Bool { byteCount == target.count }

    mutating func append(_ entry: DirectoryEntry) throws(Errno) {
        var ino = entry.ino
        var filetype = entry.filetype ?? .unknown
        if entry.name.elementsEqual([0x2e, 0x2e]) {
            // The guest must not see the parent, so each directory is its own root.
            ino = try directory.filestat().ino
            filetype = .directory
        } else if entry.filetype == nil {
            filetype = directory.filetype(ofEntry: entry.name)
        }
        withUnsafeTemporaryAllocation(byteCount: Dirent.size, alignment: 8) { head in
            guard let start = head.baseAddress else { return }
            Dirent.store(
                to: start, next: entry.next, ino: ino,
                nameByteCount: UInt32(clamping: entry.name.count), filetype: filetype)
            append(UnsafeRawBufferPointer(head))
        }
        append(entry.name)
    }

    private mutating func append(_ bytes: UnsafeRawBufferPointer) {
        let count = min(bytes.count, target.count - byteCount)
        UnsafeMutableRawBufferPointer(rebasing: target[byteCount...])
            .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes.prefix(count)))
        byteCount += count
    }
}
