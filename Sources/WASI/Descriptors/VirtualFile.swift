/// An open file or stream that is not the host's. Calls that a kind does not support have the
/// defaults below.
protocol VirtualFile: AnyObject {
    /// Reads available bytes into the buffers; 0 at the end.
    func read(_ vectors: UnsafeBufferPointer<HostVector>) throws(Errno) -> Int
    /// Takes bytes from the buffers; returns their number.
    func write(_ vectors: UnsafeBufferPointer<HostVector>) throws(Errno) -> Int
    func read(
        _ vectors: UnsafeBufferPointer<HostVector>, at offset: Int
    ) throws(Errno) -> Int
    func write(
        _ vectors: UnsafeBufferPointer<HostVector>, at offset: Int
    ) throws(Errno) -> Int
    func seek(_ offset: Int64, _ whence: Whence) throws(Errno) -> UInt64
    func filestat() throws(Errno) -> Filestat
    func setSize(_ size: Int64) throws(Errno)
    func setTimes(_ times: FileTimes) throws(Errno)
    func allocate(_ offset: Int64, _ count: Int64) throws(Errno)
    func sync() throws(Errno)
    /// Sets `append`, the only relevant flag besides `nonblock`.
    func setAppends(_ appends: Bool) throws(Errno)
    /// Bytes that can be read without waiting, as far as known.
    var readableByteCount: Int { get }
}

extension VirtualFile {
    func read(_ vectors: UnsafeBufferPointer<HostVector>) throws(Errno) -> Int { throw .badf }
    func write(_ vectors: UnsafeBufferPointer<HostVector>) throws(Errno) -> Int { throw .badf }
    func read(
        _ vectors: UnsafeBufferPointer<HostVector>, at offset: Int
    ) throws(Errno) -> Int { throw .spipe }
    func write(
        _ vectors: UnsafeBufferPointer<HostVector>, at offset: Int
    ) throws(Errno) -> Int { throw .spipe }
    func seek(_ offset: Int64, _ whence: Whence) throws(Errno) -> UInt64 { throw .spipe }
    func filestat() throws(Errno) -> Filestat { Filestat(filetype: .unknown) }
    func setSize(_ size: Int64) throws(Errno) { throw .inval }
    func setTimes(_ times: FileTimes) throws(Errno) { throw .inval }
    func allocate(_ offset: Int64, _ count: Int64) throws(Errno) { throw .inval }
    func sync() throws(Errno) { throw .inval }
    func setAppends(_ appends: Bool) throws(Errno) { if appends { throw .notsup } }
    var readableByteCount: Int { 1 }
}
