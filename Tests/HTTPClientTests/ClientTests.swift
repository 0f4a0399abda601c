import Synchronization
import Testing
import WasmSystem
import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPClient
import WasmdHTTPServer

/// Runs a client against a server on the same loop.
private func withClient<Success: Sendable>(
    _ options: HTTPClientOptions = HTTPClientOptions(),
    _ serverOptions: HTTPServerOptions = HTTPServerOptions(),
    handler: @escaping HTTPServer.Handler,
    _ body: sending @escaping (HTTPClient, String) async throws -> Success
) throws -> Success {
    let server = HTTPServer(serverOptions, handler: handler)
    return try EventLoop().run { loop in
        let address = try await server.listen(.ipv4([127, 0, 0, 1], port: 0), on: [loop])
        guard let port = address?.port else { throw LoopError.closed }
        return try await body(HTTPClient(options, on: loop), "http://127.0.0.1:\(port)")
    }
}

/// Runs a client against a server that sends the given bytes on its connections, one after the other,
/// when the end of a head has come; what it has received.
private func withScript<Success: Sendable>(
    _ answers: [String], _ options: HTTPClientOptions = HTTPClientOptions(), closes: Bool = true,
    _ body: sending @escaping (HTTPClient, String) async throws -> Success
) throws -> (Success, [String]) {
    let log = Log()
    let result = try EventLoop().run { loop in
        let listener = try Listener(.ipv4([127, 0, 0, 1], port: 0), on: loop)
        guard let port = listener.address?.port else { throw LoopError.closed }
        loop.spawn {
            for answer in answers {
                guard let stream = try? await listener.accept() else { return }
                log.add((try? await readHead(stream)) ?? "")
                try? await stream.write(Array(answer.utf8))
                if !closes { log.keep(stream) }
            }
        }
        defer { log.release() }
        return try await body(HTTPClient(options, on: loop), "http://127.0.0.1:\(port)")
    }
    return (result, log.entries)
}

private func readHead(_ stream: ByteStream) async throws -> String {
    var all: [UInt8] = []
    var buffer = stream.loop.takeBuffer()
    while !String(decoding: all, as: UTF8.self).contains("\r\n\r\n") {
        guard try await stream.read(into: &buffer) > 0 else { break }
        all += buffer.take()
    }
    return String(decoding: all, as: UTF8.self)
}

private final class Log: Sendable {
    private let list = Mutex<[String]>([])
    private let streams = Mutex<[ByteStream]>([])
    var entries: [String] { list.withLock { $0 } }
    func add(_ text: String) { list.withLock { $0.append(text) } }
    func keep(_ stream: ByteStream) { streams.withLock { $0.append(stream) } }
    func release() { streams.withLock { $0 = [] } }
}

private func url(_ text: String) throws -> URL { try #require(URL(text.utf8)) }

private func ask(_ client: HTTPClient, _ request: ClientRequest) async throws -> String {
    String(decoding: try await client.send(request).body(), as: UTF8.self)
}

private func failure(_ body: () async throws -> Void) async -> HTTPClientError? {
    do {
        try await body()
        return nil
    } catch {
        return error as? HTTPClientError
    }
}

private let echo: HTTPServer.Handler = { request, response in
    let body = try await request.body()
    let text = "\(request.method.name) \(String(decoding: request.target.bytes, as: UTF8.self)) "
    try await response.respond(.ok, text + String(decoding: body, as: UTF8.self))
}

@Suite struct ClientTests {
    @Test func requestsOfOneServerUseOneConnection() throws {
        let result = try withClient(handler: echo) { client, base in
            var texts: [String] = []
            for method: Method in [.get, .delete, .options] {
                texts.append(try await ask(client, ClientRequest(method, try url(base + "/a?b"))))
            }
            let body = ClientRequest.Body.bytes(Array("body".utf8))
            texts.append(try await ask(client, ClientRequest(.post, try url(base), body: body)))
            let head = try await client.send(ClientRequest(.head, try url(base + "/h")))
            #expect(try await head.body() == [])
            #expect(client.idleCount == 1)
            return (texts, client.connectionCount)
        }
        #expect(result.0 == ["GET /a?b ", "DELETE /a?b ", "OPTIONS /a?b ", "POST / body"])
        #expect(result.1 == 1)
    }

    @Test func bodiesStreamBothWaysAtOnce() throws {
        let piece = [UInt8](repeating: 7, count: 100_000)
        let received = try withClient(handler: { request, response in
            try response.begin(ResponseHead(.ok))
            while let piece = try await request.next() { try await response.write(piece) }
            try await response.end()
        }) { client, base in
            let body = ClientRequest.Body.stream(.unknown) { body in
                for _ in 0..<40 { try await body.write(piece) }
            }
            let response = try await client.send(ClientRequest(.put, try url(base), body: body))
            var count = 0
            while let piece = try await response.next() {
                #expect(piece.allSatisfy { $0 == 7 })
                count += piece.count
            }
            #expect(client.idleCount == 1)
            return count
        }
        #expect(received == 4_000_000)
    }

    @Test func aLargeBodyThatIsRefusedEarlyGetsItsAnswer() throws {
        var options = HTTPServerOptions()
        options.limits.body = 1000
        let status = try withClient(HTTPClientOptions(), options, handler: echo) { client, base in
            let body = ClientRequest.Body.bytes([UInt8](repeating: 1, count: 10_000_000))
            return try await client.send(ClientRequest(.post, try url(base), body: body)).status
        }
        #expect(status == .contentTooLarge)
    }

    @Test func redirectsAreFollowedByTheirRules() throws {
        let handler: HTTPServer.Handler = { request, response in
            let path = String(decoding: request.target.path, as: UTF8.self)
            if let code = Int(path.dropFirst()), let status = Status(code) {
                var head = ResponseHead(status)
                try head.fields.append("Location", "/done")
                return try await response.respond(head, Array("elsewhere".utf8))
            }
            try await echo(request, response)
        }
        let texts = try withClient(handler: handler) { client, base in
            var texts: [String] = []
            for code in [301, 302, 303, 307, 308] {
                let request = ClientRequest(
                    .post, try url(base + "/\(code)"), body: .bytes(Array("x".utf8)))
                texts.append(try await ask(client, request))
            }
            #expect(client.connectionCount == 1)
            return texts
        }
        #expect(
            texts == ["GET /done ", "GET /done ", "GET /done ", "POST /done x", "POST /done x"])
    }

    @Test func redirectsEndAndAreChecked() throws {
        struct Refused: Error {}
        var options = HTTPClientOptions()
        options.check = { if $0.path == Array("/private".utf8) { throw Refused() } }
        let errors = try withClient(
            options,
            handler: { request, response in
                var head = ResponseHead(.found)
                if request.target.path.isText("/to-private") {
                    try head.fields.append("Location", "/private")
                } else if !request.target.path.isText("/without") {
                    try head.fields.append("Location", "/again")
                }
                try await response.respond(head)
            }
        ) { client, base in
            var wasRefused = false
            do {
                _ = try await client.send(ClientRequest(.get, try url(base + "/to-private")))
            } catch is Refused {
                wasRefused = true
            }
            #expect(wasRefused)
            return [
                await failure { _ = try await client.send(ClientRequest(.get, try url(base))) },
                await failure {
                    _ = try await client.send(ClientRequest(.get, try url(base + "/without")))
                },
            ]
        }
        #expect(errors == [.tooManyRedirects, .redirect])
    }

    @Test func secretsStayWithTheFirstServer() throws {
        let (_, received) = try withScript(["HTTP/1.1 204 No Content\r\n\r\n"]) { client, other in
            let server = HTTPServer { request, response in
                #expect(request.fields.contains("authorization"))
                var head = ResponseHead(.temporaryRedirect)
                try head.fields.append("Location", other + "/x")
                try await response.respond(head)
            }
            let address = try await server.listen(
                .ipv4([127, 0, 0, 1], port: 0), on: [client.loop])
            let first = "http://127.0.0.1:\(address?.port ?? 0)/"
            var request = ClientRequest(.get, try url(first))
            try request.fields.append("Authorization", "Bearer x")
            try request.fields.append("Cookie", "a=b")
            try request.fields.append("X-Other", "stays")
            #expect(try await client.send(request).status == .noContent)
        }
        #expect(received.count == 1)
        #expect(received.first?.contains("X-Other: stays") == true)
        #expect(received.first?.contains("Bearer") == false)
        #expect(received.first?.contains("Cookie") == false)
    }

    @Test func connectionsThatTheServerHasClosedAreReplaced() throws {
        var options = HTTPServerOptions()
        options.idleTimeout = .milliseconds(20)
        let count = try withClient(HTTPClientOptions(), options, handler: echo) { client, base in
            for _ in 0..<3 {
                _ = try await ask(client, ClientRequest(.get, try url(base)))
                while client.idleCount > 0 { try await client.loop.sleep(for: .milliseconds(5)) }
            }
            return client.connectionCount
        }
        #expect(count == 3)
    }

    @Test func bodiesMayEndWithTheConnectionAndInterimAnswersAreDropped() throws {
        let answer =
            "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.0 200 OK\r\n\r\nuntil the end"
        let (body, received) = try withScript([answer]) { client, base in
            try await ask(client, ClientRequest(.get, try url(base + "/x")))
        }
        #expect(body == "until the end")
        #expect(received.first?.hasPrefix("GET /x HTTP/1.1\r\nHost: 127.0.0.1:") == true)
    }

    @Test(arguments: [
        ("", HTTPClientError.disconnected),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", .disconnected),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", .disconnected),
        ("SSH-2.0-x\r\n\r\n", .response(.statusLine)),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", .response(.chunk)),
    ])
    func brokenResponsesAreErrors(_ answer: String, _ error: HTTPClientError) throws {
        let (found, _) = try withScript([answer, answer]) { client, base in
            await failure { _ = try await ask(client, ClientRequest(.get, try url(base))) }
        }
        #expect(found == error)
    }

    @Test func eachPhaseHasATimeout() throws {
        var options = HTTPClientOptions()
        options.responseTimeout = .milliseconds(30)
        options.transferTimeout = .milliseconds(30)
        let (silent, _) = try withScript([""], options, closes: false) { client, base in
            await failure { _ = try await ask(client, ClientRequest(.get, try url(base))) }
        }
        #expect(silent == .timedOut(.waiting))
        options.responseTimeout = .seconds(10)
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc"
        let (slow, _) = try withScript([head], options, closes: false) { client, base in
            await failure { _ = try await ask(client, ClientRequest(.get, try url(base))) }
        }
        #expect(slow == .timedOut(.receiving))
        options.transferTimeout = .seconds(1000)
        let (late, _) = try withScript([head], options, closes: false) { client, base in
            await failure {
                var request = ClientRequest(.get, try url(base))
                request.deadline = .after(.seconds(1))
                _ = try await ask(client, request)
            }
        }
        #expect(late == .timedOut(.receiving))
    }

    @Test func cancellingEndsARequest() throws {
        let (error, _) = try withScript([""], closes: false) { client, base in
            let loop = client.loop
            let task = loop.spawn {
                await failure { _ = try await ask(client, ClientRequest(.get, try url(base))) }
            }
            try await loop.sleep(for: .milliseconds(10))
            task.cancel()
            return await task.value
        }
        #expect(error == .cancelled)
    }

    @Test func aProxyIsToldTheWholeURL() throws {
        let text = try withClient(handler: echo) { client, base in
            let proxy = try url(base)
            var options = HTTPClientOptions()
            options.proxy = HTTPProxy(
                host: proxy.authority.host, port: try #require(proxy.port),
                authorization: Array("Basic x".utf8))
            let plain = HTTPClient(options, on: client.loop)
            let error = await failure {
                _ = try await plain.send(ClientRequest(.get, try url("https://example.org/b")))
            }
            #expect(error == .noTLS)
            options.proxy?.speaksTLS = true
            let proxied = HTTPClient(options, on: client.loop)
            return [
                try await ask(proxied, ClientRequest(.get, try url("http://example.org/a"))),
                try await ask(proxied, ClientRequest(.get, try url("https://example.org/b"))),
            ]
        }
        #expect(text == ["GET http://example.org/a ", "GET https://example.org/b "])
    }

    @Test func unixSocketsAreAsked() throws {
        let path = Array("/tmp/wasmd-client-\(CurrentProcess.identifier)".utf8)
        let text = try EventLoop().run { loop in
            let server = HTTPServer(handler: echo)
            try await server.listen(.unix(path), on: [loop])
            var request = ClientRequest(.get, try url("http://wasmd/x"))
            request.unixPath = path
            return try await ask(HTTPClient(on: loop), request)
        }
        try Kernel.unlink(CString(path: path))
        #expect(text == "GET /x ")
    }

    @Test func whatCannotBeConnectedToIsNamed() throws {
        let errors = try EventLoop().run { loop in
            let client = HTTPClient(on: loop)
            let listener = try Listener(.ipv4([127, 0, 0, 1], port: 0), on: loop)
            let address = try #require(listener.address)
            let port = address.port ?? 0
            listener.close()
            // A process that is being started beside this test has a copy of it for a moment.
            for _ in 0..<5000 {
                let isOpen = (try? await ByteStream.connect(to: address, on: loop)) != nil
                guard isOpen else { break }
                try await loop.sleep(for: .milliseconds(2))
            }
            var errors: [HTTPClientError?] = []
            for text in [
                "http://no-such-name/", "https://127.0.0.1/", "ftp://127.0.0.1/",
                "http://me@127.0.0.1/", "http://127.0.0.1:\(port)/",
            ] {
                errors.append(
                    await failure { _ = try await client.send(ClientRequest(.get, try url(text))) })
            }
            return errors
        }
        #expect(
            errors == [
                .unknownName(Array("no-such-name".utf8)), .noTLS, .url, .url,
                .connecting(.system(.connrefused)),
            ])
    }
}

extension ArraySlice<UInt8> {
    fileprivate func isText(_ text: String) -> Bool { elementsEqual(text.utf8) }
}
