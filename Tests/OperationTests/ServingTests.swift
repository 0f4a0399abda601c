import Synchronization
import Testing
import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPClient
import WasmdHTTPServer
import WasmdOperation

/// A surface that says who asks.
private final class Echo: Surface {
    let name: StaticString = "echo"
    private static let read = Purpose("echo", "/read", needs: .read, tenants: .admitted)
    private static let change = Purpose("echo", "/change", needs: .write, tenants: .admitted)
    private static let whole = Purpose("echo", "/whole", needs: .read, tenants: .refused)
    private static let wholeOpen = Purpose("echo", "/whole-open", needs: nil, tenants: .refused)
    private static let open = Purpose("echo", "/open", needs: nil, tenants: .admitted)

    func purpose(of head: RequestHead) -> Purpose? {
        let path = String(decoding: head.target.path, as: UTF8.self)
        switch path {
        case "/read": return Self.read
        case "/change", "/fail": return Self.change
        case "/open": return Self.open
        case "/whole": return Self.whole
        case "/whole-open": return Self.wholeOpen
        default: return nil
        }
    }

    func answer(
        _ request: ServerRequest, _ response: ServerResponse, for requester: Requester
    ) async throws {
        if request.target.path.elementsEqual("/fail".utf8) { throw Failed() }
        let trace = requester.trace.map { String($0.span, radix: 16) } ?? "none"
        try await response.respond(
            .ok,
            "\(requester.account.token ?? "-") \(requester.tenant?.name ?? "-") "
                + "\(requester.forwarding == nil ? "direct" : "forwarded") \(trace)")
    }
}

private struct Failed: Error {}

private final class Watcher: ServingObserver {
    struct Seen: Equatable {
        let route: String
        let status: UInt16
        let token: String?
        let hasError: Bool
    }

    let begun = Mutex(0)
    let seen = Mutex<[Seen]>([])

    func began(_ purpose: Purpose) { begun.withLock { $0 += 1 } }

    func ended(_ request: borrowing ServedRequest) {
        let one = Seen(
            route: request.purpose.route, status: request.status,
            token: request.requester.account.token, hasError: request.error != nil)
        seen.withLock { $0.append(one) }
    }
}

@Suite struct ServingTests {
    private struct House {
        let listener: SurfaceListener
        let watcher: Watcher
        let client: HTTPClient
        let port: UInt16

        func send(
            _ path: String, _ fields: [(String, String)] = [], method: Method = .get
        ) async throws -> (UInt16, String, Fields) {
            let url = try #require(URL(Array("http://127.0.0.1:\(port)\(path)".utf8)))
            var request = ClientRequest(method, url)
            for (name, value) in fields {
                try request.fields.append(name: Array(name.utf8), value: Array(value.utf8))
            }
            let response = try await client.send(request)
            let text = String(decoding: try await response.body(), as: UTF8.self)
            return (response.status.code, text, response.fields)
        }

        func status(
            _ path: String, _ fields: [(String, String)] = [], method: Method = .get
        ) async throws -> UInt16 { try await send(path, fields, method: method).0 }
    }

    private func open(
        _ configuration: Configuration = Configuration(),
        _ body: @escaping @Sendable (House) async throws -> Void
    ) throws {
        let watcher = Watcher()
        let listener = SurfaceListener(
            [Echo()], rules: AccessRules(configuration, machine: Array("box".utf8)),
            observer: watcher)
        let server = HTTPServer { try await listener.answer($0, $1) }
        try EventLoop().run { loop in
            let address = try await server.listen(.ipv4([127, 0, 0, 1], port: 0), on: [loop])
            try await body(
                House(
                    listener: listener, watcher: watcher, client: HTTPClient(on: loop),
                    port: address?.port ?? 0))
        }
    }

    private func bearer(_ secret: String) -> [(String, String)] {
        [("Authorization", "Bearer \(secret)")]
    }

    private func field(_ fields: Fields, _ name: StaticString) -> String? {
        fields.first(name).map { String(decoding: $0, as: UTF8.self) }
    }

    /// Without tokens everybody may do everything, but pages of other origins.
    /// The rules of access see the path that the surface sees.
    @Test func encodedPathsHaveTheRulesOfTheirPath() throws {
        var configuration = Configuration()
        configuration.tokens = [
            Token(name: "reader", digest: Token.digest(of: "r".utf8), scopes: .read)
        ]
        let first = configuration
        try open(first) { (house) async throws in
            let reads = bearer("r")
            for path in ["/read", "/%72ead", "/re%61%64"] {
                #expect(try await house.status(path) == 401, "\(path)")
                #expect(try await house.status(path, reads) == 200, "\(path)")
            }
            for path in ["/change", "/%63hange"] {
                #expect(try await house.status(path, reads) == 403, "\(path)")
            }
            #expect(try await house.status("/%2572ead", reads) == 404)
            let routes = house.watcher.seen.withLock { $0.map(\.route) }
            #expect(routes.filter { $0 == "/read" }.count == 6)
        }
    }

    @Test func withoutTokens() throws {
        try open { (house) async throws in
            #expect(try await house.send("/read").1 == "- - direct none")
            #expect(try await house.status("/change", method: .post) == 200)
            let foreign = [("Origin", "http://evil.example")]
            #expect(try await house.status("/change", foreign, method: .post) == 403)
            let value1 = try await house.status(
                "/change", [("Sec-Fetch-Site", "cross-site")], method: .post)
            #expect(value1 == 403)
            #expect(try await house.status("/nothing") == 404)
            #expect(try await house.status("/fail") == 500)
            let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
            let value2 = try await house.send("/read", [("traceparent", trace)]).1
            #expect(value2 == "- - direct b7ad6b7169203331")
            let seen = house.watcher.seen.withLock { $0 }
            #expect(seen.count == 7 && house.watcher.begun.withLock { $0 } == 7)
            #expect(
                seen[0] == .init(route: "/read", status: 200, token: nil, hasError: false))
            #expect(seen[2].status == 403)
            #expect(
                seen[5] == .init(route: "/change", status: 500, token: nil, hasError: true))
            #expect(seen[4].route == "(unknown)")
        }
    }

    @Test func withTokens() throws {
        var configuration = Configuration()
        var reader = Token(name: "reader", digest: Token.digest(of: "r".utf8), scopes: .read)
        reader.tenant = "acme"
        let writer = Token(
            name: "writer", digest: Token.digest(of: "w".utf8), scopes: [.read, .write])
        configuration.tokens = [reader, writer]
        configuration.tenants = [.init("acme")]
        let (first, second) = (configuration, configuration)
        try open(first) { (house) async throws in
            let (status, text, fields) = try await house.send("/read")
            #expect(status == 401 && text.contains("Authorization: Bearer TOKEN"))
            #expect(field(fields, "www-authenticate") == "Bearer realm=\"wasmd\"")
            let wrong = try await house.send("/read", bearer("x"))
            #expect(wrong.0 == 401)
            #expect(
                field(wrong.2, "www-authenticate")?.contains("error=\"invalid_token\"") == true)
            #expect(try await house.send("/read", bearer("r")).1 == "reader acme direct none")
            let scope = try await house.send("/change", bearer("r"), method: .post)
            #expect(scope.0 == 403)
            #expect(
                field(scope.2, "www-authenticate")?.contains(
                    "error=\"insufficient_scope\", scope=\"write\"") == true)
            #expect(try await house.status("/change", bearer("w"), method: .post) == 200)
            // What is public stays so, and a name of the server does not matter any more.
            #expect(try await house.status("/open", [("Host", "any.example")]) == 200)
            // A token shows that no page was tricked.
            let value3 = try await house.status(
                "/change", bearer("w") + [("Origin", "http://evil.example")], method: .post)
            #expect(value3 == 200)
            #expect(
                house.watcher.seen.withLock { $0.compactMap(\.token) }
                    == ["reader", "writer", "writer"])
            // New rules hold for the same connection.
            var third = second
            third.tokens = [writer]
            house.listener.rules = AccessRules(third, replacing: house.listener.rules)
            #expect(try await house.status("/read", bearer("r")) == 401)
            #expect(try await house.status("/read", bearer("w")) == 200)
        }
    }

    /// What does not keep tenants apart is closed to their tokens, whatever scopes they have, and
    /// also where no scope is needed.
    @Test func tenants() throws {
        var configuration = Configuration()
        var tenant = Token(name: "tenant", digest: Token.digest(of: "t".utf8), scopes: .all)
        tenant.tenant = "acme"
        configuration.tokens = [
            tenant, Token(name: "plain", digest: Token.digest(of: "p".utf8), scopes: .all),
        ]
        configuration.tenants = [.init("acme")]
        try open(configuration) { (house) async throws in
            for path in ["/whole", "/whole-open"] {
                let (status, text, _) = try await house.send(path, bearer("t"))
                #expect(status == 403, "\(path)")
                #expect(text.contains("does not keep tenants apart") && text.contains("/wasm"))
                #expect(text.contains("use a token without a tenant"))
                #expect(try await house.status(path, bearer("p")) == 200)
            }
            #expect(try await house.status("/whole") == 401)
            #expect(try await house.status("/whole-open") == 200)
            #expect(try await house.status("/read", bearer("t")) == 200)
            #expect(try await house.status("/open", bearer("t")) == 200)
        }
    }

    @Test func networks() throws {
        var configuration = Configuration()
        configuration.access.trusted = [try #require(IPNetwork(Array("10.0.0.0/8".utf8)[...]))]
        try open(configuration) { (house) async throws in
            // Somebody is trusted, so that the others are not.
            #expect(try await house.status("/read") == 401)
            #expect(try await house.status("/read", [("Forwarded", "for=10.0.0.7")]) == 401)
        }
        configuration.access.proxies = [try #require(IPNetwork(Array("127.0.0.1".utf8)[...]))]
        try open(configuration) { (house) async throws in
            #expect(try await house.status("/read") == 401)
            let value4 = try await house.send("/read", [("Forwarded", "for=10.0.0.7")]).1
            #expect(value4 == "- - forwarded none")
            #expect(try await house.status("/read", [("X-Forwarded-For", "10.0.0.8")]) == 200)
            let value5 = try await house.status("/read", [("X-Forwarded-For", "10.0.0.8, 9.9.9.9")])
            #expect(value5 == 401)
        }
    }

    @Test func rates() throws {
        var configuration = Configuration()
        configuration.access.addressRate = .init(rate: 0.001, burst: 2)
        try open(configuration) { (house) async throws in
            #expect(try await house.status("/read") == 200)
            #expect(try await house.status("/read") == 200)
            let (status, text, fields) = try await house.send("/read")
            #expect(status == 429 && text.contains("too many requests"))
            #expect(field(fields, "retry-after").flatMap { Int($0) }.map { $0 > 900 } == true)
        }
        configuration = Configuration()
        var token = Token(name: "slow", digest: Token.digest(of: "s".utf8), scopes: .read)
        token.rate = .init(rate: 0.001, burst: 1)
        configuration.tokens = [
            token, Token(name: "fast", digest: Token.digest(of: "f".utf8), scopes: .read),
        ]
        let same = configuration
        try open(configuration) { (house) async throws in
            #expect(try await house.status("/read", bearer("s")) == 200)
            #expect(try await house.status("/read", bearer("s")) == 429)
            // A reload gives nothing back.
            house.listener.rules = AccessRules(same, replacing: house.listener.rules)
            #expect(try await house.status("/read", bearer("s")) == 429)
            #expect(try await house.status("/read", bearer("f")) == 200)
        }
    }

    @Test func traceParents() {
        func read(_ text: String) -> TraceParent? { TraceParent(Array(text.utf8)[...]) }
        let id = "0af7651916cd43dd8448eb211c80319c"
        #expect(
            read("00-\(id)-b7ad6b7169203331-01")
                == TraceParent(
                    traceHigh: 0x0af7_6519_16cd_43dd, traceLow: 0x8448_eb21_1c80_319c,
                    span: 0xb7ad_6b71_6920_3331, isSampled: true))
        #expect(read("01-\(id)-b7ad6b7169203331-00-more")?.isSampled == false)
        for text in ["00-\(id)-b7ad6b7169203331-01", "00-\(id)-00ad6b7169203331-00"] {
            #expect(read(text)?.text == text)
        }
        for wrong in [
            "", "00-\(id)-b7ad6b7169203331", "00-\(id)-b7ad6b7169203331-01-more",
            "ff-\(id)-b7ad6b7169203331-01", "00-\(id)-0000000000000000-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-\(id.uppercased())-b7ad6b7169203331-01", "00-\(id)xb7ad6b7169203331-01",
        ] { #expect(read(wrong) == nil, "\(wrong)") }
    }
}
