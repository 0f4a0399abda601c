import WasmSystem
import WasmdEventLoop
import WasmdHTTP

/// What a TLS program connects to, as arguments of `openssl s_client`.
///
/// All values that come from a URL are checked here: none can be taken for an option, none leaves
/// the certificate unchecked.
struct TLSTarget: Sendable {
    /// The host that the certificate must be for.
    var host: Authority.Host
    var port: UInt16
    /// The address of the host, or of the proxy.
    var address: SystemAddress
    /// Whether `address` is a proxy, which gets `CONNECT`.
    var isProxied = false
    /// A value of `Proxy-Authorization`.
    var authorization: [UInt8]?
    /// A file of certificates in PEM, which alone are trusted; nil for the system's.
    var trusted: [UInt8]?
    /// The protocol inside, as ALPN names it; nil to name none.
    var application: String? = "http/1.1"

    /// The variable of the child's environment that holds the password for the proxy: arguments can
    /// be read by other users, variables cannot.
    private static let passwordVariable = Array("PROXY_PASSWORD".utf8)

    /// The arguments after the program, and its environment.
    func command() throws(TLSError) -> (arguments: [[UInt8]], environment: [[UInt8]]) {
        // -quiet: nothing but the peer's bytes on standard output; the end of the input does not end
        // the program, and letters at the start of the input are no commands. -brief: one summary on
        // standard error when the handshake is complete. With -verify_return_error, no byte of ours
        // is sent to a server whose certificate is refused.
        var words = [
            "s_client", "-quiet", "-brief", "-verify", "16", "-verify_return_error",
            "-min_protocol", "TLSv1.2",
        ].map { Array($0.utf8) }
        func add(_ option: String, _ value: [UInt8]) {
            words.append(Array(option.utf8))
            words.append(value)
        }
        if let application { add("-alpn", Array(application.utf8)) }
        let name: [UInt8]
        switch host {
        case .name(let bytes):
            guard Self.isName(bytes) else { throw .host(bytes) }
            name = bytes
            add("-servername", bytes)
            add("-verify_hostname", bytes)
        case .address(let address):
            name = address.isIPv4 ? address.bytes : [0x5b] + address.bytes + [0x5d]
            words.append(Array("-noservername".utf8))
            add("-verify_ip", address.bytes)
        }
        guard let place = Self.text(address) else { throw .connection(.afnosupport) }
        var environment: [[UInt8]] = []
        if isProxied {
            add("-proxy", place)
            add("-connect", name + Array(":\(port)".utf8))
            if let authorization {
                guard let (user, password) = Self.credentials(authorization) else {
                    throw .proxyAuthorization
                }
                add("-proxy_user", user)
                add("-proxy_pass", Array("env:".utf8) + Self.passwordVariable)
                environment.append(Self.passwordVariable + [UInt8(ascii: "=")] + password)
            }
        } else {
            add("-connect", place)
        }
        if let trusted {
            add("-CAfile", trusted)
            words.append(Array("-no-CApath".utf8))
            words.append(Array("-no-CAstore".utf8))
        }
        return (words, environment)
    }

    /// Whether a name can be in a certificate and in an argument: labels of 1 to 63 letters, digits,
    /// hyphens and underscores without a hyphen at either end, 253 bytes together; the last one is
    /// no number, since such a name would be taken for an address.
    static func isName(_ bytes: [UInt8]) -> Bool {
        guard bytes.count <= 253 else { return false }
        let labels = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        let hyphen = UInt8(ascii: "-")
        for label in labels {
            guard (1...63).contains(label.count), label.first != hyphen, label.last != hyphen,
                label.allSatisfy({ isDigit($0) || isLetter($0) || $0 == hyphen || $0 == 0x5f })
            else { return false }
        }
        guard let last = labels.last else { return false }
        return last.contains { !isDigit($0) } && !last.starts(with: [0x30, 0x78])
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }
    private static func isLetter(_ byte: UInt8) -> Bool { (byte | 0x20) &- 0x61 < 26 }

    /// `127.0.0.1:443`, `[::1]:443`; nil for other addresses.
    private static func text(_ address: SystemAddress) -> [UInt8]? {
        switch address {
        case .ipv4(let bytes, let port):
            Array((bytes.map(String.init).joined(separator: ".") + ":\(port)").utf8)
        case .ipv6(let bytes, let port): Array("[\(SystemAddress.ipv6Text(bytes))]:\(port)".utf8)
        case .unix: nil
        }
    }

    /// User and password of `Basic`: RFC 7617. Nil for other schemes, and for a user that could be
    /// taken for an option.
    private static func credentials(_ value: [UInt8]) -> (user: [UInt8], password: [UInt8])? {
        let parts = value.split(separator: UInt8(ascii: " "))
        guard parts.count == 2, parts[0].map({ $0 | 0x20 }) == Array("basic".utf8),
            let text = Base64.decode(parts[1]), !text.contains(0),
            let colon = text.firstIndex(of: UInt8(ascii: ":"))
        else { return nil }
        let user = Array(text[..<colon])
        guard !user.isEmpty, user.first != UInt8(ascii: "-") else { return nil }
        return (user, Array(text[(colon + 1)...]))
    }
}
