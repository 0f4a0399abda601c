// Soundness: `base` points at `count` readable bytes of this process's own memory from init to
// deinit; they are not written to. Files are not mapped: a private mapping shows what others write to
// the file, and functions are translated long after they were validated. A guest that may write its
// own file could then run what was not validated; truncating the file would end the process.

import WasmSystem

/// A file could not be read.
public struct FileError: Error, Hashable, Sendable, CustomStringConvertible {
    /// `errno` as the failing call left it.
    public let errno: Int32
    public let path: String

    public init(errno: Int32, path: String) {
        self.errno = errno
        self.path = path
    }

    package init(_ error: SystemError, path: String) {
        self.init(errno: error.code, path: path)
    }

    /// What the system says of the error.
    package var reason: String { SystemError(code: errno).text }

    /// `path: No such file or directory`
    public var description: String {
        "\(path): \(reason)"
    }
}

/// Keeps the bytes of a module alive and in place: a copy of an array or of a file.
public final class ModuleBytes: Sendable {
    /// Valid as long as this object lives; `count` bytes may be read.
    nonisolated(unsafe) package let base: UnsafePointer<UInt8>
    public let count: Int

    /// The buffer for a file whose size the system does not tell.
    private static var smallestBuffer: Int { 64 << 10 }

    /// Copies `bytes`.
    public init(_ bytes: [UInt8]) {
        let buffer = UnsafeMutablePointer<UInt8>.allocate(capacity: max(bytes.count, 1))
        bytes.withUnsafeBufferPointer { source in
            if let start = source.baseAddress {
                buffer.initialize(from: start, count: source.count)
            }
        }
        base = UnsafePointer(buffer)
        count = bytes.count
    }

    /// Reads the file at `path`, of any kind.
    ///
    /// - Throws: `FileError` if the file cannot be opened or read; `EFBIG` if it is larger than the
    ///   default limits allow a module to be.
    public convenience init(path: String) throws(FileError) {
        try self.init(path: Array(path.utf8))
    }

    /// The same for a path that need not be UTF-8.
    public convenience init(path: [UInt8]) throws(FileError) {
        let name = String(decoding: path, as: UTF8.self)
        guard !path.contains(0) else { throw FileError(.inval, path: name) }
        let file: FileDescriptor
        do throws(SystemError) {
            // The numbers of standard streams that are closed are not for files.
            file = FileDescriptor(
                owning: try Kernel.aboveStandardStreams(
                    try Kernel.open(CString(path: path), .readOnly)))
        } catch {
            throw FileError(error, path: name)
        }
        try self.init(descriptor: file.number, name)
    }

    /// Reads what is left of an open file, pipe or socket, which the caller keeps.
    ///
    /// - Throws: `FileError` as for a path.
    public convenience init(descriptor: Int32) throws(FileError) {
        try self.init(descriptor: descriptor, "descriptor \(descriptor)")
    }

    private init(descriptor: Int32, _ name: String) throws(FileError) {
        do throws(SystemError) {
            let size = try Kernel.status(descriptor).byteCount
            let (buffer, length) = try Self.readAll(
                descriptor, sizeHint: Int(truncatingIfNeeded: size))
            base = UnsafePointer(buffer)
            count = length
        } catch {
            throw FileError(error, path: name)
        }
    }

    deinit { UnsafeMutablePointer(mutating: base).deallocate() }

    private typealias Buffer = (start: UnsafeMutablePointer<UInt8>, count: Int)

    /// Reads until the end of the file into a buffer that doubles when it is full.
    private static func readAll(
        _ descriptor: Int32, sizeHint: Int
    ) throws(SystemError) -> Buffer {
        // One byte more than the file should have: the read that meets its end finds room. What the
        // system says of the size is believed up to what a module may have.
        let limit = DecodingLimits.default.moduleSize
        var capacity = min(max(sizeHint, smallestBuffer), limit) + 1
        var buffer = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity)
        var count = 0
        while true {
            if count > limit {
                buffer.deallocate()
                throw .fbig
            }
            if count == capacity {
                let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity * 2)
                larger.update(from: buffer, count: count)
                buffer.deallocate()
                buffer = larger
                capacity *= 2
            }
            let room = UnsafeMutableRawBufferPointer(
                start: buffer + count, count: capacity - count)
            do throws(SystemError) {
                let length = try Kernel.read(descriptor, room)
                if length == 0 { return (buffer, count) }
                count += length
            } catch .again {
                // Another process that shares the stream made it non-blocking.
                _ = try? Kernel.waitUntilReady(descriptor, isReading: true)
            } catch {
                buffer.deallocate()
                throw error
            }
        }
    }

    /// The whole file as a range.
    public var range: ByteRange { ByteRange(start: 0, end: count) }

    /// A copy of the bytes in `range`, as far as they are inside the file.
    public subscript(range: ByteRange) -> [UInt8] {
        let start = min(max(range.start, 0), count)
        let end = min(max(range.end, start), count)
        return Array(UnsafeBufferPointer(start: base + start, count: end - start))
    }

    /// Calls `body` with all bytes; the buffer must not be used after it returns.
    public func withUnsafeBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(UnsafeRawBufferPointer(start: base, count: count))
    }
}
