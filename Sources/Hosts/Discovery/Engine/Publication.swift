import WasmSystem
import WasmdEventLoop

/// A name of this host that may be taken by another: the name wanted, and a number after it.
struct ContestedName: Sendable {
    let wanted: [UInt8]
    private(set) var number = 1

    init(_ wanted: [UInt8]) { self.wanted = wanted }

    /// The name as a label.
    var label: [UInt8] {
        guard number > 1 else { return Self.cut(wanted, to: DomainName.labelLimit) }
        let suffix = Array("-\(number)".utf8)
        return Self.cut(wanted, to: DomainName.labelLimit - suffix.count) + suffix
    }

    /// At most so many bytes of a name; not within a character of UTF-8.
    static func cut(_ name: [UInt8], to count: Int) -> [UInt8] {
        guard name.count > count else { return name }
        // The first byte that is left out must begin a character.
        var end = max(count, 0)
        while end > 0, end > count - 4, name[end] & 0xc0 == 0x80 { end -= 1 }
        return Array(name[..<end])
    }

    mutating func takeNext() { number += 1 }
}

/// A service that is advertised.
final class Publication {
    let service: AdvertisedService
    var text: TextRecord
    var name: ContestedName
    let onRename: ([UInt8]) -> Void
    /// Called when its name was free, and it is announced for the first time under that name.
    let onAnnounce: ([UInt8]) -> Void
    /// The name under which it was announced last.
    private var announced: [UInt8]?

    init(
        _ service: AdvertisedService, onRename: @escaping ([UInt8]) -> Void,
        onAnnounce: @escaping ([UInt8]) -> Void = { _ in }
    ) {
        self.service = service
        self.onRename = onRename
        self.onAnnounce = onAnnounce
        text = service.text
        name = ContestedName(service.instance)
    }

    /// Notes that it is announced on an interface.
    func noteAnnouncement() {
        guard announced != name.label else { return }
        announced = name.label
        onAnnounce(name.label)
    }

    /// Seconds; RFC 6762, section 10: less for records with names of hosts.
    static let hostTime: UInt32 = 120
    static let otherTime: UInt32 = 4500

    var fullName: DomainName? { service.type.name(of: name.label) }

    /// The addresses of an interface at which the service can be reached.
    func addresses(on interface: NetworkInterface) -> [[UInt8]] {
        let (wanted, isWildcard) = listenerBytes
        return interface.addresses.map(\.bytes).filter { bytes in
            // A wildcard socket of IPv6 takes connections of IPv4 too.
            if isWildcard { return bytes.count <= wanted.count }
            return bytes == wanted
        }
            // The whole of 127.0.0.0/8 is this host.
            + (isLoopback4(wanted) && interface.isLoopback && wanted != [127, 0, 0, 1]
                ? [wanted] : [])
    }

    private func isLoopback4(_ bytes: [UInt8]) -> Bool { bytes.count == 4 && bytes[0] == 127 }

    private var listenerBytes: ([UInt8], isWildcard: Bool) {
        switch service.listener {
        case .ipv4(let bytes), .ipv6(let bytes): (bytes, !bytes.contains { $0 != 0 })
        }
    }

    /// Whether the service is advertised on an interface.
    func belongs(on interface: NetworkInterface, among all: [NetworkInterface]) -> Bool {
        guard !addresses(on: interface).isEmpty else { return false }
        guard listenerBytes.isWildcard, interface.isLoopback else { return true }
        return !all.contains { !$0.isLoopback && !addresses(on: $0).isEmpty }
    }

    private func text(on interface: NetworkInterface) -> TextRecord {
        guard let key = service.addressKey, let first = addresses(on: interface).first,
            let address = HostAddress(bytes: first)
        else { return text }
        return text.setting(key, to: Array(address.text.utf8))
    }

    /// The records that no other host has, without those of this host.
    func uniqueRecords(on interface: NetworkInterface, host: DomainName) -> [ServiceRecord] {
        guard let name = fullName else { return [] }
        return [
            ServiceRecord(
                name, .service(port: service.port, host: host), timeToLive: Self.hostTime,
                isUnique: true),
            ServiceRecord(
                name, .text(text(on: interface).bytes), timeToLive: Self.otherTime, isUnique: true),
        ]
    }

    /// The records that lead to the service, first the one of its type.
    func sharedRecords() -> [ServiceRecord] {
        guard let name = fullName else { return [] }
        var records = [
            ServiceRecord(
                service.type.name, .pointer(name), timeToLive: Self.otherTime, isUnique: false)
        ]
        // All types: RFC 6763, section 9.
        if let types = DomainName("_services._dns-sd._udp.local") {
            records.append(
                ServiceRecord(
                    types, .pointer(service.type.name), timeToLive: Self.otherTime, isUnique: false)
            )
        }
        return records
    }
}

extension HostAddress {
    /// The usual form: `127.0.0.1`, `::1`.
    public var text: String {
        switch self {
        case .ipv4(let bytes): bytes.map { String($0) }.joined(separator: ".")
        case .ipv6(let bytes): SystemAddress.ipv6Text(bytes)
        }
    }
}
