/// What proxies that are trusted say about a request (RFC 7239, and the older `X-Forwarded-*`).
public struct Forwarding: Equatable, Sendable {
    /// The client: the last address that no trusted proxy has.
    public var client: IPAddress
    /// `http` or `https`, if a trusted proxy says so.
    public var scheme: [UInt8]?
    /// The host that the client asked for, if a trusted proxy says so.
    public var host: [UInt8]?

    /// Reads the fields of a request.
    ///
    /// `Forwarded` is preferred. Elements are read from the last one on, each written by the proxy
    /// that the one after it names; the first address that is not trusted ends the chain, for what
    /// is before it was written by the client.
    ///
    /// - Parameters:
    ///   - peer: the address at the other end of the connection.
    ///   - trusted: proxies whose fields are believed. From others all of this is ignored.
    public init(peer: IPAddress, trusted: [IPNetwork], fields: Fields) {
        client = peer.unmapped
        let isTrusted = { (address: IPAddress) in trusted.contains { $0.contains(address) } }
        guard isTrusted(peer) else { return }
        if fields.contains("forwarded") {
            for element in Array(fields.list("forwarded")).reversed() {
                // The parameters have no value before them.
                guard let value = ParameterisedValue([ASCII.semicolon] + element) else { return }
                if let proto = value["proto"], let scheme = Self.scheme(proto[...]) {
                    self.scheme = scheme
                }
                if let host = value["host"], Authority(host[...]) != nil { self.host = host }
                guard let node = value["for"], let address = Self.address(node[...]) else { return }
                client = address.unmapped
                if !isTrusted(address) { return }
            }
            return
        }
        scheme = Array(fields.list("x-forwarded-proto")).last.flatMap(Self.scheme)
        host = Array(fields.list("x-forwarded-host")).last
            .flatMap { Authority($0) != nil ? Array($0) : nil }
        for element in Array(fields.list("x-forwarded-for")).reversed() {
            guard let address = Self.address(element) else { return }
            client = address.unmapped
            if !isTrusted(address) { return }
        }
    }

    private static func scheme(_ bytes: ArraySlice<UInt8>) -> [UInt8]? {
        if bytes.equals(lowercase: "http") { return [UInt8]("http") }
        return bytes.equals(lowercase: "https") ? [UInt8]("https") : nil
    }

    /// An address with an optional port; nil for `unknown` and hidden names.
    private static func address(_ bytes: ArraySlice<UInt8>) -> IPAddress? {
        if let address = IPAddress(bytes) { return address }
        guard case .address(let address)? = Authority(bytes)?.host else { return nil }
        return address
    }
}
