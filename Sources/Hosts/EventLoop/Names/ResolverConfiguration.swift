import WasmSystem

/// The name servers, and how to use them: resolv.conf(5).
public struct ResolverConfiguration: Sendable, Equatable {
    /// At most three, with the port 53 unless set otherwise.
    public var servers: [SystemAddress]
    /// Suffixes that are appended to names with few dots; at most six.
    public var search: [DomainName]
    /// Names with at least this number of dots are tried unchanged first.
    public var dots = 1
    /// Seconds to wait for an answer, 1…30.
    public var timeout = 5
    /// How often each server is asked, 1…5.
    public var attempts = 2
    /// Whether each question goes to another server first.
    public var rotates = false

    /// - Parameter servers: if empty, the machine itself.
    public init(servers: [SystemAddress] = [], search: [DomainName] = []) {
        self.servers = servers.isEmpty ? [HostAddress.loopback4.with(port: 53)] : servers
        self.search = search
    }

    /// Parses the bytes of `/etc/resolv.conf`. Unknown or malformed lines are ignored.
    public init(_ bytes: [UInt8]) {
        self.init()
        var servers: [SystemAddress] = []
        for line in bytes.split(whereSeparator: { $0 == 0x0a }) {
            // A comment is a line that begins with one of these, or follows a blank.
            if line.first == UInt8(ascii: "#") || line.first == UInt8(ascii: ";") { continue }
            let words = line.split { $0 == 0x20 || $0 == 0x09 || $0 == 0x0d }
                .prefix { $0.first != UInt8(ascii: "#") && $0.first != UInt8(ascii: ";") }
                .map { String(decoding: $0, as: UTF8.self) }
            switch words.first {
            case "nameserver":
                guard words.count > 1, servers.count < 3,
                    // An interface after a % is for link-local addresses, which need it: not
                    // supported.
                    let address = HostAddress(words[1])
                else { continue }
                servers.append(address.with(port: 53))
            case "search", "domain":
                search = Array(words.dropFirst().prefix(6).compactMap { DomainName($0) })
            case "options": for word in words.dropFirst() { take(option: word) }
            default: continue
            }
        }
        if !servers.isEmpty { self.servers = servers }
    }

    private mutating func take(option: String) {
        let parts = option.split(separator: ":", maxSplits: 1)
        let number = parts.count == 2 ? Int(parts[1]) : nil
        switch (parts.first, number) {
        case ("ndots", let number?) where number >= 0: dots = min(number, 15)
        case ("timeout", let number?) where number >= 0: timeout = min(max(number, 1), 30)
        case ("attempts", let number?) where number >= 0: attempts = min(max(number, 1), 5)
        case ("rotate", nil): rotates = true
        default: break
        }
    }

    /// The names to ask for, in order, for a host that a user gave. One with a dot at its end is
    /// complete; one with enough dots is tried unchanged first.
    public func candidates(for host: String) -> [DomainName] {
        guard let name = DomainName(host) else { return [] }
        if host.utf8.last == UInt8(ascii: ".") { return [name] }
        let extended = search.compactMap { name.appending($0) }
        return name.labels.count - 1 >= dots ? [name] + extended : extended + [name]
    }
}
