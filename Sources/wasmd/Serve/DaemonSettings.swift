import WasmText
import WasmWASI
import WasmdDocuments
import WasmdOperation

/// What a daemon serves, and how: from a file, variables of the environment and options, of which
/// the later ones count.
struct DaemonSettings: Sendable, Equatable {
    var common = Configuration()
    var executor = ExecutorSection()
    var wess = WessSection()
    var console = ConsoleSection()
    var supervisor = SupervisorSection()
    var discovery = DiscoverySection()
    var orchestrator = OrchestratorSection()
    var othismo = OthismoSection()
    var transports: [TransportSection] = []
    var broker = BrokerSection()
    var services: [ServiceSection] = []

    /// What may be served on an address.
    enum Personality: String, CaseIterable, Sendable {
        case executor, legacy, wess, console, supervisor, orchestrator, othismo, broker

        /// Whether whoever reaches it can make the server run code.
        var takesCode: Bool { self != .othismo && self != .broker }

        /// The setting that has its addresses.
        var setting: String {
            switch self {
            case .executor: "executor.listen"
            case .legacy: "executor.legacy"
            case .wess: "wess.listen"
            case .console: "console.listen"
            case .supervisor: "supervisor.listen"
            case .orchestrator: "orchestrator.listen"
            case .broker: "broker.listen"
            case .othismo: "othismo.listen"
            }
        }
    }

    struct Listener: Sendable, Equatable {
        let personality: Personality
        let address: SocketAddress
    }

    /// What was named.
    var namedListeners: [Listener] {
        let all: [(Personality, [SocketAddress])] = [
            (.executor, executor.listen), (.legacy, executor.legacy), (.wess, wess.listen),
            (.console, console.listen), (.supervisor, supervisor.listen),
            (.orchestrator, orchestrator.listen), (.othismo, othismo.listen),
            (.broker, broker.listen),
        ]
        return all.flatMap { personality, addresses in
            addresses.map { Listener(personality: personality, address: $0) }
        }
    }

    static let standardListener = Listener(
        personality: .executor, address: .ipv4([127, 0, 0, 1], port: 8080))

    /// All settings, for comparing.
    var facts: [SettingFact] {
        common.facts + executor.facts + wess.facts + console.facts + supervisor.facts
            + discovery.facts + orchestrator.facts + othismo.facts + broker.facts
            + transports.flatMap(\.facts) + services.map(\.fact)
    }

    /// Reads a file; reading none yields the defaults and what variables say.
    ///
    /// - Returns: the settings, what is wrong, variables that are no setting, and the text for
    ///   `place(of:)`; nil if it is no TOML.
    static func read(
        _ text: [UInt8], variables: SettingsVariables
    ) -> (
        settings: DaemonSettings, problems: [SettingsProblem], unknown: [String],
        source: TOML.Source?
    ) {
        let source: TOML.Source
        do throws(TOMLError) {
            source = try TOML.Source(text)
        } catch {
            let problem = SettingsProblem(path: "", place: error.place, text: error.text)
            return (DaemonSettings(), [problem], [], nil)
        }
        let file = Settings(source, variables: variables) {
            Suggestion.best(for: $0, in: $1)
        }
        var settings = DaemonSettings()
        settings.common = Configuration(file.root)
        settings.executor = ExecutorSection(file.root.table("executor"))
        settings.wess = WessSection(file.root.table("wess"))
        settings.console = ConsoleSection(file.root.table("console"))
        settings.supervisor = SupervisorSection(file.root.table("supervisor"))
        settings.orchestrator = OrchestratorSection(file.root.table("orchestrator"))
        settings.broker = BrokerSection(file.root.table("broker"))
        settings.othismo = OthismoSection(file.root.table("othismo"))
        settings.services = file.root.namedTables("service").map { ServiceSection($0, $1) }
        ServiceSection.check(settings.services, file.root)
        settings.discovery = DiscoverySection(file.root.table("discovery"))
        settings.transports = file.root.namedTables("transports").map {
            TransportSection(name: $0.name, $0.table)
        }
        return (settings, file.finish(), file.unknownVariables, source)
    }

    /// What is wrong with the settings as a whole.
    ///
    /// - Parameter place: where a setting is in the file.
    func conflicts(_ place: (String) -> DocumentPlace?) -> [SettingsProblem] {
        var problems: [SettingsProblem] = []
        var seen: [SocketAddress] = []
        // Datagrams have ports of their own.
        var seenPlaces: [TransportListen] = []
        for transport in transports {
            for listen in transport.listen where listen.address.port != 0 {
                if seenPlaces.contains(listen) {
                    let path = "transports.\(transport.name).listen"
                    problems.append(
                        SettingsProblem(
                            path: path, place: place(path), text: "'\(listen)' is named twice"))
                }
                seenPlaces.append(listen)
                if !listen.carriesDatagrams { seen.append(listen.address) }
            }
        }
        if !othismo.listen.isEmpty, othismo.image == nil {
            problems.append(
                SettingsProblem(
                    path: "othismo.listen", place: place("othismo.listen"),
                    text: "needs 'image', the file to serve (--othismo-image)"))
        }
        for listener in namedListeners {
            let address = listener.address
            if seen.contains(address), address.port != 0 {
                problems.append(
                    SettingsProblem(
                        path: listener.personality.setting,
                        place: place(listener.personality.setting),
                        text: "'\(address)' is named twice"))
            }
            seen.append(address)
            guard listener.personality.takesCode, !address.isLocal, !admitsOthers else { continue }
            problems.append(
                SettingsProblem(
                    path: listener.personality.setting,
                    place: place(listener.personality.setting),
                    text: "'\(address)' \(Self.othersNeedTokens)"))
        }
        return problems
    }

    /// Whether addresses may be open beyond loopback on which code can be stored or run.
    var admitsOthers: Bool {
        common.isInsecure || !common.tokens.isEmpty || !common.access.trusted.isEmpty
    }

    /// What is said of an address that may not.
    static let othersNeedTokens = """
        can be reached by others, who could store and run modules: add [[tokens]] \
        ('wasmd token' makes one) or 'trust', or say 'insecure = true' (--insecure)
        """
}

extension SocketAddress {
    /// Whether only this machine can reach it.
    var isLocal: Bool {
        switch self {
        case .ipv4(let bytes, _): bytes.first == 127
        case .ipv6(let bytes, _): bytes.dropLast().allSatisfy { $0 == 0 } && bytes.last == 1
        case .unix, .unixBytes: true
        }
    }

    /// Nil for unix sockets.
    fileprivate var port: UInt16? {
        switch self {
        case .ipv4(_, let port), .ipv6(_, let port): port
        case .unix, .unixBytes: nil
        }
    }
}
