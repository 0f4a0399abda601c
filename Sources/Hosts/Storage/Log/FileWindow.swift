// Invariants: `storage` is allocated from init to deinit with `capacity` bytes, of which `count`
// were read from the file at `start`. A part that is lent is valid until the next `load`.

import WasmSystem

/// A moving part of a file in memory.
@safe struct FileWindow: ~Copyable {
    private let file: OpenFile
    /// Bytes of the file; what it has more is not read.
    let size: Int
    private var storage: UnsafeMutableRawPointer
    private var capacity: Int
    private var start = 0
    private var count = 0
    /// Bytes that the disk could not read; they are zeros here.
    private(set) var unreadable = 0

    private static let step = 1 << 20

    init(_ file: OpenFile, size: Int) {
        self.file = file
        self.size = size
        capacity = min(2 * Self.step, max(size, 4096))
        unsafe storage = .allocate(byteCount: capacity, alignment: 16)
    }

    deinit { unsafe storage.deallocate() }

    /// The bytes from `offset` on that are in memory, at least `need` if the file has them.
    mutating func load(_ offset: Int, _ need: Int) throws(SystemError) -> UnsafeRawBufferPointer {
        let end = min(offset + need, size)
        if offset < start || offset > start + count { (start, count) = (offset, 0) }
        if start + count < end { try fill(from: offset, to: end) }
        return unsafe UnsafeRawBufferPointer(
            start: storage + (offset - start), count: start + count - offset)
    }

    private mutating func fill(from offset: Int, to end: Int) throws(SystemError) {
        let wanted = min(max(end - offset, Self.step), size - offset)
        let kept = start + count - offset
        if wanted > capacity {
            let larger = UnsafeMutableRawPointer.allocate(byteCount: wanted, alignment: 16)
            unsafe Bytes.move(to: larger, from: storage + (offset - start), kept)
            unsafe storage.deallocate()
            unsafe storage = larger
            capacity = wanted
        } else {
            unsafe Bytes.move(to: storage, from: storage + (offset - start), kept)
        }
        (start, count) = (offset, kept)
        while count < wanted {
            let rest = unsafe UnsafeMutableRawBufferPointer(
                start: storage + count, count: wanted - count)
            let read: Int
            do throws(SystemError) {
                read = try unsafe file.files.read(file.descriptor, rest, at: start + count)
            } catch {
                guard error == .io else { throw error }
                // A block that the disk has lost: its frames are damaged, the others are not.
                read = min(rest.count, 4096 - (start + count) % 4096)
                unsafe Bytes.fill(storage + count, read, with: 0)
                unreadable += read
            }
            // The file became shorter meanwhile.
            if read <= 0 { break }
            count += read
        }
    }
}
