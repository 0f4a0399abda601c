import WasmSystem
import WasmdEventLoop
import WasmdHTTP

// Allowed hosts as URLs, and decisions about URLs: what requests of guests are held to.

extension OutboundPolicy {
    /// The entry that allows every host and every address.
    public static let everything = "insecure:allow-all"

    /// What a policy says about a URL.
    public enum Decision: Sendable, Equatable {
        /// With the URL in the form to be requested: see `OutboundURL`.
        case allowed(OutboundURL)
        case notAllowed
        /// It is no URL with a host.
        case malformed
    }

    /// Allowed hosts of guests.
    ///
    /// An entry is a URL, of which only the host counts, so every port of it is allowed; or
    /// `insecure:allow-all`; or a rule as in `init(_:)`. A URL whose host is an address or
    /// `localhost`, or the machine's own name, opens private addresses for that host; other names
    /// do not, wherever they lead.
    ///
    /// - Parameters:
    ///   - entries: see above.
    ///   - machine: the machine's own name.
    /// - Returns: nil if an entry is malformed; `malformed(allowing:)` tells which.
    public init?(allowing entries: [String], machine: [UInt8] = CurrentProcess.hostName) {
        var rules: [Rule] = []
        for entry in entries {
            guard let rule = Rule(allowing: entry, machine: machine) else { return nil }
            rules.append(rule)
        }
        self.init(rules: rules)
    }

    /// The first of these entries that is malformed.
    public static func malformed(allowing entries: [String]) -> String? {
        entries.first { Rule(allowing: $0, machine: []) == nil }
    }

    /// The rules of two policies together.
    public func adding(_ other: OutboundPolicy) -> OutboundPolicy {
        OutboundPolicy(rules: rules + other.rules)
    }

    /// Whether a URL may be requested, as far as this can be said before its name is resolved.
    public func decide(_ text: some Collection<UInt8>) -> Decision {
        guard let url = OutboundURL(text) else { return .malformed }
        return allows(url) ? .allowed(url) : .notAllowed
    }

    /// Whether a URL of a redirect may be requested.
    ///
    /// It is requested as it is: other forms of addresses than the usual ones are refused.
    public func allows(redirect url: URL) -> Bool {
        guard let outbound = OutboundURL(url.bytes) else { return false }
        return outbound.url.authority.host == url.authority.host && allows(outbound)
    }

    private func allows(_ url: OutboundURL) -> Bool {
        permit(host: url.url.authority.host, port: url.url.port ?? 0) != nil
    }

    private func permit(host: Authority.Host, port: UInt16) -> Permit? {
        switch host {
        case .name(let name): permit(host: name, port: port)
        case .address(let address): permit(host: address.bytes, port: port)
        }
    }

    /// Whether a connection to this host may go to an address that its name has.
    public func allows(_ address: HostAddress, for host: Authority.Host, port: UInt16) -> Bool {
        guard let address = IPAddress(address), let permit = permit(host: host, port: port) else {
            return false
        }
        return allows(address, permit)
    }
}

extension OutboundPolicy.Rule {
    /// A rule of an entry of allowed hosts.
    fileprivate init?(allowing entry: String, machine: [UInt8]) {
        let everyPort = 0...UInt16.max
        if entry.utf8.elementsEqual(OutboundPolicy.everything.utf8) {
            self.init(host: .pattern([0x2a]), ports: everyPort, opensPrivate: true)
            return
        }
        guard entry.utf8.contains(0x2f), let url = OutboundURL(Array(entry.utf8)) else {
            self.init(entry)
            return
        }
        switch url.url.authority.host {
        case .address(let address):
            self.init(host: .literal(address), ports: everyPort, opensPrivate: true)
        case .name(let name):
            let isOwn =
                name.elementsEqual("localhost".utf8)
                || !machine.isEmpty && name.elementsEqual(machine.map { $0.lowercaseASCII })
            self.init(host: .pattern(name), ports: everyPort, opensPrivate: isOwn)
        }
    }
}

extension UInt8 {
    fileprivate var lowercaseASCII: UInt8 { 0x41...0x5a ~= self ? self | 0x20 : self }
}

extension IPAddress {
    /// The same address; nil never happens for addresses of the system.
    public init?(_ address: HostAddress) {
        switch address {
        case .ipv4(let bytes):
            guard bytes.count == 4 else { return nil }
            self.init(v4: bytes.reduce(0) { $0 << 8 | UInt32(truncatingIfNeeded: $1) })
        case .ipv6(let bytes):
            guard bytes.count == 16 else { return nil }
            self.init(
                v6: stride(from: 0, to: 16, by: 2).map {
                    UInt16(truncatingIfNeeded: bytes[$0]) << 8
                        | UInt16(truncatingIfNeeded: bytes[$0 + 1])
                })
        }
    }
}
