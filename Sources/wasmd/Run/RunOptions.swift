import WasmInterpreter
import WasmWASI
import WasmdDocuments
import WasmdOperation

/// The options of `wasmd run`, as values.
struct RunOptions {
    /// The file's path.
    let path: Word
    /// Words after the file: arguments of the program, or of the function that is invoked.
    let words: [Word]
    let folders: [WASI.Folder]
    let environment: [EnvironmentEntry]
    let inheritsEnvironment: Bool
    /// File to read as standard input.
    let standardInput: Word?
    /// The guest's first argument; nil for the file's name.
    let argumentZero: Word?
    /// Folder to change to first.
    let workingFolder: Word?
    let listeners: [SocketAddress]
    /// Descriptors of this process for the guest.
    let descriptors: [Int32]
    /// Hosts that the program may send requests to, and how many responses it may have open.
    let allowedHosts: [String]
    let sessionLimit: Int
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
    /// Whether the process restricts itself before the program runs, and how strictly.
    let sandbox: Sandbox?
    /// Whether runs must be repeatable.
    let isDeterministic: Bool
    let features: Features
    let showsStatistics: Bool
    /// Files to write when the program has ended.
    let profile: Word?
    let flamegraph: Word?
    let coverage: Word?
    let coredump: Word?
    /// File for the module that holds the state of the program when its call has returned.
    let savedModule: Word?
    let trace: Trace?
    /// Modules that are linked first, in this order.
    let preloads: [Preload]
    /// How missing imports are defined; nil to refuse the module.
    let unknownImports: UnknownImports?

    /// The file's name in messages.
    var file: String { path.text }
    /// The words after the file as text: see `Word.text`.
    var arguments: [String] { words.map(\.text) }

    /// Where `--trace` writes.
    enum Trace: Equatable {
        case standardError
        case file(Word)
    }

    /// A module under a name: `--preload`.
    struct Preload: Equatable {
        let name: Word
        let file: Word
    }

    /// Part of `--env`.
    enum EnvironmentEntry: Equatable {
        case set(name: Word, value: Word)
        case copy(name: Word)
    }

    /// How long the guest may run, and the text of the option.
    struct Timeout: Equatable {
        let nanoseconds: Int64
        let text: String
    }

    init(_ arguments: ParsedArguments) throws(UsageError) {
        path = arguments.words.first ?? ""
        words = Array(arguments.words.dropFirst())
        inheritsEnvironment = arguments.has(.envInherit)
        function = arguments.value(of: .invoke)
        showsStatistics = arguments.has(.stats)
        profile = arguments.word(of: .profile)
        flamegraph = arguments.word(of: .flamegraph)
        coverage = arguments.word(of: .coverage)
        coredump = arguments.word(of: .coredump)
        savedModule = arguments.word(of: .saveModule)
        trace = arguments.word(of: .trace).map { word in
            word.isEmpty || word == "-" ? .standardError : .file(word)
        }
        preloads = try arguments.readAll(
            .preload, expected: "NAME=FILE, for example math=math.wasm", Self.preload)
        unknownImports = try arguments.read(
            .unknownImports, expected: UnknownImports.words.joined(separator: " or "),
            UnknownImports.init(word:))

        var folders: [WASI.Folder] = []
        for word in arguments.words(of: .dir) { folders.append(try Self.folder(word)) }
        self.folders = folders
        var environment: [EnvironmentEntry] = []
        for word in arguments.words(of: .env) { environment.append(try Self.variable(word)) }
        self.environment = environment

        standardInput = arguments.word(of: .stdin)
        argumentZero = arguments.word(of: .argv0)
        workingFolder = arguments.word(of: .chdir)
        listeners = try arguments.readAll(
            .tcplisten, expected: "127.0.0.1:PORT, [::1]:PORT or unix:PATH"
        ) { (word: Word) in SocketAddress(word.bytes) }
        descriptors = try arguments.readAll(
            .listenFd, expected: "the number of an open descriptor"
        ) { word in Quantity.count(word.text).flatMap(Int32.init(exactly:)) }

        allowedHosts = arguments.values(of: .allowHost)
        if !allowedHosts.isEmpty, let bad = OutboundPolicy.malformed(allowing: allowedHosts) {
            throw .invalidValue(
                bad, of: Option.allowHost.flag,
                expected: "a URL or a host, for example http://HOST or HOST:PORT", arguments.verb)
        }
        sessionLimit =
            try arguments.read(.maxSessions, expected: "a number from 1 to 10000") { text in
                Quantity.count(text).flatMap { 1...10_000 ~= $0 ? Int($0) : nil }
            } ?? 42

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
        sandbox = try arguments.read(
            .sandbox, expected: "nothing or " + Sandbox.words.joined(separator: ", "),
            Sandbox.init(word:))
        isDeterministic = arguments.has(.deterministic)
        let features = try arguments.features()
        self.features = isDeterministic ? features.subtracting(.threads) : features
    }

    /// Whether there is output to write when a signal ends the program, besides that of
    /// `ObservationFiles`.
    var isWorthStopping: Bool { showsStatistics || coredump != nil || trace != nil }

    private static let sizes = "a size, for example 64MiB"
    /// More than the address space of any machine.
    private static let largestStack: UInt64 = 1 << 40

    /// Reads `HOST[::GUEST][:ro]`.
    static func folder(_ word: Word) throws(UsageError) -> WASI.Folder {
        let isReadOnly = word.hasSuffix(":ro")
        let paths = isReadOnly ? Word(bytes: word.bytes.dropLast(3)) : word
        let (host, guest) = paths.split(at: "::") ?? (paths, paths)
        guard !host.isEmpty, !guest.isEmpty, !paths.hasSuffix(":rw") else {
            throw .invalidValue(
                word.text, of: "--dir",
                expected: "a folder, for example data::/data, or data::/data:ro to only read", .run)
        }
        return WASI.Folder(
            hostPath: host.bytes, guestPath: guest.bytes, isReadOnly: isReadOnly)
    }

    /// Reads `NAME=FILE`.
    private static func preload(_ word: Word) -> Preload? {
        guard let (name, file) = word.split(at: "="), !name.isEmpty, !file.isEmpty else {
            return nil
        }
        return Preload(name: name, file: file)
    }

    /// Reads `NAME=VALUE` or `NAME`.
    static func variable(_ word: Word) throws(UsageError) -> EnvironmentEntry {
        let parts = word.split(at: "=")
        let name = parts?.before ?? word
        guard !name.isEmpty else {
            throw .invalidValue(word.text, of: "--env", expected: "NAME=VALUE", .run)
        }
        guard let value = parts?.after else { return .copy(name: name) }
        return .set(name: name, value: value)
    }
}

extension UnknownImports {
    /// The values of `--unknown-imports`.
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
        _ option: Option, expected: @autoclosure () -> String, _ parse: (String) -> Value?
    ) throws(UsageError) -> Value? {
        guard let text = value(of: option) else { return nil }
        guard let value = parse(text) else {
            throw .invalidValue(text, of: option.flag, expected: expected(), verb)
        }
        return value
    }

    /// The values of an option that may be repeated.
    func readAll<Value>(
        _ option: Option, expected: @autoclosure () -> String, _ parse: (Word) -> Value?
    ) throws(UsageError) -> [Value] {
        var read: [Value] = []
        for word in words(of: option) {
            guard let value = parse(word) else {
                throw .invalidValue(word.text, of: option.flag, expected: expected(), verb)
            }
            read.append(value)
        }
        return read
    }

    /// The features of `--features`, or the default.
    func features() throws(UsageError) -> Features {
        guard let text = value(of: .features) else { return .default }
        return try FeatureList.parse(text, for: verb)
    }
}
