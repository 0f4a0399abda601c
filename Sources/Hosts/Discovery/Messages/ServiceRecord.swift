import WasmdEventLoop

extension NameMessage.RecordType {
    static let pointer = Self(rawValue: 12)
    static let text = Self(rawValue: 16)
    static let service = Self(rawValue: 33)
    /// `NSEC`: which types a name has.
    static let types = Self(rawValue: 47)
    static let any = Self(rawValue: 255)
}

/// A record of multicast DNS.
///
/// Specification: RFC 1035, section 3.2; RFC 2782; RFC 6762, sections 6.1 and 10.2.
struct ServiceRecord: Hashable, Sendable {
    enum Value: Hashable, Sendable {
        /// Four or sixteen bytes: `A`, `AAAA`.
        case address([UInt8])
        /// `PTR`
        case pointer(DomainName)
        /// `SRV`; priority and weight are of no use among hosts that name themselves.
        case service(port: UInt16, host: DomainName, priority: UInt16 = 0, weight: UInt16 = 0)
        /// `TXT`, with the lengths of its strings.
        case text([UInt8])
        /// `NSEC`: all types that the record's name has; below 256.
        case types([UInt16])
        case other(type: UInt16, [UInt8])
    }

    var name: DomainName
    var value: Value
    /// Seconds; 0 says that the record is no more.
    var timeToLive: UInt32
    /// Whether only one host has records of this name and type, which replace all earlier ones: the
    /// bit "cache flush".
    var isUnique: Bool

    init(_ name: DomainName, _ value: Value, timeToLive: UInt32, isUnique: Bool) {
        self.name = name
        self.value = value
        self.timeToLive = timeToLive
        self.isUnique = isUnique
    }

    var type: NameMessage.RecordType { value.type }

    /// What makes it the same record at another time.
    var key: Key { Key(name: name, value: value) }

    struct Key: Hashable, Sendable {
        var name: DomainName
        var value: Value
    }
}

extension ServiceRecord.Value {
    var type: NameMessage.RecordType {
        switch self {
        case .address(let bytes): bytes.count == 4 ? .a : .aaaa
        case .pointer: .pointer
        case .service: .service
        case .text: .text
        case .types: .types
        case .other(let type, _): NameMessage.RecordType(rawValue: type)
        }
    }

    /// The content without pointers, by which two hosts that want the same name are compared: RFC
    /// 6762, section 8.2.
    var bytes: [UInt8] {
        var writer = NameWriter()
        write(&writer, isShort: false, owner: nil)
        return writer.bytes
    }

    /// - Parameters:
    ///   - isShort: whether names may be pointers.
    ///   - owner: the name of the record; only `NSEC` has it inside.
    func write(_ writer: inout NameWriter, isShort: Bool, owner: DomainName?) {
        switch self {
        case .address(let bytes), .text(let bytes), .other(_, let bytes): writer.append(bytes)
        case .pointer(let name): writer.append(name, isShort: isShort)
        case .service(let port, let host, let priority, let weight):
            writer.append(word: priority)
            writer.append(word: weight)
            writer.append(word: port)
            writer.append(host, isShort: isShort)
        case .types(let types):
            if let owner { writer.append(owner, isShort: isShort) }
            var bits = [UInt8](repeating: 0, count: 32)
            for type in types where type < 256 { bits[Int(type) / 8] |= 0x80 >> (type % 8) }
            while bits.last == 0 { bits.removeLast() }
            writer.append([0, UInt8(truncatingIfNeeded: bits.count)])
            writer.append(bits)
        }
    }
}

extension NameReader {
    /// Reads the value of a record that has this many bytes.
    mutating func value(
        _ type: NameMessage.RecordType, _ count: Int
    ) -> ServiceRecord.Value? {
        let end = at + count
        switch type {
        case .a, .aaaa:
            guard count == (type == .a ? 4 : 16) else { return nil }
            return take(count).map { .address($0) }
        case .pointer:
            guard let name = name(), at == end else { return nil }
            return .pointer(name)
        case .service:
            guard let priority = word(), let weight = word(), let port = word(),
                let host = name(), at == end
            else { return nil }
            return .service(port: port, host: host, priority: priority, weight: weight)
        case .text: return take(count).map { .text($0) }
        default: return take(count).map { .other(type: type.rawValue, $0) }
        }
    }
}
