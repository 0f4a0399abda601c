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
    var broker = BrokerSection()
    var services: [ServiceSection] = []

    /// What may be served on an address.
    enum Personality: String, CaseIterable, Sendable {
        case executor, legacy, wess, console, supervisor, orchestrator, broker

        /// Whether whoever reaches it can make the server run code.
        var takesCode: Bool { self != .broker }

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
            (.orchestrator, orchestrator.listen), (.broker, broker.listen),
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
            + discovery.facts + orchestrator.facts + broker.facts
            + services.map(\.fact)
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
        settings.services = file.root.namedTables("service").map { ServiceSection($0, $1) }
        ServiceSection.check(settings.services, file.root)
        settings.discovery = DiscoverySection(file.root.table("discovery"))
        return (settings, file.finish(), file.unknownVariables, source)
    }

    /// What is wrong with the settings as a whole.
    ///
    /// - Parameter place: where a setting is in the file.
    func conflicts(_ place: (String) -> DocumentPlace?) -> [SettingsProblem] {
        var problems: [SettingsProblem] = []
        var seen: [SocketAddress] = []
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
            guard listener.personality.takesCode, !address.isLocal, !common.isInsecure,
                common.tokens.isEmpty, common.access.trusted.isEmpty
            else { continue }
            problems.append(
                SettingsProblem(
                    path: listener.personality.setting,
                    place: place(listener.personality.setting),
                    text: """
                        '\(address)' can be reached by others, who could store and run modules: \
                        add [[tokens]] ('wasmd token' makes one) or 'trust', or say \
                        'insecure = true' (--insecure)
                        """))
        }
        return problems
    }
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
