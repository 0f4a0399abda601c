// Soundness: the array has as many bytes as its closure says that it has initialised: only after a
// call has filled them.

import WasmSystem

extension Segment {
    /// The value at a location, checked. Waits for the disk.
    func value(_ location: Location) throws(StorageError) -> [UInt8] {
        try unsafe check(location, isAtOnce: false) { (buffer) throws(SystemError) in
            try unsafe file.files.readAll(
                file.descriptor, buffer, at: Int(location.offset))
        } ?? []
    }

    /// The value if it is in memory; nil if the disk would be needed.
    func valueAtOnce(_ location: Location) throws(StorageError) -> [UInt8]? {
        try unsafe check(location, isAtOnce: true) { (buffer) throws(SystemError) in
            try unsafe file.files.readAtOnce(
                file.descriptor, buffer, at: Int(location.offset))
        }
    }

    private func check(
        _ location: Location, isAtOnce: Bool,
        _ read: (UnsafeMutableRawBufferPointer) throws(SystemError) -> Int?
    ) throws(StorageError) -> [UInt8]? {
        let size = location.size
        var outcome: Result<Int?, SystemError> = .success(0)
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            do throws(SystemError) {
                let raw = UnsafeMutableRawBufferPointer(buffer)
                let done = try unsafe read(UnsafeMutableRawBufferPointer(rebasing: raw[..<size]))
                outcome = .success(done)
                count = min(max(done ?? 0, 0), size)
            } catch {
                outcome = .failure(error)
                count = 0
            }
        }
        switch outcome {
        case .failure(.io): throw .damaged(file: path, offset: Int(location.offset))
        case .failure(let error): throw .system(error, file: path)
        case .success(nil): return nil
        case .success(let count?) where count < size && isAtOnce: return nil
        case .success: break
        }
        // Bytes that are missing at the end of the file are damage too.
        guard bytes.count == size, CRC32C.checksum(bytes) == location.checksum else {
            throw .damaged(file: path, offset: Int(location.offset))
        }
        return bytes
    }
}
