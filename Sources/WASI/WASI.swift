/// What a guest of `wasi_snapshot_preview1` sees of the world: everything it can reach is named
/// here, and nothing else is reachable.
///
///     var wasi = WASI(arguments: ["hello", "world"])
///     wasi.folders = [.init(hostPath: "data", guestPath: "/data", isReadOnly: true)]
///     print("exit code", try wasi.run("hello.wasm"))
///
/// or, to call single functions of the guest, or to run it with limits:
///
///     try linker.define(wasi)
///     let instance = try linker.instantiate(module, in: store)
///
/// A value: it can be kept and used for any number of guests. Writing to a pipe that nobody reads
/// sends the process `SIGPIPE`, which ends it unless it is ignored: see `ignoreBrokenPipes()`.
public struct WASI: Sendable {
    /// The program's arguments; the first is its name. Without NUL bytes.
    public var arguments: [String]
    /// Variables of the environment in the order in which the guest sees them. Without NUL bytes;
    /// names without `=`.
    public var environment: [(name: String, value: String)]
    /// Preopened folders. They get the numbers from 3 on, in this order.
    public var folders: [Folder] = []
    /// Addresses on which sockets listen for connections from the guest's start on. They get the
    /// numbers behind the folders; the guest accepts with `sock_accept`.
    public var listeners: [SocketAddress] = []
    /// Descriptors of the host that the guest finds behind its folders and listeners: sockets,
    /// pipes, open files. They are duplicated; the caller keeps its own.
    public var descriptors: [Int32] = []

    public var standardInput: Input = .inherit
    public var standardOutput: Output = .inherit
    public var standardError: Output = .inherit

    public var clock: ClockSource = .system
    public var random: RandomSource = .system

    public var limits = Limits()
    /// How paths are kept beneath their folder.
    public var pathResolution: PathResolution = .automatic

    public init(
        arguments: [String] = [], environment: [(name: String, value: String)] = []
    ) {
        self.arguments = arguments
        self.environment = environment
    }

    /// Lets writes to a pipe that nobody reads fail with `pipe` instead of ending the process:
    /// ignores `SIGPIPE` in the whole process.
    public static func ignoreBrokenPipes() { System.ignoreBrokenPipes() }
}

extension WASI {
    /// A folder that the guest may use: of the host or in memory.
    public struct Folder: Sendable, Hashable {
        /// Where the folder is on the host; without meaning for one in memory.
        public var hostPath: String
        /// The folder, if it is in memory.
        public var memory: MemoryFolder?
        /// The name under which the guest finds it, for example `/data` or `.`.
        public var guestPath: String
        /// Whether the guest may only read; what would change the folder fails with `rofs`.
        public var isReadOnly: Bool

        public init(hostPath: String, guestPath: String, isReadOnly: Bool = false) {
            self.hostPath = hostPath
            self.guestPath = guestPath
            self.isReadOnly = isReadOnly
        }

        public init(_ memory: MemoryFolder, guestPath: String, isReadOnly: Bool = false) {
            self.init(hostPath: "", guestPath: guestPath, isReadOnly: isReadOnly)
            self.memory = memory
        }
    }

    /// Fills a buffer, which is never empty, and answers how many bytes it put there; 0 at the end.
    public typealias ReadBody =
        @Sendable (UnsafeMutableRawBufferPointer) throws(Errno) -> Int
    /// Takes all bytes of a buffer, which is never empty and valid during the call only.
    public typealias WriteBody = @Sendable (UnsafeRawBufferPointer) throws(Errno) -> Void

    /// What standard input reads from.
    public enum Input: Sendable {
        /// Standard input of this process.
        case inherit
        /// Nothing: at its end from the start.
        case null
        /// The bytes, once.
        case bytes([UInt8])
        case closure(ReadBody)
        /// A descriptor of the host, for example the end of a pipe. It is duplicated.
        case descriptor(Int32)
    }

    /// What standard output or standard error write to.
    public enum Output: Sendable {
        /// The same stream of this process, without a buffer in between.
        case inherit
        /// Nowhere.
        case null
        case buffer(OutputBuffer)
        case closure(WriteBody)
        /// A descriptor of the host, for example the end of a pipe. It is duplicated.
        case descriptor(Int32)
    }

    /// How paths are kept beneath their folder.
    public enum PathResolution: Sendable {
        /// By the kernel (`openat2`) where it can, otherwise as `componentWalk`.
        case automatic
        /// Component by component, without following what the host would follow.
        case componentWalk
    }

    /// What a guest may use at most.
    public struct Limits: Sendable, Hashable {
        /// Open descriptors; opening more fails with `mfile`. Default: a quarter of what the process may
        /// open (the soft limit, `RLIMIT_NOFILE`), at least 64 and at most 1024: the rest is for the host
        /// and for other guests.
        public var descriptors = System.descriptorLimit.map { min(max($0 / 4, 64), 1024) } ?? 256
        /// Bytes that the guest may write to files in all; more fail with `dquot`. Nil: no limit.
        public var writtenBytes: UInt64?
        /// Threads beside the first; spawning more fails. See `GuestThreads`.
        public var threads = 1024

        public init() {}

        /// How many descriptors the process may have open; nil if there is no limit.
        public static var descriptorsOfProcess: Int? { System.descriptorLimit }
    }
}

/// A guest's world could not be set up.
public enum WASISetupError: Error, Hashable, Sendable {
    /// An argument holds a NUL byte.
    case malformedArgument(String)
    /// A variable's name is empty or holds `=`, or its name or value holds a NUL byte.
    case malformedVariable(name: String)
    /// The folder cannot be opened.
    case folder(hostPath: String, Errno)
    /// Nothing can listen on the address.
    case listener(SocketAddress, Errno)
    /// A descriptor of the host cannot be used.
    case descriptor(Int32, Errno)
    /// The guest would have more descriptors than its limit allows.
    case tooManyDescriptors
}

extension WASISetupError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .malformedArgument(let argument): "argument \(argument.debugDescription) holds a NUL"
        case .malformedVariable(let name): "variable \(name.debugDescription) is malformed"
        case .folder(let path, let error): "folder \(path): \(error)"
        case .listener(let address, let error): "cannot listen on \(address): \(error)"
        case .descriptor(let number, let error): "descriptor \(number): \(error)"
        case .tooManyDescriptors: "too many open descriptors"
        }
    }
}
