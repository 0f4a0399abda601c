import Synchronization
import WasmInterpreter

// Reading, writing and positioning: the calls that programs spend their time in. They look the
// descriptor up, check its rights and the result's address, and make one call of the host.

extension WASIGuest {
    /// - Throws: `Errno` for the guest; `Trap` when the guest is stopped while it waits.
    @inline(__always)
    func fd_read(
        _ memory: GuestMemory, _ fd: UInt32, _ iovs: UInt32, _ count: UInt32, _ result: UInt32,
        _ caller: borrowing Caller
    ) throws {
        let descriptor = try table[fd]
        try descriptor.requireAccess(.fdRead)
        let result = try memory.result32(result)
        let byteCount = try memory.withVectors(iovs, count: count, caller.stopSignal) {
            (vectors) throws(Errno) in
            try descriptor.read(vectors, caller)
        }
        result.store(UInt32(clamping: try byteCount.get()))
    }

    /// - Throws: `Errno` for the guest; `Trap` when the guest is stopped while it waits.
    @inline(__always)
    func fd_write(
        _ memory: GuestMemory, _ fd: UInt32, _ iovs: UInt32, _ count: UInt32, _ result: UInt32,
        _ caller: borrowing Caller
    ) throws {
        let descriptor = try table[fd]
        try descriptor.requireAccess(.fdWrite)
        let result = try memory.result32(result)
        let byteCount = try memory.withVectors(iovs, count: count, caller.stopSignal) {
            (vectors) throws(Errno) -> Result<Int, Trap> in
            guard quota != nil, descriptor.filetype == .regularFile else {
                return try descriptor.write(vectors, caller)
            }
            return .success(
                try writingWithinQuota(vectors) { (vectors) throws(Errno) in
                    try descriptor.write(vectors, caller.stopSignal)
                })
        }
        result.store(UInt32(clamping: try byteCount.get()))
    }

    func fd_pread(
        _ memory: GuestMemory, _ fd: UInt32, _ iovs: UInt32, _ count: UInt32, _ offset: UInt64,
        _ result: UInt32, _ stop: StopSignal? = nil
    ) throws(Errno) {
        let descriptor = try table[fd]
        try descriptor.requireAccess(.fdRead)
        try descriptor.requirePosition(.fdSeek)
        guard let offset = Int(exactly: offset) else { throw .inval }
        let result = try memory.result32(result)
        let byteCount = try memory.withVectors(iovs, count: count, stop) {
            (vectors) throws(Errno) in
            try descriptor.read(vectors, at: offset, stop)
        }
        result.store(UInt32(clamping: byteCount))
    }

    func fd_pwrite(
        _ memory: GuestMemory, _ fd: UInt32, _ iovs: UInt32, _ count: UInt32, _ offset: UInt64,
        _ result: UInt32, _ stop: StopSignal? = nil
    ) throws(Errno) {
        let descriptor = try table[fd]
        try descriptor.requireAccess(.fdWrite)
        try descriptor.requirePosition(.fdSeek)
        guard let offset = Int(exactly: offset) else { throw .inval }
        let result = try memory.result32(result)
        let byteCount = try memory.withVectors(iovs, count: count, stop) {
            (vectors) throws(Errno) in
            try writingWithinQuota(vectors) { (vectors) throws(Errno) in
                try descriptor.write(vectors, at: offset, stop)
            }
        }
        result.store(UInt32(clamping: byteCount))
    }

    func fd_seek(
        _ memory: GuestMemory, _ fd: UInt32, _ offset: Int64, _ whence: Whence?,
        _ result: UInt32
    ) throws(Errno) {
        let descriptor = try table[fd]
        // Not to move is to tell.
        let tells = offset == 0 && whence == .cur
        try descriptor.requirePosition(tells ? .fdTell : .fdSeek)
        guard let whence else { throw .inval }
        let result = try memory.result64(result)
        result.store(try descriptor.seek(offset, whence))
    }

    func fd_tell(_ memory: GuestMemory, _ fd: UInt32, _ result: UInt32) throws(Errno) {
        let descriptor = try table[fd]
        try descriptor.requirePosition(.fdTell)
        let result = try memory.result64(result)
        result.store(try descriptor.seek(0, .cur))
    }

    /// Runs `body`, which writes the buffers to a file, unless that is more than the guest may
    /// write; counts what it wrote.
    private func writingWithinQuota(
        _ vectors: UnsafeBufferPointer<HostVector>,
        _ body: (UnsafeBufferPointer<HostVector>) throws(Errno) -> Int
    ) throws(Errno) -> Int {
        guard let quota else { return try body(vectors) }
        let wanted = vectors.reduce(0) { $0 &+ UInt64(clamping: $1.buffer.count) }
        try quota.take(wanted)
        do throws(Errno) {
            let written = try body(vectors)
            quota.giveBack(wanted.saturatingSubtracting(UInt64(clamping: written)))
            return written
        } catch {
            quota.giveBack(wanted)
            throw error
        }
    }
}

/// Bytes that a guest may still write to files, all its threads together.
final class WriteQuota: Sendable {
    private let left: Mutex<UInt64>

    init(_ byteCount: UInt64) { left = Mutex(byteCount) }

    /// Counts bytes; `dquot` if there are not so many left.
    func take(_ count: UInt64) throws(Errno) {
        try left.withLock { (left) throws(Errno) in
            guard count <= left else { throw .dquot }
            left &-= count
        }
    }

    /// Counts bytes for a call, unless it fails.
    func charging(_ count: UInt64, _ call: () throws(Errno) -> Void) throws(Errno) {
        try take(count)
        do throws(Errno) {
            try call()
        } catch {
            giveBack(count)
            throw error
        }
    }

    /// Returns bytes that were not written after all.
    func giveBack(_ count: UInt64) { left.withLock { $0 &+= count } }
}
