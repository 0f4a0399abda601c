import WasmSystem
import WasmdEventLoop

/// Where a guest of the preview connects to or listens, as it encodes it: the bytes of a host with
/// their count before them (64 bits), a port (32 bits) and a name, all little-endian.
struct PreviewPlace {
    private let host: String
    private let port: UInt16

    /// Nil if the bytes have another form.
    init?(_ bytes: [UInt8]) {
        var rest = bytes[...]
        func number(_ byteCount: Int) -> UInt64? {
            guard rest.count >= byteCount else { return nil }
            let part = rest.prefix(byteCount)
            rest = rest.dropFirst(byteCount)
            return part.reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
        guard let count = number(8), count <= UInt64(rest.count) else { return nil }
        let name = rest.prefix(Int(count))
        rest = rest.dropFirst(Int(count))
        guard let host = String(validating: name, as: UTF8.self), !host.isEmpty,
            let value = number(4), let port = UInt16(exactly: value)
        else { return nil }
        self.host = host.utf8.elementsEqual("localhost".utf8) ? "127.0.0.1" : host
        self.port = port
    }

    /// `HOST:PORT`
    var text: String {
        let isIPv6 = HostAddress(host)?.isIPv6 == true && host.utf8.first != UInt8(ascii: "[")
        return isIPv6 ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    /// The address to listen at; nil if the host is a name.
    var address: SystemAddress? { HostAddress(host)?.with(port: port) }
}
