import Testing

@testable import WasmdHTTP

struct RoutingTests {
    func table(_ routes: [(WasmdHTTP.Method?, String)]) throws -> Router<String> {
        var router = Router<String>()
        for (method, pattern) in routes { try router.add(method, pattern, pattern) }
        return router
    }

    func find(_ router: Router<String>, _ method: WasmdHTTP.Method, _ path: String) throws -> String
    {
        switch router.match(method, try Path(bytes(path)[...])) {
        case .found(let value, let parameters):
            var result = value
            for (name, value) in parameters.values {
                result += " \(text(name) ?? "")=\(text(value) ?? "")"
            }
            if let rest = parameters.rest {
                result += " rest=" + rest.map { text($0) ?? "" }.joined(separator: "|")
            }
            return result
        case .methodNotAllowed(let allow): return "405 " + (text(allow) ?? "")
        case .options(let allow): return "204 " + (text(allow) ?? "")
        case .notFound: return "404"
        }
    }

    @Test func theMostSpecificRouteWins() throws {
        let routes: [(WasmdHTTP.Method?, String)] = [
            (nil, "/..."), (.get, "/wasm/:id"), (.get, "/wasm/new"), (.get, "/wasm"),
            (.post, "/wasm"), (.get, "/wasm/:id/files/..."), (.get, "/:a/:b/c"),
        ]
        for order in [routes, routes.reversed()] {
            let router = try table(order)
            #expect(try find(router, .get, "/wasm/new") == "/wasm/new")
            #expect(try find(router, .get, "/wasm/a%2Fb") == "/wasm/:id id=a/b")
            #expect(try find(router, .get, "/wasm/") == "/wasm")
            #expect(try find(router, .get, "/wasm/new/c") == "/:a/:b/c a=wasm b=new")
            #expect(try find(router, .get, "/wasm/1/files") == "/wasm/:id/files/... id=1 rest=")
            #expect(
                try find(router, .get, "/wasm/1/files/x/y") == "/wasm/:id/files/... id=1 rest=x|y")
            #expect(try find(router, .get, "/wasm/1/other") == "/... rest=wasm|1|other")
            #expect(try find(router, .get, "/") == "/... rest=")
        }
    }

    @Test func methods() throws {
        let router = try table([
            (.get, "/a"), (.post, "/a"), (.put, "/b"), (nil, "/c"), (.get, "/d/:x"),
        ])
        #expect(try find(router, .head, "/a") == "/a")
        #expect(try find(router, .delete, "/a") == "405 GET, POST, HEAD, OPTIONS")
        #expect(try find(router, .options, "/a") == "204 GET, POST, HEAD, OPTIONS")
        #expect(try find(router, .head, "/b") == "405 PUT, OPTIONS")
        #expect(try find(router, .other("BREW"), "/c") == "/c")
        #expect(try find(router, .options, "/c") == "/c")
        #expect(try find(router, .post, "/d/1") == "405 GET, HEAD, OPTIONS")
        #expect(try find(router, .get, "/e") == "404")
        #expect(try find(router, .options, "/e") == "404")
    }

    @Test func patternsThatAreRefused() throws {
        var router = Router<Int>()
        try router.add(.get, "/a/:b", 1)
        #expect(throws: Router<Int>.Fault.duplicate) { try router.add(.get, "/a/:c", 1) }
        for bad in ["", "a", "/.../a", "/:", "/%zz", String(repeating: "/a", count: 65)] {
            #expect(throws: Router<Int>.Fault.pattern) { try router.add(.get, bad, 1) }
        }
        try router.add(.post, "/a/:c", 2)
    }

    @Test func corsForAnyOrigin() throws {
        var policy = CORSPolicy()
        policy.allowsAnyOrigin = true
        let preflight = try request(
            "OPTIONS /a HTTP/1.1\r\nHost: a\r\nOrigin: http://x\r\n"
                + "Access-Control-Request-Method: PUT\r\nAccess-Control-Request-Headers: content-type, x-y\r\n\r\n"
        )
        #expect(CORSPolicy.isPreflight(preflight))
        let answer = try policy.preflight(preflight)
        #expect(answer.status == .noContent)
        #expect(text(answer.fields.first("access-control-allow-origin")) == "*")
        #expect(
            text(answer.fields.first("access-control-allow-methods"))
                == "GET,HEAD,PUT,PATCH,POST,DELETE")
        #expect(text(answer.fields.first("access-control-allow-headers")) == "content-type,x-y")
        #expect(text(answer.fields.first("vary")) == "Access-Control-Request-Headers")
    }

    @Test func corsForSomeOrigins() throws {
        var policy = CORSPolicy()
        policy.origins = [bytes("https://a.example")]
        policy.allowsLoopback = true
        func allowed(_ origin: String) throws -> String? {
            let fields = try policy.fields(
                for: request("GET / HTTP/1.1\r\nHost: a\r\nOrigin: \(origin)\r\n\r\n"))
            #expect(text(fields.first("vary")) == "Origin")
            return text(fields.first("access-control-allow-origin"))
        }
        #expect(try allowed("https://a.example") == "https://a.example")
        #expect(try allowed("http://a.example") == nil)
        #expect(try allowed("https://a.example.evil") == nil)
        #expect(try allowed("http://localhost:5173") == "http://localhost:5173")
        #expect(try allowed("http://127.1.2.3") == "http://127.1.2.3")
        #expect(try allowed("http://[::1]:3000") == "http://[::1]:3000")
        #expect(try allowed("http://localhost.evil") == nil)
        #expect(try allowed("http://127.0.0.1.evil") == nil)
        #expect(try allowed("null") == nil)
        let none = try policy.preflight(
            request(
                "OPTIONS / HTTP/1.1\r\nHost: a\r\nOrigin: http://x\r\nAccess-Control-Request-Method: PUT\r\n\r\n"
            ))
        #expect(none.status == .noContent && !none.fields.contains("access-control-allow-methods"))
    }

    @Test(arguments: [
        ("GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n", SameOriginRules.Verdict.allowed),
        ("GET / HTTP/1.1\r\nHost: [::1]:8080\r\n", .allowed),
        ("GET / HTTP/1.1\r\nHost: 192.168.1.5\r\n", .allowed),
        ("GET / HTTP/1.1\r\nHost: LOCALHOST:1\r\n", .allowed),
        ("GET / HTTP/1.1\r\nHost: box\r\n", .allowed),
        ("GET / HTTP/1.1\r\nHost: box.local.\r\n", .allowed),
        ("GET / HTTP/1.1\r\nHost: wasm.example\r\n", .allowed),
        ("GET / HTTP/1.1\r\nHost: evil.example\r\n", .misdirected),
        ("GET / HTTP/1.1\r\nHost: localhost.evil\r\n", .misdirected),
        ("GET http://evil/ HTTP/1.1\r\nHost: localhost\r\n", .misdirected),
        ("GET http://localhost/ HTTP/1.1\r\nHost: evil\r\n", .misdirected),
        ("GET / HTTP/1.0\r\n", .allowed),
        ("GET / HTTP/1.1\r\nHost: box\r\nOrigin: http://evil\r\n", .allowed),
        ("POST / HTTP/1.1\r\nHost: box\r\n", .allowed),
        ("POST / HTTP/1.1\r\nHost: box\r\nOrigin: http://box\r\n", .allowed),
        ("POST / HTTP/1.1\r\nHost: box:80\r\nOrigin: http://box\r\n", .allowed),
        ("POST / HTTP/1.1\r\nHost: box:8080\r\nOrigin: http://box:8080\r\n", .allowed),
        ("POST / HTTP/1.1\r\nHost: box:8080\r\nOrigin: http://box\r\n", .forbidden),
        ("POST / HTTP/1.1\r\nHost: box\r\nOrigin: http://evil\r\n", .forbidden),
        ("POST / HTTP/1.1\r\nHost: box\r\nOrigin: null\r\n", .forbidden),
        ("POST / HTTP/1.1\r\nHost: box\r\nOrigin: https://ui.example\r\n", .allowed),
        (
            "POST / HTTP/1.1\r\nHost: box\r\nOrigin: https://ui.example\r\nSec-Fetch-Site: cross-site\r\n",
            .allowed
        ),
        ("DELETE / HTTP/1.1\r\nHost: box\r\nSec-Fetch-Site: cross-site\r\n", .forbidden),
        ("DELETE / HTTP/1.1\r\nHost: box\r\nSec-Fetch-Site: same-origin\r\n", .allowed),
        ("DELETE / HTTP/1.1\r\nHost: box\r\nSec-Fetch-Site: same-site\r\n", .forbidden),
        ("DELETE / HTTP/1.1\r\nHost:\r\n", .misdirected),
        ("GET / HTTP/1.1\r\nHost: box\r\nSec-Fetch-Site: cross-site\r\n", .allowed),
        (
            "GET / HTTP/1.1\r\nHost: box\r\nOrigin: http://evil\r\nUpgrade: websocket\r\n",
            .forbidden
        ),
    ]) func sameOrigin(_ head: String, _ verdict: SameOriginRules.Verdict) throws {
        var cors = CORSPolicy()
        cors.origins = [bytes("https://ui.example")]
        let rules = SameOriginRules(
            machine: bytes("Box"), names: [bytes("wasm.example")], cors: cors)
        #expect(rules.judge(try request(head + "\r\n")) == verdict)
    }

    /// A GET that runs something is judged as what it is.
    @Test func requestsThatAct() throws {
        let rules = SameOriginRules(machine: bytes("box"))
        let head = "GET /run/ HTTP/1.1\r\nHost: box\r\n"
        for (fields, verdict) in [
            ("", SameOriginRules.Verdict.allowed), ("Sec-Fetch-Site: none\r\n", .allowed),
            ("Sec-Fetch-Site: same-origin\r\n", .allowed),
            ("Sec-Fetch-Site: same-site\r\n", .forbidden),
            ("Sec-Fetch-Site: cross-site\r\n", .forbidden), ("Origin: http://evil\r\n", .forbidden),
        ] {
            let request = try request(head + fields + "\r\n")
            #expect(rules.judge(request, acts: true) == verdict, "\(fields)")
            #expect(rules.judge(request) == .allowed)
        }
    }

    @Test func forwarding() throws {
        let trusted = [IPNetwork(bytes("10.0.0.0/8")[...]), IPNetwork(bytes("::1")[...])].compactMap
        { $0 }
        func read(_ peer: String, _ lines: String) throws -> Forwarding {
            Forwarding(
                peer: try #require(IPAddress(bytes(peer)[...])), trusted: trusted,
                fields: try request("GET / HTTP/1.1\r\nHost: a\r\n\(lines)\r\n").fields)
        }
        func client(_ peer: String, _ lines: String) throws -> String? {
            text(try read(peer, lines).client.bytes)
        }
        let lines =
            "X-Forwarded-For: 6.6.6.6, 1.2.3.4, 10.0.0.2\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: b\r\n"
        #expect(try client("10.0.0.1", lines) == "1.2.3.4")
        #expect(try client("9.9.9.9", lines) == "9.9.9.9")
        #expect(try read("9.9.9.9", lines).scheme == nil)
        #expect(text(try read("10.0.0.1", lines).scheme) == "https")
        #expect(text(try read("10.0.0.1", lines).host) == "b")
        #expect(try client("::ffff:10.0.0.1", "X-Forwarded-For: 1.2.3.4:80\r\n") == "1.2.3.4")
        #expect(try client("10.0.0.1", "X-Forwarded-For: unknown\r\n") == "10.0.0.1")
        let standard =
            "Forwarded: for=6.6.6.6, for=\"[2001:db8::1]:4711\";proto=http;host=c, for=10.1.1.1;proto=https\r\nX-Forwarded-For: 5.5.5.5\r\n"
        let result = try read("::1", standard)
        #expect(text(result.client.bytes) == "2001:db8::1")
        #expect(text(result.scheme) == "http" && text(result.host) == "c")
        #expect(try client("::1", "Forwarded: for=_hidden\r\n") == "::1")
    }
}
