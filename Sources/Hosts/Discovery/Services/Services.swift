import WasmSystem
import WasmdEventLoop

/// A service of this process, as it is to be advertised.
public struct AdvertisedService: Sendable {
    /// The name that users see, of 1 to 63 bytes; dots have no meaning. If another host of the
    /// network has it, `-2`, `-3` and so on is appended.
    public var instance: [UInt8]
    public var type: ServiceType
    public var port: UInt16
    public var text: TextRecord
    /// The address that the service listens on. A wildcard address is advertised on all interfaces,
    /// with their addresses of its family, and only if there is no other interface on that of
    /// loopback; another one on the interface that has it.
    public var listener: HostAddress
    /// A key of `text` that gets, on each interface, the address that the service has there: that of
    /// the listener, or for a wildcard the interface's first.
    public var addressKey: String?

    public init(
        instance: [UInt8], type: ServiceType, port: UInt16, text: TextRecord = TextRecord(),
        listener: HostAddress = .ipv4([0, 0, 0, 0]), addressKey: String? = nil
    ) {
        self.instance = instance
        self.type = type
        self.port = port
        self.text = text
        self.listener = listener
        self.addressKey = addressKey
    }

    /// A name of at most 63 bytes: a longer one is cut, not within a character of UTF-8.
    public static func fitting(_ name: [UInt8]) -> [UInt8] { ContestedName.cut(name, to: 63) }
}

/// A service that was found in the local network.
public struct DiscoveredService: Hashable, Sendable {
    public struct Address: Hashable, Sendable {
        public var address: HostAddress
        /// The index of the interface on which it was heard: link-local addresses need it.
        public var interface: UInt32

        public init(_ address: HostAddress, interface: UInt32) {
            self.address = address
            self.interface = interface
        }
    }

    /// Identifies it, together with its type; its ASCII letters have no case.
    public var instance: [UInt8]
    public var type: ServiceType
    /// Such as `machine.local`.
    public var host: DomainName
    public var port: UInt16
    public var text: TextRecord
    /// Never empty. Those that other hosts can use come first, and IPv4 before IPv6, then
    /// link-local ones, then loopback.
    public var addresses: [Address]

    public init(
        instance: [UInt8], type: ServiceType, host: DomainName, port: UInt16, text: TextRecord,
        addresses: [Address]
    ) {
        self.instance = instance
        self.type = type
        self.host = host
        self.port = port
        self.text = text
        self.addresses = addresses
    }
}

/// What has changed among the services of a type.
public enum DiscoveryEvent: Hashable, Sendable {
    /// A service, with everything that is needed to use it.
    case added(DiscoveredService)
    /// Its port, text, host or addresses are others now.
    case changed(DiscoveredService)
    /// It said goodbye, was not heard of for the time that it promised, or its interface is gone.
    case removed(DiscoveredService)
}

/// Why something cannot be advertised.
public enum DiscoveryError: Error, Hashable, Sendable {
    /// The name is empty or longer than 63 bytes.
    case name
    /// There is no multicast: the port is taken by a program that does not share it, or the kernel
    /// refused. Services of others may still be found.
    case noMulticast(SystemError)
    case closed
}

extension DiscoveryError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .name: "the name of a service must have 1 to 63 bytes"
        case .noMulticast(let error): "no multicast DNS on port 5353: \(error)"
        case .closed: "the discovery was closed"
        }
    }
}
