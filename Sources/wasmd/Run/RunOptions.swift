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
    /// Whether runs are to be repeatable.
    let isDeterministic: Bool
    let features: Features
    let showsStatistics: Bool
    /// Files to write when the program has ended.
    let profile: String?
    let flamegraph: String?
    let coverage: String?
    let coredump: String?
    let trace: Trace?
    /// Modules that are linked first, in this order.
    let preloads: [Preload]
    /// What stands in for imports that are missing; nil to refuse the module.
    let unknownImports: UnknownImports?

    /// Where `--trace` writes.
    enum Trace: Equatable {
        case standardError
        case file(String)
    }

    /// A module under a name: `--preload`.
    struct Preload: Equatable {
        let name: String
        let file: String
    }

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
        coredump = arguments.value(of: .coredump)
        trace = arguments.value(of: .trace).map { text in
            text.isEmpty || text == "-" ? .standardError : .file(text)
        }
        preloads = try arguments.readAll(
            .preload, expected: "NAME=FILE, for example math=math.wasm", Self.preload)
        unknownImports = try arguments.read(
            .unknownImports, expected: UnknownImports.words.joined(separator: " or "),
            UnknownImports.init(word:))

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
        timeout = try arguments.read(
            .timeout, expected: "a time above zero with its unit, for example 500ms or 2s"
        ) { text in
            Quantity.nanoseconds(text).map { Timeout(nanoseconds: $0, text: text) }
        }
        isDeterministic = arguments.has(.deterministic)
        let features = try arguments.features()
        self.features = isDeterministic ? features.subtracting(.threads) : features
    }

    /// Whether there is something to write when a signal ends the program, apart from what
    /// `ObservationFiles` does.
    var isWorthStopping: Bool { showsStatistics || coredump != nil || trace != nil }

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
        guard !host.isEmpty, !guest.isEmpty, !rest.hasSuffix(":rw") else {
            throw .invalidValue(
                text, of: "--dir",
                expected: "a folder, for example data::/data, or data::/data:ro to only read", .run)
        }
        return WASI.Folder(
            hostPath: String(host), guestPath: String(guest), isReadOnly: isReadOnly)
    }

    /// Reads `NAME=FILE`.
    private static func preload(_ text: String) -> Preload? {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else { return nil }
        return Preload(name: String(parts[0]), file: String(parts[1]))
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

extension UnknownImports {
    /// What `--unknown-imports` takes.
    static let words = ["trap", "zero"]

    init?(word: String) {
        switch word {
        case "trap": self = .trap
        case "zero": self = .zero
        default: return nil
        }
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
