import Synchronization

/// A file, directory or symbolic link in memory.
///
/// Everything but `ino` and `filetype` is protected by the lock of the file system.
final class MemoryNode {
    let fileSystem: MemoryFileSystem
    let ino: UInt64
    let filetype: Filetype
    /// Names that stand for the node; 0 once it was removed.
    var nlink: UInt64 = 1
    var atim: UInt64
    var mtim: UInt64
    var ctim: UInt64

    /// The content of a file. Its size was reserved with the file system.
    fileprivate(set) var content = FileContent()
    /// What a directory holds.
    var entries = MemoryEntries()
    /// The directory that holds a directory.
    weak var parent: MemoryNode?
    /// Where a symbolic link leads.
    let target: GuestPath?

    init(_ fileSystem: MemoryFileSystem, _ filetype: Filetype, target: GuestPath? = nil) {
        self.fileSystem = fileSystem
        self.filetype = filetype
        self.target = target
        ino = fileSystem.makeNumber()
        let now = fileSystem.now
        (atim, mtim, ctim) = (now, now, now)
    }

    deinit {
        fileSystem.release(content.count)
        fileSystem.discard(content.setCount(0))
        // One after the other: a guest may have made directories deeper than a recursion can go.
        var pending = entries.takeNodes()
        while var node = pending.popLast() {
            if isKnownUniquelyReferenced(&node) { pending += node.entries.takeNodes() }
        }
    }

    var isDirectory: Bool { filetype == .directory }

    var filestat: Filestat {
        Filestat(
            dev: fileSystem.dev, ino: ino, filetype: filetype, nlink: nlink,
            size: UInt64(clamping: target?.bytes.count ?? content.count), atim: atim, mtim: mtim,
            ctim: ctim)
    }

    /// Notes that the content changed.
    func touch() {
        mtim = fileSystem.now
        ctim = mtim
    }

    func setTimes(_ times: FileTimes) {
        let now = fileSystem.now
        if let time = times.access.time(now: now) { atim = time }
        if let time = times.modification.time(now: now) { mtim = time }
        ctim = now
    }
}

// MARK: Content

extension MemoryNode {
    func read(_ vectors: UnsafeBufferPointer<HostVector>, at offset: Int) -> Int {
        var position = offset
        for vector in vectors where position < content.count {
            position += content.read(into: vector.buffer, at: position)
        }
        return position - offset
    }

    func write(
        _ vectors: UnsafeBufferPointer<HostVector>, at offset: Int
    ) throws(Errno) -> Int {
        let count = vectors.reduce(0) { $0 &+ $1.buffer.count }
        guard count > 0 else { return 0 }
        let (end, overflow) = offset.addingReportingOverflow(count)
        guard !overflow else { throw .fbig }
        fileSystem.freeSome()
        if end > content.count { try fileSystem.reserve(end - content.count) }
        var position = offset
        for vector in vectors {
            content.write(UnsafeRawBufferPointer(vector.buffer), at: position)
            position += vector.buffer.count
        }
        touch()
        return count
    }

    /// Cuts the file off or fills it up with zeros; `nospc` if that is more than there may be.
    func setSize(_ size: Int) throws(Errno) {
        if size > content.count {
            try fileSystem.reserve(size - content.count)
        } else {
            fileSystem.release(content.count - size)
        }
        fileSystem.discard(content.setCount(size))
        touch()
    }
}

extension FileTimes.Value {
    /// The time to set; nil to leave it.
    fileprivate func time(now: UInt64) -> UInt64? {
        switch self {
        case .unchanged: nil
        case .now: now
        case .at(let time): time
        }
    }
}

/// What the nodes of one file system share.
final class MemoryFileSystem: Sendable {
    let lock = HostLock()
    let dev: UInt64
    private let clock: ClockSource
    private let byteLimit: Int
    private let used = Atomic(0)
    private let lastNumber = Atomic<UInt64>(0)
    /// What was removed and is still to be freed. Nodes end under any lock or none.
    private let discarded = Mutex(DiscardedContent())
    /// Numbers for file systems, far from those of the host's devices.
    static let firstDevice: UInt64 = 1 << 48
    private static let lastDevice = Atomic<UInt64>(firstDevice)
    /// What a name counts against the limit beside the content: about what it takes.
    static let entryByteCount = 256

    init(byteLimit: Int, clock: ClockSource) {
        self.byteLimit = byteLimit
        self.clock = clock
        dev = Self.lastDevice.wrappingAdd(1, ordering: .relaxed).newValue
    }

    var now: UInt64 { (try? clock.time(.realtime)) ?? 0 }
    var usedByteCount: Int { used.load(ordering: .relaxed) }

    func makeNumber() -> UInt64 { lastNumber.wrappingAdd(1, ordering: .relaxed).newValue }

    /// Counts bytes against the limit; `nospc` if there are not so many left.
    func reserve(_ count: Int) throws(Errno) {
        let before = used.load(ordering: .relaxed)
        guard count <= byteLimit - before else { throw .nospc }
        used.wrappingAdd(count, ordering: .relaxed)
    }

    func release(_ count: Int) { used.wrappingSubtract(count, ordering: .relaxed) }

    /// Frees blocks of a file little by little.
    func discard(_ blocks: [[UInt8]]) { discarded.withLock { $0.add(blocks) } }

    /// Frees some of what was removed.
    func freeSome() { discarded.withLock { $0.freeSome() } }
}
