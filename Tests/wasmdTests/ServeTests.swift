import Glibc
import Testing

/// `wasmd serve FILE`, from start to end.
@Suite struct ServeTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func serve(_ program: [UInt8], _ options: String...) throws -> ServerProcess {
        let file = try folder.write("program.wasm", program)
        return try ServerProcess(options + [file], folder: folder)
    }

    @Test func aProgramServesAllPaths() throws {
        let server = try serve(ServePrograms.environment(), "--env", "MINE=1")
        let body = try server.get("/a%20b/c?x=1").body
        for wanted in [
            "SCRIPT_NAME=\0", "PATH_INFO=/a b/c\0", "X_MATCHED_ROUTE=/...\0", "MINE=1\0",
        ] {
            #expect(body.contains(wanted), "\(wanted)")
        }
        let pretending = try server.get("/", "X-Forwarded-For: 1.2.3.4\r\n").body
        #expect(pretending.contains("REMOTE_ADDR=127.0.0.1\0"))
    }

    @Test func trustedProxiesAreBelieved() throws {
        let server = try serve(ServePrograms.environment(), "--trust-proxy", "127.0.0.0/8")
        let body = try server.get(
            "/p",
            "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: b.example\r\n"
        ).body
        #expect(body.contains("REMOTE_ADDR=1.2.3.4\0"))
        #expect(body.contains("X_FULL_URL=https://b.example/p\0"))
        #expect(body.contains("SERVER_NAME=b.example\0"))
    }

    @Test func routesOfTheModule() throws {
        let server = try serve(ServePrograms.routes("/hello hello\n"))
        #expect(try server.get("/").body == "main\n")
        #expect(try server.get("/hello").body.hasPrefix("hello\n"))
        let file = try folder.write("wrong.wasm", ServePrograms.routes("nonsense"))
        let refused = try wasmd("serve", "--listen", "127.0.0.1:0", file)
        #expect(refused.status == 1 && refused.error.contains("_routes, line 1: "))
    }

    // MARK: Bodies

    @Test func bodiesAreStandardInput() throws {
        let server = try serve(ServePrograms.echo())
        let long = Array(repeating: UInt8(ascii: "y"), count: 300_000)
        #expect(try server.post("/", Array("a=b".utf8)).body == "a=b")
        #expect(try server.post("/", long).body.utf8.elementsEqual(long))
        let chunks = "4\r\nabcd\r\n2\r\nef\r\n0\r\n\r\n"
        let head = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
        #expect(
            try server.exchange(head + "Transfer-Encoding: chunked\r\n\r\n" + chunks).body
                == "abcdef")
    }

    @Test func theLengthOfABody() throws {
        let server = try serve(ServePrograms.environment())
        func length(_ fields: String, _ body: String) throws -> String? {
            let answer = try server.exchange(
                "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\(fields)\r\n\(body)")
            let values = answer.body.split(separator: "\0").filter {
                $0.hasPrefix("CONTENT_LENGTH=")
            }
            return values.first.map { String($0.dropFirst(15)) }
        }
        #expect(try length("", "") == nil)
        #expect(try length("Content-Length: 0\r\n", "") == "0")
        #expect(try length("Content-Length: 3\r\n", "abc") == "3")
        // A small body in chunks was collected, a long one has no length.
        let chunked = "Transfer-Encoding: chunked\r\n"
        #expect(try length(chunked, "3\r\nabc\r\n0\r\n\r\n") == "3")
        let long = "11170\r\n" + String(repeating: "z", count: 70_000) + "\r\n0\r\n\r\n"
        #expect(try length(chunked, long) == nil)
    }

    @Test func aBodyStreamsWithBackPressure() throws {
        let server = try serve(ServePrograms.echo(), "--max-body", "1GiB")
        let socket = try server.connect()
        defer { close(socket) }
        ServerProcess.send(
            socket,
            Array("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n(abc)".utf8))
        // What has arrived is answered before the rest is sent.
        let first = ServerProcess.read(socket) { $0.contains("(abc)") }
        #expect(first.hasPrefix("HTTP/1.1 200") && first.contains("(abc)"))
    }

    @Test func bodiesThatAreTooLarge() throws {
        let server = try serve(ServePrograms.echo(), "--max-body", "100KB")
        #expect(try server.post("/", Array(repeating: 0, count: 100_001)).status == 413)
        // Before a byte of it is sent.
        let announced = try server.exchange(
            "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 200000\r\n\r\n")
        #expect(announced.status == 413)
        // Only its bytes tell how long a body in chunks is.
        let chunk = "1000\r\n" + String(repeating: "a", count: 4096) + "\r\n"
        let chunked = try server.exchange(
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                + String(repeating: chunk, count: 20))
        // The program has printed a part: the response cannot be complete.
        #expect(chunked.status == 413 || !chunked.head.isEmpty)
    }

    @Test func continueIsSentToAProgramThatReads() throws {
        let expecting =
            "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nExpect: 100-continue\r\n"
            + "Content-Length: 3\r\n\r\n"
        let reading = try serve(ServePrograms.echo())
        let socket = try reading.connect()
        defer { close(socket) }
        ServerProcess.send(socket, Array(expecting.utf8))
        let interim = ServerProcess.read(socket) { $0.hasSuffix("\r\n\r\n") }
        #expect(interim == "HTTP/1.1 100 Continue\r\n\r\n")
        ServerProcess.send(socket, Array("abc".utf8))
        #expect(ServerProcess.read(socket).hasSuffix("abc"))
        let other = try TemporaryFolder()
        let file = try other.write("say.wasm", ServePrograms.saying("no"))
        let deaf = try ServerProcess([file], folder: other)
        let answer = try deaf.exchange(expecting)
        #expect(answer.status == 200 && answer.body == "no")
    }

    @Test func aClientThatGoesAwayEndsTheRun() throws {
        let server = try serve(
            ServePrograms.echo(), "--max-requests", "1", "--max-waiting", "0", "--timeout", "1h",
            "--max-body", "1GiB")
        let socket = try server.connect()
        ServerProcess.send(
            socket,
            Array("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n(abc)".utf8))
        _ = ServerProcess.read(socket) { $0.contains("(abc)") }
        #expect(try server.get("/").status == 503)
        close(socket)
        var status = 503
        for _ in 0..<1000 where status == 503 {
            usleep(10_000)
            status = try server.get("/").status
        }
        #expect(status == 200)
    }

    /// Lines that a program writes to standard error have the number of its run.
    @Test func linesOfStandardErrorAreLogged() throws {
        let server = try serve(ServePrograms.complaining("one\ntwo\u{1b}[31m\nthree"))
        #expect(try server.get("/").status == 200)
        #expect(server.waits(for: "] three\n"))
        let lines = server.messages.split(separator: "\n").filter { $0.hasPrefix("wasmd: [") }
        #expect(
            lines.map { $0.split(separator: " ", maxSplits: 2)[2] } == [
                "one", "two\\x1b[31m", "three",
            ])
        #expect(Set(lines.map { $0.split(separator: " ")[1] }).count == 1)
    }

    // MARK: Responses

    @Test func statusesOfFailures() throws {
        let trapped = try serve(ServePrograms.trapping())
        #expect(try trapped.get("/x").status == 500)
        #expect(trapped.waits(for: "GET /x: trap: "))
        #expect(try serve(ServePrograms.exiting(3)).get("/").status == 500)
        #expect(try serve(ServePrograms.endless(), "--timeout", "100ms").get("/").status == 504)
        #expect(try serve(ServePrograms.endless(), "--fuel", "1000").get("/").status == 500)
        let malformed = try serve(ServePrograms.saying("Status: x\nContent-Type: a/b\n\n"))
        #expect(try malformed.get("/").status == 502)
        #expect(malformed.waits(for: "malformed header of the output: status"))
        let busy = try serve(
            ServePrograms.sleeping(milliseconds: 60_000), "--max-requests", "1", "--max-waiting",
            "0")
        let socket = try busy.connect()
        defer { close(socket) }
        ServerProcess.send(socket, Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
        var refused = try busy.get("/", "X-Try: 1\r\n", method: "HEAD")
        for _ in 0..<100 where refused.status == 0 { refused = try busy.get("/", method: "HEAD") }
        #expect(refused.status == 503 && refused.field("Retry-After") == "1")
    }

    @Test func headersOfTheProgram() throws {
        let redirect = try serve(ServePrograms.saying("Location: /other?x\n\n")).get("/")
        #expect(redirect.status == 302 && redirect.field("Location") == "/other?x")
        let away = try serve(
            ServePrograms.saying("Status: 307 T\nLocation: https://a.example/\n\nbody")
        ).get("/")
        #expect(away.status == 307 && away.body == "body")
        let slow = try serve(ServePrograms.pausing("Content-Ty", "pe: text/html\n\n<p>")).get("/")
        #expect(slow.field("Content-Type") == "text/html" && slow.body == "<p>")
        let text = try serve(ServePrograms.saying("Content-Type: text/html\n\n<p>"))
        let head = try text.get("/", method: "HEAD")
        #expect(head.status == 200 && head.body == "" && head.field("Content-Length") == "3")
        #expect(try text.get("/", method: "OPTIONS").body == "<p>")
        #expect(try text.get("/", method: "BREW").body == "<p>")
    }

    @Test func aProgramThatClosesItsOutputHasAnswered() throws {
        let server = try serve(ServePrograms.pausing("hello ", "world", closes: true))
        #expect(try server.get("/").body == "hello world")
    }

    @Test func aProgramThatPrintsWithoutEndWaitsForItsClient() throws {
        let server = try serve(ServePrograms.printing(), "--timeout", "1500ms")
        let socket = try server.connect()
        defer { close(socket) }
        ServerProcess.send(socket, Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
        usleep(2_000_000)
        let text = ServerProcess.read(socket)
        #expect(text.hasPrefix("HTTP/1.1 200"))
        // Cut off: the last chunk is missing.
        #expect(!text.hasSuffix("0\r\n\r\n") && text.utf8.count < 100_000_000)
    }

    // MARK: Start and end

    @Test func whatCannotStartNamesTheThing() throws {
        let file = try folder.write("say.wasm", ServePrograms.saying("x"))
        let server = try ServerProcess([file], folder: folder)
        for (arguments, text) in [
            (
                ["--listen", "127.0.0.1:\(server.port)", file],
                "127.0.0.1:\(server.port): cannot listen"
            ),
            (["--listen", "unix:/nowhere/socket", file], "/nowhere/socket: cannot listen"),
            ([folder.path + "/none.wasm"], "/none.wasm: No such file or directory"),
            ([try folder.write("bad.wasm", [1, 2, 3])], "/bad.wasm: "),
            (["--dir", "/nowhere", file], "folder /nowhere: "),
            (["--dir", "/nowhere", folder.path], "folder /nowhere: "),
        ] {
            let result = try run(
                Wasmd.path, ["serve", "--listen", "127.0.0.1:0"] + arguments)
            #expect(result.status == 1)
            #expect(result.error.contains(text), "\(result.error)")
            #expect(result.output == "")
        }
        for arguments in [
            ["serve", "--dir", "."], ["serve", file, file], ["serve", "--listen", "nowhere", file],
            ["serve", "--max-body", "x", file], ["serve", "--trust-proxy", "me", file],
            ["serve", "--max-requests", "0", file], ["serve", "--nonsense", file],
        ] {
            #expect(try run(Wasmd.path, arguments).status == 2, "\(arguments)")
        }
    }

    @Test func aUnixSocket() throws {
        let path = folder.path + "/socket"
        let file = try folder.write("say.wasm", ServePrograms.saying("x"))
        let server = try ServerProcess([file], folder: folder, listen: "unix:" + path)
        #expect(server.waits(for: "serving at unix:" + path))
        guard access("/usr/bin/curl", X_OK) == 0 else { return }
        let result = try run("/usr/bin/curl", ["-s", "--unix-socket", path, "http://a/"])
        #expect(result.output == "x")
    }

    @Test func aSignalEndsItAlsoBesideAnEndlessProgram() throws {
        let server = try serve(
            ServePrograms.complaining("begun\n", isEndless: true), "--timeout", "1h")
        let socket = try server.connect()
        defer { close(socket) }
        ServerProcess.send(socket, Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
        #expect(server.waits(for: "] begun\n"))
        server.signal(SIGTERM)
        let answer = ServerProcess.Answer(ServerProcess.read(socket))
        #expect(answer.status == 503)
        #expect(server.end() == 0)
    }

    @Test func requestsMayEndAfterASignal() throws {
        let server = try serve(ServePrograms.pausing("on", "to"))
        let socket = try server.connect()
        defer { close(socket) }
        ServerProcess.send(socket, Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
        usleep(5_000)
        server.signal(SIGTERM)
        let text = ServerProcess.read(socket)
        #expect(text.isEmpty || ServerProcess.Answer(text).body == "onto")
        #expect(server.end() == 0)
    }

    @Test func aSecondSignalEndsTheGrace() throws {
        let server = try serve(ServePrograms.sleeping(milliseconds: 60_000), "--timeout", "1h")
        let socket = try server.connect()
        defer { close(socket) }
        ServerProcess.send(socket, Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
        usleep(50_000)
        server.signal(SIGTERM)
        usleep(50_000)
        server.signal(SIGINT)
        #expect(server.end() == 0)
    }

    @Test func curlPostsAForm() throws {
        guard access("/usr/bin/curl", X_OK) == 0 else { return }
        let server = try serve(ServePrograms.echo())
        let url = "http://127.0.0.1:\(server.port)/"
        let result = try run(
            "/usr/bin/curl", ["-s", "--data-urlencode", "name=J ü", url])
        #expect(["name=J%20%C3%BC", "name=J+%C3%BC"].contains(result.output))
        let bytes = Array(repeating: UInt8(ascii: "u"), count: 2_000_000)
        let upload = try folder.write("upload", bytes)
        let echoed = try run("/usr/bin/curl", ["-s", "--data-binary", "@" + upload, url])
        #expect(echoed.output.utf8.count == 2_000_000)
    }
}
