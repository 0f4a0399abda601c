import WasmSystem
import WasmdEventLoop
import WasmdGuests

/// Where a transport connects to: an address, or a name that is looked up for each connection.
public enum TransportAddress: Hashable, Sendable {
    case address(SystemAddress)
    case host(String, port: UInt16)
    /// Datagrams to an address or a name.
    indirect case datagrams(TransportAddress)

    /// `127.0.0.1:80`, `[::1]:80`, `example.org:80` or `unix:PATH`, or one of the first three
    /// with `udp:` before it; nil for anything else.
    public init?(_ text: [UInt8]) {
        let prefix = Array("unix:".utf8)
        if text.starts(with: prefix) {
            let path = Array(text.dropFirst(prefix.count))
            guard !path.isEmpty, !path.contains(0) else { return nil }
            self = .address(.unix(path))
            return
        }
        let datagrams = Array("udp:".utf8)
        if text.starts(with: datagrams) {
            let rest = Array(text.dropFirst(datagrams.count))
            guard !rest.starts(with: datagrams), !rest.starts(with: prefix),
                let inner = TransportAddress(rest)
            else { return nil }
            self = .datagrams(inner)
            return
        }
        guard let colon = text.lastIndex(of: UInt8(ascii: ":")) else { return nil }
        let digits = text[(colon + 1)...]
        guard !digits.isEmpty, digits.allSatisfy({ (0x30...0x39).contains($0) }),
            let port = Int(String(decoding: digits, as: UTF8.self)).flatMap(UInt16.init(exactly:)),
            port > 0,
            let host = String(validating: text[..<colon], as: UTF8.self), !host.isEmpty
        else { return nil }
        let isBracketed = host.utf8.first == UInt8(ascii: "[")
        if let address = HostAddress(host), address.isIPv6 == isBracketed {
            self = .address(address.with(port: port))
        } else {
            guard !host.utf8.contains(where: { $0 == 0x3a || $0 == 0x5b || $0 <= 0x20 }) else {
                return nil
            }
            self = .host(host, port: port)
        }
    }

    public init?(_ text: String) { self.init(Array(text.utf8)) }

    /// Connects, and makes a socket for a guest.
    ///
    /// - Throws: `HostError`, `LoopError`, `SystemError`, `GuestSocketError`.
    func connect(
        _ resolver: Resolver?, _ limits: GuestSocketLimits, on guests: GuestLoop, time: Duration
    ) async throws -> KernelSocket {
        let deadline = LoopInstant.after(time)
        let loop = guests.loop
        let stream: ByteStream
        switch self {
        // Who has a use for datagrams calls `connectDatagrams`.
        case .datagrams: throw SystemError.afnosupport
        case .address(let address):
            stream = try await ByteStream.connect(to: address, on: loop, deadline: deadline)
        case .host(let host, let port):
            stream = try await ByteStream.connect(
                to: host, port: port, resolver: resolver ?? .ofSystem(), on: loop,
                deadline: deadline)
        }
        return try KernelSocket(adopting: try stream.release(), limits, on: guests)
    }
}

extension TransportAddress: CustomStringConvertible {
    public var description: String {
        switch self {
        case .host(let host, let port): "\(HarmlessText.text(host.utf8)):\(port)"
        case .address(let address): Self.text(of: address)
        case .datagrams(let inner): "udp:\(inner)"
        }
    }

    /// `127.0.0.1:80`, `[::1]:80`, `unix:PATH`.
    public static func text(of address: SystemAddress) -> String {
        switch address {
        case .ipv4(let bytes, let port): bytes.map(String.init).joined(separator: ".") + ":\(port)"
        case .ipv6(let bytes, let port): "[\(SystemAddress.ipv6Text(bytes))]:\(port)"
        case .unix(let path): "unix:\(HarmlessText.text(path))"
        }
    }
}
