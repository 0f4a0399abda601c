import WasmWASI
import WasmdDocuments
import WasmdHTTP
import WasmdOperation
import WasmdSupervisor

// The sections of single personalities in the configuration file. Each is read here and compared by
// `facts`; a new personality adds its own, and its addresses to `DaemonSettings.listeners`.

extension SettingsTable {
    /// Addresses to listen on.
    func addresses(_ key: String) -> [SocketAddress] {
        texts(key, expected: "127.0.0.1:PORT, [::1]:PORT or unix:PATH") {
            SocketAddress(Array($0.utf8))
        } ?? []
    }
}

/// `[executor]`: the executor's own surface, and that of the first executor.
struct ExecutorSection: Sendable, Equatable {
    /// Surfaces A and C together.
    var listen: [SocketAddress] = []
    /// Surface C alone.
    var legacy: [SocketAddress] = []

    init() {}

    init(_ table: SettingsTable) {
        listen = table.addresses("listen")
        legacy = table.addresses("legacy")
    }

    var facts: [SettingFact] {
        [
            SettingFact("executor.listen", "\(listen)", isReloadable: false),
            SettingFact("executor.legacy", "\(legacy)", isReloadable: false),
        ]
    }
}

/// `[wess]`: the surface of *wess*.
struct WessSection: Sendable, Equatable {
    var listen: [SocketAddress] = []
    /// The file of its log; nil for none.
    var log: Word?

    init() {}

    init(_ table: SettingsTable) {
        listen = table.addresses("listen")
        log = table.text("log", expected: "a file") { $0.isEmpty ? nil : Word($0) }
    }

    var facts: [SettingFact] {
        [
            SettingFact("wess.listen", "\(listen)", isReloadable: false),
            SettingFact("wess.log", log?.text ?? "", isReloadable: false),
        ]
    }
}

/// `[console]`: the console, the admin interface, health and metrics on addresses of their own.
struct ConsoleSection: Sendable, Equatable {
    /// Empty for the listeners of the executor.
    var listen: [SocketAddress] = []

    init() {}

    init(_ table: SettingsTable) { listen = table.addresses("listen") }

    var facts: [SettingFact] {
        [SettingFact("console.listen", "\(listen)", isReloadable: false)]
    }
}

/// `[orchestrator]`: the orchestrator of *wasmiot*.
struct OrchestratorSection: Sendable, Equatable {
    var listen: [SocketAddress] = []
    /// Where devices reach it; nil for the address of the connection to each.
    var publicURL: URL?
    /// Between two checks of a device.
    var healthInterval = Duration.seconds(15)
    /// Statuses as they should be, and not as existing clients know them.
    var usesRightStatuses = false
    /// What is added at the start, if it is not there; nil for nothing.
    var initFolder: Word?
    /// The page in place of the built-in one.
    var webFolder: Word?

    init() {}

    init(_ table: SettingsTable) {
        listen = table.addresses("listen")
        publicURL = table.text("public_url", expected: "a URL, for example http://HOST:3000") {
            URL(http: Array($0.utf8))
        }
        healthInterval =
            table.text("health_interval", expected: "a duration, for example 15s") { text in
                Quantity.nanoseconds(text).flatMap { $0 > 0 ? Duration.nanoseconds($0) : nil }
            } ?? healthInterval
        usesRightStatuses = table.boolean("right_statuses") ?? false
        initFolder = table.text("init", expected: "a folder") { $0.isEmpty ? nil : Word($0) }
        webFolder = table.text("web", expected: "a folder") { $0.isEmpty ? nil : Word($0) }
    }

    var facts: [SettingFact] {
        let address = publicURL.map { String(decoding: $0.bytes, as: UTF8.self) } ?? ""
        let facts = [
            ("listen", "\(listen)"), ("public_url", address),
            ("health_interval", "\(healthInterval)"), ("right_statuses", "\(usesRightStatuses)"),
            ("init", initFolder?.text ?? ""), ("web", webFolder?.text ?? ""),
        ]
        return facts.map { SettingFact("orchestrator.\($0)", $1, isReloadable: false) }
    }
}

extension URL {
    /// A URL of a server, without a user.
    init?(http text: [UInt8]) {
        guard let url = URL(text), url.userInformation == nil,
            url.scheme == Array("http".utf8) || url.scheme == Array("https".utf8)
        else { return nil }
        self = url
    }
}
