// Soundness: paths are arrays that end with a NUL and outlive the call; buffers are passed on.

import WasmSystem

/// The system's files.
struct KernelFiles: FileLayer {
    func resolved(_ path: [UInt8]) -> [UInt8]? {
        unsafe Kernel.absolutePath(CString(path: path))
    }

    func open(
        _ path: [UInt8], _ flags: FileFlags, permissions: UInt32
    ) throws(SystemError) -> Int32 {
        let opened = try unsafe Kernel.open(
            CString(path: path), [flags, .noFollow, .nonblock], permissions: permissions)
        let descriptor = try Kernel.aboveStandardStreams(opened)
        guard (try? Kernel.status(descriptor))?.kind == .regular else {
            close(descriptor)
            throw .inval
        }
        return descriptor
    }

    func close(_ descriptor: Int32) { try? Kernel.close(descriptor) }

    func exists(_ path: [UInt8]) -> Bool {
        (try? unsafe Kernel.status(CString(path: path), followsLink: false)) != nil
    }

    func size(_ descriptor: Int32) throws(SystemError) -> Int {
        Int(clamping: try Kernel.status(descriptor).byteCount)
    }

    func permissions(_ descriptor: Int32) throws(SystemError) -> UInt32 {
        try Kernel.status(descriptor).permissions
    }

    func read(
        _ descriptor: Int32, _ buffer: UnsafeMutableRawBufferPointer, at offset: Int
    ) throws(SystemError) -> Int {
        try unsafe Kernel.read(descriptor, buffer, at: offset)
    }

    func write(
        _ descriptor: Int32, _ buffer: UnsafeRawBufferPointer, at offset: Int
    ) throws(SystemError) -> Int {
        try unsafe Kernel.write(descriptor, buffer, at: offset)
    }

    func setSize(_ descriptor: Int32, _ size: Int) throws(SystemError) {
        try Kernel.setSize(descriptor, Int64(size))
    }

    func datasync(_ descriptor: Int32) throws(SystemError) { try Kernel.datasync(descriptor) }

    func syncFolder(of path: [UInt8]) throws(SystemError) {
        let parent = path.lastIndex(of: UInt8(ascii: "/")).map { Array(path[...$0]) }
        let folder = try unsafe Kernel.open(
            CString(path: parent ?? [UInt8(ascii: ".")]), [.directory])
        defer { close(folder) }
        try Kernel.sync(folder)
    }

    func link(_ path: [UInt8], to new: [UInt8]) throws(SystemError) {
        try unsafe Kernel.link(
            in: Kernel.workingFolder, CString(path: path), to: Kernel.workingFolder,
            CString(path: new))
    }

    func unlink(_ path: [UInt8]) throws(SystemError) {
        try unsafe Kernel.unlink(CString(path: path))
    }

    func tryLock(
        _ descriptor: Int32, _ range: LockRange, _ lock: RangeLock
    ) throws(SystemError) -> Bool {
        try Kernel.tryLock(descriptor, lock, from: range.start, count: range.count)
    }

    func unlock(_ descriptor: Int32, _ range: LockRange) throws(SystemError) {
        try Kernel.unlock(descriptor, from: range.start, count: range.count)
    }

    func isLockedByOthers(_ descriptor: Int32, _ range: LockRange) throws(SystemError) -> Bool {
        try Kernel.isLockedByOthers(descriptor, from: range.start, count: range.count)
    }

    func pause(nanoseconds: UInt64) {
        SystemClock.sleep(until: SystemClock.monotonic.now &+ nanoseconds)
    }

    func now() -> UInt64 { SystemClock.monotonic.now }
}
