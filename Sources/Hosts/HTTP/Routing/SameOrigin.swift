/// Keeps pages in somebody's browser away from a server that has no tokens: by the names that it is
/// addressed with, against DNS rebinding, and by where a request comes from, against forged ones.
public struct SameOriginRules: Equatable, Sendable {
    /// Names of this machine and of the configuration, in lower case, without final dot.
    public var names: Set<[UInt8]>
    /// Whose pages may change something although their origin is another one.
    public var cors: CORSPolicy
    /// Whether all names and origins are admitted: for public sites of any name.
    public var admitsEverything = false

    /// - Parameters:
    ///   - machine: the name of the machine, with or without a domain; also taken with `.local`.
    ///   - names: further names.
    public init(machine: [UInt8], names: [[UInt8]] = [], cors: CORSPolicy = CORSPolicy()) {
        var all = Set(names.map { $0.map(\.lowercase) })
        if !machine.isEmpty {
            let machine = machine.map(\.lowercase)
            all.insert(machine)
            all.insert(machine + [UInt8](".local"))
        }
        self.names = all
        self.cors = cors
    }

    /// Rules that allow what one of both allows.
    public func union(_ other: SameOriginRules) -> SameOriginRules {
        var both = self
        both.names.formUnion(other.names)
        both.cors = cors.union(other.cors)
        both.admitsEverything = admitsEverything || other.admitsEverything
        return both
    }

    public enum Verdict: Equatable, Sendable {
        case allowed
        /// 421: the server does not have that name.
        case misdirected
        /// 403: the request comes from a page of another origin and would change something.
        case forbidden
    }

    /// Judges a request without a valid token.
    ///
    /// A request to change protocols counts as one that changes something: browsers send WebSocket
    /// handshakes across origins without asking.
    ///
    /// - Parameter acts: whether the request does something although its method is safe.
    public func judge(_ request: RequestHead, acts: Bool = false) -> Verdict {
        if admitsEverything { return .allowed }
        guard let host = request.authority else {
            // HTTP/1.0 without a host: no browser sends that. An empty one is no name of ours.
            if request.fields.contains("host") { return .misdirected }
            return judgeOrigin(request, host: nil, acts)
        }
        // What most clients send: nothing depends on an origin, and the name is written plainly.
        if request.target.authority == nil, isPlainlyOurs(host),
            !request.fields.contains("origin"), !request.fields.contains("sec-fetch-site")
        {
            return .allowed
        }
        guard let authority = Authority(host), isOurs(authority) else { return .misdirected }
        // The field counts as well as the target: whatever reads either must not be deceived.
        if request.target.authority != nil, let field = request.fields.first("host"),
            !field.isEmpty
        {
            guard let other = Authority(field), isOurs(other) else { return .misdirected }
        }
        return judgeOrigin(request, host: authority, acts)
    }

    /// Whether a host is one of the names, or `localhost`, in lower case, perhaps with a port:
    /// then `Authority` would find the same. The port was checked when the request was read.
    private func isPlainlyOurs(_ host: ArraySlice<UInt8>) -> Bool {
        let name = host.prefix { $0 != ASCII.colon }
        if name.equals("localhost") { return true }
        return names.contains { $0.count == name.count && $0.elementsEqual(name) }
    }

    private func isOurs(_ authority: Authority) -> Bool {
        switch authority.host {
        case .address: true
        case .name(let name): name.equals("localhost") || names.contains(name)
        }
    }

    private func judgeOrigin(
        _ request: RequestHead, host: Authority?, _ acts: Bool
    ) -> Verdict {
        if request.method.isSafe, !acts, !request.fields.contains("upgrade") { return .allowed }
        // What is no browser sends neither.
        if !request.fields.contains("origin"), !request.fields.contains("sec-fetch-site") {
            return .allowed
        }
        let origins = request.fields.all("origin")
        if origins.count == 1, cors.allows(origins[0]) { return .allowed }
        if request.fields.list("sec-fetch-site", contains: "cross-site") { return .forbidden }
        // Another port of the machine: such a page sends no origin with scripts and images.
        if request.fields.list("sec-fetch-site", contains: "same-site") { return .forbidden }
        for origin in origins where !isSame(origin, host: host) { return .forbidden }
        return .allowed
    }

    /// Whether an origin is what the request was sent to. The scheme does not count: a proxy in
    /// front may speak TLS, and its port is then that of the scheme.
    private func isSame(_ origin: ArraySlice<UInt8>, host: Authority?) -> Bool {
        guard let host, let origin = Origin(origin) else { return false }
        guard origin.authority.host == host.host else { return false }
        let port = origin.authority.port
        guard let own = host.port else { return port == 80 || port == 443 }
        return port == own
    }
}
