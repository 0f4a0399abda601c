import Testing

@testable import WasmdHTTP

/// Requests that are well-formed.
struct RequestTests {
    @Test func unreservedCharactersOfPathsAreDecoded() throws {
        for (target, path) in [
            ("/%77asm/%2D%7e?%77", "/wasm/-~"), ("/a%2Fb", "/a%2Fb"), ("/%2577", "/%2577"),
            ("/%2e%2E/x", "/../x"), ("/%4", "/%4"), ("/%zz%41", "/%zzA"), ("/%", "/%"),
            ("/a", "/a"),
            ("http://h/%41?q", "/A"),
        ] {
            let head = try RequestHead(method: .get, target: target.utf8)
            #expect(text(head.target.path) == path)
            #expect(text(head.target.bytes) == target)
        }
        let head = try RequestHead(method: .get, target: "/%77asm?%77".utf8)
        #expect(text(head.target.rawPath) == "/%77asm")
        #expect(head.target.query.map { text($0) } == "%77")
    }

    @Test func exampleOfTheSpecification() throws {
        let head = try request(
            "GET /hello.txt HTTP/1.1\r\nUser-Agent: curl/7.64.1\r\nHost: www.example.com\r\n"
                + "Accept-Language: en, mi\r\n\r\n")
        #expect(head.method == .get)
        #expect(head.version == .http11)
        #expect(head.target.form == .origin)
        #expect(text(head.target.path) == "/hello.txt")
        #expect(head.target.query == nil)
        #expect(text(head.fields.first("host")) == "www.example.com")
        #expect(text(head.fields.first("accept-language")) == "en, mi")
        #expect(head.fields.count == 3)
        #expect(text(head.fields[0].name) == "User-Agent")
        #expect(head.framing == .none)
        #expect(head.keepsAlive)
        #expect(!head.expectsContinue)
    }

    @Test func bodyWithLength() {
        let parsed = ParsedRequests("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")
        #expect(parsed.fault == nil)
        #expect(parsed.heads[0].framing == .length(5))
        #expect(parsed.bodies == [bytes("hello")])
        #expect(parsed.trailers == [Fields()])
    }

    @Test func bodyInChunks() throws {
        let parsed = ParsedRequests(
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"
                + "4;name=\"a;\\\"\r\"\r\nWiki\r\n0\r\n\r\n")
        #expect(parsed.fault == .lineEnd)
        let good = ParsedRequests(
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"
                + "4\r\nWiki\r\n7 ; a=b ;c=\"x;\\\"y\"\r\npedia i\r\n00B\r\nn \r\nchunks.\r\n0\r\n"
                + "Digest: abc\r\n\r\n")
        #expect(good.fault == nil)
        #expect(good.heads[0].framing == .chunked)
        #expect(text(good.bodies[0]) == "Wikipedia in \r\nchunks.")
        var trailers = Fields()
        try trailers.append("Digest", "abc")
        #expect(good.trailers == [trailers])
    }

    @Test func withoutLengthTheBodyIsEmpty() {
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "BREW"] {
            let parsed = ParsedRequests(
                "\(method) /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(parsed.fault == nil)
            #expect(parsed.heads.map { text($0.target.path) } == ["/a", "/b"])
            #expect(parsed.bodies == [[], []])
        }
    }

    @Test func pipelining() {
        let one = "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
        let two =
            "POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"
        let three = "\r\nGET /3 HTTP/1.0\r\n\r\n"
        let parsed = ParsedRequests(one + two + three)
        #expect(parsed.fault == nil)
        #expect(parsed.heads.map { text($0.target.path) } == ["/1", "/2", "/3"])
        #expect(parsed.bodies == [bytes("abc"), bytes("x"), []])
        #expect(parsed.heads.map(\.keepsAlive) == [true, true, false])
    }

    @Test func splitsDoNotMatter() {
        let examples = [
            "GET /hello?x=1 HTTP/1.1\r\nHost: [::1]:80\r\nA:\t b \t\r\n\r\n",
            "\r\n\r\nPOST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.0\r\n\r\n",
            "PUT / HTTP/1.1\r\nHost: a\r\ntransfer-encoding: chunked\r\n\r\n"
                + "3 ;x=\"y\"\r\nabc\r\nA\r\n0123456789\r\n0\r\nT: 1\r\nU: 2\r\n\r\n",
            "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
            "GET / HTTP/1.1\nHost: a\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        ]
        for example in examples {
            let whole = ParsedRequests(example)
            for pieces in splits(bytes(example)) {
                #expect(ParsedRequests(pieces) == whole)
            }
        }
    }

    @Test func formsOfTargets() throws {
        let absolute = try request(
            "GET HTTP://Example.com:8080?q HTTP/1.1\r\nHost: other\r\n\r\n")
        #expect(absolute.target.form == .absolute)
        #expect(text(absolute.target.path) == "/")
        #expect(text(absolute.target.query) == "q")
        #expect(text(absolute.authority) == "Example.com:8080")
        let connect = try request("CONNECT [::1]:443 HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(connect.target.form == .authority)
        #expect(text(connect.authority) == "[::1]:443")
        let asterisk = try request("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(asterisk.target.form == .asterisk)
        let odd = try request("GET //health/%7e|x?&a=1&b=[] HTTP/1.1\r\nHost:\r\n\r\n")
        #expect(text(odd.target.path) == "//health/~|x")
        #expect(text(odd.target.rawPath) == "//health/%7e|x")
        #expect(text(odd.target.query) == "&a=1&b=[]")
        #expect(odd.authority == nil)
    }

    @Test func persistence() throws {
        func keepsAlive(_ version: String, _ fields: String) throws -> Bool {
            try request("GET / HTTP/\(version)\r\nHost: a\r\n\(fields)\r\n").keepsAlive
        }
        #expect(try keepsAlive("1.1", ""))
        #expect(try keepsAlive("1.7", ""))
        #expect(try !keepsAlive("1.1", "Connection: Close\r\n"))
        #expect(try !keepsAlive("1.1", "Connection: upgrade, close\r\n"))
        #expect(try !keepsAlive("1.1", "Connection: keep-alive\r\nConnection: close\r\n"))
        #expect(try !keepsAlive("1.0", ""))
        #expect(try keepsAlive("1.0", "Connection: Keep-Alive\r\n"))
        #expect(try !keepsAlive("1.0", "Connection: keep-alive, close\r\n"))
    }

    @Test func expectation() throws {
        func expects(_ version: String, _ fields: String) -> Bool? {
            ParsedRequests(
                "POST / HTTP/\(version)\r\nHost: a\r\nExpect: 100-Continue\r\n\(fields)\r\n"
            )
            .heads.first?.expectsContinue
        }
        #expect(expects("1.1", "Content-Length: 1\r\n") == true)
        #expect(expects("1.1", "Transfer-Encoding: chunked\r\n") == true)
        #expect(expects("1.1", "Content-Length: 0\r\n") == false)
        #expect(expects("1.0", "Content-Length: 1\r\n") == false)
    }

    @Test func limitOfARoute() throws {
        var parser = RequestParser()
        var position = 0
        let input = bytes("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")
        _ = try parser.next(input.span, at: &position)
        try parser.limitBody(to: 5)
        #expect(throws: RequestFault.bodyTooLarge) { try parser.limitBody(to: 4) }
        #expect(throws: RequestFault.bodyTooLarge) {
            var position = 0
            _ = try parser.next([], at: &position)
        }
        let chunked = ParsedRequests(
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            limits: {
                var limits = MessageLimits(); limits.body = 4; return limits
            }())
        #expect(chunked.fault == .bodyTooLarge)
    }

    @Test func afterAnUpgradeNothingIsTaken() throws {
        var parser = RequestParser()
        var position = 0
        let input = bytes("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\n\r\n\u{81}\u{85}")
        _ = try parser.next(input.span, at: &position)
        #expect(try parser.next(input.span, at: &position) == .end(trailers: Fields()))
        parser.switchProtocols()
        let before = position
        #expect(try parser.next(input.span, at: &position) == nil)
        #expect(position == before && position == input.count - 4)
        try parser.finish()
    }
}

private extension RequestParser {
    mutating func next(_ input: [UInt8], at position: inout Int) throws(RequestFault)
        -> RequestEvent?
    {
        try next(input.span, at: &position)
    }
}
