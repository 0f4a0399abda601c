import Glibc
import Testing
import WasmText

@testable import wasmd

/// `wasmd othismo IMAGE serve`, and the image of `wasmd serve`.
@Suite struct OthismoServeTests {
    private let folder: TemporaryFolder
    private let image: String

    init() throws {
        folder = try TemporaryFolder()
        image = folder.path + "/app"
        _ = try wasmd("othismo", "new-image", image)
    }

    private func othismo(_ words: String...) throws -> ProcessResult {
        try run(Wasmd.path, ["othismo", image] + words)
    }

    /// Makes an object that answers requests for the host of `ServerProcess`.
    private func add(_ generation: Int, host: String = "a") throws {
        let name = "web\(generation)"
        let file = "\(Repository.root)/Tests/OthismoTests/Guests/\(name).wasm"
        #expect(try othismo("import-module", file).status == 0)
        // A path means the same with and without its slash.
        #expect(try othismo("instantiate-instance", name, "/site\(generation)").status == 0)
        #expect(
            try othismo("sym-link", "/site\(generation)", "/server.sites/\(host)").status == 0)
    }

    private func serve(_ options: String...) throws -> ServerProcess {
        try ServerProcess(options, folder: folder, command: ["othismo", image, "serve"])
    }

    @Test(arguments: 1...3) func objectsAnswerRequests(_ generation: Int) throws {
        try add(generation)
        var server = try serve("--max-body", "1000")
        #expect(try server.get("/count").body == "1\n")
        #expect(try server.get("/count").body == "2\n")
        let echo = try server.post("/echo", Array("hello".utf8))
        #expect(echo.status == 201)
        #expect(echo.field("content-type") == "application/x-echo")
        #expect(echo.body == "hello")
        #expect(try server.post("/echo", [UInt8](repeating: 0, count: 1001)).status == 413)
        let statuses = [
            ("/trap", 502), ("/malformed", 502), ("/other", 502), ("/header", 502),
            ("/twice", 200), ("/empty", 204), ("/nothing", 404),
        ]
        for (path, status) in statuses { #expect(try server.get(path).status == status, "\(path)") }
        // What failed has no effect, and the second answer met nobody.
        #expect(try server.get("/count").body == "3\n")
        #expect(try server.get("/stream").body == "one,two,three\n")
        let other = try server.exchange("GET / HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n")
        #expect(other.status == 404)
        #expect(try server.get("/%zz").status == 400)
        #expect(server.messages.contains("/site\(generation): trap"))
        server.signal(SIGKILL)
        _ = server.end()
        server = try serve()
        #expect(try server.get("/count").body == "4\n")
        server.signal(SIGTERM)
        #expect(server.end() == 0)
        #expect(access(image + ".simg.sock", F_OK) != 0)
        // No other answer may be cut off: on a busy machine it takes its time.
        server = try serve("--answer-time", "300ms")
        #expect(try server.get("/silent").status == 504)
    }

    /// A handler that never ends is stopped; others answer afterwards.
    @Test func handlersThatComputeForeverAreStopped() throws {
        try add(3)
        try add(2, host: "b")
        let server = try serve()
        #expect(try server.get("/loop").status == 504)
        let other = try server.exchange(
            "GET /count HTTP/1.1\r\nHost: B:80\r\nConnection: close\r\n\r\n")
        #expect(other.body == "1\n")
    }

    /// An object that writes so many times 32 KiB to standard error for each message, and then fails.
    private func addLoud(_ writes: Int, host: String) throws {
        let module = try parseModule(
            Array(
                """
                (module
                  (import "wasi_snapshot_preview1" "fd_write"
                    (func $write (param i32 i32 i32 i32) (result i32)))
                  (memory (export "memory") 2)
                  (data (i32.const 65536) "\\1b[31mloud\\n")
                  (func (export "_allocate_message") (param i32 i32 i32) (result i32)
                    (i32.const 1024))
                  (func (export "_run") (local i32)
                    (i32.store (i32.const 0) (i32.const 65536))
                    (i32.store (i32.const 4) (i32.const 10))
                    (loop $more
                      (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8)))
                      (i32.store (i32.const 4) (i32.const 32768))
                      (local.set 0 (i32.add (local.get 0) (i32.const 1)))
                      (br_if $more (i32.le_u (local.get 0) (i32.const \(writes)))))
                    unreachable))
                """.utf8))
        let file = try folder.write("printer.wasm", module)
        #expect(try othismo("import-module", file).status == 0)
        #expect(try othismo("instantiate-instance", "printer", "/loud").status == 0)
        #expect(try othismo("sym-link", "/loud", "/server.sites/\(host)").status == 0)
    }

    /// What objects print is in the log of the server: named and harmless.
    @Test(arguments: [false, true]) func objectsPrintIntoTheLog(isOfDaemon: Bool) throws {
        try addLoud(0, host: "a")
        let server =
            isOfDaemon
            ? try ServerProcess(
                [
                    "--data", folder.path + "/data", "--othismo-image", image, "--othismo",
                    "127.0.0.1:0",
                ], folder: folder, listen: nil, ready: "data in ")
            : try serve()
        #expect(try server.get("/").status == 502)
        #expect(server.waits(for: "wasmd: [/loud] \\x1b[31mloud\n"))
        #expect(!server.messages.contains("\u{1b}"))
        server.signal(SIGTERM)
        #expect(server.end() == 0)
    }

    /// Nobody reads standard error, and an object fills it: others answer, and the server ends.
    @Test func aLogThatNobodyReadsHoldsNothingUp() throws {
        try add(3)
        try addLoud(64, host: "b")
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        defer { close(ends[0]) }
        let server = try ServerProcess(
            [], folder: folder, command: ["othismo", image, "serve"],
            errors: (reading: ends[0], writing: ends[1]))
        for _ in 0..<3 {
            let answer = try server.exchange(
                "GET / HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n")
            #expect(answer.status == 502)
        }
        #expect(try server.get("/count").body == "1\n")
        server.signal(SIGTERM)
        #expect(server.end() == 0)
    }

    @Test func requestsAsMessages() throws {
        try add(3)
        _ = try othismo("sym-link", "/site3", "/server.sites/default")
        let server = try serve()
        let answer = try server.exchange(
            "GET /request?a=1&b=x%20y&a=2 HTTP/1.1\r\nHost: some.where:80\r\nX-Name: v\r\n"
                + "Cookie: a=1\r\nX-name: w\r\nCookie: b=2\r\nConnection: close\r\n\r\n")
        #expect(answer.status == 200)
        for text in ["some.where", "GET", "/request", "x y", "v, w", "a=1; b=2", "127.0.0.1"] {
            #expect(answer.body.contains(text), "\(text)")
        }
        #expect(!answer.body.contains("X-Name"))
    }

    /// A response that is not finished ends with the connection, and the object learns it.
    @Test func unfinishedResponses() throws {
        try add(2)
        // Long enough for the first part on a busy machine.
        let server = try serve("--answer-time", "5s")
        let socket = try server.connect()
        defer { close(socket) }
        ServerProcess.send(socket, Array("GET /unfinished HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
        let text = ServerProcess.read(socket)
        #expect(text.contains("two,"))
        #expect(!text.hasSuffix("0\r\n\r\n"))
        #expect(try server.get("/closed").body == "1\n")
    }

    /// With `streams` bodies come in pieces, whatever their size.
    @Test(arguments: 1...3) func bodiesInPieces(_ generation: Int) throws {
        try add(generation)
        _ = try othismo("sym-link", "/site\(generation)", "/server.streams/up")
        let server = try serve("--max-body", "1000")
        let body = [UInt8](repeating: 7, count: 1_500_000)
        let answer = try server.exchange(
            "POST /upload HTTP/1.1\r\nHost: up\r\nContent-Length: \(body.count)\r\n"
                + "Connection: close\r\n\r\n", body)
        #expect(answer.status == 200)
        #expect(answer.body == "1500000\n")
        let small = try server.exchange(
            "POST /upload HTTP/1.1\r\nHost: up\r\nTransfer-Encoding: chunked\r\n"
                + "Connection: close\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
        #expect(small.status == 202)
        #expect(small.body == "3\n")
    }

    // MARK: Files

    @Test func filesOfAnImage() throws {
        let site = folder.path + "/www"
        mkdir(site, 0o700)
        mkdir(site + "/sub", 0o700)
        _ = try folder.write("www/index.html", Array("<p>home".utf8))
        _ = try folder.write("www/sub/index.html", Array("<p>sub".utf8))
        let large = (0..<600_000).map { UInt8(truncatingIfNeeded: $0 / 7) }
        _ = try folder.write("www/large.bin", large)
        #expect(try othismo("import-module", "othismo.blobs").status == 0)
        #expect(try othismo("instantiate-instance", "othismo.blobs", "/content").status == 0)
        #expect(
            try othismo("send-message", "/content", "cp=\(site)/").output
                == #"{"othismo.blobs.cp.response":{"files":3,"bytes":600013}}"# + "\n")
        #expect(try othismo("mount", "/content", "/server/content/a").status == 0)
        let server = try serve()
        let home = try server.get("/")
        #expect(home.body == "<p>home")
        #expect(home.field("content-type") == "text/html; charset=utf-8")
        let tag = try #require(home.field("etag"))
        #expect(try server.get("/", "If-None-Match: \(tag)\r\n").status == 304)
        #expect(try server.get("/sub").field("location") == "/sub/")
        #expect(try server.get("/sub/").body == "<p>sub")
        let part = try server.get("/large.bin", "Range: bytes=262140-262150\r\n")
        #expect(part.status == 206)
        #expect(Array(part.body.utf8) == Array(large[262_140...262_150]))
        let head = try server.get("/large.bin", method: "HEAD")
        #expect(head.field("content-length") == "600000")
        #expect(head.body.isEmpty)
        #expect(try server.get("/none").status == 404)
        #expect(try server.post("/", []).status == 405)
        // The same object behind messages, changed while it is served.
        #expect(
            try othismo(
                "send-message", "/content", "othismo.blobs.put.name=new.txt",
                "othismo.blobs.put.content=text"
            ).output.contains("othismo.blobs.put.response"))
        #expect(try server.get("/new.txt").body == "text")
        _ = try othismo("delete-instance", "/content")
        #expect(try server.get("/new.txt").status == 404)
        #expect(try othismo("instantiate-instance", "othismo.blobs", "/content").status == 0)
        #expect(
            try othismo("send-message", "/content", "othismo.blobs.list").output
                .contains(#""othismo.blobs.list.response":[]"#))
    }

    // MARK: The command line beside a server

    @Test func verbsGoThroughTheServer() throws {
        try add(1)
        let counter = "\(Repository.root)/Tests/OthismoTests/Guests/counter3.wasm"
        let server = try serve()
        #expect(try othismo("import-module", counter).status == 0)
        #expect(
            try othismo("import-module", counter).error
                == "Error: Othismo(ObjectAlreadyExists)\n")
        #expect(try othismo("instantiate-instance", "counter3", "/c").status == 0)
        #expect(
            try othismo("instantiate-instance", "none", "/d").error
                == "Error: Othismo(ObjectDoesNotExist)\n")
        #expect(
            try othismo("send-message", "/c", "counter.add.by=2").output
                == #"{"othismo":{"send_to":"/","response_id":1},"#
                + #""counter.value":{"value":2,"starts":1}}"# + "\n")
        #expect(
            try othismo("send-message", "/none", "a.b=1").output
                == #"{"othismo":{"send_to":"/none","reply_to":"/","request_id":1},"#
                + #""a":{"b":1}}"# + "\n")
        #expect(try othismo("make-path", "/x").status == 0)
        #expect(try othismo("list-objects", "/").output.contains("/c\n/server.sites/a\n"))
        #expect(try othismo("delete-instance", "/c").status == 0)
        #expect(
            try othismo("delete-instance", "/c").error
                == "Error: Othismo(ObjectDoesNotExist)\n")
        #expect(try server.get("/count").body == "1\n")
        let second = try othismo("serve", "--listen", "127.0.0.1:0")
        #expect(second.status == 1)
        #expect(second.error.contains("another process runs"))
    }

    @Test func optionsOfServeBelongToServe() throws {
        let wrong = try othismo("list-objects", "--listen", "127.0.0.1:0")
        #expect(wrong.status == 2)
        #expect(try othismo("serve", "--max-body", "much").status == 2)
    }

    // MARK: WebSocket

    @Test(arguments: 1...3) func webSockets(_ generation: Int) throws {
        try add(generation)
        let server = try serve()
        let upgrade =
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        let socket = try server.connect()
        defer { close(socket) }
        ServerProcess.send(socket, Array("GET /chat HTTP/1.1\r\nHost: a\r\n\(upgrade)".utf8))
        let head = ServerProcess.read(socket) { $0.contains("\r\n\r\n") }
        #expect(head.hasPrefix("HTTP/1.1 101 "))
        ServerProcess.send(socket, Self.frame(1, "hello"))
        #expect(ServerProcess.read(socket) { $0.utf8.count >= 7 }.hasSuffix("hello"))
        ServerProcess.send(socket, Self.frame(1, "bye"))
        // A close with the code 1000.
        let last = ServerProcess.read(socket) { $0.utf8.count >= 4 }
        #expect(last.utf8.first.map { $0 != 0 } ?? false)
        let refused = try server.exchange("GET /refused HTTP/1.1\r\nHost: a\r\n\(upgrade)")
        #expect(refused.status == 401)
        close(
            try {
                // A client that goes away without a word.
                let socket = try server.connect()
                ServerProcess.send(socket, Array("GET / HTTP/1.1\r\nHost: a\r\n\(upgrade)".utf8))
                _ = ServerProcess.read(socket) { $0.contains("\r\n\r\n") }
                return socket
            }())
        for _ in 0..<200 where try server.get("/closed").body == "1\n" { usleep(10_000) }
    }

    /// A masked frame of a client, with a mask of zeros.
    private static func frame(_ kind: UInt8, _ text: String) -> [UInt8] {
        [0x80 | kind, 0x80 | UInt8(text.utf8.count), 0, 0, 0, 0] + Array(text.utf8)
    }

    // MARK: wasmd serve

    @Test func imageOfADaemon() throws {
        try add(2)
        let server = try ServerProcess(
            ["--othismo", "127.0.0.1:0", "--othismo-image", image, "--data", folder.path + "/d"],
            folder: folder, listen: nil, ready: "data in ")
        #expect(server.messages.contains("othismo at http://127.0.0.1"))
        #expect(try server.get("/count").body == "1\n")
        // Through the socket beside the image, and through that of the data folder.
        #expect(try othismo("list-objects", "/site2").output == "/site2\n")
        #expect(try othismo("make-path", "/x").status == 0)
        let status = try wasmd(
            "ctl", "--server", "unix:\(folder.path)/d/wasmd.sock", "status", "--json")
        #expect(status.output.contains("\"othismo\""), "\(status)")
        server.signal(SIGTERM)
        #expect(server.end() == 0)
        let missing = try wasmd("serve", "--othismo", "127.0.0.1:0", "--data", folder.path + "/e")
        #expect(missing.status == 1)
        #expect(missing.error.contains("--othismo-image"))
    }

    // MARK: The shell

    @Test func shellReadsLines() throws {
        let counter = "\(Repository.root)/Tests/OthismoTests/Guests/counter2.wasm"
        let lines = """
            import-module \(counter)
            instantiate-instance counter2 /c
            /c counter.add.by=3
            send-message /c 'counter.get'
            list-objects /
            nonsense
            exit
            """
        let result = try run(
            Wasmd.path, ["othismo", image, "shell"], input: Array(lines.utf8))
        #expect(
            result.output == """
                {"othismo":{"send_to":"/","response_id":1},"counter.value":{"value":3,"starts":1}}
                {"othismo":{"send_to":"/","response_id":1},"counter.value":{"value":3,"starts":1}}
                /c  instance

                """)
        #expect(result.error.contains("nonsense: this is no verb"))
        #expect(
            result.error.hasPrefix("wasmd: sandbox: ")
                || result.error.hasPrefix("wasmd: this kernel")
        )
        #expect(result.status == 1)
    }

    @Test func templatesFromFilesAndTheImage() throws {
        let counter = "\(Repository.root)/Tests/OthismoTests/Guests/counter2.wasm"
        _ = try othismo("import-module", counter)
        _ = try othismo("instantiate-instance", "counter2", "/c")
        _ = try othismo("instantiate-instance", "othismo.blobs", "/templates")
        let file = try folder.write("five.json", Array(#"{"counter.add":{"by":5}}"#.utf8))
        _ = try othismo("send-message", "/templates", "cp=\(file)")
        #expect(try othismo("send-message", "/c", "@\(file)").output.contains(#""value":5"#))
        #expect(
            try othismo("send-message", "/c", "@@/templates/five.json").output
                .contains(#""value":10"#))
        #expect(
            try othismo("send-message", "/c", "@@/templates/five.json", "counter.add.by=1").output
                .contains(#""value":11"#))
        let missing = try othismo("send-message", "/c", "@@/templates/six.json")
        #expect(missing.status == 1)
    }
}

/// The worked example: objects in Embedded Swift that keep their state.
@Suite struct GuestbookTests {
    @Test func keepsItsStateWhenTheServerIsKilled() throws {
        let folder = try TemporaryFolder()
        let image = folder.path + "/book"
        let example = "\(Repository.root)/Examples/othismo/guestbook/make"
        let made = try run("/bin/sh", [example, image, Wasmd.path])
        #expect(made.status == 0, "\(made.error)")
        var server = try ServerProcess([], folder: folder, command: ["othismo", image, "serve"])
        #expect(try server.get("/").body.contains("Visit 1<"))
        let text = Array("text=hello+%3Cyou%3E".utf8)
        #expect(try server.post("/entries", text).field("location") == "/")
        #expect(try server.get("/").body.contains("Visit 2<"))
        #expect(try server.get("/style.css").field("content-type") == "text/css; charset=utf-8")
        server.signal(SIGKILL)
        _ = server.end()
        server = try ServerProcess([], folder: folder, command: ["othismo", image, "serve"])
        let page = try server.get("/").body
        #expect(page.contains("Visit 3<"))
        #expect(page.contains("<li>hello &lt;you&gt;"))
        // Both are counters of one interface.
        let visits = try wasmd("othismo", image, "send-message", "/visits", "counter.get")
        #expect(visits.output.contains(#""value":3"#))
    }
}
