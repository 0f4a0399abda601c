import WasmdDocuments
import WasmdGuests

/// A limit that is no setting of the server as a whole, and how much of it is used now.
public struct LimitUse: Sendable {
    public enum Unit: String, Sendable { case bytes, seconds }

    /// As the configuration names it.
    public var name: String
    /// Nil for none.
    public var limit: UInt64?
    /// Nil if it is not known.
    public var used: UInt64?
    /// Nil for a count.
    public var unit: Unit?
    /// What the limit holds for, one by one; `used` is that of the one that uses most. Nil if it
    /// holds for all together.
    public var each: String?
    public var isReloadable: Bool

    public init(
        _ name: String, _ limit: UInt64?, used: UInt64?, unit: Unit? = nil, each: String? = nil,
        isReloadable: Bool = false
    ) {
        self.name = name
        self.limit = limit
        self.used = used
        self.unit = unit
        self.each = each
        self.isReloadable = isReloadable
    }

    fileprivate var document: Document {
        var members: [Document.Member] = [
            .init("name", .string(name)), .init("value", .string(limit.map { "\($0)" } ?? "none")),
            .init("reloadable", .boolean(isReloadable)),
        ]
        if let limit { members.append(.init("number", .number(limit))) }
        if let unit { members.append(.init("unit", .string(unit.rawValue))) }
        if let each { members.append(.init("each", .string(each))) }
        if let used { members.append(.init("used", .number(used))) }
        return .object(members)
    }
}

/// What operators may see of the settings, and how much of it is used: limits, tenants with their
/// quotas, and tokens without what their secrets are found by.
public struct SettingsReport: Sendable {
    /// The limits of the configuration, then those of single hosts.
    public var facts: [SettingFact]
    /// How much of a limit is used now, by its path, where that is known.
    public var used: [String: Int64] = [:]
    /// Limits of services, transports and other hosts.
    public var others: [LimitUse] = []
    private let times: [String: Duration]
    private let tokens: [Token]
    private let rules: AccessRules

    public init(_ configuration: Configuration, _ rules: AccessRules) {
        let shown = ["limits.", "rates.", "outbound.", "shutdown."]
        facts = configuration.facts.filter { fact in shown.contains { fact.path.hasPrefix($0) } }
        times = [
            "limits.run_time": configuration.limits.runTime,
            "limits.waiting_time": configuration.limits.waitingTime,
        ].compactMapValues { $0 }
        tokens = configuration.tokens
        self.rules = rules
    }

    /// `GET /admin/settings`.
    public var document: Document {
        let accounts = Dictionary(rules.all.map { ($0.token, $0) }) { first, _ in first }
        return .object([
            .init("limits", .array(facts.map(limit) + others.map(\.document))),
            .init("tenants", .array(rules.tenants.values.sorted { $0.name < $1.name }.map(tenant))),
            .init("tokens", .array(tokens.map { token($0, accounts[$0.name]) })),
        ])
    }

    private func limit(_ fact: SettingFact) -> Document {
        var members: [Document.Member] = [
            .init("name", .string(fact.path)), .init("value", .string(fact.text)),
            .init("reloadable", .boolean(fact.isReloadable)),
        ]
        if let number = Int64(fact.text) { members.append(.init("number", .integer(number))) }
        if Self.sizes.contains(fact.path) { members.append(.init("unit", .string("bytes"))) }
        if let time = times[fact.path] {
            members.append(.init("number", .double(time / .seconds(1))))
            members.append(.init("unit", .string("seconds")))
        }
        if let each = Self.eaches[fact.path] { members.append(.init("each", .string(each))) }
        if let used = used[fact.path] { members.append(.init("used", .integer(used))) }
        return .object(members)
    }

    /// Limits that are bytes.
    private static let sizes: Set<String> = [
        "limits.memory", "limits.output", "limits.module", "broker.limits.message",
        "broker.limits.bytes",
    ]

    /// Limits that hold for each of something.
    private static let eaches = [
        "limits.run_time": "run", "limits.memory": "run", "limits.fuel": "run",
        "limits.output": "run", "limits.waiting_time": "run", "limits.module": "module",
        "limits.connections": "address", "broker.limits.message": "message",
    ]

    private func tenant(_ tenant: Tenant) -> Document {
        let quotas = tenant.quotas
        func quota(_ used: Document, _ limit: Document?) -> Document {
            .object([.init("used", used), .init("limit", limit ?? .null)])
        }
        return .object([
            .init("name", .string(tenant.name)),
            .init(
                "stored_bytes",
                quota(
                    .number(tenant.storedBytes), quotas.storedBytes.map { .number($0) })),
            .init(
                "instances",
                quota(.count(of: tenant.runs.runningCount), quotas.instances.map { .count(of: $0) })
            ),
            .init(
                "fuel",
                .object([
                    .init("used", .number(tenant.runs.totals.fuel)),
                    .init("per_second", quotas.fuelPerSecond.map { .number($0) } ?? .null),
                    .init("available", tenant.availableFuel.map { .number($0) } ?? .null),
                ])),
            .init("runs", Self.runs(tenant.runs)),
        ])
    }

    private func token(_ token: Token, _ account: Account?) -> Document {
        var members: [Document.Member] = [
            .init("name", .string(token.name)),
            .init("scopes", .array(token.scopes.names.map { .string($0) })),
        ]
        if let tenant = token.tenant { members.append(.init("tenant", .string(tenant))) }
        if let rate = token.rate { members.append(.init("rate", .double(rate.rate))) }
        // The runs of a tenant's tokens are counted together, as its own.
        if token.tenant == nil, let runs = account?.runs {
            members.append(.init("runs", Self.runs(runs)))
        }
        return .object(members)
    }

    private static func runs(_ scope: RunScope) -> Document {
        let totals = scope.totals
        return .object([
            .init("running", .count(of: scope.runningCount)),
            .init("waiting", .count(of: scope.waitingCount)),
            .init("ended", .number(totals.runs)), .init("failed", .number(totals.failures)),
            .init("refused", .number(totals.refused)),
        ])
    }
}
