import WasmInterpreter
import WasmWASI

/// What `wasmd run` was asked to do, as values.
struct RunOptions {
    let file: String
    /// Words behind the file: arguments of the program, or of the function that is invoked.
    let arguments: [String]
    let folders: [WASI.Folder]
    let environment: [EnvironmentEntry]
    let inheritsEnvironment: Bool
    /// File to read as standard input.
    let standardInput: String?
    /// What the guest finds as its first argument; nil for the file's name.
    let argumentZero: String?
    /// Folder to go to first.
    let workingFolder: String?
    let listeners: [SocketAddress]
    /// Descriptors of this process for the guest.
    let descriptors: [Int32]
    /// Name of the export to call instead of `_start`.
    let function: String?
    let fuel: UInt64?
    let timeout: Timeout?
    let maximumMemory: UInt64?
    let maximumHeap: UInt64?
    let stackByteCount: Int?
    let maximumTable: UInt64?
    let maximumThreads: Int?
    let maximumDescriptors: Int?
    /// Whether runs are to be repeatable.
    let isDeterministic: Bool
    let features: Features
    let showsStatistics: Bool
    /// Files to write when the program has ended.
    let profile: String?
    let flamegraph: String?
    let coverage: String?

    /// Part of `--env`.
    enum EnvironmentEntry: Equatable {
        case set(name: String, value: String)
        case copy(name: String)
    }

    /// How long the guest may run, and how the user put it.
    struct Timeout: Equatable {
        let nanoseconds: Int64
        let text: String
    }

    init(_ arguments: ParsedArguments) throws(UsageError) {
        file = arguments.operands.first ?? ""
        self.arguments = Array(arguments.operands.dropFirst())
        inheritsEnvironment = arguments.has(.envInherit)
        function = arguments.value(of: .invoke)
        showsStatistics = arguments.has(.stats)
        profile = arguments.value(of: .profile)
        flamegraph = arguments.value(of: .flamegraph)
        coverage = arguments.value(of: .coverage)

        var folders: [WASI.Folder] = []
        for text in arguments.values(of: .dir) { folders.append(try Self.folder(text)) }
        self.folders = folders
        var environment: [EnvironmentEntry] = []
        for text in arguments.values(of: .env) { environment.append(try Self.variable(text)) }
        self.environment = environment

        standardInput = arguments.value(of: .stdin)
        argumentZero = arguments.value(of: .argv0)
        workingFolder = arguments.value(of: .chdir)
        listeners = try arguments.readAll(
            .tcplisten, expected: "127.0.0.1:PORT, [::1]:PORT or unix:PATH", SocketAddress.init)
        descriptors = try arguments.readAll(
            .listenFd, expected: "the number of an open descriptor"
        ) { text in Quantity.count(text).flatMap(Int32.init(exactly:)) }

        fuel = try arguments.read(.fuel, expected: "a number", Quantity.count)
        maximumMemory = try arguments.read(.maxMemory, expected: Self.sizes, Quantity.bytes)
        maximumHeap = try arguments.read(.maxHeap, expected: Self.sizes, Quantity.bytes)
        stackByteCount = try arguments.read(.stackSize, expected: Self.sizes) { text in
            Quantity.bytes(text).flatMap { $0 <= Self.largestStack ? Int(exactly: $0) : nil }
        }
        maximumTable = try arguments.read(
            .maxTable, expected: "a number of elements", Quantity.count)
        let clamped = { (text: String) in Quantity.count(text).map { Int(clamping: $0) } }
        maximumThreads = try arguments.read(.maxThreads, expected: "a number of threads", clamped)
        maximumDescriptors = try arguments.read(
            .maxDescriptors, expected: "a number of descriptors", clamped)
        timeout = try arguments.read(
            .timeout, expected: "a time above zero with its unit, for example 500ms or 2s"
        ) { text in
            Quantity.nanoseconds(text).map { Timeout(nanoseconds: $0, text: text) }
        }
        isDeterministic = arguments.has(.deterministic)
        let features = try arguments.features()
        self.features = isDeterministic ? features.subtracting(.threads) : features
    }

    private static let sizes = "a size, for example 64MiB"
    /// No machine has more address space to give.
    private static let largestStack: UInt64 = 1 << 40

    /// Reads `HOST[::GUEST][:ro]`.
    static func folder(_ text: String) throws(UsageError) -> WASI.Folder {
        var rest = text[...]
        let isReadOnly = rest.hasSuffix(":ro")
        if isReadOnly { rest = rest.dropLast(3) }
        var host = rest
        var guest = rest
        if let colons = firstDoubleColon(in: rest) {
            host = rest[..<colons]
            guest = rest[rest.index(colons, offsetBy: 2)...]
        }
        guard !host.isEmpty, !guest.isEmpty else {
            throw .invalidValue(
                text, of: "--dir", expected: "a folder, for example data::/data:ro", .run)
        }
        return WASI.Folder(
            hostPath: String(host), guestPath: String(guest), isReadOnly: isReadOnly)
    }

    private static func firstDoubleColon(in text: Substring) -> Substring.Index? {
        var index = text.startIndex
        while index < text.endIndex {
            if text[index...].hasPrefix("::") { return index }
            index = text.index(after: index)
        }
        return nil
    }

    /// Reads `NAME=VALUE` or `NAME`.
    static func variable(_ text: String) throws(UsageError) -> EnvironmentEntry {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard let name = parts.first, !name.isEmpty else {
            throw .invalidValue(text, of: "--env", expected: "NAME=VALUE", .run)
        }
        guard parts.count == 2 else { return .copy(name: String(name)) }
        return .set(name: String(name), value: String(parts[1]))
    }
}

extension ParsedArguments {
    /// The value of an option, read by `parse`; nil if the option was not given.
    func read<Value>(
        _ option: Option, expected: String, _ parse: (String) -> Value?
    ) throws(UsageError) -> Value? {
        guard let text = value(of: option) else { return nil }
        guard let value = parse(text) else {
            throw .invalidValue(text, of: option.flag, expected: expected, verb)
        }
        return value
    }

    /// The values of an option that may be repeated.
    func readAll<Value>(
        _ option: Option, expected: String, _ parse: (String) -> Value?
    ) throws(UsageError) -> [Value] {
        var read: [Value] = []
        for text in values(of: option) {
            guard let value = parse(text) else {
                throw .invalidValue(text, of: option.flag, expected: expected, verb)
            }
            read.append(value)
        }
        return read
    }

    /// What `--features` says, or the default.
    func features() throws(UsageError) -> Features {
        guard let text = value(of: .features) else { return .default }
        return try FeatureList.parse(text, for: verb)
    }
}
