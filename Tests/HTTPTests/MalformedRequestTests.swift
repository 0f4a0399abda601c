import Testing

@testable import WasmdHTTP

/// Requests that are refused, and with which status.
struct MalformedRequestTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let text: String
        let status: Int
        let fault: RequestFault

        init(_ text: String, _ status: Int, _ fault: RequestFault) {
            self.text = text
            self.status = status
            self.fault = fault
        }

        var testDescription: String { "\(fault)" }
    }

    static let host = "GET / HTTP/1.1\r\nHost: a\r\n"
    static let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

    static let cases = [
        // The request line.
        Case("GET /\r\n\r\n", 400, .requestLine),
        Case("GET  / HTTP/1.1\r\n\r\n", 400, .requestLine),
        Case("GET /  HTTP/1.1\r\n\r\n", 400, .requestLine),
        Case("GET / HTTP/1.1 \r\n\r\n", 400, .requestLine),
        Case(" GET / HTTP/1.1\r\n\r\n", 400, .requestLine),
        Case("GET\t/ HTTP/1.1\r\n\r\n", 400, .requestLine),
        Case("G@T / HTTP/1.1\r\n\r\n", 400, .requestLine),
        Case("GET /a b HTTP/1.1\r\n\r\n", 400, .requestLine),
        Case("GET /a\u{1}b HTTP/1.1\r\n\r\n", 400, .requestLine),
        Case("GET / http/1.1\r\n\r\n", 400, .requestLine),
        Case("GET / HTTP/1\r\n\r\n", 400, .requestLine),
        Case("GET / HTTP/1.10\r\n\r\n", 400, .requestLine),
        Case("GET / HTTPS/1.1\r\n\r\n", 400, .requestLine),
        Case("\u{16}\u{3}\u{1}\u{2}\r\n", 400, .requestLine),
        Case("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, .version),
        Case("GET / HTTP/0.9\r\n\r\n", 505, .version),
        Case("GET / HTTP/1.1\n\r\n", 400, .lineEnd),
        Case("GET / HTTP/1.1\r\r\n\r\n", 400, .requestLine),
        // Targets.
        Case("GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400, .target),
        Case("GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400, .target),
        Case("GET /#x HTTP/1.1\r\nHost: a\r\n\r\n", 400, .target),
        Case("GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, .target),
        Case("GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", 400, .target),
        Case("GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, .target),
        Case("CONNECT /a HTTP/1.1\r\nHost: a\r\n\r\n", 400, .target),
        Case("CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n", 400, .target),
        Case("CONNECT a:99999 HTTP/1.1\r\nHost: a\r\n\r\n", 400, .target),
        // Lines and fields.
        Case(host + "A: b\n\r\n", 400, .lineEnd),
        Case(host + "A: b\rc\r\n\r\n", 400, .lineEnd),
        Case(host + "A: b\r\n\n", 400, .lineEnd),
        Case(host + "A: b\r\n c\r\n\r\n", 400, .folding),
        Case(host + "A: b\r\n\tc\r\n\r\n", 400, .folding),
        Case("GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400, .folding),
        Case(host + "A : b\r\n\r\n", 400, .fieldName),
        Case(host + "A\t: b\r\n\r\n", 400, .fieldName),
        Case(host + ": b\r\n\r\n", 400, .fieldName),
        Case(host + "A\r\n\r\n", 400, .fieldName),
        Case(host + "A(: b\r\n\r\n", 400, .fieldName),
        Case(host + "Ä: b\r\n\r\n", 400, .fieldName),
        Case(host + "A\0: b\r\n\r\n", 400, .fieldName),
        Case(host + "A: b\0\r\n\r\n", 400, .fieldValue),
        Case(host + "A: b\u{7f}\r\n\r\n", 400, .fieldValue),
        Case(host + "A: \u{b}b\r\n\r\n", 400, .fieldValue),
        // Host.
        Case("GET / HTTP/1.1\r\n\r\n", 400, .hostCount),
        Case("GET http://a/ HTTP/1.1\r\n\r\n", 400, .hostCount),
        Case(host + "host: a\r\n\r\n", 400, .hostCount),
        Case("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", 400, .hostCount),
        Case("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400, .host),
        Case("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, .host),
        Case("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400, .host),
        Case("GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", 400, .host),
        Case("GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", 400, .host),
        Case("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400, .host),
        Case("GET / HTTP/1.1\r\nHost: [1.2.3.4]\r\n\r\n", 400, .host),
        // Lengths and codings.
        Case(host + "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 400, .contentLengths),
        Case(host + "Content-Length: 5, 6\r\n\r\n", 400, .contentLengths),
        Case(host + "Content-Length: 5,\r\n\r\n", 400, .contentLength),
        Case(host + "Content-Length:\r\n\r\n", 400, .contentLength),
        Case(host + "Content-Length: +5\r\n\r\n", 400, .contentLength),
        Case(host + "Content-Length: -5\r\n\r\n", 400, .contentLength),
        Case(host + "Content-Length: 0x5\r\n\r\n", 400, .contentLength),
        Case(host + "Content-Length: 5 5\r\n\r\n", 400, .contentLength),
        Case(host + "Content-Length: 5.0\r\n\r\n", 400, .contentLength),
        Case(host + "Content-Length: 18446744073709551617\r\n\r\n", 413, .bodyTooLarge),
        Case(host + "Content-Length: 99999999999\r\n\r\n", 413, .bodyTooLarge),
        Case(
            host + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400,
            .lengthAndCoding),
        Case(
            host + "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n", 400,
            .lengthAndCoding),
        Case(host + "Transfer-Encoding: gzip\r\n\r\n", 501, .unknownCoding),
        Case(host + "Transfer-Encoding: gzip, chunked\r\n\r\n", 501, .unknownCoding),
        Case(host + "Transfer-Encoding: xchunked\r\n\r\n", 501, .unknownCoding),
        Case(host + "Transfer-Encoding: identity\r\n\r\n", 501, .unknownCoding),
        Case(host + "Transfer-Encoding: chunked, identity\r\n\r\n", 400, .transferEncoding),
        Case(host + "Transfer-Encoding: chunked, chunked\r\n\r\n", 400, .transferEncoding),
        Case(
            host + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400,
            .transferEncoding),
        Case(
            host + "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n", 400,
            .transferEncoding),
        Case(host + "Transfer-Encoding:\r\n\r\n", 400, .transferEncoding),
        Case(host + "Transfer-Encoding: chunked,\r\n\r\n", 400, .transferEncoding),
        Case(host + "Transfer-Encoding: , chunked\r\n\r\n", 400, .transferEncoding),
        Case(host + "Transfer-Encoding: ,\r\n\r\n", 400, .transferEncoding),
        Case(host + "Transfer-Encoding: chunked;q=1\r\n\r\n", 400, .transferEncoding),
        Case(host + "Transfer-Encoding: \"chunked\"\r\n\r\n", 400, .transferEncoding),
        Case(host + "Transfer-Encoding: chunked x\r\n\r\n", 400, .transferEncoding),
        Case(host + "Transfer-Encoding: \u{b}chunked\r\n\r\n", 400, .fieldValue),
        Case(
            "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400, .transferEncoding),
        Case(host + "Expect: 200-ok\r\n\r\n", 417, .expectation),
        // Chunks.
        Case(chunked + "\r\n", 400, .chunk),
        Case(chunked + "g\r\n", 400, .chunk),
        Case(chunked + "-1\r\n", 400, .chunk),
        Case(chunked + "0x1\r\n", 400, .chunk),
        Case(chunked + " 1\r\n", 400, .chunk),
        Case(chunked + "1 \r\n", 400, .chunk),
        Case(chunked + "1\n", 400, .lineEnd),
        Case(chunked + "1\ra", 400, .lineEnd),
        Case(chunked + "1;a\n", 400, .lineEnd),
        Case(chunked + "1;a\rb\r\n", 400, .lineEnd),
        Case(chunked + "1;a\0\r\n", 400, .chunk),
        Case(chunked + "1\r\nab\r\n", 400, .chunk),
        Case(chunked + "1\r\na\n", 400, .chunk),
        Case(chunked + "1\r\na\rx", 400, .chunk),
        Case(chunked + "00000000000000001\r\n", 400, .chunk),
        Case(chunked + "ffffffffffffffff\r\n", 413, .bodyTooLarge),
        Case(chunked + "10000000000000000\r\n", 413, .bodyTooLarge),
        Case(chunked + "1\r\na\r\nffffffffffffffff\r\n", 413, .bodyTooLarge),
        Case(chunked + "0\r\nA : b\r\n\r\n", 400, .fieldName),
        Case(chunked + "0\r\n\n", 400, .lineEnd),
        // Connections that end too early.
        Case("GET / HT", 400, .truncated),
        Case(host, 400, .truncated),
        Case(host + "Content-Length: 5\r\n\r\nhell", 400, .truncated),
        Case(chunked + "5\r\nhello\r\n0\r\n", 400, .truncated),
    ]

    @Test(arguments: cases) func isRefused(_ example: Case) {
        let parsed = ParsedRequests(example.text)
        #expect(parsed.fault == example.fault)
        #expect(parsed.fault?.status.code == UInt16(example.status))
        #expect(parsed.fault?.reason.isEmpty == false)
        // One byte at a time it is the same.
        #expect(ParsedRequests(bytes(example.text).map { [$0] }) == parsed)
    }

    /// Text cannot hold bytes from 128 on that are no UTF-8.
    @Test func bytesThatAreNoText() {
        let start = bytes("GET /\u{fc} HTTP/1.1\r\nHost: a\r\nA: ")
        let parsed = ParsedRequests([start + [0xff, 0x80], [0x0d, 0x0a, 0x0d, 0x0a]])
        #expect(parsed.fault == nil)
        #expect(parsed.heads[0].fields.first("a").map { Array($0) } == [0xff, 0x80])
    }

    @Test func limits() {
        var limits = MessageLimits()
        limits.line = 20
        limits.fields = 40
        limits.fieldCount = 2
        limits.chunkExtensions = 8
        func fault(_ text: String) -> RequestFault? {
            let parsed = ParsedRequests(text, limits: limits)
            #expect(ParsedRequests(bytes(text).map { [$0] }, limits: limits) == parsed)
            return parsed.fault
        }
        // 20 bytes are allowed, 21 are not, with and without an end of the line.
        #expect(fault("GET /4567890 HTTP/1.1\r\n\r\n") == .targetTooLong)
        #expect(fault("GET /456789 HTTP/1.1\r\n\r\n") == .hostCount)
        #expect(fault("GET /45678901234567890") == .targetTooLong)
        #expect(
            fault("GET / HTTP/1.1\r\nHost: a\r\nA: 456789012345678901234567890\r\n\r\n")
                == .fieldsTooLarge)
        #expect(fault("GET / HTTP/1.1\r\nHost: a\r\nA: 45678901234567890123456789") == .truncated)
        #expect(fault("GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\nB: 2\r\n\r\n") == .tooManyFields)
        #expect(fault("GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\n\r\n") == nil)
        let chunked = "POST / HTTP/1.1\r\nHost:a\r\nTransfer-Encoding:chunked\r\n\r\n"
        #expect(fault(chunked + "1;234567\r\na\r\n0\r\n\r\n") == nil)
        #expect(fault(chunked + "1;2345\r\na\r\n1;234\r\na\r\n0\r\n\r\n") == .chunkExtension)
        #expect(fault(chunked + "0\r\nA:1\r\nB:2\r\nC:3\r\n\r\n") == .tooManyFields)
        #expect(fault(String(repeating: "\r\n", count: 100)) == .requestLine)
        #expect(RequestFault.targetTooLong.status == .targetTooLong)
        #expect(RequestFault.tooManyFields.status.code == 431)
        #expect(RequestFault.fieldsTooLarge.status.code == 431)
    }

    /// A fault stays, and no byte after it is understood as something else.
    @Test func faultsStay() {
        var parser = RequestParser()
        let bad = bytes("GET / HTTP/1.1\nHost: a\r\n\r\n")
        for input in [bad, bytes("GET / HTTP/1.1\r\nHost: a\r\n\r\n")] {
            #expect(throws: RequestFault.lineEnd) {
                var position = 0
                _ = try parser.next(input.span, at: &position)
            }
        }
        #expect(throws: RequestFault.lineEnd) { try parser.finish() }
    }

    /// Damaged streams end in the same result however they are split, and never in a trap.
    @Test func mutations() {
        var generator = Generator(state: 1)
        let seeds = Self.cases.map { bytes($0.text) }
        let words = [
            "\r\n", "\n", "\r", " ", ":", ",", "chunked", "0", "\0", "ffffffff", "HTTP/1.1",
        ]
        .map(bytes)
        for _ in 0..<3000 {
            var input =
                (seeds.randomElement(using: &generator) ?? [])
                + (seeds.randomElement(using: &generator) ?? [])
            generator.mutate(&input, with: words)
            let whole = ParsedRequests([input])
            #expect(ParsedRequests(generator.pieces(input)) == whole)
            for head in whole.heads {
                // Whatever is accepted can be written and is read as the same.
                #expect(head.fields.count(of: "host") <= 1)
                #expect(!head.target.bytes.contains(0x20))
            }
        }
    }
}
