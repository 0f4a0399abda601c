import WasmDecoder
import WasmSystem
import WasmText
import WasmWASI
import WasmdDocuments
import WasmdWATM

/// What `wasmd watm` is asked for.
struct TransportSettings {
    enum Verb: String, CaseIterable {
        case dial, listen, relay, run, validate
        /// The original's names.
        case dialer, listener

        static let words = ["dial", "listen", "relay", "run", "validate"]

        /// Nil for `validate`.
        var role: TransportRole? {
            switch self {
            case .dial, .dialer: .dial
            case .listen, .listener: .listen
            case .relay: .relay
            case .run: .run
            case .validate: nil
            }
        }
    }

    let verb: Verb
    /// Files of modules, in the order in which bytes in clear pass them.
    let modules: [Word]
    let remote: TransportAddress?
    let addresses: [TransportListen]
    let configuration: Word?
    let hostConfiguration: Word?
    let allowed: [String]
    let arguments: [Word]
    let run: RunOptions
    let limits: TransportOptions.Limits
    let connectionLimit: Int?
    let keepsHalves: Bool
    let framesDatagrams: Bool
    /// Nil for the default.
    let datagramIdleTime: Duration?
    let entry: String?
    let loopCount: Int?
    let printsJSON: Bool
    let features: Features
    /// Nil for `--no-sandbox`.
    let sandbox: Sandbox?

    init(_ arguments: ParsedArguments) throws(UsageError) {
        guard let first = arguments.words.first else { throw .missingOperand("VERB", .watm) }
        guard let verb = Verb(rawValue: first.text) else {
            throw .unknownVerb(
                first.text, suggestion: Suggestion.best(for: first.text, in: Verb.words))
        }
        self.verb = verb
        let words = arguments.words.dropFirst()
        if verb != .validate, let word = words.first { throw .unexpectedOperand(word.text, .watm) }
        modules =
            Self.words(of: .transportModule, .transportWasm, in: arguments)
            + (verb == .validate ? Array(words) : [])
        var addresses: [TransportListen] = []
        for option in [Option.transportListen, .transportLaddr] {
            addresses += try arguments.readAll(
                option, expected: TransportListen.expected
            ) { (word: Word) in TransportListen(word.bytes) }
        }
        self.addresses = addresses
        var remotes: [TransportAddress] = []
        for option in [Option.remote, .transportRaddr] {
            remotes += try arguments.readAll(
                option, expected: TransportListen.expectedRemote
            ) { (word: Word) in TransportAddress(word.bytes) }
        }
        remote = remotes.last
        configuration = arguments.word(of: .guestConfig)
        hostConfiguration = arguments.word(of: .hostConfig)
        allowed = arguments.values(of: .allow)
        self.arguments = arguments.words(of: .guestArgument)
        run = try RunOptions(arguments)
        entry = arguments.value(of: .entry)
        keepsHalves = arguments.has(.halfClose)
        framesDatagrams = arguments.has(.frameDatagrams)
        datagramIdleTime = try arguments.read(
            .datagramIdle, expected: "a time above zero with its unit, for example 30s"
        ) { text in Quantity.nanoseconds(text).map { .nanoseconds($0) } }
        printsJSON = arguments.has(.json)
        features = run.features
        sandbox = try arguments.servingSandbox(.watm)
        connectionLimit = try arguments.read(
            .maxConnections, expected: "a number above zero"
        ) { text in Quantity.count(text).flatMap { $0 > 0 ? Int(clamping: $0) : nil } }
        loopCount = try arguments.read(.loops, expected: "a number from 1 to 1024") { text in
            Quantity.count(text).flatMap { 1...1024 ~= $0 ? Int($0) : nil }
        }
        limits = try Self.limits(arguments, run)
    }

    private static func words(
        of option: Option, _ other: Option, in arguments: ParsedArguments
    ) -> [Word] {
        arguments.options.filter { $0.name == option.name || $0.name == other.name }.map(\.value)
    }

    private static func limits(
        _ arguments: ParsedArguments, _ run: RunOptions
    ) throws(UsageError) -> TransportOptions.Limits {
        var limits = TransportOptions.Limits()
        func time(_ option: Option) throws(UsageError) -> Duration? {
            try arguments.read(
                option, expected: "a time above zero with its unit, for example 500ms or 2s"
            ) { text in Quantity.nanoseconds(text).map { .nanoseconds($0) } }
        }
        if let memory = run.maximumMemory { limits.memory = memory }
        if let stack = run.stackByteCount { limits.stack = stack }
        if let descriptors = run.maximumDescriptors { limits.descriptors = descriptors }
        limits.fuel = run.fuel
        limits.time = run.timeout.map { .nanoseconds($0.nanoseconds) }
        if let start = try time(.startTimeout) { limits.startTime = start }
        if let connect = try time(.connectTimeout) { limits.connectTime = connect }
        return limits
    }
}
