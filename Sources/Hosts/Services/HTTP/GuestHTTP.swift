import Synchronization
import WasmInterpreter
import WasmdEventLoop
import WasmdGuests
import WasmdHTTP
import WasmdOperation

/// Requests of one guest, and the responses that it has open: the state behind the functions of
/// `wasi_experimental_http`. May be used by all threads of the guest.
public final class GuestHTTP: Sendable {
    /// Of the state in the guest's store.
    public static let key = HostKey<GuestHTTP>()

    /// Gives the guest's client; made with the first request.
    public typealias MakeClient = @Sendable () throws -> OutboundClient
    /// Is told why there is no response, for the operator: the guest gets a number alone.
    public typealias Report = @Sendable (String) -> Void

    private struct Response: Sendable {
        let fields: Fields
        let body: [UInt8]
        /// Bytes that were read.
        var position = 0
    }

    private struct State: Sendable {
        var responses: [UInt32: Response] = [:]
        /// Where the search for a free handle begins.
        var handle: UInt32 = 0
        /// Requests that wait for their response.
        var pending = 0
        /// Bytes of all open responses.
        var byteCount = 0
        var client: OutboundClient?
        var requests: UInt64 = 0
        var refused: UInt64 = 0
        var failures = FailureMessages()
    }

    let policy: OutboundPolicy
    /// Open responses, those that are waited for included.
    let sessionLimit: Int
    /// Bytes of all open responses.
    private let byteLimit: Int
    private let makeClient: MakeClient
    private let report: Report
    private let state = Mutex(State())

    /// - Parameters:
    ///   - policy: the hosts that may be requested.
    ///   - sessions: how many responses may be open.
    ///   - bytes: of all open responses.
    ///   - report: gets at most a line a second, and the same one at most once a minute.
    ///   - client: is asked once, for the first request.
    public init(
        _ policy: OutboundPolicy, sessions: Int = 42, bytes: Int = 64 << 20,
        report: @escaping Report = { _ in }, client: @escaping MakeClient
    ) {
        self.report = report
        self.policy = policy
        sessionLimit = max(sessions, 0)
        byteLimit = bytes
        makeClient = client
    }

    /// Requests that were sent, and those that the policy refused.
    public var counts: (sent: UInt64, refused: UInt64) {
        state.withLock { ($0.requests, $0.refused) }
    }

    // MARK: Requests

    /// What is left to do for `req` after its arguments were checked.
    struct Request: Sendable {
        var method: Method
        var url: OutboundURL
        var fields: Fields
        var body: [UInt8]
    }

    func checkSessions() throws(GuestHTTPError) {
        let isFull = state.withLock { $0.responses.count + $0.pending >= sessionLimit }
        if isFull { throw .tooManySessions }
    }

    func check(url: [UInt8]) throws(GuestHTTPError) -> OutboundURL {
        switch policy.decide(url) {
        case .allowed(let url): return url
        case .malformed: throw .invalidURL
        case .notAllowed:
            state.withLock { $0.refused &+= 1 }
            if let url = OutboundURL(url) {
                tell("request to \(Self.place(url)) was refused: \(Self.notAllowed)")
            }
            throw .notAllowed
        }
    }

    /// How a report ends if the policy does not know the host.
    public static let notAllowed = "the host is not allowed"

    /// Starts a request.
    func begin(_ request: Request) throws(GuestHTTPError) -> PendingWork<OutboundClient.Answer> {
        let client: OutboundClient
        do {
            client = try state.withLock { state in
                if let client = state.client { return client }
                let client = try makeClient()
                state.client = client
                return client
            }
        } catch {
            throw .runtime
        }
        state.withLock { state in
            state.pending += 1
            state.requests &+= 1
        }
        return PendingWork(on: client.loop) { [weak self] in
            defer { self?.state.withLock { $0.pending -= 1 } }
            do {
                return try await client.send(
                    request.method, request.url, request.fields, request.body)
            } catch {
                self?.note(error, of: request.url)
                throw error
            }
        }
    }

    /// Tells why a request has no response.
    private func note(_ error: any Error, of url: OutboundURL) {
        guard !Task.isCancelled else { return }
        switch GuestHTTPError(error) {
        case .request: tell("request to \(Self.place(url)) failed: \(error)")
        case .notAllowed:
            tell(
                "request to \(Self.place(url)) was refused: it leads to an address or a host that "
                    + "is not allowed")
        default: break
        }
    }

    /// Host and port of a URL: neither path nor user, which may be secrets.
    private static func place(_ url: OutboundURL) -> String {
        let authority = url.url.authority
        let host = HarmlessText.text(
            String(decoding: authority.host.bytes, as: UTF8.self), atMost: 300)
        return host + (authority.port.map { ":\($0)" } ?? "")
    }

    private func tell(_ text: String) {
        let isTold = state.withLock { $0.failures.take(text, at: .now) }
        if isTold { report(text) }
    }

    /// Keeps a response, and returns its handle: the next free number from the last one on.
    func keep(_ answer: OutboundClient.Answer) throws(GuestHTTPError) -> UInt32 {
        let handle = state.withLock { state -> UInt32? in
            guard state.responses.count < sessionLimit,
                state.byteCount + answer.body.count <= byteLimit
            else { return nil }
            // There are fewer responses than numbers.
            while state.responses[state.handle] != nil { state.handle &+= 1 }
            state.responses[state.handle] = Response(fields: answer.fields, body: answer.body)
            state.byteCount += answer.body.count
            return state.handle
        }
        guard let handle else { throw .tooManySessions }
        return handle
    }

    func close(_ handle: UInt32) {
        state.withLock { state in
            guard let response = state.responses.removeValue(forKey: handle) else { return }
            state.byteCount -= response.body.count
        }
    }

    // MARK: Responses

    func fields(_ handle: UInt32) throws(GuestHTTPError) -> Fields {
        guard let response = state.withLock({ $0.responses[handle] }) else { throw .invalidHandle }
        return response.fields
    }

    /// The next bytes of a body, which `write` takes; they stay if it throws.
    func read(
        _ handle: UInt32, upTo count: Int, _ write: ([UInt8]) throws(GuestHTTPError) -> Void
    ) throws(GuestHTTPError) {
        let bytes = state.withLock { state -> [UInt8]? in
            state.responses[handle].map { Array($0.body[$0.position...].prefix(count)) }
        }
        guard let bytes else { throw .invalidHandle }
        try write(bytes)
        state.withLock { state in
            guard let response = state.responses[handle] else { return }
            let position = min(response.position + bytes.count, response.body.count)
            state.responses[handle]?.position = position
        }
    }
}
