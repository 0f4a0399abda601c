import WasmSystem
import WasmdEventLoop

/// Why there is no TLS connection.
public enum TLSError: Error, Hashable, Sendable {
    /// The TLS program is not there, or may not be executed.
    case program(path: [UInt8], SystemError)
    /// The name of the host is not one that a certificate could hold.
    case host([UInt8])
    /// As many TLS programs as the limit says are busy.
    case limit(Int)
    /// There is no connection below TLS.
    case connection(SystemError)
    /// The certificate of the server is not valid for the host: a code of OpenSSL's
    /// `X509_V_ERR_...`, and its text.
    case certificate(code: Int, reason: String)
    /// The proxy refuses `CONNECT`: its status and reason.
    case proxy(String)
    /// Only `Basic` can be passed on to the proxy.
    case proxyAuthorization
    /// The handshake failed: the last line that the TLS program wrote.
    case handshake(String)
    /// The TLS program has ended without saying why.
    case ended(ChildProcess.End?)
    /// The TLS program writes without end to its standard error.
    case flooded
    case timedOut
    case loop(LoopError)

    /// Codes of OpenSSL that tests and callers tell apart.
    public static let expired = 10
    public static let selfSigned = 18
    public static let unknownIssuer = 20
    public static let wrongName = 62
    public static let wrongAddress = 64

    init(_ error: LoopError) {
        self = error == .timedOut ? .timedOut : .loop(error)
    }
}

extension TLSError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .program(let path, let error):
            "the TLS program '\(Self.text(path))' cannot be started: \(error); "
                + "install the package 'openssl', or name the program where it is"
        case .host(let name): "'\(Self.text(name))' is no name that TLS can check"
        case .limit(let count): "all \(count) TLS programs are busy: raise their limit"
        case .connection(let error): "cannot connect: \(error)"
        case .certificate(let code, let reason):
            "the server's certificate is refused: \(reason) (\(code))"
        case .proxy(let reason): "the proxy refuses to connect: \(reason)"
        case .proxyAuthorization: "only Basic authorization can be used with CONNECT to a proxy"
        case .handshake(let reason): "the TLS handshake failed: \(reason)"
        case .ended(.status(let status)?): "the TLS program ended with \(status), without a reason"
        case .ended(.signal(let signal)?): "the TLS program was ended by signal \(signal)"
        case .ended(nil): "the TLS program ended without a reason"
        case .flooded: "the TLS program writes without end to its standard error"
        case .timedOut: "the TLS handshake timed out"
        case .loop(let error): error.description
        }
    }

    /// Bytes for a person: control characters are replaced.
    private static func text(_ bytes: [UInt8]) -> String {
        String(
            decoding: bytes.prefix(300).map { $0 < 0x20 || $0 >= 0x7f ? UInt8(ascii: "?") : $0 },
            as: UTF8.self)
    }
}
