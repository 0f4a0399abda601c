import Synchronization
import WasmInterpreter

/// The state of one guest: its open descriptors, and its clocks and streams.
///
/// Made from a `WASI` value for one guest, kept alive by the functions that it defines on a linker.
/// May be used by several threads: those of the guest, if it has any, and those of the embedder
/// that insert descriptors. Descriptors are closed when the last reference is released, or by
/// `closeAll()`.
public final class WASIGuest: Sendable {
    let table: DescriptorTable
    let arguments: PackedStrings
    let environment: PackedStrings
    let clock: ClockSource
    let random: RandomSource
    let generator: Mutex<SeededGenerator>
    let resolver: PathResolver
    /// Bytes that may still be written to files; nil if there is no limit.
    let quota: WriteQuota?
    let threadLimit: Int
    let trace: CallTrace?
    /// The device numbers of the folders in memory.
    private let memoryDevices: [UInt64]
    /// The folders in memory, whose growth is charged to the program.
    private let memoryFolders: [MemoryFolder]
    /// The budget for numbers of positions in all of the guest's directories.
    let cookieBudget = CookieBudget()
    /// The addresses of `WASI.listeners`, with the ports that the system chose for port 0.
    public let listeners: [SocketAddress]
    /// The descriptors that the guest was made with have numbers below this one.
    private let startCount: Int
    /// Files of unix sockets, which are removed with the guest.
    private let boundSockets: Mutex<[BoundSocket]>

    /// Opens the folders and duplicates the descriptors that `configuration` names.
    ///
    /// - Throws: `WASISetupError` if one cannot be opened or a string is malformed.
    public init(_ configuration: WASI) throws(WASISetupError) {
        arguments = try PackedStrings(arguments: configuration.argumentBytes)
        environment = try PackedStrings(
            variables: configuration.environmentBytes, block: configuration.environmentBlock)
        clock = configuration.clock
        random = configuration.random
        if case .seeded(let seed) = random {
            generator = Mutex(SeededGenerator(seed: seed))
        } else {
            generator = Mutex(SeededGenerator(seed: 0))
        }
        resolver = PathResolver(configuration.pathResolution)
        quota = configuration.limits.writtenBytes.map(WriteQuota.init)
        threadLimit = configuration.limits.threads
        trace = configuration.trace
        memoryFolders = configuration.folders.compactMap(\.memory)
        memoryDevices = memoryFolders.map(\.device)
        let table = DescriptorTable(limit: configuration.limits.descriptors)
        self.table = table
        func insertAtStart(_ descriptor: Descriptor) throws(WASISetupError) {
            guard (try? table.insert(descriptor)) != nil else { throw .tooManyDescriptors }
        }
        do throws(Errno) {
            _ = try table.insert(Descriptor(input: configuration.standardInput))
            _ = try table.insert(Descriptor(output: configuration.standardOutput, host: 1))
            _ = try table.insert(Descriptor(output: configuration.standardError, host: 2))
        } catch {
            throw error == .mfile ? .tooManyDescriptors : .descriptor(-1, error)
        }
        for folder in configuration.folders {
            let descriptor: Descriptor
            do throws(Errno) {
                descriptor = try Descriptor(folder)
            } catch {
                throw .folder(hostPath: folder.hostPath, error)
            }
            try insertAtStart(descriptor)
        }
        var listeners: [SocketAddress] = []
        var boundSockets: [BoundSocket] = []
        for address in configuration.listeners {
            let descriptor: Descriptor
            do throws(Errno) {
                descriptor = try Descriptor(listeningOn: address)
            } catch {
                throw .listener(address, error)
            }
            if let path = address.path, let bound = BoundSocket(path: path) {
                boundSockets.append(bound)
            }
            let port = descriptor.hostNumber.flatMap(System.port)
            listeners.append(port.map(address.with(port:)) ?? address)
            try insertAtStart(descriptor)
        }
        self.listeners = listeners
        self.boundSockets = Mutex(boundSockets)
        for number in configuration.descriptors {
            let descriptor: Descriptor
            do throws(Errno) {
                descriptor = try Descriptor(duplicating: number)
            } catch {
                throw .descriptor(number, error)
            }
            try insertAtStart(descriptor)
        }
        for stream in configuration.streams {
            try insertAtStart(Descriptor(stream, [.reading, .writing]))
        }
        startCount =
            3 + configuration.folders.count + listeners.count + configuration.descriptors.count
            + configuration.streams.count
    }

    /// How many descriptors are open that were not there at the start: files and folders that the guest
    /// has opened, sockets that it has accepted, and what the host has inserted.
    public var openedCount: Int { table.openNumbers.count { $0 >= startCount } }

    /// The account that is charged for the guest: that of the store with the first instance that
    /// uses the guest's functions. Nil before.
    var account: ResourceAccount? { table.account.load() }

    /// Uses the account of `store` from now on, if the guest has none yet.
    func adopt(_ store: Store) {
        let account = table.account.storeIfNil(store.account)
        for folder in memoryFolders { folder.adopt(account) }
    }

    /// Gives the guest a descriptor of the host: a socket, a pipe, an open file. It is duplicated;
    /// the caller keeps its own. May be called at any time, from any thread.
    ///
    /// A socket, pipe or terminal starts with the flag `nonblock` if the host's descriptor has it;
    /// later changes of the flag affect only the guest.
    ///
    /// - Returns: the guest's number for it, the lowest that is free.
    /// - Throws: `badf` if there is no such descriptor, `isdir` for a folder, `mfile` if the guest
    ///   has too many.
    public func insert(duplicating descriptor: Int32) throws(Errno) -> UInt32 {
        try table.insert(Descriptor(duplicating: descriptor))
    }

    /// As `insert(duplicating:)`, but the descriptor belongs to the guest from now on, also when
    /// this throws: it is closed with the guest's number, or with the guest.
    public func insert(owning descriptor: Int32) throws(Errno) -> UInt32 {
        try table.insert(Descriptor(owning: descriptor))
    }

    /// Gives the guest a stream of the embedder, for example a `MemoryPipe` or a `StreamSocket`. May
    /// be called at any time, from any thread.
    ///
    /// - Parameters:
    ///   - stream: of the embedder.
    ///   - directions: the directions that the guest may use.
    /// - Returns: the guest's number for it, the lowest that is free.
    /// - Throws: `mfile` if the guest has too many, `nomem` if its program's account is exhausted.
    public func insert(
        _ stream: any GuestStream, _ directions: Wait.Directions = [.reading, .writing]
    ) throws(Errno) -> UInt32 {
        try table.insert(Descriptor(stream, directions))
    }

    /// Gives the guest an open file of a folder in memory, for reading from its start. May be called
    /// at any time, from any thread.
    ///
    /// - Returns: the guest's number for it, the lowest that is free.
    /// - Throws: as `MemoryFolder.read`; `mfile` if the guest has too many, `nomem` if its program's
    ///   account is exhausted.
    public func insert(reading path: String, of folder: MemoryFolder) throws(Errno) -> UInt32 {
        let file = try folder.openForReading(path)
        return try table.insert(
            Descriptor(
                .virtualFile(file), filetype: .regularFile,
                rights: Rights.regularFile.subtracting(Rights.writing), isReadOnly: true))
    }

    /// Attributes for the guest: devices of folders in memory get numbers that do not depend on the
    /// rest of the process.
    func seen(_ filestat: Filestat) -> Filestat {
        guard let index = memoryDevices.firstIndex(of: filestat.dev) else { return filestat }
        var filestat = filestat
        filestat.dev = MemoryFileSystem.firstDevice + UInt64(index)
        return filestat
    }

    /// Closes all descriptors of the guest, and removes the files of the unix sockets among its
    /// `listeners`. Later calls of the guest fail with `badf`.
    public func closeAll() {
        table.removeAll()
        boundSockets.withLock { $0 = [] }
    }
}

extension Descriptor {
    /// Standard input.
    convenience init(input: WASI.Input) throws(Errno) {
        switch input {
        case .inherit: self.init(inherited: 0, .standardInput)
        case .null: self.init(source: MemorySource([]))
        case .bytes(let bytes): self.init(source: MemorySource(bytes))
        case .closure(let body): self.init(source: ClosureSource(body))
        case .stream(let stream): self.init(source: EmbedderStream(stream, .reading))
        case .descriptor(let number): try self.init(duplicating: number, .standardInput)
        }
    }

    /// Standard output or standard error, which are the host's descriptor `host` if inherited.
    convenience init(output: WASI.Output, host: Int32) throws(Errno) {
        switch output {
        case .inherit: self.init(inherited: host, .standardOutput)
        case .null: self.init(sink: NullSink())
        case .buffer(let buffer): self.init(sink: buffer)
        case .closure(let body): self.init(sink: ClosureSink(body))
        case .stream(let stream): self.init(sink: EmbedderStream(stream, .writing))
        case .descriptor(let number): try self.init(duplicating: number, .standardOutput)
        }
    }

    /// A stream of the embedder that is no standard stream.
    convenience init(_ stream: any GuestStream, _ directions: Wait.Directions) {
        let file = EmbedderStream(stream, directions)
        var rights = file.filetype == .unknown ? Rights.stream : Rights.socket
        if !directions.contains(.reading) { rights.remove(.fdRead) }
        if !directions.contains(.writing) { rights.remove(.fdWrite) }
        self.init(
            .virtualFile(file), filetype: file.filetype, rights: rights)
    }

    private convenience init(source: any VirtualFile) {
        self.init(
            .virtualFile(source), filetype: .unknown, rights: Rights.stream.subtracting(.fdWrite))
    }

    private convenience init(sink: any VirtualFile) {
        self.init(
            .virtualFile(sink), filetype: .unknown, rights: Rights.stream.subtracting(.fdRead))
    }

    /// A standard stream of this process, which the guest may use with the rights `stream`. If this
    /// process does not have the stream, every use of it fails: its number may later belong to
    /// another file.
    convenience init(inherited number: Int32, _ stream: Rights) {
        guard let filetype = try? System.filestat(number).filetype else {
            self.init(
                .virtualFile(ClosedStream()), filetype: .unknown,
                rights: Rights.stream.intersection(stream))
            return
        }
        let rights = Rights.applicable(to: filetype, isTerminal: System.isTerminal(number))
        let isSocket = filetype == .socketStream || filetype == .socketDgram
        self.init(
            isSocket ? .socket(number) : .file(number), filetype: filetype,
            rights: rights.intersection(isSocket ? Self.socketStream : stream), isOwned: false,
            isShared: true)
    }

    /// Rights for a socket that is a standard stream: servers that are started for a connection
    /// have it as all three, and use each in both directions.
    private static let socketStream = Rights.stream.union(.sockShutdown)

    /// A duplicate of a descriptor of the host.
    ///
    /// - Parameter stream: the guest's rights; nil for all that the host has.
    convenience init(duplicating number: Int32, _ stream: Rights? = nil) throws(Errno) {
        try self.init(owning: try System.duplicate(number), isShared: true, stream)
    }

    /// A descriptor of the host, which is closed with this object, or if this throws.
    convenience init(
        owning number: Int32, isShared: Bool = false, _ stream: Rights? = nil
    ) throws(Errno) {
        do throws(Errno) {
            let filetype = try System.filestat(number).filetype
            // A folder would give access to everything in it; folders are given by `WASI.folders`.
            guard filetype != .directory else { throw .isdir }
            let mode = try System.flags(number)
            var rights = Rights.applicable(to: filetype, isTerminal: System.isTerminal(number))
            if !mode.reads { rights.remove(.fdRead) }
            if !mode.writes { rights.subtract(Rights.writing.union(.fdFilestatSetTimes)) }
            let isSocket = filetype == .socketStream || filetype == .socketDgram
            if let stream { rights.formIntersection(isSocket ? Self.socketStream : stream) }
            self.init(
                isSocket ? .socket(number) : .file(number), filetype: filetype, rights: rights,
                flags: mode.flags.intersection(.nonblock), isShared: isShared)
        } catch {
            try? System.close(number)
            throw error
        }
    }

    /// A listening socket.
    convenience init(listeningOn address: SocketAddress) throws(Errno) {
        self.init(.socket(try System.listen(address)), filetype: .socketStream, rights: .socket)
    }

    /// A preopened folder.
    convenience init(_ folder: WASI.Folder) throws(Errno) {
        let resource: Resource
        if let memory = folder.memory {
            resource = .memoryDirectory(memory.directory)
        } else {
            let path = try GuestPath(folder.hostPathBytes)
            resource = .directory(try System.openFolder(path.cString))
        }
        self.init(
            resource, filetype: .directory,
            rights: .directory, inheriting: .directoryInheriting, isReadOnly: folder.isReadOnly,
            preopenName: folder.guestPathBytes)
    }
}
