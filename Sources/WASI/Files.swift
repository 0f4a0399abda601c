import WasmInterpreter

// Reading, writing and positioning: the calls that programs spend their time in. They look the
// descriptor up, check its rights and the result's address, and make one call of the host.

extension WASIGuest {
    @inline(__always)
    func fd_read(
        _ memory: GuestMemory, _ fd: UInt32, _ iovs: UInt32, _ count: UInt32, _ result: UInt32
    ) throws(Errno) {
        let descriptor = try table[fd]
        try descriptor.requireAccess(.fdRead)
        let result = try memory.result32(result)
        let byteCount = try memory.withVectors(iovs, count: count) { (vectors) throws(Errno) in
            try descriptor.read(vectors)
        }
        result.store(UInt32(clamping: byteCount))
    }

    @inline(__always)
    func fd_write(
        _ memory: GuestMemory, _ fd: UInt32, _ iovs: UInt32, _ count: UInt32, _ result: UInt32
    ) throws(Errno) {
        let descriptor = try table[fd]
        try descriptor.requireAccess(.fdWrite)
        let result = try memory.result32(result)
        let byteCount = try memory.withVectors(iovs, count: count) { (vectors) throws(Errno) in
            try writing(vectors, to: descriptor) { (vectors) throws(Errno) in
                try descriptor.write(vectors)
            }
        }
        result.store(UInt32(clamping: byteCount))
    }

    func fd_pread(
        _ memory: GuestMemory, _ fd: UInt32, _ iovs: UInt32, _ count: UInt32, _ offset: UInt64,
        _ result: UInt32
    ) throws(Errno) {
        let descriptor = try table[fd]
        try descriptor.requireAccess(.fdRead)
        try descriptor.requirePosition(.fdSeek)
        guard let offset = Int(exactly: offset) else { throw .inval }
        let result = try memory.result32(result)
        let byteCount = try memory.withVectors(iovs, count: count) { (vectors) throws(Errno) in
            try descriptor.read(vectors, at: offset)
        }
        result.store(UInt32(clamping: byteCount))
    }

    func fd_pwrite(
        _ memory: GuestMemory, _ fd: UInt32, _ iovs: UInt32, _ count: UInt32, _ offset: UInt64,
        _ result: UInt32
    ) throws(Errno) {
        let descriptor = try table[fd]
        try descriptor.requireAccess(.fdWrite)
        try descriptor.requirePosition(.fdSeek)
        guard let offset = Int(exactly: offset) else { throw .inval }
        let result = try memory.result32(result)
        let byteCount = try memory.withVectors(iovs, count: count) { (vectors) throws(Errno) in
            try writing(vectors, to: descriptor) { (vectors) throws(Errno) in
                try descriptor.write(vectors, at: offset)
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

    /// Runs `body` with as much of the buffers as the limit on written bytes leaves, and counts
    /// what it wrote to a file.
    @inline(__always)
    private func writing(
        _ vectors: UnsafeBufferPointer<HostVector>, to descriptor: Descriptor,
        _ body: (UnsafeBufferPointer<HostVector>) throws(Errno) -> Int
    ) throws(Errno) -> Int {
        guard writableByteCount != nil, descriptor.filetype == .regularFile else {
            return try body(vectors)
        }
        return try writingWithinLimit(vectors, body)
    }

    private func writingWithinLimit(
        _ vectors: UnsafeBufferPointer<HostVector>,
        _ body: (UnsafeBufferPointer<HostVector>) throws(Errno) -> Int
    ) throws(Errno) -> Int {
        let left = writableByteCount ?? .max
        let wanted = vectors.reduce(0) { $0 &+ UInt64(clamping: $1.buffer.count) }
        guard wanted <= left else { throw .dquot }
        let written = try body(vectors)
        writableByteCount = left.saturatingSubtracting(UInt64(clamping: written))
        return written
    }
}
