import WasmSystem
import WasmdDiscovery
import WasmdDocuments
import WasmdEventLoop

// How servers of wasmiot find each other in the local network: DNS-SD, type `_webthing._tcp`.

extension AdvertisedService {
    /// A supervisor as the existing ones advertise themselves: its name, and as texts `path=/`,
    /// `tls=0` and `address=` with the address that it has on the interface.
    ///
    /// - Returns: nil if the address is none of the internet. A name of more than 63 bytes is cut.
    public init?(supervisor name: String, listener: SystemAddress) {
        self.init(wasmiot: name, listener: listener)
        guard let text = TextRecord(["path": "/", "tls": "0"]) else { return nil }
        self.text = text
        addressKey = "address"
    }

    /// An orchestrator as the existing one advertises itself: as `orchestrator`, without texts.
    public init?(orchestrator listener: SystemAddress) {
        self.init(wasmiot: "orchestrator", listener: listener)
    }

    private init?(wasmiot name: String, listener: SystemAddress) {
        let address: HostAddress
        switch listener {
        case .ipv4(let bytes, _): address = .ipv4(bytes)
        case .ipv6(let bytes, _): address = .ipv6(bytes)
        case .unix: return nil
        }
        guard let type = ServiceType(DeviceRegistration.serviceType), let port = listener.port,
            port > 0, !name.isEmpty
        else { return nil }
        self.init(
            instance: AdvertisedService.fitting(Array(name.utf8)), type: type, port: port,
            listener: address)
    }
}

extension ServiceType {
    /// Of all servers of wasmiot.
    public static var webthing: ServiceType? { ServiceType(DeviceRegistration.serviceType) }
}

extension DeviceRegistration {
    /// What a service of the local network would say if it registered itself. Addresses that other
    /// hosts can use come first; link-local ones of IPv6 are left out, since they mean nothing
    /// without an interface.
    ///
    /// - Returns: nil if the name is not UTF-8, or no address is left.
    public init?(_ service: DiscoveredService) {
        let name = String(decoding: service.instance, as: UTF8.self)
        guard Array(name.utf8) == service.instance, !name.isEmpty else { return nil }
        var addresses: [String] = []
        for address in service.addresses.map(\.address) where !address.isLinkLocal6 {
            if !addresses.contains(address.text) { addresses.append(address.text) }
        }
        guard !addresses.isEmpty else { return nil }
        var members: [Document.Member] = []
        for key in ["path", "tls", "address"] {
            guard let value = service.text[key] else { continue }
            members.append(.init(key, .string(String(decoding: value, as: UTF8.self))))
        }
        self.init(
            name: name, host: "\(service.host).", port: service.port, addresses: addresses,
            scheme: service.text["tls"] == Array("1".utf8) ? "https" : "http",
            properties: .object(members))
    }
}

extension HostAddress {
    fileprivate var isLinkLocal6: Bool {
        if case .ipv6(let bytes) = self {
            bytes[0] == 0xfe && bytes[1] & 0xc0 == 0x80
        } else {
            false
        }
    }
}
