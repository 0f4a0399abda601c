import WasmdEventLoop

/// A type of services in the local network, such as `_webthing._tcp`.
///
/// Specification: RFC 6763, section 4.1.2.
public struct ServiceType: Hashable, Sendable {
    /// With the domain: `_webthing._tcp.local`.
    public let name: DomainName

    /// The domain of the local network: RFC 6762, section 3.
    static let domain = DomainName("local")

    /// - Parameter text: such as `_webthing._tcp`, also with `.local` or `.local.` at its end.
    /// - Returns: nil if it has not two labels that begin with an underscore, the second of them
    ///   `_tcp` or `_udp`.
    public init?(_ text: String) {
        guard let name = DomainName(text), let domain = Self.domain else { return nil }
        let labels = name.labels
        guard labels.count == 2 || (labels.count == 3 && Array(labels[2]) == domain.labels[0]),
            labels[0].count > 1, labels[0].first == UInt8(ascii: "_"),
            labels[1] == Array("_tcp".utf8) || labels[1] == Array("_udp".utf8),
            let whole = DomainName(labels: Array(labels[..<2]) + domain.labels)
        else { return nil }
        self.name = whole
    }

    /// The full name of an instance; nil for one that is empty or longer than 63 bytes.
    func name(of instance: [UInt8]) -> DomainName? {
        DomainName(labels: [instance] + name.labels)
    }
}

extension ServiceType: CustomStringConvertible {
    public var description: String { name.description }
}
