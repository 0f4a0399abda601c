import WasmdDocuments
import WasmdHTTP

/// Where guests may connect to. Nothing is allowed by default.
///
/// A rule is `HOST:PORT` or `HOST`, which means every port. In the host `*` stands for any number of
/// characters, also dots; a port is a number, a range `8000-8100` or `*`. IPv6 addresses stand in
/// brackets. A host can also be a network, `10.0.0.0/8`.
///
/// Private, loopback, link-local and other special addresses are closed even if a rule with a name
/// or `*` matches: a name that somebody else controls may lead there. They are opened by a rule
/// that names the address or a network, by `localhost`, or by a name without `*` whose rule ends
/// with `!private`, as `intranet.example:443!private`. So the check has two steps: of the name, before it is
/// resolved, and of each address that it leads to; and both again after each redirect.
public struct OutboundPolicy: Sendable, Equatable {
    /// A host and port of which a rule may speak.
    struct Rule: Sendable, Equatable {
        enum Host: Sendable, Equatable {
            /// In lower case; `*` for anything.
            case pattern([UInt8])
            case network(IPNetwork)
            /// An address as the URL of an allowed host has it: names do not lead to it.
            case literal(IPAddress)
        }

        var host: Host
        var ports: ClosedRange<UInt16>
        var opensPrivate: Bool
    }

    /// What a connection may lead to, after its name was allowed.
    public struct Permit: Sendable, Equatable {
        fileprivate var port: UInt16
        fileprivate var opensPublic: Bool
        fileprivate var opensPrivate: Bool
    }

    let rules: [Rule]

    /// - Parameter rules: see above.
    /// - Returns: nil if one is malformed; `malformed` tells which.
    public init?(_ rules: [String]) {
        var read: [Rule] = []
        for text in rules {
            guard let rule = Rule(text) else { return nil }
            read.append(rule)
        }
        self.rules = read
    }

    /// Nothing is allowed.
    public static let nothing = OutboundPolicy(rules: [])

    init(rules: [Rule]) { self.rules = rules }

    /// The first of these rules that is malformed.
    public static func malformed(_ rules: [String]) -> String? {
        rules.first { Rule($0) == nil }
    }

    /// Whether a connection to a name, or an address as text without brackets, may be tried.
    ///
    /// - Returns: nil if not; otherwise what `allows` must be asked about each address.
    public func permit(host: [UInt8], port: UInt16) -> Permit? {
        let address = IPAddress(host[...])
        var permit = Permit(port: port, opensPublic: false, opensPrivate: false)
        var host = host.map { $0.asciiLowercase }
        if host.last == 0x2e { host.removeLast() }
        var mayMatchAddress = false
        for rule in rules where rule.ports.contains(port) {
            switch rule.host {
            case .pattern(let pattern):
                guard Rule.matches(host[...], pattern[...]) else { continue }
                permit.opensPublic = true
                if rule.opensPrivate { permit.opensPrivate = true }
            case .network(let network):
                // `allows` decides: a name may lead into the network.
                if address.map({ network.contains($0) }) ?? true { mayMatchAddress = true }
            case .literal(let literal):
                guard address?.unmapped == literal.unmapped else { continue }
                permit.opensPublic = true
                permit.opensPrivate = true
            }
        }
        return permit.opensPublic || mayMatchAddress ? permit : nil
    }

    /// Whether a connection with this permit may go to an address.
    public func allows(_ address: IPAddress, _ permit: Permit) -> Bool {
        let address = address.unmapped
        for case let rule in rules where rule.ports.contains(permit.port) {
            if case .network(let network) = rule.host, network.contains(address) { return true }
        }
        return address.isSpecial ? permit.opensPrivate : permit.opensPublic
    }
}

extension OutboundPolicy.Rule {
    init?(_ text: String) {
        var rest = Array(text.utf8).map { $0.asciiLowercase }[...]
        let suffix = Array("!private".utf8)
        opensPrivate = rest.reversed().starts(with: suffix.reversed())
        if opensPrivate { rest = rest.dropLast(suffix.count) }
        let host: ArraySlice<UInt8>
        var port: ArraySlice<UInt8>?
        if rest.first == 0x5b {
            guard let end = rest.firstIndex(of: 0x5d) else { return nil }
            host = rest[(rest.startIndex + 1)..<end]
            let after = rest[(end + 1)...]
            if let first = after.first {
                guard first == 0x3a else { return nil }
                port = after.dropFirst()
            }
        } else if let colon = rest.firstIndex(of: 0x3a) {
            host = rest[..<colon]
            port = rest[(colon + 1)...]
        } else {
            host = rest
        }
        guard !host.isEmpty, let ports = Self.ports(port) else { return nil }
        self.ports = ports
        if host.contains(0x2f) || IPAddress(host) != nil {
            guard let network = IPNetwork(host) else { return nil }
            self.host = .network(network)
        } else {
            let isName = host.allSatisfy { byte in
                switch byte {
                case 0x61...0x7a, 0x30...0x39, 0x2d, 0x2e, 0x5f, 0x2a: true
                default: false
                }
            }
            guard isName, !(opensPrivate && host.contains(0x2a)) else { return nil }
            if host.elementsEqual("localhost".utf8) { opensPrivate = true }
            self.host = .pattern(Array(host))
        }
    }

    private static func ports(_ text: ArraySlice<UInt8>?) -> ClosedRange<UInt16>? {
        guard let text, text != [0x2a] else { return 0...UInt16.max }
        let parts = text.split(separator: 0x2d, omittingEmptySubsequences: false)
        let numbers = parts.compactMap { part in
            Quantity.count(String(decoding: part, as: UTF8.self)).flatMap(UInt16.init(exactly:))
        }
        guard numbers.count == parts.count, let first = numbers.first, let last = numbers.last,
            numbers.count <= 2, first <= last
        else { return nil }
        return first...last
    }

    /// Matches with `*`, in time proportional to the product of the lengths at most.
    static func matches(_ text: ArraySlice<UInt8>, _ pattern: ArraySlice<UInt8>) -> Bool {
        var (at, in_) = (text.startIndex, pattern.startIndex)
        var star: (pattern: Int, text: Int)?
        while at < text.endIndex {
            if in_ < pattern.endIndex, pattern[in_] == 0x2a {
                star = (in_, at)
                in_ += 1
            } else if in_ < pattern.endIndex, pattern[in_] == text[at] {
                in_ += 1
                at += 1
            } else if let known = star {
                in_ = known.pattern + 1
                at = known.text + 1
                star = (known.pattern, at)
            } else {
                return false
            }
        }
        return pattern[in_...].allSatisfy { $0 == 0x2a }
    }
}

extension UInt8 {
    fileprivate var asciiLowercase: UInt8 { 0x41...0x5a ~= self ? self | 0x20 : self }
}

extension IPAddress {
    /// Addresses that are not of the public internet: private, loopback, link-local, multicast,
    /// reserved, and IPv6 forms that hold such IPv4 addresses (RFC 6890 and the registries of
    /// special-purpose addresses).
    var isSpecial: Bool { Self.special.contains { $0.contains(self) } }

    private static let special: [IPNetwork] = [
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
        "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        "::/96", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23",
        "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10",
        "fec0::/10", "ff00::/8",
    ].compactMap { IPNetwork(Array($0.utf8)[...]) }
}
