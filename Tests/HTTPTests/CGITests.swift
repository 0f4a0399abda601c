import Testing

@testable import WasmdHTTP

struct CGITests {
    func context() throws -> CGIContext {
        var context = CGIContext(
            scriptName: bytes("/app"), pathInfo: bytes("/x y"), rawPathInfo: bytes("/x%20y"),
            matchedRoute: bytes("/app/..."), serverName: bytes("localhost"), serverPort: 8080,
            client: try #require(IPAddress(bytes("127.0.0.1")[...])), software: bytes("wasmd/1"))
        context.contentLength = 3
        return context
    }

    func variables(_ text: String) throws -> [String: String] {
        let block = CGIEnvironment.block(try request(text), try context())
        #expect(block.last == 0)
        return Dictionary(
            uniqueKeysWithValues: block.dropLast().split(separator: 0).map { variable in
                let parts = variable.split(
                    separator: 0x3d, maxSplits: 1, omittingEmptySubsequences: false)
                return (
                    String(decoding: parts[0], as: UTF8.self),
                    String(decoding: parts[1], as: UTF8.self)
                )
            })
    }

    @Test func environment() throws {
        let all = try variables(
            "POST /app/x%20y?a=1&b HTTP/1.1\r\nHost: localhost:8080\r\nContent-Type: a/b\r\n"
                + "Proxy: http://evil\r\nProxy-Connection: x\r\nX_Y: 1\r\nX-Y: 2\r\nX-Y: 3\r\n"
                + "Authorization: secret\r\nProxy-Authorization: secret\r\nCookie: a=1\r\nCookie: b=2\r\n"
                + "Connection: keep-alive\r\nContent-Length: 0\r\nAccept: */*\r\n\r\n")
        #expect(
            all == [
                "GATEWAY_INTERFACE": "CGI/1.1", "SERVER_PROTOCOL": "HTTP/1.1",
                "SERVER_SOFTWARE": "wasmd/1",
                "SERVER_NAME": "localhost", "SERVER_PORT": "8080", "REQUEST_METHOD": "POST",
                "SCRIPT_NAME": "/app", "PATH_INFO": "/x y", "PATH_TRANSLATED": "/x y",
                "QUERY_STRING": "a=1&b",
                "REMOTE_ADDR": "127.0.0.1", "REMOTE_HOST": "127.0.0.1", "REMOTE_USER": "",
                "AUTH_TYPE": "",
                "CONTENT_LENGTH": "3", "CONTENT_TYPE": "a/b", "X_MATCHED_ROUTE": "/app/...",
                "X_RAW_PATH_INFO": "/x%20y", "X_FULL_URL": "http://localhost:8080/app/x%20y?a=1&b",
                "HTTP_HOST": "localhost:8080", "HTTP_X_Y": "2, 3", "HTTP_COOKIE": "a=1; b=2",
                "HTTP_ACCEPT": "*/*",
            ])
        let old = try variables("GET /app HTTP/1.0\r\n\r\n")
        #expect(old["X_FULL_URL"] == "http://localhost:8080/app" && old["QUERY_STRING"] == "")
        #expect(old["CONTENT_TYPE"] == nil)
    }

    @Test func arguments() throws {
        func arguments(_ query: String) throws -> [String?] {
            CGIEnvironment.arguments(
                try request("GET /app\(query) HTTP/1.0\r\n\r\n"), try context()
            ).map { text($0) }
        }
        #expect(try arguments("") == ["/app"])
        #expect(try arguments("?a+b%20c") == ["/app", "a", "b c"])
        #expect(try arguments("?x=1&y=%41+b&&z") == ["/app", "x=1", "y=%41+b", "z"])
        #expect(try arguments("?a+%00") == ["/app", "a"])
    }

    struct Output: Equatable {
        var status: UInt16?
        var fields: [String] = []
        var body: [UInt8] = []
        var fault: CGIOutput.Fault?

        init(_ pieces: [[UInt8]], limit: Int = 1000) {
            var parser = CGIOutput(limit: limit)
            func take(_ event: CGIOutput.Event, _ piece: [UInt8], _ output: inout Output) {
                switch event {
                case .head(let head):
                    output.status = head.status.code
                    for index in 0..<head.fields.count {
                        let (name, value) = head.fields[index]
                        output.fields.append((text(name) ?? "") + "=" + (text(value) ?? ""))
                    }
                case .kept(let kept): output.body += kept
                case .body(let range): output.body += piece[range]
                }
            }
            do throws(CGIOutput.Fault) {
                for piece in pieces {
                    var position = 0
                    while let event = try parser.next(piece.span, at: &position) {
                        take(event, piece, &self)
                    }
                }
                for event in try parser.finish() { take(event, [], &self) }
            } catch {
                fault = error
            }
        }
    }

    static let plain = "Content-Type=text/plain; charset=utf-8"

    @Test(arguments: [
        ("Content-Type: text/html\n\n<p>", 200, ["Content-Type=text/html"], "<p>"),
        ("Content-Type: text/html\r\n\r\n\r\nx", 200, ["Content-Type=text/html"], "\r\nx"),
        ("Status: 404 Not Found\nX-A: b\n\ngone", 404, ["X-A=b", plain], "gone"),
        ("status:201\n\n", 201, [plain], ""),
        ("Location: /other?x\n\n", 302, ["Location=/other?x", plain], ""),
        ("Location: http://a/\nStatus: 307\n\n", 307, ["Location=http://a/", plain], ""),
        (
            "Content-Type: a/b\nContent-Length: 99\nConnection: x\nTransfer-Encoding: chunked\n\nabc",
            200, ["Content-Type=a/b"], "abc"
        ),
        ("hello world\n", 200, [plain], "hello world\n"),
        ("hello", 200, [plain], "hello"),
        ("", 200, [plain], ""),
        ("\nbody", 200, [plain], "body"),
        ("\r\nbody", 200, [plain], "body"),
        ("{\"a\": 1}\n", 200, [plain], "{\"a\": 1}\n"),
        ("result: 42\n", 200, [plain], "result: 42\n"),
        ("result: 42\nand more text\n", 200, [plain], "result: 42\nand more text\n"),
        ("X-A: b\n\nbody", 200, ["X-A=b", plain], "body"),
        ("Content-Type: a/b\n", 200, ["Content-Type=a/b"], ""),
        (
            "Set-Cookie: a\nSet-Cookie: b\nContent-Type: a/b\n\n", 200,
            ["Set-Cookie=a", "Set-Cookie=b", "Content-Type=a/b"], ""
        ),
    ]) func outputs(_ raw: String, _ status: Int, _ fields: [String], _ body: String) {
        let whole = Output([bytes(raw)])
        #expect(whole.fault == nil)
        #expect(whole.status == UInt16(status))
        #expect(whole.fields == fields)
        #expect(text(whole.body) == body)
        for pieces in splits(bytes(raw)) { #expect(Output(pieces) == whole) }
    }

    @Test(arguments: [
        ("Content-Type: a\rX: b\n\n", CGIOutput.Fault.controlCharacter),
        ("Content-Type: a\0b\n\n", .controlCharacter),
        ("X-A: a\0b\nContent-Type: a/b\n\n", .controlCharacter),
        ("Content-Type: a/b\nno field\n\n", .line),
        ("Content-Type: a/b\nX : y\n\n", .line),
        ("Content-Type: a/b\n folded\n\n", .line),
        ("Status: 99\n\n", .status), ("Status: abc\n\n", .status), ("Status: 100\n\n", .status),
        ("Status: 1000\n\n", .status), ("Status: 200\nStatus: 404\n\n", .status),
        ("Location:\n\n", .location), ("Location: a b\n\n", .location),
        ("Location: a\nLocation: b\n\n", .location),
        ("Content-Type: a/b\nContent-Type: c/d\n\n", .contentType),
        ("Content-Type:\n\n", .contentType),
        ("Content-Type: a/b\nX-A", .truncated),
        ("Content-Type: a/b\nX: " + String(repeating: "x", count: 2000), .tooLarge),
    ]) func outputsThatAreRefused(_ raw: String, _ fault: CGIOutput.Fault) {
        #expect(Output([bytes(raw)]).fault == fault)
        #expect(Output(bytes(raw).map { [$0] }).fault == fault)
    }

    @Test func longTextsAreNoHeader() {
        let raw = bytes("name:" + String(repeating: "x", count: 3000))
        #expect(Output([raw]).body == raw)
        #expect(Output([raw]).fault == nil)
    }
}
