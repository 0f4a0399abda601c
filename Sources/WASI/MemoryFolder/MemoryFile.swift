/// An open file in memory: a node, a position and whether writing appends.
final class MemoryFile: VirtualFile {
    private let node: MemoryNode
    private var position = 0
    private var appends: Bool

    init(_ node: MemoryNode, _ flags: Fdflags) {
        self.node = node
        appends = flags.contains(.append)
    }

    private func locked<Result>(
        _ body: () throws(Errno) -> Result
    ) throws(Errno) -> Result {
        try node.fileSystem.lock.locked(body)
    }

    func read(_ vectors: UnsafeBufferPointer<HostVector>) throws(Errno) -> Int {
        try locked { () throws(Errno) in
            let count = node.read(vectors, at: position)
            position += count
            return count
        }
    }

    func write(_ vectors: UnsafeBufferPointer<HostVector>) throws(Errno) -> Int {
        try locked { () throws(Errno) in
            if appends { position = node.content.count }
            let count = try node.write(vectors, at: position)
            position += count
            return count
        }
    }

    func read(
        _ vectors: UnsafeBufferPointer<HostVector>, at offset: Int
    ) throws(Errno) -> Int {
        try locked { () throws(Errno) in node.read(vectors, at: offset) }
    }

    func write(
        _ vectors: UnsafeBufferPointer<HostVector>, at offset: Int
    ) throws(Errno) -> Int {
        // As on the host, appending takes precedence over the offset.
        try locked { () throws(Errno) in
            try node.write(vectors, at: appends ? node.content.count : offset)
        }
    }

    func seek(_ offset: Int64, _ whence: Whence) throws(Errno) -> UInt64 {
        try locked { () throws(Errno) in
            let origin =
                switch whence {
                case .set: 0
                case .cur: position
                case .end: node.content.count
                }
            let (target, overflow) = Int64(origin).addingReportingOverflow(offset)
            guard !overflow else { throw .overflow }
            guard target >= 0 else { throw .inval }
            position = Int(target)
            return UInt64(target)
        }
    }

    func filestat() throws(Errno) -> Filestat {
        try locked { () throws(Errno) in node.filestat }
    }

    func setSize(_ size: Int64) throws(Errno) {
        try locked { () throws(Errno) in try node.setSize(Int(size)) }
    }

    func setTimes(_ times: FileTimes) throws(Errno) {
        try locked { () throws(Errno) in node.setTimes(times) }
    }

    func allocate(_ offset: Int64, _ count: Int64) throws(Errno) {
        let (end, overflow) = offset.addingReportingOverflow(count)
        guard !overflow else { throw .fbig }
        try locked { () throws(Errno) in
            if end > node.content.count { try node.setSize(Int(end)) }
        }
    }

    func sync() throws(Errno) {}

    func setAppends(_ appends: Bool) throws(Errno) {
        try locked { () throws(Errno) in self.appends = appends }
    }

    var readableByteCount: Int {
        node.fileSystem.lock.locked { max(node.content.count - position, 0) }
    }
}
