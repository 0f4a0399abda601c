import WasmInterpreter

// The only conversion of guest addresses to host pointers.
//
// Invariants: `byteCount` bytes at `GuestMemory.base` are accessible, and it does not move while a
// host function runs; sums are made in 64 bits from 32-bit addresses and counts, so they do not
// overflow. The content of a shared memory may change at any time, so a value that is checked is
// loaded once.

/// More buffers than this are not passed to one system call; the call is then a short one.
let vectorLimit = 1024
/// The most buffers that are examined to find that many non-empty ones.
private let examinedVectorLimit = 1 << 20
/// The most bytes that one call moves, as on the host: more would not fit the call's result.
private let transferLimit = 0x7fff_f000

extension GuestMemory {
    /// The start of `byteCount` bytes at `address`; `fault` if they are not all in the memory.
    @inline(__always)
    func pointer(_ address: UInt32, byteCount: Int) throws(Errno) -> UnsafeMutableRawPointer {
        let start = UInt64(address)
        guard let count = UInt64(exactly: byteCount),
            start &+ count <= UInt64(truncatingIfNeeded: self.byteCount)
        else { throw .fault }
        return base + Int(truncatingIfNeeded: start)
    }

    /// The `byteCount` bytes at `address`; `fault` if they are not all in the memory.
    @inline(__always)
    func buffer(
        _ address: UInt32, byteCount: UInt32
    ) throws(Errno) -> UnsafeMutableRawBufferPointer {
        let count = Int(truncatingIfNeeded: byteCount)
        return UnsafeMutableRawBufferPointer(
            start: try pointer(address, byteCount: count), count: count)
    }

    /// A pointer to a 32-bit result.
    @inline(__always)
    func result32(_ address: UInt32) throws(Errno) -> ResultPointer<UInt32> {
        ResultPointer(raw: try pointer(address, byteCount: 4))
    }

    /// A pointer to a 64-bit result.
    @inline(__always)
    func result64(_ address: UInt32) throws(Errno) -> ResultPointer<UInt64> {
        ResultPointer(raw: try pointer(address, byteCount: 8))
    }

    /// A copy of the `byteCount` bytes at `address`, as text without NUL.
    ///
    /// Throws `inval` for a NUL among them, and `nametoolong` above the host's limit for paths.
    func path(_ address: UInt32, byteCount: UInt32) throws(Errno) -> GuestPath {
        let bytes = try buffer(address, byteCount: byteCount)
        guard bytes.count < GuestPath.limit else { throw .nametoolong }
        return try GuestPath(Array(bytes))
    }

    /// Passes to `body` the buffers of the `count` iovecs at `address`: at most `vectorLimit`
    /// of them and `transferLimit` bytes, but not 0 bytes if there are more. Empty buffers may have
    /// any address.
    ///
    /// - Throws: `fault` if the iovecs or the buffers are not all in the memory; `inval` if the
    ///   first `examinedVectorLimit` buffers are all empty and more follow; `intr` if the guest
    ///   must stop while many are examined.
    @inline(__always)
    func withVectors<Result>(
        _ address: UInt32, count: UInt32, _ stop: StopSignal? = nil,
        _ body: (UnsafeBufferPointer<HostVector>) throws(Errno) -> Result
    ) throws(Errno) -> Result {
        let count = Int(truncatingIfNeeded: count)
        let source = UnsafeRawPointer(try pointer(address, byteCount: count &* Iovec.size))
        guard count <= vectorLimit else { return try withManyVectors(source, count, stop, body) }
        return try withUnsafeTemporaryAllocation(of: HostVector.self, capacity: count) {
            (vectors) throws(Errno) -> Result in
            var left = transferLimit
            for index in 0..<count {
                let (start, length) = Iovec.load(from: source + index &* Iovec.size)
                let data = length == 0 ? base : try pointer(start, byteCount: Int(length))
                let taken = min(Int(length), left)
                vectors.initializeElement(at: index, to: HostVector(data, taken))
                left &-= taken
            }
            return try body(UnsafeBufferPointer(vectors))
        }
    }

    /// The same for more iovecs than one call of the host takes: empty ones are left out.
    @inline(never)
    private func withManyVectors<Result>(
        _ source: UnsafeRawPointer, _ count: Int, _ stop: StopSignal?,
        _ body: (UnsafeBufferPointer<HostVector>) throws(Errno) -> Result
    ) throws(Errno) -> Result {
        try withUnsafeTemporaryAllocation(of: HostVector.self, capacity: vectorLimit) {
            (vectors) throws(Errno) -> Result in
            var found = 0
            var left = transferLimit
            for index in 0..<min(count, examinedVectorLimit) {
                guard found < vectorLimit else { break }
                if index & 0xffff == 0xffff, stop.isRaised { throw .intr }
                let (start, length) = Iovec.load(from: source + index &* Iovec.size)
                guard length > 0 else { continue }
                let data = try pointer(start, byteCount: Int(length))
                let taken = min(Int(length), left)
                vectors.initializeElement(at: found, to: HostVector(data, taken))
                found &+= 1
                left &-= taken
            }
            guard found > 0 || count <= examinedVectorLimit else { throw .inval }
            return try body(UnsafeBufferPointer(rebasing: vectors[..<found]))
        }
    }
}

/// The checked address of a numeric result.
struct ResultPointer<Value: FixedWidthInteger & BitwiseCopyable> {
    fileprivate let raw: UnsafeMutableRawPointer

    @inline(__always)
    func store(_ value: Value) {
        raw.storeBytes(of: value.littleEndian, as: Value.self)
    }
}
