import WasmWASI
import WasmdDocuments
import WasmdOperation
import WasmdWATM

/// `[transports.NAME]`: a transport that is served beside everything else.
struct TransportSection: Sendable, Equatable {
    /// Letters, digits, `-`, `_` and `.`: what metrics and the admin interface call it.
    var name: String
    var role = TransportRole.dial
    /// Files, in the order in which bytes in clear pass them.
    var modules: [Word] = []
    var listen: [TransportListen] = []
    /// Nil lets the guest choose.
    var remote: TransportAddress?
    /// The file that is the guests' configuration.
    var config: Word?
    var allow: [String] = []
    var arguments: [String] = []
    var environment: [Variable] = []
    var folders: [WASI.Folder] = []
    /// The file of the original's configuration of a host.
    var hostConfig: Word?
    var trace: Trace?
    var keepsHalves = false
    /// Whether datagrams of the side in clear are carried in a stream.
    var framesDatagrams = false
    var datagramIdleTime = Duration.seconds(60)
    /// Open connections at most.
    var connections = 10_000
    var limits = TransportOptions.Limits()

    struct Variable: Sendable, Equatable {
        var name: String
        var value: String
    }

    /// Where a line for each call of a guest goes.
    enum Trace: Sendable, Equatable {
        case log
        case file(Word)
    }

    /// The roles that a listener can have.
    static let roles: [TransportRole] = [.dial, .listen, .relay]

    init(name: String) { self.name = name }

    init(name: String, _ table: SettingsTable) {
        self.name = name
        if !Configuration.isName(name) {
            table.complain("", "a transport's name is 1 to 64 letters, digits, '-', '_' or '.'")
        }
        role =
            table.text("role", expected: "dial, listen or relay") { text in
                Self.roles.first { $0.rawValue == text }
            } ?? role
        modules =
            table.texts("modules", expected: "a file") { $0.isEmpty ? nil : Word($0) } ?? []
        listen =
            table.texts("listen", expected: TransportListen.expected) {
                TransportListen(Array($0.utf8))
            } ?? []
        remote = table.text("remote", expected: TransportListen.expectedRemote) {
            TransportAddress($0)
        }
        config = table.text("config", expected: "a file") { $0.isEmpty ? nil : Word($0) }
        allow = table.texts("allow") ?? []
        arguments = table.texts("arguments") ?? []
        environment =
            table.texts("environment", expected: "NAME=VALUE") { text in
                let parts = text.split(
                    separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                guard parts.count == 2, !parts[0].isEmpty, !text.utf8.contains(0) else {
                    return nil
                }
                return Variable(name: String(parts[0]), value: String(parts[1]))
            } ?? []
        folders =
            table.texts("folders", expected: "HOST, HOST::GUEST or HOST::GUEST:ro") { text in
                do throws(UsageError) {
                    return try RunOptions.folder(Word(text))
                } catch {
                    return nil
                }
            } ?? []
        hostConfig = table.text("host_config", expected: "a file") {
            $0.isEmpty ? nil : Word($0)
        }
        trace = table.text("trace", expected: "\"log\" or a file") { text in
            switch text {
            case "": nil
            case "log": .log
            default: .file(Word(text))
            }
        }
        keepsHalves = table.boolean("half_close") ?? false
        framesDatagrams = table.boolean("frame_datagrams") ?? false
        datagramIdleTime = table.duration("datagram_idle") ?? datagramIdleTime
        connections =
            table.integer("connections", in: 1...1_000_000).map { Int($0) } ?? connections
        limits.memory = table.bytes("memory") ?? limits.memory
        limits.stack = table.bytes("stack").map { Int(clamping: $0) } ?? limits.stack
        limits.fuel = table.integer("fuel", in: 1...Int64.max).map { UInt64($0) }
        limits.time = table.duration("time")
        limits.startTime = table.duration("start_time") ?? limits.startTime
        limits.connectTime = table.duration("connect_time") ?? limits.connectTime
        limits.descriptors =
            table.integer("descriptors", in: 8...65_536).map { Int($0) } ?? limits.descriptors
        // The configuration of a host may name them.
        let needed = hostConfig == nil ? ["role", "modules", "listen"] : ["role"]
        for key in needed where !table.has(key) { table.complain(key, "is missing") }
        if role != .dial, remote == nil, !table.has("remote") {
            table.complain("remote", "is missing: where the role \(role.rawValue) connects to")
        }
    }

    var facts: [SettingFact] {
        let fixed =
            "\(role.rawValue) \(listen) \(remote.map { "\($0)" } ?? "")"
            + " \(framesDatagrams) \(datagramIdleTime)"
        let changing = [
            "\(modules.map(\.bytes))", "\(config?.bytes ?? [])", "\(allow)", "\(arguments)",
            "\(environment)", "\(folders)", "\(hostConfig?.bytes ?? [])",
            "\(String(describing: trace))",
            "\(keepsHalves)", "\(connections)", "\(limits)",
        ]
        return [
            SettingFact("transports.\(name).listen", fixed, isReloadable: false),
            SettingFact("transports.\(name)", changing.joined(separator: " ")),
        ]
    }
}

extension TransportSection {
    /// `--transport ROLE,module=FILE,listen=ADDR,remote=ADDR,config=FILE,name=NAME`; nil for another
    /// form. `module` and `listen` may be there several times.
    init?(_ word: Word, number: Int) {
        let parts = word.bytes.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
        guard let first = parts.first,
            let role = Self.roles.first(where: { $0.rawValue.utf8.elementsEqual(first) })
        else { return nil }
        self.init(name: number == 0 ? role.rawValue : "\(role.rawValue)-\(number + 1)")
        self.role = role
        for part in parts.dropFirst() {
            guard let (key, value) = Word(bytes: part).split(at: "="), !value.bytes.isEmpty else {
                return nil
            }
            switch key.text {
            case "module": modules.append(value)
            case "listen":
                guard let address = TransportListen(value.bytes) else { return nil }
                listen.append(address)
            case "remote":
                guard let address = TransportAddress(value.bytes) else { return nil }
                remote = address
            case "config": config = value
            case "name":
                guard Configuration.isName(value.text) else { return nil }
                name = value.text
            default: return nil
            }
        }
        guard !modules.isEmpty, !listen.isEmpty, role == .dial || remote != nil else { return nil }
    }
}
