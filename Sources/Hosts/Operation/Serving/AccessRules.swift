import WasmSystem
import WasmdDigests
import WasmdGuests
import WasmdHTTP
import WasmdHTTPServer

/// Who may use a server, as a configuration says. Never changed: a new configuration makes new
/// rules, which take over accounts and counts of the old ones.
public final class AccessRules: Sendable {
    /// Accounts of tokens by the digest of the secret. How long looking one up takes depends on
    /// digests only, and tells nothing about secrets.
    private let accounts: [SHA256.Digest: Account]
    /// The accounts of tokens, in no order.
    var all: some Collection<Account> { accounts.values }
    /// By name.
    public let tenants: [String: Tenant]
    /// Networks whose peers need no token.
    public let trusted: [IPNetwork]
    /// Proxies whose words about the client are believed.
    public let proxies: [IPNetwork]
    public let sameOrigin: SameOriginRules
    /// Requests a second of each client's address; nil for no limit.
    public let addressRate: RateLimiter<IPAddress>?

    public init(
        accounts: [SHA256.Digest: Account] = [:], tenants: [String: Tenant] = [:],
        trusted: [IPNetwork] = [], proxies: [IPNetwork] = [],
        sameOrigin: SameOriginRules = SameOriginRules(machine: CurrentProcess.hostName),
        addressRate: RateLimiter<IPAddress>? = nil
    ) {
        self.accounts = accounts
        self.tenants = tenants
        self.trusted = trusted
        self.proxies = proxies
        self.sameOrigin = sameOrigin
        self.addressRate = addressRate
    }

    /// Rules by a configuration.
    ///
    /// - Parameter old: the rules before it: accounts of the same names keep their counts, and
    ///   tenants of the same names are the same objects with new quotas.
    public convenience init(
        _ configuration: Configuration, machine: [UInt8] = CurrentProcess.hostName,
        replacing old: AccessRules? = nil
    ) {
        var tenants: [String: Tenant] = [:]
        for settings in configuration.tenants {
            let tenant = old?.tenants[settings.name] ?? Tenant(settings.name)
            tenant.quotas = settings.quotas
            tenants[settings.name] = tenant
        }
        let known = Dictionary(
            (old?.accounts.values).map { $0.map { ($0.token, $0) } } ?? []
        ) { first, _ in first }
        var accounts: [SHA256.Digest: Account] = [:]
        for token in configuration.tokens {
            let before = known[token.name]
            var limiter: RateLimiter<UInt8>?
            if let rate = token.rate {
                let limit = RateLimiter<UInt8>.Limit(rate: rate.rate, burst: rate.burst)
                limiter = before?.rate ?? RateLimiter(limit, capacity: 1)
                limiter?.setLimit(limit)
            }
            let tenant = token.tenant.flatMap { tenants[$0] }
            let ownRuns = tenant == nil && before?.tenant == nil ? before?.runs : nil
            accounts[token.digest] = Account(
                token: token.name, scopes: token.scopes, tenant: tenant,
                runs: ownRuns ?? RunScope(.account, token.name), rate: limiter)
        }
        let access = configuration.access
        var addresses: RateLimiter<IPAddress>?
        if let limit = access.addressRate {
            addresses = old?.addressRate ?? RateLimiter(limit)
            addresses?.setLimit(limit)
        }
        self.init(
            accounts: accounts, tenants: tenants, trusted: access.trusted,
            proxies: access.proxies, sameOrigin: access.sameOrigin(machine: machine),
            addressRate: addresses)
    }

    /// Whether everybody who reaches the server may use it: neither tokens nor trusted networks are
    /// configured.
    public var isOpen: Bool { accounts.isEmpty && trusted.isEmpty }

    /// Finds out who sends a request, and whether they may do what it is for.
    ///
    /// - Parameter pages: names and origins that the surface admits; asked only for a request that
    ///   the rules would refuse.
    /// - Parameter peer: asked only if something depends on the address.
    /// - Throws: why they may not.
    func admit(
        _ head: RequestHead, _ purpose: Purpose, peer: () -> SystemAddress?,
        pages: () -> SameOriginRules? = { nil }, _ forwarding: inout Forwarding?
    ) throws(AccessRefusal) -> Account {
        var address: IPAddress?
        if !proxies.isEmpty || !trusted.isEmpty || addressRate != nil {
            address = peer().flatMap(IPAddress.init)
            if let direct = address, !proxies.isEmpty {
                let said = Forwarding(peer: direct, trusted: proxies, fields: head.fields)
                forwarding = said
                address = said.client
            }
        }
        if let addressRate, let address, let delay = addressRate.take(address) {
            throw .tooMany("rates.address", "your address sends too many requests", delay)
        }
        let account = account(head, address)
        // Who may do something without a token may be a page in somebody's browser.
        if isOpen || (account === Account.trusted && purpose.scope != nil) {
            // Some surfaces run what is stored by GET.
            let acts = purpose.scope.map { !Scopes.read.isSuperset(of: $0) } ?? false
            var verdict = sameOrigin.judge(head, acts: acts)
            if verdict != .allowed, let pages = pages() {
                verdict = sameOrigin.union(pages).judge(head, acts: acts)
            }
            switch verdict {
            case .allowed: break
            case .misdirected: throw .misdirected
            case .forbidden: throw .foreignPage
            }
        }
        if let scope = purpose.scope, !account.scopes.contains(scope) {
            throw account.token == nil
                ? .tokenMissing(isWrong: head.fields.contains("authorization"))
                : .scopeMissing(scope)
        }
        if account.tenant != nil, purpose.tenants == .refused { throw .tenantRefused }
        if let delay = account.rate?.take(0) {
            throw .tooMany("tokens.rate", "this token sends too many requests", delay)
        }
        return account
    }

    private func account(_ head: RequestHead, _ address: IPAddress?) -> Account {
        if isOpen { return .everybody }
        if let field = head.fields.first("authorization"),
            let digest = Token.digest(ofAuthorization: field), let account = accounts[digest]
        {
            return account
        }
        if let address, trusted.contains(where: { $0.contains(address) }) { return .trusted }
        return .nobody
    }
}

extension AccessRefusal {
    static let misdirected = AccessRefusal(
        .misdirectedRequest,
        "this server has another name: use its address, or add the name to 'names'")
    static let foreignPage = AccessRefusal(
        .forbidden, "pages of other origins may not change anything here")

    static func tokenMissing(isWrong: Bool) -> AccessRefusal {
        var refusal = AccessRefusal(
            .unauthorized,
            isWrong
                ? "this token is not known here"
                : "a token is needed: send 'Authorization: Bearer TOKEN'")
        refusal.challenge =
            isWrong ? "Bearer realm=\"wasmd\", error=\"invalid_token\"" : "Bearer realm=\"wasmd\""
        return refusal
    }

    static func scopeMissing(_ scope: Scopes) -> AccessRefusal {
        let names = scope.names.joined(separator: " ")
        var refusal = AccessRefusal(.forbidden, "this token has no scope '\(names)'")
        refusal.challenge =
            "Bearer realm=\"wasmd\", error=\"insufficient_scope\", scope=\"\(names)\""
        return refusal
    }

    /// The executor's surfaces are those that keep tenants apart.
    public static let tenantRefused = AccessRefusal(
        .forbidden,
        "this interface does not keep tenants apart: the token of a tenant is for modules and jobs of "
            + "the executor (/wasm, /jobs) and of wess; here, use a token without a tenant")

    static func tooMany(_ limit: String, _ message: String, _ delay: Duration) -> AccessRefusal {
        var refusal = AccessRefusal(.tooManyRequests, message)
        refusal.limit = limit
        refusal.retryAfter = Int(clamping: delay.components.seconds) + 1
        return refusal
    }
}
