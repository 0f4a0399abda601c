import Testing

@testable import WasmdHTTP

/// What is written, and what is refused.
struct WriterTests {
    let date = DateLine(HTTPDate(seconds: 784_111_777))

    func response(
        to text: String, _ response: ResponseHead, _ length: BodyLength, _ pieces: [String],
        trailers: Fields = Fields()
    ) throws -> (String, Bool) {
        var output: [UInt8] = []
        var writer = ResponseWriter(request: try head(text))
        try writer.begin(response, body: length, date: date, to: &output)
        for piece in pieces { try writer.write(bytes(piece).span, to: &output) }
        try writer.end(trailers: trailers, to: &output)
        return (String(decoding: output, as: UTF8.self), writer.keepsAlive)
    }

    @Test func responses() throws {
        var head = ResponseHead(.ok)
        try head.fields.append("Content-Type", "text/plain")
        let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        let start =
            "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: text/plain\r\n"
        #expect(
            try response(to: get, head, .bytes(5), ["hel", "lo"])
                == (start + "Content-Length: 5\r\n\r\nhello", true))
        #expect(
            try response(to: get, head, .unknown, ["hello world, hello", "", "x"])
                == (
                    start
                        + "Transfer-Encoding: chunked\r\n\r\n12\r\nhello world, hello\r\n1\r\nx\r\n0\r\n\r\n",
                    true
                ))
        #expect(
            try response(to: "GET / HTTP/1.0\r\n\r\n", head, .unknown, ["hello"])
                == (start + "Connection: close\r\n\r\nhello", false))
        #expect(
            try response(
                to: "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", head, .bytes(1), ["a"])
                == (start + "Content-Length: 1\r\nConnection: keep-alive\r\n\r\na", true))
        let headRequest = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
        #expect(
            try response(to: headRequest, head, .bytes(5), ["hello"])
                == (start + "Content-Length: 5\r\n\r\n", true))
        #expect(
            try response(to: headRequest, head, .unknown, ["hello"])
                == (start + "Transfer-Encoding: chunked\r\n\r\n", true))
        #expect(
            try response(to: get, ResponseHead(.noContent), .none, [])
                == ("HTTP/1.1 204 No Content\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n", true))
        #expect(
            try response(to: get, ResponseHead(.notModified), .bytes(9), ["x"])
                == (
                    "HTTP/1.1 304 Not Modified\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n", true
                ))
        #expect(
            try response(to: get, ResponseHead(.ok), .none, []).0.components(
                "Content-Length: 0\r\n") == 1)
        var close = ResponseHead(.ok)
        try close.fields.append("Connection", "close")
        let closed = try response(to: get, close, .none, [])
        #expect(!closed.1 && closed.0.components("onnection") == 1)
    }

    @Test func trailersOfChunks() throws {
        var trailers = Fields()
        try trailers.append("Digest", "x")
        let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        let chunked = try response(to: get, ResponseHead(.ok), .unknown, ["a"], trailers: trailers)
        #expect(chunked.0.hasSuffix("1\r\na\r\n0\r\nDigest: x\r\n\r\n"))
        let plain = try response(to: get, ResponseHead(.ok), .bytes(1), ["a"], trailers: trailers)
        #expect(plain.0.hasSuffix("\r\n\r\na"))
        var bad = Fields()
        try bad.append("Content-Length", "1")
        #expect(throws: WritingFault.framingField) {
            _ = try response(to: get, ResponseHead(.ok), .unknown, ["a"], trailers: bad)
        }
    }

    @Test func fieldsThatAreRefused() throws {
        var fields = Fields()
        for value in ["a\r\nb: c", "a\n", "\r", "\0", "\u{7f}", "\u{1}"] {
            #expect(throws: WritingFault.fieldValue) { try fields.append("X", value) }
        }
        for name in ["", "a b", "a:", "a\r\n", "ä"] {
            #expect(throws: WritingFault.fieldName) {
                try fields.append(name: bytes(name), value: bytes("x"))
            }
        }
        #expect(fields.isEmpty)
        #expect(fields.bytes.isEmpty)
        try fields.append("X", " \tpad ded ")
        try fields.append("x", "2")
        try fields.append("Y", "")
        #expect(fields.all("x").map { text($0) } == ["pad ded", "2"])
        fields.remove("x")
        #expect(fields.count == 1 && fields.first("y")?.isEmpty == true)
        var output: [UInt8] = []
        fields.write(to: &output)
        #expect(text(output) == "Y: \r\n")
        let parsed = try request("GET / HTTP/1.1\r\nHost: a\r\nB:c\r\n\r\n")
        var copy = parsed.fields
        try copy.append("D", "e")
        output = []
        copy.write(to: &output)
        #expect(text(output) == "Host: a\r\nB: c\r\nD: e\r\n")
        #expect(parsed.fields.count == 2)
    }

    @Test func lengthsAreKept() throws {
        var output: [UInt8] = []
        var writer = ResponseWriter(request: try request("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
        #expect(throws: WritingFault.order) { try writer.write([1].span, to: &output) }
        try writer.begin(ResponseHead(.ok), body: .bytes(2), date: date, to: &output)
        let before = output.count
        #expect(throws: WritingFault.length) { try writer.write([1, 2, 3].span, to: &output) }
        #expect(output.count == before)
        try writer.write([1].span, to: &output)
        #expect(writer.keepsAlive)
        #expect(throws: WritingFault.length) { try writer.end(to: &output) }
        #expect(!writer.keepsAlive)
        var second = ResponseWriter()
        var bad = ResponseHead(.ok)
        try bad.fields.append("transfer-encoding", "chunked")
        let count = output.count
        #expect(throws: WritingFault.framingField) {
            try second.begin(bad, body: .none, date: date, to: &output)
        }
        #expect(throws: WritingFault.order) {
            try second.begin(ResponseHead(.continue), body: .none, date: date, to: &output)
        }
        #expect(output.count == count)
    }

    @Test func requests() throws {
        var fields = Fields()
        try fields.append("Host", "a:8080")
        var output: [UInt8] = []
        for (method, length): (WasmdHTTP.Method, BodyLength) in [
            (.get, .none), (.post, .none), (.put, .bytes(3)), (.other("BREW"), .unknown),
        ] {
            var writer = RequestWriter()
            let head = try RequestHead(method: method, target: bytes("/a?b"), fields: fields)
            try writer.begin(head, body: length, to: &output)
            if length != .none { try writer.write(bytes("xyz").span, to: &output) }
            try writer.end(to: &output)
        }
        #expect(
            text(output)
                == "GET /a?b HTTP/1.1\r\nHost: a:8080\r\n\r\n"
                + "POST /a?b HTTP/1.1\r\nHost: a:8080\r\nContent-Length: 0\r\n\r\n"
                + "PUT /a?b HTTP/1.1\r\nHost: a:8080\r\nContent-Length: 3\r\n\r\nxyz"
                + "BREW /a?b HTTP/1.1\r\nHost: a:8080\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "3\r\nxyz\r\n0\r\n\r\n")
        let parsed = ParsedRequests([output])
        #expect(parsed.fault == nil && parsed.heads.count == 4)
        #expect(throws: WritingFault.target) {
            _ = try RequestHead(method: .get, target: bytes("/a b"))
        }
        #expect(throws: WritingFault.method) {
            _ = try RequestHead(method: .other("A B"), target: bytes("/"))
        }
        #expect(throws: WritingFault.fieldValue) {
            var writer = RequestWriter()
            try writer.begin(
                RequestHead(method: .get, target: bytes("/")), body: .none, to: &output)
        }
    }

    @Test func interimAndUpgrade() throws {
        var output: [UInt8] = []
        ResponseWriter.writeContinue(to: &output)
        let head = try request("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        var writer = ResponseWriter(request: head)
        try writer.interim(ResponseHead(try #require(Status(103))), to: &output)
        var fields = Fields()
        try fields.append("Upgrade", "x")
        try writer.switchProtocols(fields, to: &output)
        #expect(
            text(output)
                == "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n"
                + "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n")
        var old = ResponseWriter(request: try request("GET / HTTP/1.0\r\n\r\n"))
        #expect(throws: WritingFault.order) { try old.switchProtocols(fields, to: &output) }
    }

    @Test func dateLineIsKept() {
        var line = DateLine(HTTPDate(seconds: 0))
        #expect(text(line.bytes) == "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n")
        line.update(HTTPDate(seconds: 1))
        #expect(text(line.bytes) == "Date: Thu, 01 Jan 1970 00:00:01 GMT\r\n")
    }
}

private func head(_ text: String) throws -> RequestHead { try request(text) }

private extension String {
    /// How often a text occurs.
    func components(_ part: String) -> Int {
        let (all, part) = (Array(utf8), Array(part.utf8))
        guard all.count >= part.count else { return 0 }
        return (0...(all.count - part.count)).count {
            all[$0..<($0 + part.count)].elementsEqual(part)
        }
    }
}
