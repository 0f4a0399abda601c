/// An open file, folder, stream or socket of a guest, with what the guest may do with it.
///
/// A class, so that a call that is under way keeps what it works on when another thread of the
/// guest closes the number; the host's descriptor is closed with the last reference.
final class Descriptor {
    /// What a descriptor is made from.
    enum Resource {
        /// A descriptor of the host: a file, device, pipe or terminal.
        case file(Int32)
        case directory(Int32)
        case socket(Int32)
        case source(any ByteSource)
        case sink(any ByteSink)
    }

    /// What stands behind the descriptor, for quick decisions.
    enum Kind {
        case file, directory, socket, source, sink
    }

    let kind: Kind
    let filetype: Filetype
    /// The host's descriptor of a file, directory or socket.
    private let number: Int32
    private let source: (any ByteSource)?
    private let sink: (any ByteSink)?
    /// Whether the host's descriptor belongs to this object and is closed with it.
    private let isOwned: Bool
    /// Whether status flags are shared with other processes, as those of inherited standard
    /// streams are: `nonblock` is then kept here and not told to the host.
    private let sharesFlags: Bool
    /// Beneath a folder that was given read-only.
    let isReadOnly: Bool
    /// The name under which the guest finds a preopened folder.
    let preopenName: [UInt8]?

    /// The rights that the guest asked for and is told of.
    private(set) var rights: Rights
    private(set) var inheriting: Rights
    /// The rights that calls are held to. Programs are tested where nobody checks, and ask for
    /// less than they use: what counts is what the thing behind the descriptor can do, whether it
    /// was opened to read and to write, and what was taken away by `fd_fdstat_set_rights`.
    private(set) var allowed: Rights
    private(set) var allowedInheriting: Rights
    /// Positions of a directory that the guest knows.
    var cookies = DirectoryCookies()
    /// Flags that the host does not keep for us.
    private var ownFlags: Fdflags = []

    init(
        _ resource: Resource, filetype: Filetype, rights: Rights, inheriting: Rights = [],
        allowed: Rights? = nil, allowedInheriting: Rights? = nil, isOwned: Bool = true,
        sharesFlags: Bool = false, isReadOnly: Bool = false,
        preopenName: [UInt8]? = nil
    ) {
        switch resource {
        case .file(let number): (kind, self.number, source, sink) = (.file, number, nil, nil)
        case .directory(let number):
            (kind, self.number, source, sink) = (.directory, number, nil, nil)
        case .socket(let number): (kind, self.number, source, sink) = (.socket, number, nil, nil)
        case .source(let stream): (kind, number, source, sink) = (.source, -1, stream, nil)
        case .sink(let stream): (kind, number, source, sink) = (.sink, -1, nil, stream)
        }
        self.filetype = filetype
        self.rights = rights
        self.inheriting = inheriting
        self.allowed = allowed ?? rights
        self.allowedInheriting = allowedInheriting ?? inheriting
        self.isOwned = isOwned
        self.sharesFlags = sharesFlags
        self.isReadOnly = isReadOnly
        self.preopenName = preopenName
    }

    deinit {
        if isOwned, let number = hostNumber { try? System.close(number) }
    }

    /// The host's descriptor, if there is one.
    var hostNumber: Int32? {
        switch kind {
        case .file, .directory, .socket: number
        case .source, .sink: nil
        }
    }

    /// Bytes that a stream in memory can read or take at once, as far as is known.
    var availableByteCount: UInt64 { UInt64(clamping: source?.availableByteCount ?? 1) }

    var isDirectory: Bool { filetype == .directory }
}

// MARK: Rights

extension Descriptor {
    /// Throws `notcapable` unless the descriptor has all of `needed`.
    @inline(__always)
    func require(_ needed: Rights) throws(Errno) {
        guard allowed.isSuperset(of: needed) else { throw .notcapable }
    }

    /// As `require`, for calls that mean nothing for a directory: there the answer is `isdir`.
    func requireFile(_ needed: Rights) throws(Errno) {
        guard allowed.isSuperset(of: needed) else { throw isDirectory ? .isdir : .notcapable }
    }

    /// Throws unless the descriptor may be used in `direction`, `fdRead` or `fdWrite`: `badf`, as
    /// of a file that was not opened for it, or `isdir`.
    @inline(__always)
    func requireAccess(_ direction: Rights) throws(Errno) {
        guard allowed.isSuperset(of: direction) else { throw isDirectory ? .isdir : .badf }
    }

    /// The host's descriptor of a directory in which a path may be resolved.
    func requireDirectory(_ needed: Rights) throws(Errno) -> Int32 {
        guard kind == .directory else { throw .notdir }
        try require(needed)
        return number
    }

    /// As `requireDirectory`, for calls that change what is in the directory.
    func requireWritableDirectory(_ needed: Rights) throws(Errno) -> Int32 {
        let number = try requireDirectory(needed)
        guard !isReadOnly else { throw .rofs }
        return number
    }

    /// Takes rights away; `notcapable` if it would add one.
    func restrict(to base: Rights, inheriting: Rights) throws(Errno) {
        guard rights.isSuperset(of: base), self.inheriting.isSuperset(of: inheriting) else {
            throw .notcapable
        }
        rights = base
        self.inheriting = inheriting
        allowed = base
        allowedInheriting = inheriting
    }
}

// MARK: Reading and writing

extension Descriptor {
    /// Reads once into the buffers; answers the number of bytes, 0 at the end.
    @inline(__always)
    func read(_ vectors: UnsafeBufferPointer<HostVector>) throws(Errno) -> Int {
        switch kind {
        case .file, .socket:
            if !ownFlags.isEmpty { try checkReady(isReading: true) }
            return try System.read(number, vectors)
        case .source, .sink:
            guard let source else { throw .badf }
            return try source.read(vectors)
        case .directory: throw .isdir
        }
    }

    /// Writes the buffers once; answers the number of bytes taken.
    @inline(__always)
    func write(_ vectors: UnsafeBufferPointer<HostVector>) throws(Errno) -> Int {
        switch kind {
        case .file:
            if !ownFlags.isEmpty { try checkReady(isReading: false) }
            return try System.write(number, vectors)
        case .socket: return try System.send(number, vectors)
        case .source, .sink:
            guard let sink else { throw .badf }
            return try sink.write(vectors)
        case .directory: throw .isdir
        }
    }

    /// Throws `again` if a call would block although the guest asked that none does.
    private func checkReady(isReading: Bool) throws(Errno) {
        guard ownFlags.contains(.nonblock) else { return }
        guard try System.isReady(number, isReading: isReading) else { throw .again }
    }
}

// MARK: Status flags

extension Descriptor {
    var flags: Fdflags {
        get throws(Errno) {
            guard let number = hostNumber else { return ownFlags }
            let flags = try System.flags(number).flags
            return sharesFlags ? flags.subtracting(.nonblock).union(ownFlags) : flags
        }
    }

    /// Sets `append` and `nonblock`. When data reaches the disk was settled when the file was
    /// opened: the flags for that must be what they are.
    func setFlags(_ wanted: Fdflags) throws(Errno) {
        let current = try flags
        let settled = Fdflags.synchronizing
        guard wanted.intersection(settled).isSubset(of: current) else { throw .notsup }
        guard let number = hostNumber, !sharesFlags else {
            // Nothing but `nonblock` can be kept here.
            guard wanted.subtracting(.nonblock).isSubset(of: current) else { throw .notsup }
            ownFlags = wanted.intersection(.nonblock)
            return
        }
        try System.setFlags(number, wanted)
    }
}
