// Soundness: a buffer is used during the call only.

import WasmSystem

/// The calls of the system that a store makes on its files.
///
/// A store calls one through an existential: some two nanoseconds beside a system call. Tests put a
/// disk in memory in its place, which forgets what was not synced.
protocol FileLayer: Sendable {
    /// Makes the folder at `path` with permissions 0700, and its parents, if they are not there.
    /// Returns a descriptor of it.
    func openRoot(_ path: [UInt8], creates: Bool) throws(SystemError) -> Int32
    /// Opens a folder of a folder; makes it if `creates` says so.
    func openFolder(
        _ folder: Int32, _ name: [UInt8], creates: Bool
    ) throws(SystemError) -> Int32
    /// Opens a regular file; follows no symbolic link, and waits for nothing.
    ///
    /// - Throws: also `EINVAL` if the file is not a regular one.
    func open(_ folder: Int32, _ name: [UInt8], _ flags: FileFlags) throws(SystemError) -> Int32
    func close(_ descriptor: Int32)
    /// Takes the lock of an open file; false if another process has it.
    func tryLock(_ descriptor: Int32) throws(SystemError) -> Bool
    /// Releases it, also if a process that is being started has a copy of the descriptor.
    func unlock(_ descriptor: Int32)
    func size(_ descriptor: Int32) throws(SystemError) -> Int64
    /// Whether a folder has a file of this name.
    func exists(_ folder: Int32, _ name: [UInt8]) -> Bool
    func read(
        _ descriptor: Int32, _ buffer: UnsafeMutableRawBufferPointer, at offset: Int
    ) throws(SystemError) -> Int
    /// Reads what is in memory; nil if the disk would be needed.
    func readAtOnce(
        _ descriptor: Int32, _ buffer: UnsafeMutableRawBufferPointer, at offset: Int
    ) throws(SystemError) -> Int?
    func write(
        _ descriptor: Int32, _ buffer: UnsafeRawBufferPointer, at offset: Int
    ) throws(SystemError) -> Int
    func setSize(_ descriptor: Int32, _ size: Int64) throws(SystemError)
    /// Waits until the content of a file is on the disk.
    func datasync(_ descriptor: Int32) throws(SystemError)
    /// Waits until the names of a folder are on the disk.
    func syncFolder(_ descriptor: Int32) throws(SystemError)
    func rename(_ folder: Int32, _ old: [UInt8], to new: [UInt8]) throws(SystemError)
    func unlink(_ folder: Int32, _ name: [UInt8]) throws(SystemError)
    /// Gives the folder at a path another name, durably; replaces an empty one.
    func renameRoot(_ old: [UInt8], to new: [UInt8]) throws(SystemError)
    /// Removes a data folder with the files that it has.
    func removeRoot(_ path: [UInt8])
    /// Whether there is something other than an empty folder at a path.
    func isOccupied(_ path: [UInt8]) -> Bool
    func names(_ folder: Int32) throws(SystemError) -> [[UInt8]]
}

extension FileLayer {
    /// Reads until `buffer` is full or the file ends; returns the number of bytes.
    func readAll(
        _ descriptor: Int32, _ buffer: UnsafeMutableRawBufferPointer, at offset: Int
    ) throws(SystemError) -> Int {
        var done = 0
        while done < buffer.count {
            let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
            let count = try unsafe read(descriptor, rest, at: offset + done)
            if count <= 0 { break }
            done += count
        }
        return done
    }

    /// Writes all bytes.
    func writeAll(
        _ descriptor: Int32, _ buffer: UnsafeRawBufferPointer, at offset: Int
    ) throws(SystemError) {
        var done = 0
        while done < buffer.count {
            let rest = unsafe UnsafeRawBufferPointer(rebasing: buffer[done...])
            let count = try unsafe write(descriptor, rest, at: offset + done)
            guard count > 0 else { throw .io }
            done += count
        }
    }

    func writeAll(
        _ descriptor: Int32, _ bytes: [UInt8], at offset: Int
    ) throws(SystemError) {
        let result = unsafe bytes.withUnsafeBytes { buffer in
            Result { () throws(SystemError) in
                try unsafe writeAll(descriptor, buffer, at: offset)
            }
        }
        try result.get()
    }
}

/// The only owner of an open file or folder of a layer.
final class OpenFile: Sendable {
    let descriptor: Int32
    let files: any FileLayer

    init(owning descriptor: Int32, _ files: any FileLayer) {
        self.descriptor = descriptor
        self.files = files
    }

    deinit { files.close(descriptor) }
}
