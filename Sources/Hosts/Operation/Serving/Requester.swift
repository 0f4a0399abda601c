import WasmSystem
import WasmdGuests
import WasmdHTTP

/// Who may do what: a token, or everybody without one. Made when the configuration is read.
public final class Account: Sendable {
    /// The name of the token; nil without one.
    public let token: String?
    public let scopes: Scopes
    /// The tenant that the token belongs to; nil for accounts that may use everything.
    public let tenant: Tenant?
    /// The scope of the account's runs: that of the tenant, or of the token; nil without a token.
    public let runs: RunScope?
    let rate: RateLimiter<UInt8>?

    public init(
        token: String?, scopes: Scopes, tenant: Tenant? = nil, runs: RunScope? = nil,
        rate: RateLimiter<UInt8>? = nil
    ) {
        self.token = token
        self.scopes = scopes
        self.tenant = tenant
        self.runs = tenant?.runs ?? runs
        self.rate = rate
    }

    /// Everybody, while no tokens are configured.
    public static let everybody = Account(token: nil, scopes: .all)
    /// Peers of trusted networks without a token: all but the admin interface.
    public static let trusted = Account(token: nil, scopes: [.read, .write, .run])
    /// Requests without a valid token: only what is public.
    public static let nobody = Account(token: nil, scopes: [])
}

/// Who sent a request, as far as a surface needs to know.
public struct Requester: Sendable {
    public let account: Account
    /// The other end of the connection; nil if it cannot be read.
    public let peer: SystemAddress?
    /// What a trusted proxy says about the client.
    public let forwarding: Forwarding?
    /// Different for each request of the process.
    public let request: RequestID
    /// The trace that the request belongs to, if it says so.
    public let trace: TraceParent?
    /// The span of the request itself, which what it causes belongs to; nil if it is not recorded.
    public let span: TraceParent?

    public init(
        account: Account = .everybody, peer: SystemAddress? = nil, forwarding: Forwarding? = nil,
        request: RequestID = RequestID(0), trace: TraceParent? = nil, span: TraceParent? = nil
    ) {
        self.account = account
        self.peer = peer
        self.forwarding = forwarding
        self.request = request
        self.trace = trace
        self.span = span
    }

    /// What runs and requests to others belong to: the request's own span, or that of its sender.
    public var context: TraceParent? { span ?? trace }

    /// What a run that the request asks for belongs to. It has a span of its own if the request has.
    public var runTrace: RunTrace? {
        context.map { context in
            RunTrace(
                high: context.traceHigh, low: context.traceLow, span: context.span,
                own: span.map { _ in .random(in: 1...UInt64.max) })
        }
    }

    /// The client's address: what a trusted proxy says, or the peer's. Nil for unix sockets.
    public var address: IPAddress? { forwarding?.client ?? peer.flatMap(IPAddress.init) }

    public var tenant: Tenant? { account.tenant }
}

/// Tells the requests of a process apart.
public struct RequestID: Hashable, Sendable, CustomStringConvertible {
    public let number: UInt64
    public init(_ number: UInt64) { self.number = number }

    /// 16 hexadecimal digits.
    public var description: String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: max(16 - digits.utf8.count, 0)) + digits
    }
}

/// The `traceparent` field (W3C Trace Context, 3.2): the trace and the span that caused a request.
public struct TraceParent: Hashable, Sendable {
    public let traceHigh: UInt64
    public let traceLow: UInt64
    public let span: UInt64
    /// Whether the caller records the trace.
    public let isSampled: Bool

    public init(traceHigh: UInt64, traceLow: UInt64, span: UInt64, isSampled: Bool) {
        self.traceHigh = traceHigh
        self.traceLow = traceLow
        self.span = span
        self.isSampled = isSampled
    }

    /// The value of the field.
    public var text: String {
        "00-\(trace)-\(RunTrace.digits(span))\(isSampled ? "-01" : "-00")"
    }

    /// What causes the requests that a guest sends: its run; nil if that has no span of its own.
    public init?(of run: RunTrace?) {
        guard let run, let own = run.own else { return nil }
        self.init(traceHigh: run.high, traceLow: run.low, span: own, isSampled: true)
    }

    /// The number of the trace: 32 hexadecimal digits.
    public var trace: String { RunTrace.digits(traceHigh) + RunTrace.digits(traceLow) }

    /// Reads `00-TRACE-SPAN-FLAGS`; nil for anything else. Later versions may append to it.
    public init?(_ value: ArraySlice<UInt8>) {
        let start = value.startIndex
        guard value.count >= 55, value[start + 2] == 0x2d, value[start + 35] == 0x2d,
            value[start + 52] == 0x2d,
            let version = Self.number(value[start..<(start + 2)]), version != 0xff,
            value.count == 55 || (version > 0 && value[start + 55] == 0x2d),
            let high = Self.number(value[(start + 3)..<(start + 19)]),
            let low = Self.number(value[(start + 19)..<(start + 35)]),
            let span = Self.number(value[(start + 36)..<(start + 52)]),
            let flags = Self.number(value[(start + 53)..<(start + 55)]),
            high | low != 0, span != 0
        else { return nil }
        self.init(traceHigh: high, traceLow: low, span: span, isSampled: flags & 1 == 1)
    }

    /// Small hexadecimal digits, 16 at most.
    private static func number(_ digits: ArraySlice<UInt8>) -> UInt64? {
        var number: UInt64 = 0
        for digit in digits {
            switch digit {
            case 0x30...0x39: number = number << 4 | UInt64(digit - 0x30)
            case 0x61...0x66: number = number << 4 | UInt64(digit - 0x61 + 10)
            default: return nil
            }
        }
        return number
    }
}

extension IPAddress {
    /// The address of a socket; nil for a unix socket.
    public init?(_ address: SystemAddress) {
        switch address {
        case .ipv4(let bytes, _):
            self.init(v4: bytes.reduce(0) { $0 << 8 | UInt32(truncatingIfNeeded: $1) })
        case .ipv6(let bytes, _):
            guard bytes.count == 16 else { return nil }
            self.init(
                v6: (0..<8).map { group in
                    bytes[(group * 2)..<(group * 2 + 2)].reduce(0) {
                        $0 << 8 | UInt16(truncatingIfNeeded: $1)
                    }
                })
        case .unix: return nil
        }
    }
}
