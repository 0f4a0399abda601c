import WasmInterpreter
import WasmSystem
import WasmWASI
import WasmdBroker
import WasmdDocuments
import WasmdGuests
import WasmdOperation
import WasmdServices

/// `[service.NAME]`: a module that runs as a service, and everything that it may use.
struct ServiceSection: Sendable, Equatable {
    /// Where a secret is.
    enum Secret: Sendable, Equatable {
        case file(Word)
        case variable(String)
    }

    let name: String
    var module: Word?
    /// The export that is called; nil for `_start`.
    var call: String?
    /// The path of its configuration, for `init`.
    var configuration: String?
    var arguments: [String] = []
    var folders: [WASI.Folder] = []
    var listen: [SocketAddress] = []
    var allowedHosts: [String] = []
    var sessions = 42
    var environment: [Pair] = []
    var values: [Pair] = []
    var secrets: [NamedSecret] = []
    var stores: [String] = []
    var publish: [TopicPattern] = []
    var subscribe: [TopicPattern] = []
    var topics: Int?
    var storeSize: UInt64?
    var after: [String] = []
    var schedule: CronExpression?
    var restart = RestartPolicy()
    var memory: UInt64?
    var stack: Int?
    var fuel: UInt64?
    var descriptors: Int?
    var runTime: Duration?

    struct Pair: Sendable, Equatable {
        let name: String
        let value: String
    }

    struct NamedSecret: Sendable, Equatable {
        let name: String
        let place: Secret
    }

    init(_ name: String, _ table: SettingsTable) {
        self.name = name
        if !GuestStores.isName(name) {
            table.complain("", "the name of a service has letters, digits, '-', '_' and '.' only")
        }
        module = table.text("module", expected: "a file") { $0.isEmpty ? nil : Word($0) }
        if !table.has("module") {
            table.complain("module", "is missing: name the module, for example \"a.wasm\"")
        }
        call = table.text("call", expected: "the name of an export") { $0.isEmpty ? nil : $0 }
        configuration = table.text("config", expected: "a path as the module sees it") {
            $0.isEmpty ? nil : $0
        }
        if configuration != nil, call == nil { call = "init" }
        if configuration == nil, call == "init" {
            table.complain("config", "is missing: init is called with the path of a configuration")
        }
        arguments = table.texts("arguments") ?? []
        folders =
            table.texts("folders", expected: "HOST, HOST::GUEST or HOST::GUEST:ro") { text in
                do throws(UsageError) {
                    return try RunOptions.folder(Word(text))
                } catch {
                    return nil
                }
            } ?? []
        listen = table.addresses("listen")
        allowedHosts =
            table.texts(
                "allowed_hosts", expected: "a URL or a host, for example http://HOST or HOST:PORT",
                { OutboundPolicy.malformed(allowing: [$0]) == nil ? $0 : nil }) ?? []
        sessions = table.integer("sessions", in: 1...10_000).map { Int($0) } ?? sessions
        environment = Self.pairs(table, "env")
        values = Self.pairs(table, "values")
        secrets =
            table.texts("secrets", expected: "NAME=file:PATH or NAME=env:VARIABLE") {
                Self.secret($0)
            } ?? []
        stores =
            table.texts("stores", expected: "a name of letters, digits, '-', '_' and '.'") {
                GuestStores.isName($0) ? $0 : nil
            } ?? []
        publish = Self.patterns(table, "publish")
        subscribe = Self.patterns(table, "subscribe")
        topics = table.integer("topics", in: 1...100_000).map { Int($0) }
        storeSize = table.bytes("store_size")
        after = table.texts("after") ?? []
        schedule =
            table.text(
                "schedule",
                expected: "five fields as in crontab, for example \"*/5 * * * *\", or @hourly"
            ) { CronExpression($0) }
        restart.mode =
            table.text("restart", expected: "always, on-failure or never") {
                RestartPolicy.Mode(rawValue: $0)
            } ?? restart.mode
        restart.limit =
            table.integer("restart_limit", in: 0...1_000_000).map { Int($0) } ?? restart.limit
        restart.firstPause = table.duration("restart_pause") ?? restart.firstPause
        restart.longestPause = table.duration("restart_longest_pause") ?? restart.longestPause
        restart.resetTime = table.duration("restart_reset") ?? restart.resetTime
        memory = table.bytes("memory")
        stack = table.bytes("stack").map { Int(clamping: min($0, 1 << 30)) }
        fuel = table.integer("fuel", in: 1...Int64.max).map { UInt64(clamping: $0) }
        descriptors = table.integer("descriptors", in: 8...1_000_000).map { Int($0) }
        runTime = table.duration("run_time")
    }

    private static func patterns(_ table: SettingsTable, _ key: String) -> [TopicPattern] {
        table.texts(key, expected: "a topic, or a pattern such as sensors/+/state or out/#") {
            TopicPattern($0)
        } ?? []
    }

    private static func pairs(_ table: SettingsTable, _ key: String) -> [Pair] {
        table.texts(key, expected: "NAME=VALUE") { pair($0) } ?? []
    }

    private static func pair(_ text: String) -> Pair? {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, !text.utf8.contains(0) else { return nil }
        return Pair(name: String(parts[0]), value: String(parts[1]))
    }

    private static func secret(_ text: String) -> NamedSecret? {
        guard let pair = pair(text) else { return nil }
        let parts = pair.value.split(
            separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[1].isEmpty else { return nil }
        switch parts[0] {
        case "file": return NamedSecret(name: pair.name, place: .file(Word(String(parts[1]))))
        case "env": return NamedSecret(name: pair.name, place: .variable(String(parts[1])))
        default: return nil
        }
    }

    /// The folder of the module, which is read at each start.
    var moduleFolder: [UInt8] {
        let bytes = module?.bytes ?? []
        guard let slash = bytes.lastIndex(of: UInt8(ascii: "/")) else { return [UInt8(ascii: ".")] }
        return slash == 0 ? [UInt8(ascii: "/")] : Array(bytes[..<slash])
    }

    /// For comparing: a service changes with a restart of the server. Secrets are named by their
    /// places only.
    var fact: SettingFact { SettingFact("service.\(name)", "\(self)", isReloadable: false) }

    /// What is wrong with the sections together.
    static func check(_ sections: [ServiceSection], _ table: SettingsTable) {
        let names = sections.map(\.name)
        for (index, section) in sections.enumerated() {
            for other in section.after where !names[..<index].contains(other) {
                table.complain(
                    "service.\(section.name).after",
                    names.contains(other)
                        ? "'after' names '\(other)', whose section must come before this one"
                        : "'after' names '\(other)', and there is no [service.\(other)]")
            }
        }
    }
}
