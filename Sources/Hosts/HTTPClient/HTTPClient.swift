// Soundness: a client is used by its loop's thread only; its functions check this.

import WasmSystem
import WasmdEventLoop
import WasmdHTTP

/// A client of HTTP/1.1 for the tasks of one loop: RFC 9110, RFC 9112.
///
/// ```swift
/// let client = HTTPClient(on: loop)
/// let response = try await client.send(ClientRequest(.get, url))
/// let body = try await response.body(limit: 1 << 20)
/// ```
///
/// Connections are reused. One that the server has closed meanwhile is replaced, if the server
/// cannot have acted on the request.
public final class HTTPClient: @unchecked Sendable {
    /// The field `traceparent` (W3C Trace Context) of requests that a task sends and that have none
    /// of their own: those that answer a request which belongs to a trace pass it on.
    @TaskLocal public static var traceParent: String?

    /// The destinations that a connection can be used for.
    struct Key: Hashable {
        var isSecure: Bool
        var host: Authority.Host
        var port: UInt16
        var unixPath: [UInt8]?
    }

    public let loop: EventLoop
    public let options: HTTPClientOptions
    var idle: [Key: [ClientConnection]] = [:]
    var opened: UInt64 = 0
    /// Closes connections that were idle for long.
    var sweep: LoopTimer?
    /// Requests that wait for a TLS connection.
    var turns: [Key: [(number: UInt64, sleep: LoopTask<Bool>)]] = [:]
    /// The addresses that names were last connected to, for hosts that have several.
    var preferred: [Key: SystemAddress] = [:]

    public init(_ options: HTTPClientOptions = HTTPClientOptions(), on loop: EventLoop) {
        self.options = options
        self.loop = loop
        options.tls?.setReliever(self) { [weak self] in
            loop.spawn { self?.closeOneSecure() }
        }
    }

    deinit {
        options.tls?.setReliever(self, nil)
    }

    /// Connections without a request.
    public var idleCount: Int { loop.isCurrent ? idle.values.reduce(0) { $0 + $1.count } : 0 }

    /// The number of connections that were made so far.
    public var connectionCount: UInt64 { loop.isCurrent ? opened : 0 }

    /// Closes connections without a request.
    public func closeIdle() {
        guard loop.isCurrent else { return }
        for connection in idle.values.joined() { connection.close() }
        idle = [:]
    }

    /// Sends a request and waits for the head of its response. Redirects are followed.
    ///
    /// - Throws: `HTTPClientError`, and what `check` and the connector of the options throw.
    ///   Cancelling the task closes the connection.
    public func send(_ request: ClientRequest) async throws -> ClientResponse {
        guard loop.isCurrent else { throw HTTPClientError.loop(.wrongLoop) }
        var request = request
        if let trace = Self.traceParent, !request.fields.contains("traceparent") {
            try request.fields.append("traceparent", trace)
        }
        var redirects = 0
        while true {
            try options.check?(request.url)
            let (head, connection) = try await exchange(request)
            let response = ClientResponse(head, request.url, connection, self)
            guard options.redirectLimit > 0, Self.isRedirect(head.status) else { return response }
            guard let location = head.fields.first("location"),
                let target = request.url.resolving(location)
            else {
                response.close()
                throw HTTPClientError.redirect
            }
            guard let next = request.redirected(head.status, to: target) else { return response }
            redirects += 1
            if redirects > options.redirectLimit {
                response.close()
                throw HTTPClientError.tooManyRedirects
            }
            request = next
            try await discard(response)
        }
    }

    private static func isRedirect(_ status: Status) -> Bool {
        [301, 302, 303, 307, 308].contains(status.code)
    }

    /// Reads a short body, so that the connection can be used again.
    private func discard(_ response: ClientResponse) async throws {
        var rest = 1 << 16
        while rest > 0, let piece = try? await response.next() { rest -= piece.count }
        response.close()
        if Task.isCancelled { throw HTTPClientError.cancelled }
    }

    // MARK: One request

    private func exchange(
        _ request: ClientRequest
    ) async throws -> (ResponseHead, ClientConnection) {
        let (key, head) = try prepare(request)
        while true {
            let (connection, isUsed) = try await connection(key, request)
            do throws(HTTPClientError) {
                try await connection.send(head, request.body, until: request.deadline)
                return (try await connection.head(), connection)
            } catch {
                connection.close()
                // The server closes connections that were idle for long: RFC 9112 9.3.1.
                guard isUsed, error == .disconnected, !connection.hasAnswered,
                    request.isRepeatable, request.method.isIdempotent
                else { throw error }
            }
        }
    }

    private func prepare(
        _ request: ClientRequest
    ) throws(HTTPClientError) -> (Key, RequestHead) {
        let url = request.url
        guard url.userInformation == nil, let port = url.port else { throw .url }
        let isSecure: Bool
        if url.scheme == Array("http".utf8) {
            isSecure = false
        } else if url.scheme == Array("https".utf8) {
            isSecure = true
        } else {
            throw .url
        }
        var key = Key(isSecure: isSecure, host: url.authority.host, port: port)
        key.unixPath = request.unixPath
        var target = url.target
        var fields = request.fields
        fields.remove("host")
        do throws(WritingFault) {
            try fields.append("Host", url.host)
            if let proxy = options.proxy, request.unixPath == nil, !isSecure || proxy.speaksTLS {
                // The proxy gets the whole URL.
                key = Key(isSecure: false, host: proxy.host, port: proxy.port)
                target = url.scheme + Array("://".utf8) + url.host + target
                if let authorization = proxy.authorization {
                    fields.remove("proxy-authorization")
                    try fields.append("Proxy-Authorization", authorization)
                }
            }
            return (key, try RequestHead(method: request.method, target: target, fields: fields))
        } catch {
            throw .request(error)
        }
    }
}
