import Testing

@testable import WasmdHTTP

/// Responses that a client reads.
struct ResponseTests {
    @Test func exampleOfTheSpecification() {
        let parsed = ParsedResponses([
            bytes(
                "HTTP/1.1 200 OK\r\nDate: Mon, 27 Jul 2009 12:28:53 GMT\r\nETag: \"34aa387-d-1568eb00\"\r\n"
                    + "Content-Length: 14\r\nVary: Accept-Encoding\r\n\r\nHello World!\r\n")
        ])
        #expect(parsed.fault == nil)
        #expect(parsed.heads[0].status == .ok)
        #expect(text(parsed.heads[0].reason) == "OK")
        #expect(text(parsed.bodies[0]) == "Hello World!\r\n")
        #expect(parsed.heads[0].keepsAlive)
    }

    @Test func framings() {
        func framing(_ text: String, _ method: WasmdHTTP.Method = .get) -> Framing? {
            ParsedResponses([bytes(text)], methods: [method]).heads.first?.framing
        }
        #expect(framing("HTTP/1.1 200\r\nContent-Length: 3\r\n\r\nabc") == .length(3))
        #expect(framing("HTTP/1.1 200 \r\nContent-Length: 3\r\n\r\n", .head) == Framing.none)
        #expect(framing("HTTP/1.1 204 x\r\nContent-Length: 3\r\n\r\n") == Framing.none)
        #expect(framing("HTTP/1.1 304 x\r\nContent-Length: 3\r\n\r\n") == Framing.none)
        #expect(framing("HTTP/1.1 200 x\r\n\r\nabc", .connect) == .tunnel)
        #expect(framing("HTTP/1.1 403 x\r\n\r\nabc", .connect) == .untilClose)
        #expect(framing("HTTP/1.1 101 x\r\nUpgrade: y\r\n\r\nabc") == .tunnel)
        #expect(framing("HTTP/1.0 200 OK\r\n\r\nabc") == .untilClose)
        #expect(framing("HTTP/1.1 200 OK\r\nContent-Length: 3, 3\r\n\r\n") == .length(3))
    }

    @Test func bodyUntilClose() {
        let parsed = ParsedResponses([bytes("HTTP/1.0 200 OK\r\n\r\nab"), bytes("c")])
        #expect(parsed.bodies == [bytes("abc")])
        #expect(parsed.trailers.count == 1)
        #expect(parsed.fault == nil)
        #expect(!parsed.heads[0].keepsAlive)
    }

    @Test func severalWithInterimOnes() {
        let stream = bytes(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"
                + "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nX: y\r\n\r\n"
                + "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"
                + "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\nz")
        let methods: [WasmdHTTP.Method] = [.post, .head, .get]
        let whole = ParsedResponses([stream], methods: methods)
        #expect(whole.fault == nil)
        #expect(whole.interim.map(\.status.code) == [100, 103])
        #expect(whole.heads.map(\.status.code) == [201, 200, 200])
        #expect(whole.bodies == [bytes("ab"), [], bytes("z")])
        #expect(whole.heads.map(\.keepsAlive) == [true, true, false])
        #expect(text(whole.trailers[0].first("x")) == "y")
        for pieces in splits(stream) {
            #expect(ParsedResponses(pieces, methods: methods) == whole)
        }
    }

    @Test(arguments: [
        ("HTTP/1.1 20 OK\r\n\r\n", ResponseFault.statusLine),
        ("HTTP/1.1 2000 OK\r\n\r\n", .statusLine),
        ("HTTP/1.1  200 OK\r\n\r\n", .statusLine),
        ("http/1.1 200 OK\r\n\r\n", .statusLine),
        ("HTTP/1.1 099 OK\r\n\r\n", .statusLine),
        ("ICY 200 OK\r\n\r\n", .statusLine),
        ("HTTP/2.0 200 OK\r\n\r\n", .version),
        ("HTTP/1.1 200 OK\r\nA : b\r\n\r\n", .head(.fieldName)),
        ("HTTP/1.1 200 OK\nA: b\r\n\r\n", .head(.lineEnd)),
        ("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", .head(.folding)),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", .contentLength),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            .transferEncoding
        ),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", .transferEncoding),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx", .chunk),
        ("HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n", .bodyTooLarge),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", .truncated),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na", .truncated),
        ("HTTP/1.1 200 O", .truncated),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP", .unexpected),
    ]) func isRefused(_ text: String, _ fault: ResponseFault) {
        let parsed = ParsedResponses([bytes(text)])
        #expect(parsed.fault == fault)
        #expect(ParsedResponses(bytes(text).map { [$0] }) == parsed)
    }

    @Test func mutations() {
        var generator = Generator(state: 2)
        let seed = bytes(
            "HTTP/1.1 100 C\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nA: b\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
                + "HTTP/1.1 404 No\r\nContent-Length: 3\r\n\r\nabc")
        let words = ["\r\n", "\n", "204", "HTTP/1.0", "chunked", "Content-Length: 1\r\n"].map(bytes)
        for _ in 0..<2000 {
            var input = seed
            generator.mutate(&input, with: words)
            let whole = ParsedResponses([input], methods: [.get, .get])
            let split = ParsedResponses(generator.pieces(input), methods: [.get, .get])
            #expect(split == whole)
        }
    }
}
