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
        let number = try descriptor.positionable(.fdSeek)
        guard let offset = Int(exactly: offset) else { throw .inval }
        let result = try memory.result32(result)
        let byteCount = try memory.withVectors(iovs, count: count) { (vectors) throws(Errno) in
            try System.read(number, vectors, at: offset)
        }
        result.store(UInt32(clamping: byteCount))
    }

    func fd_pwrite(
        _ memory: GuestMemory, _ fd: UInt32, _ iovs: UInt32, _ count: UInt32, _ offset: UInt64,
        _ result: UInt32
    ) throws(Errno) {
        let descriptor = try table[fd]
        try descriptor.requireAccess(.fdWrite)
        let number = try descriptor.positionable(.fdSeek)
        guard let offset = Int(exactly: offset) else { throw .inval }
        let result = try memory.result32(result)
        let byteCount = try memory.withVectors(iovs, count: count) { (vectors) throws(Errno) in
            try writing(vectors, to: descriptor) { (vectors) throws(Errno) in
                try System.write(number, vectors, at: offset)
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
        let number = try descriptor.positionable(tells ? .fdTell : .fdSeek)
        guard let whence else { throw .inval }
        let result = try memory.result64(result)
        result.store(try System.seek(number, offset, whence))
    }

    func fd_tell(_ memory: GuestMemory, _ fd: UInt32, _ result: UInt32) throws(Errno) {
        let number = try table[fd].positionable(.fdTell)
        let result = try memory.result64(result)
        result.store(try System.seek(number, 0, .cur))
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

extension Descriptor {
    /// The host's descriptor of something with a position. `spipe` for a stream that has none,
    /// `isdir` for a directory, `notcapable` without the right `needed`.
    @inline(__always)
    func positionable(_ needed: Rights) throws(Errno) -> Int32 {
        guard kind == .file, let number = hostNumber else { throw isDirectory ? .isdir : .spipe }
        // `fdSeek` implies `fdTell`.
        let suffices =
            allowed.isSuperset(of: needed) || needed == .fdTell && allowed.contains(.fdSeek)
        guard suffices else {
            throw Self.hasPosition(filetype) ? .notcapable : .spipe
        }
        return number
    }

    private static func hasPosition(_ filetype: Filetype) -> Bool {
        filetype == .regularFile || filetype == .blockDevice
    }
}
