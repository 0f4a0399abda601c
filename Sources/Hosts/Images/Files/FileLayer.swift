// Soundness: a buffer is used during the call only, within its count.

import WasmSystem

/// Ranges of bytes whose locks SQLite's processes agree by. No page has them.
enum LockRange: Sendable {
    /// A writer waits for readers to end; no new ones begin.
    case pending
    /// A process prepares to write.
    case reserved
    /// Readers share it; a writer has it alone.
    case shared
    /// All of them; only to be released.
    case all

    static let firstByte: Int64 = 0x4000_0000

    var start: Int64 {
        switch self {
        case .pending, .all: Self.firstByte
        case .reserved: Self.firstByte + 1
        case .shared: Self.firstByte + 2
        }
    }

    var count: Int64 {
        switch self {
        case .pending, .reserved: 1
        case .shared: 510
        case .all: 512
        }
    }
}

/// The calls of the system that an image makes on its files, by absolute paths and descriptors.
///
/// Tests put a disk in memory in its place, which forgets what was not synced.
protocol FileLayer: Sendable {
    /// The path without symbolic links; nil if there is no such file.
    func resolved(_ path: [UInt8]) -> [UInt8]?
    /// Opens a regular file; waits for nothing.
    ///
    /// - Throws: also `EINVAL` if the file is not a regular one.
    func open(
        _ path: [UInt8], _ flags: FileFlags, permissions: UInt32
    ) throws(SystemError) -> Int32
    func close(_ descriptor: Int32)
    func exists(_ path: [UInt8]) -> Bool
    func size(_ descriptor: Int32) throws(SystemError) -> Int
    func permissions(_ descriptor: Int32) throws(SystemError) -> UInt32
    func read(
        _ descriptor: Int32, _ buffer: UnsafeMutableRawBufferPointer, at offset: Int
    ) throws(SystemError) -> Int
    func write(
        _ descriptor: Int32, _ buffer: UnsafeRawBufferPointer, at offset: Int
    ) throws(SystemError) -> Int
    func setSize(_ descriptor: Int32, _ size: Int) throws(SystemError)
    /// Waits until the content of a file is on the disk.
    func datasync(_ descriptor: Int32) throws(SystemError)
    /// Waits until the names of the folder that has a file are on the disk.
    func syncFolder(of path: [UInt8]) throws(SystemError)
    /// Gives a file a second name; `EEXIST` if there is a file of that name.
    func link(_ path: [UInt8], to new: [UInt8]) throws(SystemError)
    func unlink(_ path: [UInt8]) throws(SystemError)
    func tryLock(
        _ descriptor: Int32, _ range: LockRange, _ lock: RangeLock
    ) throws(SystemError) -> Bool
    func unlock(_ descriptor: Int32, _ range: LockRange) throws(SystemError)
    func isLockedByOthers(_ descriptor: Int32, _ range: LockRange) throws(SystemError) -> Bool
    /// Waits a moment before a lock is tried again.
    func pause(nanoseconds: UInt64)
    /// Nanoseconds of a clock that only advances.
    func now() -> UInt64
}

extension FileLayer {
    /// Reads `count` bytes, or those before the end of the file.
    func readBytes(
        _ descriptor: Int32, _ count: Int, at offset: Int
    ) throws(SystemError) -> [UInt8] {
        guard count > 0 else { return [] }
        var failure: SystemError?
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, done in
            while done < count {
                let rest = unsafe UnsafeMutableRawBufferPointer(
                    rebasing: UnsafeMutableRawBufferPointer(buffer)[done..<count])
                do throws(SystemError) {
                    let read = try unsafe read(descriptor, rest, at: offset + done)
                    guard read > 0 else { return }
                    done += min(read, count - done)
                } catch {
                    failure = error
                    return
                }
            }
        }
        if let failure { throw failure }
        return bytes
    }

    /// Writes all bytes.
    func writeBytes(
        _ descriptor: Int32, _ bytes: [UInt8], at offset: Int
    ) throws(SystemError) {
        let result = unsafe bytes.withUnsafeBytes { buffer in
            Result { () throws(SystemError) in
                var done = 0
                while done < buffer.count {
                    let rest = unsafe UnsafeRawBufferPointer(rebasing: buffer[done...])
                    let count = try unsafe write(descriptor, rest, at: offset + done)
                    guard count > 0 else { throw SystemError.io }
                    done += count
                }
            }
        }
        try result.get()
    }
}
