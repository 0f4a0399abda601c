import WasmdDocuments
import WasmdEventLoop

/// Which addresses guests may choose by themselves. It does not hold for the remote of a transport,
/// which the host has chosen.
///
///     var policy = AddressPolicy()
///     policy.allow("example.org:443")
///     policy.allows(network: "tcp", "example.org:443")   // true
///
/// Addresses are compared as text, byte by byte, as the guest gives them; no name is looked up
/// before. Without entries, nothing is allowed.
public struct AddressPolicy: Sendable, Hashable {
    /// An address, or several.
    public struct Entry: Sendable, Hashable {
        /// `HOST:PORT`; `HOST:*` for each port of a host, `*` for everything.
        public var address: String
        /// Names of networks, such as `tcp`; empty for each.
        public var networks: [String]

        public init(_ address: String, networks: [String] = []) {
            self.address = address
            self.networks = networks
        }

        func matches(_ network: String, _ wanted: String) -> Bool {
            guard networks.isEmpty || networks.contains(where: { isSame($0, network) }) else {
                return false
            }
            if isSame(address, "*") || isSame(address, wanted) { return true }
            guard address.utf8.suffix(2).elementsEqual(":*".utf8) else { return false }
            guard let colon = wanted.utf8.lastIndex(of: UInt8(ascii: ":")) else { return false }
            return wanted.utf8[..<colon].elementsEqual(address.utf8.dropLast(2))
        }

        private func isSame(_ one: String, _ other: String) -> Bool {
            one.utf8.elementsEqual(other.utf8)
        }
    }

    /// Whether what is not denied is allowed; otherwise only what is in `allowed`.
    public var allowsOthers = false
    public var allowed: [Entry] = []
    public var denied: [Entry] = []

    public init() {}

    public mutating func allow(_ address: String) { allowed.append(Entry(address)) }

    /// Allows the addresses that the configuration of a guest of the preview names: the members
    /// `remote_address` and `remote_port`, `local_address` and `local_port` of a JSON object. Other
    /// configurations name none.
    public mutating func allowAddresses(in configuration: [UInt8]) {
        guard let document = try? JSONReader.read(configuration) else { return }
        for name in ["remote", "local"] {
            guard let host = document[name + "_address"]?.stringValue,
                let port = document[name + "_port"]?.integerValue
            else { continue }
            // As the guest's place is written.
            let isIPv6 = HostAddress(host)?.isIPv6 == true && host.utf8.first != 0x5b
            let isLocal = host.utf8.elementsEqual("localhost".utf8)
            allow("\(isLocal ? "127.0.0.1" : isIPv6 ? "[\(host)]" : host):\(port)")
        }
    }

    /// Whether a guest may connect to, or listen at, an address.
    ///
    /// - Parameters:
    ///   - network: `tcp`, `tcp4`, `tcp6`.
    ///   - address: `HOST:PORT`.
    public func allows(network: String, _ address: String) -> Bool {
        if denied.contains(where: { $0.matches(network, address) }) { return false }
        return allowsOthers || allowed.contains { $0.matches(network, address) }
    }
}
