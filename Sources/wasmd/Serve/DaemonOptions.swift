import WasmSystem
import WasmWASI
import WasmdDocuments
import WasmdHTTP
import WasmdOperation

/// The options of `wasmd serve` without a path. They go before variables and the file.
struct DaemonOptions: Sendable {
    /// The configuration file.
    let file: Word?
    /// `--wess-config`: the file of wess, which goes before the configuration file.
    let wessFile: Word?
    /// `--check`: the file to check, and nothing else.
    let checked: Word?
    let printsJSON: Bool
    private let changes: [@Sendable (inout DaemonSettings) -> Void]

    init(_ arguments: ParsedArguments) throws(UsageError) {
        file = arguments.word(of: .config)
        wessFile = arguments.word(of: .wessConfig)
        let hasWessFile = wessFile != nil
        checked = arguments.word(of: .check)
        printsJSON = arguments.has(.json)
        // Programs of a path have these, stored modules do not.
        for option in [Option.dir, .env, .envInherit, .features] where arguments.has(option) {
            throw .missingOperand("PATH", .serve)
        }
        if checked != nil, file != nil { throw .conflict(.check, .config, .serve) }
        if arguments.has(.noSandbox), arguments.has(.sandbox) {
            throw .conflict(.noSandbox, .sandbox, .serve)
        }
        var changes: [@Sendable (inout DaemonSettings) -> Void] = []
        func set<Value: Sendable>(
            _ value: Value?, _ change: @escaping @Sendable (inout DaemonSettings, Value) -> Void
        ) {
            if let value { changes.append { change(&$0, value) } }
        }
        func addresses(_ option: Option) throws(UsageError) -> [SocketAddress]? {
            let values = try arguments.readAll(
                option, expected: "127.0.0.1:PORT, [::1]:PORT or unix:PATH"
            ) { (word: Word) in SocketAddress(word.bytes) }
            return values.isEmpty ? nil : values
        }
        let transports = try Self.transports(arguments)
        let executor = (try addresses(.executor) ?? []) + (try addresses(.listen) ?? [])
        // What was not named on the command line is not opened beside what was.
        let legacy = try addresses(.executorLegacy)
        let wess = try addresses(.wess)
        let console = try addresses(.console)
        let supervisor = try addresses(.supervisor)
        let orchestrator = try addresses(.orchestrator)
        let othismo = try addresses(.othismo)
        let broker = try addresses(.broker)
        if !executor.isEmpty || legacy != nil || wess != nil || console != nil
            || supervisor != nil || orchestrator != nil || othismo != nil || broker != nil
            || !transports.isEmpty
        {
            changes.append { settings in
                settings.executor.listen = executor
                settings.executor.legacy = legacy ?? []
                // A file of wess that is named on the command line names its address, too.
                settings.wess.listen = wess ?? (hasWessFile ? settings.wess.listen : [])
                settings.console.listen = console ?? []
                settings.supervisor.listen = supervisor ?? []
                settings.orchestrator.listen = orchestrator ?? []
                settings.othismo.listen = othismo ?? []
                settings.broker.listen = broker ?? []
                settings.transports = transports
            }
        }
        set(arguments.word(of: .data)) { $0.common.data = $1.bytes }
        set(arguments.word(of: .wessLog)) { $0.wess.log = $1 }
        set(arguments.word(of: .cameraImage)) { $0.supervisor.image = $1 }
        set(arguments.word(of: .othismoImage)) { $0.othismo.image = $1 }
        set(arguments.word(of: .orchestratorInit)) { $0.orchestrator.initFolder = $1 }
        set(arguments.word(of: .orchestratorWeb)) { $0.orchestrator.webFolder = $1 }
        set(
            try arguments.read(
                .supervisorOrchestrator, expected: "a URL, for example http://HOST:3000"
            ) { text in URL(http: Array(text.utf8)) }
        ) { $0.supervisor.orchestrator = $1 }
        if arguments.has(.noMulticast) { changes.append { $0.discovery.usesMulticast = false } }
        if arguments.has(.insecure) { changes.append { $0.common.isInsecure = true } }
        set(
            try arguments.read(.loops, expected: "a number from 1 to 1024") { text in
                Quantity.count(text).flatMap { 1...1024 ~= $0 ? Int($0) : nil }
            }
        ) { $0.common.loops = $1 }
        set(
            try arguments.read(.maxRequests, expected: "a number above zero") { text in
                Quantity.count(text).flatMap { $0 > 0 ? Int(clamping: $0) : nil }
            }
        ) { $0.common.limits.runs = $1 }
        set(
            try arguments.read(.maxWaiting, expected: "a number") { text in
                Quantity.count(text).map { Int(clamping: $0) }
            }
        ) { $0.common.limits.waiting = $1 }
        set(
            try arguments.read(.runTimeout, expected: "a duration, for example 500ms") { text in
                Quantity.nanoseconds(text).map { Duration.nanoseconds($0) }
            }
        ) { $0.common.limits.runTime = $1 }
        set(
            try arguments.read(
                .runMaxMemory, expected: "a size, for example 64MiB", Quantity.bytes)
        ) { $0.common.limits.memory = $1 }
        set(try arguments.read(.fuel, expected: "a number", Quantity.count)) {
            $0.common.limits.fuel = $1
        }
        set(
            try arguments.read(.maxBody, expected: "a size, for example 8MiB", Quantity.bytes)
        ) { $0.common.limits.module = $1 }
        let proxies = try arguments.readAll(
            .trustProxy, expected: "an address or a network, for example 10.0.0.0/8"
        ) { (word: Word) in IPNetwork(word.bytes[...]) }
        if !proxies.isEmpty { changes.append { $0.common.access.proxies = proxies } }
        set(
            try arguments.read(.sandbox, expected: "strict, or nothing", Sandbox.init(word:))
        ) { $0.common.sandbox = $1 == .strict ? .strict : .on }
        if arguments.has(.noSandbox) { changes.append { $0.common.sandbox = .off } }
        self.changes = changes
    }

    private static func transports(
        _ arguments: ParsedArguments
    ) throws(UsageError) -> [TransportSection] {
        var number = 0
        let sections = try arguments.readAll(
            .transport,
            expected: "dial, listen or relay, then ,module=FILE,listen=ADDR,remote=ADDR"
        ) { (word: Word) -> TransportSection? in
            defer { number += 1 }
            return TransportSection(word, number: number)
        }
        for (index, section) in sections.enumerated()
        where sections.prefix(index).contains(where: { $0.name == section.name }) {
            throw .invalidValue(
                "name=\(section.name)", of: "--transport", expected: "another name for each",
                .serve)
        }
        return sections
    }

    /// Replaces what the options say.
    func apply(to settings: inout DaemonSettings) { for change in changes { change(&settings) } }
}
