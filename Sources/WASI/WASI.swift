/// The configuration of a guest of `wasi_snapshot_preview1`: everything that it can access is
/// listed here.
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
/// A value: it can be kept and used for any number of guests.
///
/// Arguments, variables and paths are bytes to the system, and need not be UTF-8. Properties with
/// two forms store the bytes; the string form repairs malformed UTF-8, and setting it replaces the
/// bytes.
public struct WASI: Sendable {
    /// The program's arguments; the first is its name. Without NUL bytes.
    public var argumentBytes: [[UInt8]]
    /// Variables of the environment in the guest's order. Without NUL bytes;
    /// names without `=`.
    public var environmentBytes: [(name: [UInt8], value: [UInt8])]
    /// More variables, after `environmentBytes`, as one block: `NAME=value`, each followed by NUL.
    /// A server that makes a guest for each request needs no allocation for each variable then.
    public var environmentBlock: [UInt8] = []
    /// Preopened folders. They get the numbers from 3 on, in this order.
    public var folders: [Folder] = []
    /// Addresses on which sockets listen for connections from the guest's start on. They get the
    /// numbers after the folders; the guest accepts with `sock_accept`.
    public var listeners: [SocketAddress] = []
    /// Descriptors of the host, which get the numbers after folders and listeners: sockets, pipes,
    /// open files. They are duplicated; the caller keeps its own. A listening socket should have
    /// `O_NONBLOCK`, which is not set here because all processes with the socket share it: without
    /// it, `sock_accept` holds the guest's thread if another process takes the connection first.
    public var descriptors: [Int32] = []
    /// Streams of the embedder that the guest gets after these, for reading and writing: sockets
    /// (`StreamSocket`) and pipes.
    public var streams: [any GuestStream] = []

    public var standardInput: Input = .inherit
    public var standardOutput: Output = .inherit
    public var standardError: Output = .inherit

    public var clock: ClockSource = .system
    public var random: RandomSource = .system

    /// Receives a line for every call of the guest; nil, the default, costs nothing.
    public var trace: CallTrace?

    public var limits = Limits()
    /// How paths are kept beneath their folder.
    public var pathResolution: PathResolution = .automatic

    public init(
        arguments: [String] = [], environment: [(name: String, value: String)] = []
    ) {
        argumentBytes = arguments.map { Array($0.utf8) }
        environmentBytes = environment.map { (Array($0.name.utf8), Array($0.value.utf8)) }
    }

    /// The arguments as strings: see `argumentBytes`.
    public var arguments: [String] {
        get { argumentBytes.map { String(decoding: $0, as: UTF8.self) } }
        set { argumentBytes = newValue.map { Array($0.utf8) } }
    }

    /// The environment as strings: see `environmentBytes`.
    public var environment: [(name: String, value: String)] {
        get {
            environmentBytes.map { name, value in
                (String(decoding: name, as: UTF8.self), String(decoding: value, as: UTF8.self))
            }
        }
        set { environmentBytes = newValue.map { (Array($0.name.utf8), Array($0.value.utf8)) } }
    }

    /// Ignores `SIGPIPE` and `SIGXFSZ` in the whole process.
    ///
    /// Guests do not need it: a pipe without a reader is `pipe` for them and a file above the
    /// process's limit `fbig`, and the process gets no signal. It saves two system calls for each
    /// write.
    public static func ignoreBrokenPipes() { System.ignoreWriteSignals() }
}

extension WASI {
    /// A folder that the guest may use: of the host or in memory.
    public struct Folder: Sendable, Hashable {
        /// The folder's path on the host; ignored for one in memory.
        public var hostPathBytes: [UInt8]
        /// The folder, if it is in memory.
        public var memory: MemoryFolder?
        /// The guest's name of it, for example `/data` or `.`.
        public var guestPathBytes: [UInt8]
        /// Whether the guest may only read; changes fail with `rofs`.
        public var isReadOnly: Bool

        public init(hostPath: String, guestPath: String, isReadOnly: Bool = false) {
            self.init(
                hostPath: Array(hostPath.utf8), guestPath: Array(guestPath.utf8),
                isReadOnly: isReadOnly)
        }

        /// The same for paths that need not be UTF-8.
        public init(hostPath: [UInt8], guestPath: [UInt8], isReadOnly: Bool = false) {
            hostPathBytes = hostPath
            guestPathBytes = guestPath
            self.isReadOnly = isReadOnly
        }

        public init(_ memory: MemoryFolder, guestPath: String, isReadOnly: Bool = false) {
            self.init(hostPath: "", guestPath: guestPath, isReadOnly: isReadOnly)
            self.memory = memory
        }

        /// `hostPathBytes` as a string.
        public var hostPath: String {
            get { String(decoding: hostPathBytes, as: UTF8.self) }
            set { hostPathBytes = Array(newValue.utf8) }
        }

        /// `guestPathBytes` as a string.
        public var guestPath: String {
            get { String(decoding: guestPathBytes, as: UTF8.self) }
            set { guestPathBytes = Array(newValue.utf8) }
        }
    }

    /// Fills a buffer, which is never empty, and returns the number of bytes; 0 at the end.
    public typealias ReadBody =
        @Sendable (UnsafeMutableRawBufferPointer) throws(Errno) -> Int
    /// Takes all bytes of a buffer, which is never empty and valid only during the call.
    public typealias WriteBody = @Sendable (UnsafeRawBufferPointer) throws(Errno) -> Void

    /// The source of standard input.
    public enum Input: Sendable {
        /// Standard input of this process, only for reading. If the process has none when the guest
        /// is made, reading fails with `badf`.
        case inherit
        /// Empty.
        case null
        /// These bytes.
        case bytes([UInt8])
        /// The bytes that the closure writes to a buffer. It cannot let the guest wait: see
        /// `stream`.
        case closure(ReadBody)
        /// A stream of the embedder; the guest waits if it has no bytes yet.
        case stream(any GuestStream)
        /// A descriptor of the host, for example the end of a pipe, only for reading. It is
        /// duplicated.
        case descriptor(Int32)
    }

    /// The destination of standard output or standard error.
    public enum Output: Sendable {
        /// The same stream of this process, only for writing, without a buffer in between. If the
        /// process has none when the guest is made, writing fails with `badf`.
        case inherit
        /// Discards all bytes.
        case null
        case buffer(OutputBuffer)
        case closure(WriteBody)
        /// A stream of the embedder; the guest waits if it has no space.
        case stream(any GuestStream)
        /// A descriptor of the host, for example the end of a pipe, only for writing. It is
        /// duplicated.
        case descriptor(Int32)
    }

    /// How paths are kept beneath their folder.
    public enum PathResolution: Sendable {
        /// By the kernel if it has `openat2`, otherwise as `componentWalk`.
        case automatic
        /// Component by component; the host follows no links.
        case componentWalk
    }

    /// The limits of a guest.
    public struct Limits: Sendable, Hashable {
        /// Open descriptors; opening more fails with `mfile`. Default: a quarter of the process's
        /// soft limit (`RLIMIT_NOFILE`), at least 64 and at most 1024; the rest is for the host and
        /// for other guests.
        public var descriptors = System.descriptorLimit.map { min(max($0 / 4, 64), 1024) } ?? 256
        /// Bytes that the guest may write to files in total; more fail with `dquot`. Nil: no limit.
        public var writtenBytes: UInt64?
        /// Threads besides the first; spawning more fails. See `GuestThreads`.
        public var threads = 1024

        public init() {}

        /// How many descriptors the process may have open; nil if there is no limit.
        public static var descriptorsOfProcess: Int? { System.descriptorLimit }
    }
}

/// A `WASIGuest` could not be made.
public enum WASISetupError: Error, Hashable, Sendable {
    /// An argument holds a NUL byte.
    case malformedArgument(String)
    /// A variable's name is empty or holds `=`, or its name or value holds a NUL byte.
    case malformedVariable(name: String)
    /// The folder cannot be opened.
    case folder(hostPath: String, Errno)
    /// The address cannot be listened on.
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
        case .listener(let address, .addrinuse) where address.path != nil:
            "cannot listen on \(address): another program listens there, or it is no socket"
        case .listener(let address, let error): "cannot listen on \(address): \(error)"
        case .descriptor(let number, let error): "descriptor \(number): \(error)"
        case .tooManyDescriptors: "too many open descriptors"
        }
    }
}
