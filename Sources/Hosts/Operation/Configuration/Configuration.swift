import WasmdDocuments
import WasmdHTTP

/// What is configured of a server, whatever it serves: limits, who may use it, the log.
///
/// Sections of single personalities are values of their own, read beside what they configure.
public struct Configuration: Sendable, Equatable {
    /// The folder of what is stored.
    public var data = Array("wasmd-data".utf8)
    /// Threads that serve; nil for one for each processor.
    public var loops: Int?
    public var sandbox = SandboxMode.on
    /// Whether code can be stored from elsewhere without a token.
    public var isInsecure = false
    public var limits = Limits()
    public var access = Access()
    public var tokens: [Token] = []
    public var tenants: [TenantSettings] = []
    /// Rules of `OutboundPolicy`.
    public var outbound: [String] = []
    public var log = LogSettings()
    /// Where spans of requests and runs are sent to (OTLP over HTTP); nil for nowhere.
    public var traces: URL?
    /// How long requests may take after the signal to stop.
    public var grace = Duration.seconds(3)

    public init() {}

    public enum SandboxMode: String, Sendable, CaseIterable { case on, off, strict }

    /// Limits of runs and requests; nil is none.
    public struct Limits: Sendable, Equatable {
        public var runTime: Duration? = .seconds(10)
        public var memory: UInt64 = 256 << 20
        public var fuel: UInt64?
        public var output: UInt64 = 64 << 20
        /// Runs at one time.
        public var runs = 1024
        /// Runs that wait for a place.
        public var waiting = 1024
        public var waitingTime: Duration? = .seconds(10)
        /// Bytes of a module.
        public var module: UInt64 = 64 << 20
        /// Writes that wait.
        public var writes = 4096
        public var connections = 16_384

        public init() {}
    }

    /// Who may use the server.
    public struct Access: Sendable, Equatable {
        /// Networks whose peers need no token.
        public var trusted: [IPNetwork] = []
        /// Proxies whose words about clients are believed.
        public var proxies: [IPNetwork] = []
        /// Further names of the server.
        public var names: [String] = []
        /// Origins whose pages may use it; `*` for any.
        public var origins: [String] = []
        /// Requests a second of each address.
        public var addressRate: RateLimiter<IPAddress>.Limit?

        public init() {}
    }

    public struct TenantSettings: Sendable, Equatable {
        public var name: String
        public var quotas = Tenant.Quotas()

        public init(_ name: String) { self.name = name }
    }

    public struct LogSettings: Sendable, Equatable {
        public var level = Log.Level.information
        /// Nil for text on a terminal, JSON elsewhere.
        public var form: Log.Form?
        /// Nil for standard error.
        public var file: String?
        /// Whether each request is a line.
        public var requests = false
        /// Whether each change, and each refusal for want of rights, has a line.
        public var audit = false

        public init() {}
    }
}

/// A setting as text, to tell what a new configuration changes.
public struct SettingFact: Sendable, Equatable {
    public let path: String
    /// For comparing only: never shown where it is a secret's digest.
    public let text: String
    /// Whether it can change while the server runs.
    public let isReloadable: Bool

    public init(_ path: String, _ text: String, isReloadable: Bool = true) {
        self.path = path
        self.text = text
        self.isReloadable = isReloadable
    }

    /// The settings that differ, in the order of the new ones, then those that are gone.
    public static func changes(from old: [SettingFact], to new: [SettingFact]) -> [SettingFact] {
        let before = Dictionary(old.map { ($0.path, $0.text) }) { first, _ in first }
        let after = Set(new.map(\.path))
        return new.filter { before[$0.path] != $0.text } + old.filter { !after.contains($0.path) }
    }
}

extension Configuration {
    /// All settings, as `changes` compares them.
    public var facts: [SettingFact] {
        func text<Value>(_ value: Value?) -> String { value.map { "\($0)" } ?? "none" }
        var facts = [
            SettingFact(
                "data", String(decoding: data, as: UTF8.self), isReloadable: false),
            SettingFact("loops", text(loops), isReloadable: false),
            SettingFact("sandbox", sandbox.rawValue, isReloadable: false),
            SettingFact("insecure", text(isInsecure), isReloadable: false),
            SettingFact("names", text(access.names)),
            SettingFact("trust", text(access.trusted)),
            SettingFact("proxies", text(access.proxies)),
            SettingFact("cors.origins", text(access.origins)),
            SettingFact("rates.address", text(access.addressRate)),
            SettingFact("limits.run_time", text(limits.runTime)),
            SettingFact("limits.memory", text(limits.memory)),
            SettingFact("limits.fuel", text(limits.fuel)),
            SettingFact("limits.output", text(limits.output)),
            SettingFact("limits.runs", text(limits.runs)),
            SettingFact("limits.waiting", text(limits.waiting)),
            SettingFact("limits.waiting_time", text(limits.waitingTime)),
            SettingFact("limits.module", text(limits.module)),
            SettingFact("limits.writes", text(limits.writes)),
            SettingFact("limits.connections", text(limits.connections), isReloadable: false),
            SettingFact("outbound.hosts", text(outbound)),
            SettingFact("log.level", log.level.name),
            SettingFact("log.form", text(log.form)),
            SettingFact("log.file", text(log.file), isReloadable: false),
            SettingFact("log.requests", text(log.requests)),
            SettingFact("log.audit", text(log.audit)),
            SettingFact(
                "traces.url", text(traces.map { String(decoding: $0.bytes, as: UTF8.self) }),
                isReloadable: false),
            SettingFact("shutdown.grace", text(grace)),
        ]
        facts += tokens.map { SettingFact("tokens.\($0.name)", "\($0)") }
        facts += tenants.map { SettingFact("tenants.\($0.name)", "\($0)") }
        return facts
    }
}
