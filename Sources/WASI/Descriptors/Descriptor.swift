// Invariant: all state that changes after the initialiser is atomic or protected by a lock, except
// `isClosed`, which only the owner of the last reference changes.

import Synchronization
import WasmInterpreter

/// An open file, folder, stream or socket of a guest, with the guest's rights for it.
///
/// A class, so that a running call keeps its descriptor when another thread of the guest closes the
/// number; the host's descriptor is closed with the last reference.
final class Descriptor: @unchecked Sendable {
    /// What a descriptor is made from.
    enum Resource {
        /// A descriptor of the host: a file, device, pipe or terminal.
        case file(Int32)
        case directory(Int32)
        case socket(Int32)
        case virtualFile(any VirtualFile)
        case memoryDirectory(MemoryDirectory)
    }

    /// The kind of the resource, for quick decisions.
    enum Kind {
        case file, directory, socket, virtualFile, memoryDirectory
    }

    let kind: Kind
    let filetype: Filetype
    /// The host's descriptor of a file, directory or socket.
    private let number: Int32
    /// The file of other kinds.
    let virtualFile: (any VirtualFile)?
    private let memoryDirectory: MemoryDirectory?
    /// The embedder's stream that a virtual file uses.
    let guestStream: (any GuestStream)?
    /// The same if the guest sees it as a socket.
    let streamSocket: (any StreamSocket)?
    /// Whether the host's descriptor belongs to this object and is closed with it.
    private let isOwned: Bool
    /// Whether other processes share the open file, so that the guest must not change its flags.
    private let isShared: Bool
    private var isClosed = false
    /// Whether calls may have to wait: pipes, sockets, terminals, streams of the embedder. For
    /// these `nonblock` is stored here, because the host's flag would affect all processes that
    /// share the stream; and reads and writes throw `again` instead of waiting, whether the flag is
    /// set or not.
    let isStream: Bool
    /// Whether the host supports calls that never wait; false after an unsupported one.
    private let worksAtOnce = Atomic(true)
    /// The pipe or terminal, opened again: see `ownWay`.
    private let reopened = Atomic<Int32>(Descriptor.notOpened)
    private static let notOpened: Int32 = -2
    /// In a read-only folder.
    let isReadOnly: Bool
    /// The guest's name of a preopened folder.
    let preopenName: [UInt8]?

    /// The rights that the guest requested, for `fd_fdstat_get`.
    private let own: SharedRights
    private let ownInheriting: SharedRights
    /// The rights that calls are checked against. Many programs request fewer rights than they use,
    /// since most engines do not check them. So these depend on the kind of the file, on whether it
    /// was opened for reading and writing, and on rights removed by `fd_fdstat_set_rights`.
    private let checked: SharedRights
    private let checkedInheriting: SharedRights
    /// Positions of a directory that the guest has received.
    let cookies: DirectoryCookies?
    /// Flags that are stored here and not on the host.
    private let ownFlags: Atomic<UInt16>

    init(
        _ resource: Resource, filetype: Filetype, rights: Rights, inheriting: Rights = [],
        allowed: Rights? = nil, allowedInheriting: Rights? = nil, flags: Fdflags = [],
        isOwned: Bool = true, isShared: Bool = false, isReadOnly: Bool = false,
        preopenName: [UInt8]? = nil
    ) {
        var number: Int32 = -1
        var virtualFile: (any VirtualFile)?
        var memoryDirectory: MemoryDirectory?
        switch resource {
        case .file(let host): (kind, number) = (.file, host)
        case .directory(let host): (kind, number) = (.directory, host)
        case .socket(let host): (kind, number) = (.socket, host)
        case .virtualFile(let file): (kind, virtualFile) = (.virtualFile, file)
        case .memoryDirectory(let directory):
            (kind, memoryDirectory) = (.memoryDirectory, directory)
        }
        self.number = number
        self.virtualFile = virtualFile
        self.memoryDirectory = memoryDirectory
        let stream = (virtualFile as? EmbedderStream)?.stream
        guestStream = stream
        streamSocket = stream as? any StreamSocket
        self.filetype = filetype
        own = SharedRights(rights)
        ownInheriting = SharedRights(inheriting)
        checked = SharedRights(allowed ?? rights)
        checkedInheriting = SharedRights(allowedInheriting ?? inheriting)
        self.isOwned = isOwned
        self.isShared = isShared
        self.isReadOnly = isReadOnly
        self.preopenName = preopenName
        cookies =
            filetype == .directory
            ? DirectoryCookies(isIdentity: memoryDirectory != nil) : nil
        isStream =
            kind == .socket || guestStream != nil
            || kind == .file && filetype != .regularFile && filetype != .blockDevice
        ownFlags = Atomic(flags.rawValue)
    }

    deinit {
        let reopened = reopened.load(ordering: .relaxed)
        if reopened >= 0 { try? System.close(reopened) }
        if isOwned, !isClosed, let number = hostNumber { try? System.close(number) }
    }

    /// Closes the host's descriptor. Throws the host's error, for example that data did not reach
    /// the server. There must be no other reference.
    func close() throws(Errno) {
        guard isOwned, !isClosed, let number = hostNumber else { return }
        isClosed = true
        try System.close(number)
    }

    /// The host's descriptor, if there is one.
    var hostNumber: Int32? {
        switch kind {
        case .file, .directory, .socket: number
        case .virtualFile, .memoryDirectory: nil
        }
    }

    var isDirectory: Bool { filetype == .directory }
}

// MARK: Rights

/// Rights that several threads read and reduce.
private struct SharedRights: ~Copyable {
    private let bits: Atomic<UInt64>

    init(_ rights: Rights) { bits = Atomic(rights.rawValue) }

    var value: Rights {
        @inline(__always) get { Rights(rawValue: bits.load(ordering: .relaxed)) }
    }

    func restrict(to rights: Rights) { bits.bitwiseAnd(rights.rawValue, ordering: .relaxed) }
}

extension Descriptor {
    var rights: Rights { own.value }
    var inheriting: Rights { ownInheriting.value }
    var allowed: Rights { @inline(__always) get { checked.value } }
    var allowedInheriting: Rights { checkedInheriting.value }

    /// Throws `notcapable` unless the descriptor has all of `needed`.
    @inline(__always)
    func require(_ needed: Rights) throws(Errno) {
        guard allowed.isSuperset(of: needed) else { throw .notcapable }
    }

    /// As `require`, for calls that do not apply to directories, for which they fail with `isdir`.
    func requireFile(_ needed: Rights) throws(Errno) {
        guard allowed.isSuperset(of: needed) else { throw isDirectory ? .isdir : .notcapable }
    }

    /// Throws unless the descriptor may be used in `direction`, `fdRead` or `fdWrite`: `badf` if it
    /// was not opened for that, or `isdir`.
    @inline(__always)
    func requireAccess(_ direction: Rights) throws(Errno) {
        guard allowed.isSuperset(of: direction) else { throw isDirectory ? .isdir : .badf }
    }

    /// Throws unless the descriptor has a position and the right `needed`: `spipe` for a stream,
    /// `isdir` for a directory, `notcapable` without the right.
    @inline(__always)
    func requirePosition(_ needed: Rights) throws(Errno) {
        // `fdSeek` implies `fdTell`.
        if allowed.isSuperset(of: needed) || needed == .fdTell && allowed.contains(.fdSeek) {
            return
        }
        switch filetype {
        case .directory: throw .isdir
        case .regularFile, .blockDevice: throw .notcapable
        default: throw .spipe
        }
    }

    /// Removes rights; `notcapable` if it would add one.
    func restrict(to base: Rights, inheriting: Rights) throws(Errno) {
        guard rights.isSuperset(of: base), self.inheriting.isSuperset(of: inheriting) else {
            throw .notcapable
        }
        own.restrict(to: base)
        ownInheriting.restrict(to: inheriting)
        checked.restrict(to: base)
        checkedInheriting.restrict(to: inheriting)
    }
}

// MARK: Directories

extension Descriptor {
    /// The directory in which a path may be resolved.
    func directory(
        _ needed: Rights, _ resolver: PathResolver
    ) throws(Errno) -> any PathDirectory {
        switch kind {
        case .directory:
            try require(needed)
            return HostDirectory(number: number, resolver: resolver)
        case .memoryDirectory:
            guard let memoryDirectory else { throw .notdir }
            try require(needed)
            return memoryDirectory
        case .file, .socket, .virtualFile: throw .notdir
        }
    }

    /// As `directory`, for calls that change the directory.
    func writableDirectory(
        _ needed: Rights, _ resolver: PathResolver
    ) throws(Errno) -> any PathDirectory {
        let directory = try directory(needed, resolver)
        guard !isReadOnly else { throw .rofs }
        return directory
    }
}

// MARK: Status flags

extension Descriptor {
    var flags: Fdflags {
        get throws(Errno) {
            let own = Fdflags(rawValue: ownFlags.load(ordering: .relaxed))
            guard let number = hostNumber else { return own }
            let flags = try System.flags(number).flags
            return keepsFlags ? flags.subtracting(.nonblock).union(own) : flags
        }
    }

    /// Whether `nonblock` is stored here: for streams, and for files that others opened.
    private var keepsFlags: Bool { isStream || isShared }

    /// Sets `append` and `nonblock`. The flags for synchronous writes cannot be changed after
    /// opening: they must be the same.
    func setFlags(_ wanted: Fdflags) throws(Errno) {
        var settled = Fdflags.synchronizing
        if hostNumber != nil, keepsFlags { settled.insert(.append) }
        guard try wanted.intersection(settled).isSubset(of: flags) else { throw .notsup }
        if let number = hostNumber, !keepsFlags { return try System.setFlags(number, wanted) }
        try virtualFile?.setAppends(wanted.contains(.append))
        ownFlags.store(wanted.subtracting(settled).rawValue, ordering: .relaxed)
    }

    /// Whether the guest waits when a stream is not ready.
    var isPatient: Bool {
        isStream && ownFlags.load(ordering: .relaxed) & Fdflags.nonblock.rawValue == 0
    }

    /// The same for writing: sockets of the embedder take everything.
    var isPatientWriting: Bool { isPatient || streamSocket != nil }
}

// MARK: Reading and writing

extension Descriptor {
    /// Reads once into the buffers; returns the number of bytes, 0 at the end. Throws `again` if a
    /// stream has no bytes yet.
    @inline(__always)
    func read(_ vectors: UnsafeBufferPointer<HostVector>) throws(Errno) -> Int {
        switch kind {
        case .file:
            return isStream ? try readAtOnce(vectors) : try System.read(number, vectors)
        case .socket: return try System.receive(number, vectors, []).byteCount
        case .virtualFile:
            guard let virtualFile else { throw .badf }
            return try virtualFile.read(vectors)
        case .directory, .memoryDirectory: throw .isdir
        }
    }

    /// Writes the buffers once; returns the number of bytes taken. Throws `again` if a stream takes
    /// no bytes yet.
    @inline(__always)
    func write(_ vectors: UnsafeBufferPointer<HostVector>) throws(Errno) -> Int {
        switch kind {
        case .file:
            return isStream ? try writeAtOnce(vectors) : try System.write(number, vectors)
        case .socket: return try System.send(number, vectors)
        case .virtualFile:
            guard let virtualFile else { throw .badf }
            return try virtualFile.write(vectors)
        case .directory, .memoryDirectory: throw .isdir
        }
    }

    private func readAtOnce(_ vectors: UnsafeBufferPointer<HostVector>) throws(Errno) -> Int {
        if worksAtOnce.load(ordering: .relaxed) {
            do throws(Errno) {
                if let count = try System.readAtOnce(number, vectors) { return count }
                worksAtOnce.store(false, ordering: .relaxed)
            } catch {
                guard error == .again else { throw error }
            }
        }
        if let ready = try ownWay { return try System.read(ready, vectors) }
        // Also after `again`: a device that never supports reading at once must not be tried for
        // ever.
        guard try System.isReady(number, isReading: true) else { throw .again }
        return try System.read(number, vectors)
    }

    private func writeAtOnce(_ vectors: UnsafeBufferPointer<HostVector>) throws(Errno) -> Int {
        if worksAtOnce.load(ordering: .relaxed) {
            if let count = try System.writeAtOnce(number, vectors) { return count }
            worksAtOnce.store(false, ordering: .relaxed)
        }
        if let ready = try ownWay { return try System.write(ready, vectors) }
        guard try System.isReady(number, isReading: false) else { throw .again }
        return try System.write(number, vectors)
    }

    /// A descriptor of the same file on which calls never wait: this one if it is nonblocking on
    /// the host, or a pipe or terminal opened again. Even when these are ready a long call may
    /// wait, and the flag on the host's descriptor would affect all processes that share it. Nil
    /// for other devices, and if the host does not allow it.
    private var ownWay: Int32? {
        get throws(Errno) {
            var known = reopened.load(ordering: .acquiring)
            if known >= 0 { return known }
            if try System.flags(number).flags.contains(.nonblock) { return number }
            guard known == Self.notOpened else { return nil }
            let canBe = System.isTerminal(number) || System.isPipe(number)
            let opened = canBe ? System.reopen(number) : -1
            let result = reopened.compareExchange(
                expected: Self.notOpened, desired: opened, ordering: .acquiringAndReleasing)
            known = result.exchanged ? opened : result.original
            if !result.exchanged, opened >= 0 { try? System.close(opened) }
            return known >= 0 ? known : nil
        }
    }

    func read(
        _ vectors: UnsafeBufferPointer<HostVector>, at offset: Int
    ) throws(Errno) -> Int {
        if let virtualFile { return try virtualFile.read(vectors, at: offset) }
        return try System.read(try fileNumber, vectors, at: offset)
    }

    func write(
        _ vectors: UnsafeBufferPointer<HostVector>, at offset: Int
    ) throws(Errno) -> Int {
        if let virtualFile { return try virtualFile.write(vectors, at: offset) }
        return try System.write(try fileNumber, vectors, at: offset)
    }

    func seek(_ offset: Int64, _ whence: Whence) throws(Errno) -> UInt64 {
        if let virtualFile { return try virtualFile.seek(offset, whence) }
        return try System.seek(try fileNumber, offset, whence)
    }

    /// The host's descriptor of files with a position.
    private var fileNumber: Int32 {
        get throws(Errno) {
            switch kind {
            case .file: return number
            case .directory, .memoryDirectory: throw .isdir
            case .socket, .virtualFile: throw .spipe
            }
        }
    }
}

// MARK: Attributes

extension Descriptor {
    func filestat() throws(Errno) -> Filestat {
        if let number = hostNumber { return try System.filestat(number) }
        if let virtualFile { return try virtualFile.filestat() }
        if let memoryDirectory { return memoryDirectory.filestat() }
        throw .badf
    }

    func setSize(_ size: Int64, _ stop: StopSignal?) throws(Errno) {
        if let virtualFile { return try virtualFile.setSize(size) }
        try System.setSize(try regularFileNumber, size, stop)
    }

    func allocate(_ offset: Int64, _ count: Int64, _ stop: StopSignal?) throws(Errno) {
        if let virtualFile { return try virtualFile.allocate(offset, count) }
        try System.allocate(try regularFileNumber, offset, count, stop)
    }

    func setTimes(_ times: FileTimes) throws(Errno) {
        if let number = hostNumber { return try System.setTimes(number, times) }
        if let virtualFile { return try virtualFile.setTimes(times) }
        memoryDirectory?.setTimes(times)
    }

    func sync(dataOnly: Bool) throws(Errno) {
        if let number = hostNumber {
            return dataOnly ? try System.datasync(number) : try System.sync(number)
        }
        try virtualFile?.sync()
    }

    func advise(
        _ offset: Int64, _ count: Int64, _ advice: Advice, _ stop: StopSignal?
    ) throws(Errno) {
        // Files in memory need no advice.
        guard let number = hostNumber else { return }
        try System.advise(number, offset, count, advice, stop)
    }

    /// Bytes that a stream in memory can read at once, as far as known; 1 for other kinds.
    var readableByteCount: UInt64 { UInt64(clamping: virtualFile?.readableByteCount ?? 1) }

    private var regularFileNumber: Int32 {
        get throws(Errno) {
            guard kind == .file, filetype == .regularFile else { throw .inval }
            return number
        }
    }
}

// MARK: Entries

extension Descriptor {
    /// Passes the entries from `position` on to `body` until it returns false. Positions are the
    /// host's, not cookies.
    ///
    /// - Parameter byteCount: about the size of the caller's buffer.
    func readDirectory(
        from position: UInt64, byteCount: Int, _ body: (DirectoryEntry) throws(Errno) -> Bool
    ) throws(Errno) {
        if let memoryDirectory { return try memoryDirectory.readEntries(from: position, body) }
        guard kind == .directory else { throw .notdir }
        try System.seekDirectory(number, position)
        // About as many entries as fit: a small buffer must not make the host read a large
        // directory again and again.
        let capacity = min(max(byteCount, 1024), 32768)
        try withUnsafeTemporaryAllocation(byteCount: capacity, alignment: 8) {
            (buffer) throws(Errno) in
            while true {
                var isDone = false
                let mayHaveMore = try System.readDirectory(number, into: buffer) {
                    (entry) throws(Errno) in
                    isDone = try !body(entry)
                    return !isDone
                }
                guard mayHaveMore, !isDone else { return }
            }
        }
    }

    /// The kind of an entry that the file system does not report; `unknown` if it no longer exists.
    func filetype(ofEntry name: UnsafeRawBufferPointer) -> Filetype {
        let name = name.map { CChar(truncatingIfNeeded: $0) } + [0]
        return (try? System.filestat(number, name).filetype) ?? .unknown
    }
}
