import WasmdHTTP

/// A URL that a guest wants to request, in the one form in which its host is compared and
/// requested.
///
/// Hosts that are IPv4 addresses in other forms (`2130706433`, `0x7f.1`, `0177.0.0.1`,
/// `127.0.0.1.`) become the usual one, as browsers and most clients read them (URL Standard 3.5,
/// "IPv4 parser"); so an address has one form here, whatever the resolver would make of it. Names
/// are in lower case and without a final dot; names that are not of ASCII are refused, since they
/// would need to be encoded first.
public struct OutboundURL: Sendable, Equatable {
    /// Without user information and fragment.
    public let url: URL
    /// What is before `@`, as it was written.
    public let userInformation: [UInt8]?

    /// Nil for what is no URL with a host.
    public init?(_ text: some Collection<UInt8>) {
        guard let parsed = URL(text) else { return nil }
        var host = parsed.authority.host
        if case .name(let name) = host {
            guard name.allSatisfy({ $0 < 0x80 }), name.first != 0x2e else { return nil }
            switch NumericHost(name) {
            case .name: break
            case .address(let address): host = .address(address)
            case .malformed: return nil
            }
        }
        // Others read it as the end of the host.
        if parsed.userInformation?.contains(0x5c) == true { return nil }
        userInformation = parsed.userInformation
        let authority = Authority(host: host, port: parsed.authority.port)
        let bytes = parsed.scheme + Array("://".utf8) + authority.bytes + parsed.target
        guard let url = URL(bytes) else { return nil }
        self.url = url
    }

    /// The value of `Authorization` that the user information asks for; nil without one.
    public var authorization: [UInt8]? {
        guard let userInformation, !userInformation.isEmpty else { return nil }
        let colon = userInformation.firstIndex(of: 0x3a) ?? userInformation.endIndex
        let user = PercentCoding.decode(userInformation[..<colon])
        let password = PercentCoding.decode(userInformation[colon...].dropFirst())
        guard let user, let password else { return nil }
        return Array("Basic ".utf8) + Base64.encode(user + [0x3a] + password)
    }
}

/// What a name of a URL is, if it ends in a number: URL Standard 3.5.
enum NumericHost: Equatable {
    /// It does not end in a number.
    case name
    case address(IPAddress)
    /// It ends in a number, and is no address.
    case malformed

    init(_ name: [UInt8]) {
        var parts = name.split(separator: 0x2e, omittingEmptySubsequences: false)
        if parts.count > 1, parts.last?.isEmpty == true { parts.removeLast() }
        guard let last = parts.last, Self.isNumeric(last) else {
            self = .name
            return
        }
        let numbers = parts.map(Self.number)
        guard parts.count <= 4, let final = numbers.last ?? nil,
            final < 1 << (8 * UInt64(5 - parts.count))
        else {
            self = .malformed
            return
        }
        var bits = final
        for (index, number) in numbers.dropLast().enumerated() {
            guard let number, number <= 255 else {
                self = .malformed
                return
            }
            bits |= number << (8 * UInt64(3 - index))
        }
        self = .address(IPAddress(v4: UInt32(truncatingIfNeeded: bits)))
    }

    private static func isNumeric(_ part: ArraySlice<UInt8>) -> Bool {
        if part.isEmpty { return false }
        return part.allSatisfy { 0x30...0x39 ~= $0 } || isHexadecimal(part)
    }

    private static func isHexadecimal(_ part: ArraySlice<UInt8>) -> Bool {
        part.count >= 2 && part.first == 0x30 && part.dropFirst().first.map { $0 | 0x20 } == 0x78
            && part.dropFirst(2).allSatisfy { digit($0, 16) != nil }
    }

    /// Decimal, octal with a leading 0, hexadecimal with a leading 0x; nil for anything else, and
    /// above 32 bits.
    private static func number(_ part: ArraySlice<UInt8>) -> UInt64? {
        var (digits, radix) = (part, UInt64(10))
        if part.isEmpty { return nil }
        if isHexadecimal(part) {
            (digits, radix) = (part.dropFirst(2), 16)
        } else if part.count >= 2, part.first == 0x30 {
            (digits, radix) = (part.dropFirst(), 8)
        }
        var value: UInt64 = 0
        for byte in digits {
            guard let digit = digit(byte, radix) else { return nil }
            value = value &* radix &+ digit
            guard value <= UInt64(UInt32.max) else { return nil }
        }
        return value
    }

    private static func digit(_ byte: UInt8, _ radix: UInt64) -> UInt64? {
        let value: UInt64
        switch byte {
        case 0x30...0x39: value = UInt64(byte &- 0x30)
        case 0x41...0x46: value = UInt64(byte &- 0x41 &+ 10)
        case 0x61...0x66: value = UInt64(byte &- 0x61 &+ 10)
        default: return nil
        }
        return value < radix ? value : nil
    }
}
