import WasmWASI
import WasmdDocuments
import WasmdOperation

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
