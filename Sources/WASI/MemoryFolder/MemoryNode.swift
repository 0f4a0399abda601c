import Synchronization
import WasmInterpreter

/// A file, directory or symbolic link in memory.
///
/// Everything but `ino` and `filetype` is protected by the lock of the file system.
final class MemoryNode {
    let fileSystem: MemoryFileSystem
    let ino: UInt64
    let filetype: Filetype
    /// The number of names of the node; 0 once it was removed.
    var nlink: UInt64 = 1
    var atim: UInt64
    var mtim: UInt64
    var ctim: UInt64

    /// The content of a file. Its size was reserved with the file system.
    fileprivate(set) var content = FileContent()
    /// The entries of a directory.
    var entries = MemoryEntries()
    /// The directory that holds a directory.
    weak var parent: MemoryNode?
    /// The target of a symbolic link.
    let target: GuestPath?
    /// Bytes of `target` that count against the limit.
    private let targetByteCount: Int

    /// A file or directory.
    convenience init(_ fileSystem: MemoryFileSystem, _ filetype: Filetype) {
        self.init(fileSystem, filetype, target: nil, 0)
    }

    /// A symbolic link.
    ///
    /// - Throws: `nospc` at the limit.
    convenience init(_ fileSystem: MemoryFileSystem, target: GuestPath) throws(Errno) {
        let count = MemoryFileSystem.byteCount(ofTarget: target)
        try fileSystem.reserve(count)
        self.init(fileSystem, .symbolicLink, target: target.compact, count)
    }

    private init(
        _ fileSystem: MemoryFileSystem, _ filetype: Filetype, target: GuestPath?,
        _ targetByteCount: Int
    ) {
        self.fileSystem = fileSystem
        self.filetype = filetype
        self.target = target
        self.targetByteCount = targetByteCount
        ino = fileSystem.makeNumber()
        let now = fileSystem.now
        (atim, mtim, ctim) = (now, now, now)
    }

    deinit {
        fileSystem.release(content.count + targetByteCount)
        fileSystem.discard(content.setCount(0))
        // A loop, because a guest may have made directories too deep for recursion.
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

    /// Records that the content changed.
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

    /// Makes `bytes` the whole content; `nospc`, and no change, if that exceeds the limit.
    func replace(by bytes: [UInt8]) throws(Errno) {
        if bytes.count > content.count { try fileSystem.reserve(bytes.count - content.count) }
        if bytes.count < content.count { fileSystem.release(content.count - bytes.count) }
        content = FileContent()
        bytes.withUnsafeBytes { content.write($0, at: 0) }
        touch()
    }

    /// Makes the file shorter, or longer with zeros; `nospc` if that exceeds the limit.
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

/// The shared state of a file system's nodes.
final class MemoryFileSystem: Sendable {
    let lock = HostLock()
    let dev: UInt64
    private let clock: ClockSource
    private let usage: Mutex<Usage>
    private let lastNumber = Atomic<UInt64>(0)
    /// Removed content that is not freed yet. Nodes are freed under any lock or none.
    private let discarded = Mutex(DiscardedContent())
    /// Numbers for file systems, far from those of the host's devices.
    static let firstDevice: UInt64 = 1 << 48
    private static let lastDevice = Atomic<UInt64>(firstDevice)
    /// Bytes of a directory entry that count against the limit besides its name: about the size of
    /// the entry and its file, directory or link.
    static let entryByteCount = 448
    /// Bytes that a link's target counts besides its own.
    private static let targetByteCount = 48

    /// Bytes of an entry with this name that count against the limit.
    static func byteCount(ofEntry name: GuestPath) -> Int { entryByteCount + name.bytes.count }

    /// Bytes of a link with this target that count against the limit, besides its entry.
    static func byteCount(ofTarget target: GuestPath) -> Int {
        targetByteCount + target.bytes.count
    }

    init(byteLimit: Int, clock: ClockSource) {
        usage = Mutex(Usage(limit: max(byteLimit, 0)))
        self.clock = clock
        dev = Self.lastDevice.wrappingAdd(1, ordering: .relaxed).newValue
    }

    var now: UInt64 { (try? clock.time(.realtime)) ?? 0 }
    var usedByteCount: Int { usage.withLock { $0.used } }

    func makeNumber() -> UInt64 { lastNumber.wrappingAdd(1, ordering: .relaxed).newValue }

    /// Counts bytes against the limit, and charges them to the program that uses the folder;
    /// `nospc` if fewer are left.
    func reserve(_ count: Int) throws(Errno) {
        let isReserved = usage.withLock { $0.change(by: max(count, 0)) }
        guard isReserved else { throw .nospc }
    }

    /// Frees blocks of a file step by step.
    func discard(_ blocks: [[UInt8]]) { discarded.withLock { $0.add(blocks) } }

    /// Frees a part of the removed content.
    func freeSome() { discarded.withLock { $0.freeSome() } }

    func release(_ count: Int) { _ = usage.withLock { $0.change(by: -max(count, 0)) } }

    func adopt(_ account: ResourceAccount) { usage.withLock { $0.adopt(account) } }

    /// Bytes in use, their limit, and the account that is charged for a part.
    private struct Usage: ~Copyable {
        let limit: Int
        private(set) var used = 0
        /// Bytes from before the program that is charged.
        private var free = 0
        private var holding = ResourceHolding(nil)

        init(limit: Int) { self.limit = limit }

        mutating func change(by count: Int) -> Bool {
            guard count <= limit - used, holding.resize(to: used + count - free) else {
                return false
            }
            used += count
            return true
        }

        mutating func adopt(_ account: ResourceAccount) {
            guard holding.account !== account else { return }
            holding = ResourceHolding(account)
            free = used
        }
    }
}
