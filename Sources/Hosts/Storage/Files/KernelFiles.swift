// Soundness: paths are arrays that end with a NUL and outlive the call; buffers are passed on.

import WasmSystem

/// The system's files.
struct KernelFiles: FileLayer {
    func openRoot(_ path: [UInt8], creates: Bool) throws(SystemError) -> Int32 {
        do throws(SystemError) {
            let folder = try unsafe Kernel.open(CString(path: path), [.directory])
            // A process that ended at once may have made it without syncing.
            if creates { try? syncParent(of: path) }
            return folder
        } catch {
            guard error == .noent, creates else { throw error }
        }
        try makeFolders(path)
        return try unsafe Kernel.open(CString(path: path), [.directory])
    }

    private func syncParent(of path: [UInt8]) throws(SystemError) {
        var path = path[...]
        while path.count > 1, path.last == UInt8(ascii: "/") { path.removeLast() }
        let parent = path.lastIndex(of: UInt8(ascii: "/")).map { Array(path[...$0]) }
        let folder = try unsafe Kernel.open(
            CString(path: parent ?? [UInt8(ascii: ".")]), [.directory])
        defer { close(folder) }
        try syncFolder(folder)
    }

    func renameRoot(_ old: [UInt8], to new: [UInt8]) throws(SystemError) {
        try unsafe Kernel.rename(CString(path: old), CString(path: new))
        try syncParent(of: new)
    }

    func removeRoot(_ path: [UInt8]) {
        for part in [DataFolder.logName, DataFolder.blobsName] {
            let name = path + [UInt8(ascii: "/")] + part
            guard let folder = try? unsafe Kernel.open(CString(path: name), [.directory]) else {
                continue
            }
            for file in (try? names(folder)) ?? [] { try? unlink(folder, file) }
            close(folder)
            try? unsafe Kernel.removeDirectory(CString(path: name))
        }
        for name in [DataFolder.lockName, SpaceReserve.fileName] {
            try? unsafe Kernel.unlink(CString(path: path + [UInt8(ascii: "/")] + name))
        }
        try? unsafe Kernel.removeDirectory(CString(path: path))
    }

    func isOccupied(_ path: [UInt8]) -> Bool {
        let path = CString(path: path)
        guard let status = try? unsafe Kernel.status(path, followsLink: true) else { return false }
        guard status.kind == .directory else { return true }
        return (try? unsafe Kernel.names(inFolder: path))?.isEmpty != true
    }

    /// Makes each folder on the way, and syncs the one that it is in.
    private func makeFolders(_ path: [UInt8]) throws(SystemError) {
        var end = path.count
        while end > 0, path[end - 1] == UInt8(ascii: "/") { end -= 1 }
        var position = 0
        while position < end {
            let next = path[(position + 1)..<end].firstIndex(of: UInt8(ascii: "/")) ?? end
            position = next
            let part = Array(path[..<next])
            let permissions: UInt32 = next == end ? 0o700 : 0o777
            do throws(SystemError) {
                try unsafe Kernel.createDirectory(CString(path: part), permissions: permissions)
            } catch .exist {
                continue
            }
            try syncParent(of: part)
        }
    }

    func openFolder(
        _ folder: Int32, _ name: [UInt8], creates: Bool
    ) throws(SystemError) -> Int32 {
        let name = CString(path: name)
        if creates {
            do throws(SystemError) {
                try unsafe Kernel.createDirectory(in: folder, name, permissions: 0o700)
                try syncFolder(folder)
            } catch {
                // A folder that is there can be opened on a disk that cannot be written.
                guard error == .exist || error == .rofs || error == .acces else { throw error }
            }
        }
        return try unsafe Kernel.open(in: folder, name, [.directory, .noFollow])
    }

    func open(
        _ folder: Int32, _ name: [UInt8], _ flags: FileFlags
    ) throws(SystemError) -> Int32 {
        let opened = try unsafe Kernel.open(
            in: folder, CString(path: name), [flags, .noFollow, .nonblock], permissions: 0o600)
        let descriptor = try Kernel.aboveStandardStreams(opened)
        guard (try? Kernel.status(descriptor))?.kind == .regular else {
            close(descriptor)
            throw .inval
        }
        return descriptor
    }

    func close(_ descriptor: Int32) { try? Kernel.close(descriptor) }

    func tryLock(_ descriptor: Int32) throws(SystemError) -> Bool {
        try Kernel.tryLock(descriptor)
    }

    func unlock(_ descriptor: Int32) { try? Kernel.unlock(descriptor) }

    func size(_ descriptor: Int32) throws(SystemError) -> Int64 {
        try Kernel.status(descriptor).byteCount
    }

    func exists(_ folder: Int32, _ name: [UInt8]) -> Bool {
        (try? unsafe Kernel.status(in: folder, CString(path: name), followsLink: false)) != nil
    }

    func read(
        _ descriptor: Int32, _ buffer: UnsafeMutableRawBufferPointer, at offset: Int
    ) throws(SystemError) -> Int {
        try unsafe Kernel.read(descriptor, buffer, at: offset)
    }

    func readAtOnce(
        _ descriptor: Int32, _ buffer: UnsafeMutableRawBufferPointer, at offset: Int
    ) throws(SystemError) -> Int? {
        try unsafe Kernel.readAtOnce(descriptor, buffer, at: offset)
    }

    func write(
        _ descriptor: Int32, _ buffer: UnsafeRawBufferPointer, at offset: Int
    ) throws(SystemError) -> Int {
        try unsafe Kernel.write(descriptor, buffer, at: offset)
    }

    func setSize(_ descriptor: Int32, _ size: Int64) throws(SystemError) {
        try Kernel.setSize(descriptor, size)
    }

    func datasync(_ descriptor: Int32) throws(SystemError) { try Kernel.datasync(descriptor) }
    func syncFolder(_ descriptor: Int32) throws(SystemError) { try Kernel.sync(descriptor) }

    func rename(_ folder: Int32, _ old: [UInt8], to new: [UInt8]) throws(SystemError) {
        try unsafe Kernel.rename(
            in: folder, CString(path: old), to: folder, CString(path: new))
    }

    func unlink(_ folder: Int32, _ name: [UInt8]) throws(SystemError) {
        try unsafe Kernel.unlink(in: folder, CString(path: name))
    }

    func names(_ folder: Int32) throws(SystemError) -> [[UInt8]] {
        try unsafe Kernel.names(inFolder: folder, CString(path: [UInt8(ascii: ".")]))
    }
}
