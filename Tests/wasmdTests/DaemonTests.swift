import Glibc
import Testing
import WasmdDocuments

@testable import wasmd

/// `wasmd serve --config`, `--check` and `wasmd token`, from outside.
@Suite(.serialized) struct DaemonTests {
    private func write(_ text: String, _ folder: TemporaryFolder, _ name: String) throws -> String {
        let path = folder.path + "/" + name
        let stream = try #require(fopen(path, "we"))
        fputs(text, stream)
        fclose(stream)
        return path
    }

    private func token(_ words: String...) throws -> Document {
        let result = try run(Wasmd.path, ["token", "--json"] + words)
        #expect(result.status == 0)
        return try JSONReader.read(Array(result.output.utf8))
    }

    private func table(_ token: Document, _ more: String = "") -> String {
        let scopes = token["scopes"]?.arrayValue?.compactMap(\.stringValue) ?? []
        return """
            [[tokens]]
            name = "\(token["name"]?.stringValue ?? "")"
            sha256 = "\(token["sha256"]?.stringValue ?? "")"
            scopes = [\(scopes.map { "\"\($0)\"" }.joined(separator: ", "))]
            \(more)

            """
    }

    @Test func tokens() throws {
        let result = try run(Wasmd.path, ["token", "--name", "ci", "--scopes", "write,read"])
        let lines = result.output.split(separator: "\n").map(String.init)
        #expect(result.status == 0 && lines[0].utf8.count == 64)
        #expect(result.output.contains("name = \"ci\"\n"))
        #expect(result.output.contains("scopes = [\"read\", \"write\"]\n"))
        let folder = try TemporaryFolder()
        let file = try write(
            lines.dropFirst().joined(separator: "\n"), folder, "a.toml")
        #expect(try run(Wasmd.path, ["serve", "--check", file]).status == 0)
        #expect(try token()["token"] != token()["token"])
        #expect(try run(Wasmd.path, ["token", "--scopes", "all"]).status == 2)
        #expect(try run(Wasmd.path, ["token", "--name", "a b"]).status == 2)
    }

    @Test func checks() throws {
        let folder = try TemporaryFolder()
        let file = try write(
            "dat = \"x\"\n[limits]\nruns = \"many\"\n", folder, "bad.toml")
        let result = try run(Wasmd.path, ["serve", "--check", file])
        #expect(result.status == 1)
        #expect(
            result.error
                == "wasmd: \(file):1:1: dat: unknown setting; did you mean 'data'?\n"
                + "wasmd: \(file):3:1: limits.runs: expected a whole number from 1 to 1000000\n")
        let json = try run(Wasmd.path, ["serve", "--check", file, "--json"])
        let document = try JSONReader.read(Array(json.output.utf8))
        #expect(json.status == 1 && document["valid"] == .boolean(false))
        let problems = document["problems"]?.arrayValue ?? []
        #expect(problems.count == 2 && problems[1]["line"] == .integer(3))
        #expect(problems[1]["path"] == .string("limits.runs"))
        let broken = try write("a = [1\n", folder, "broken.toml")
        #expect(
            try run(Wasmd.path, ["serve", "--check", broken]).error.contains("broken.toml:2:1: "))
        let open = try write("[wess]\nlisten = [\"0.0.0.0:0\"]\n", folder, "open.toml")
        let refused = try run(Wasmd.path, ["serve", "--check", open])
        #expect(refused.status == 1 && refused.error.contains("open.toml:2:1: wess.listen: "))
        #expect(refused.error.contains("--insecure"))
        #expect(try run(Wasmd.path, ["serve", "--check", open, "--insecure"]).status == 0)
        let trusting = try write(
            "trust = [\"10.0.0.0/8\"]\n[wess]\nlisten = [\"0.0.0.0:0\"]\n", folder, "trust.toml")
        #expect(try run(Wasmd.path, ["serve", "--check", trusting]).status == 0)
        #expect(try run(Wasmd.path, ["serve", "--check", folder.path + "/none"]).status == 1)
        #expect(try run(Wasmd.path, ["serve", "--check", open, "--config", open]).status == 2)
        #expect(try run(Wasmd.path, ["serve", "--executor", "0.0.0.0:0"]).status == 1)
        #expect(try run(Wasmd.path, ["serve", "--config", open, "a.wasm"]).status == 2)
        #expect(try run(Wasmd.path, ["serve", "--dir", "."]).status == 2)
    }

    @Test func theExampleIsValid() throws {
        let result = try run(
            Wasmd.path,
            [
                "serve", "--check", Repository.root + "/Examples/Deploy/wasmd.toml",
            ])
        #expect(result.status == 0, "\(result.error)")
        #expect(result.output.hasSuffix("wasmd.toml: valid\n"))
    }

    /// Each setting is in the table of the manual, which says truly whether a reload changes it, and
    /// in the example.
    @Test func theManualIsComplete() throws {
        let manual = Repository.lines("docs/operating.md")
        let example = try #require(Repository.text("Examples/Deploy/wasmd.toml"))
        for fact in DaemonSettings().facts {
            let row = manual.first { $0.hasPrefix("| `\(fact.path)`") }
            #expect(
                row?.hasSuffix(fact.isReloadable ? "| yes |" : "| restart |") == true, "\(fact)")
            let key = fact.path.split(separator: ".").last ?? ""
            #expect(example.contains("\n\(key) =") || example.contains("\n# \(key) ="), "\(key)")
        }
    }

    @Test func reloads() throws {
        let folder = try TemporaryFolder()
        let (reader, writer) = (
            try token("--name", "reader", "--scopes", "read"),
            try token("--name", "writer", "--scopes", "read,write")
        )
        let start = """
            data = "\(folder.path)/data"
            [executor]
            listen = ["127.0.0.1:0"]

            """
        let file = try write(start + table(reader), folder, "wasmd.toml")
        let server = try ServerProcess(
            ["--config", file], folder: folder, listen: nil, ready: "data in ")
        func status(_ token: Document?, host: String = "a.example") throws -> Int {
            let field = token.map { "Authorization: Bearer \($0["token"]?.stringValue ?? "")\r\n" }
            return try server.exchange(
                "GET /wasm HTTP/1.1\r\nHost: \(host)\r\nConnection: close\r\n\(field ?? "")\r\n"
            ).status
        }
        #expect(try status(nil) == 401 && status(reader) == 200 && status(writer) == 401)
        // A connection stays open over all reloads.
        let socket = try server.connect()
        defer { close(socket) }
        let request = "GET /wasm HTTP/1.1\r\nHost: a\r\n\r\n"
        ServerProcess.send(socket, Array(request.utf8))
        #expect(ServerProcess.read(socket) { $0.contains("TOKEN") }.contains(" 401 "))

        _ = try write(start + table(writer, "rate = 100000"), folder, "wasmd.toml")
        server.signal(SIGHUP)
        #expect(server.waits(for: "reloaded: tokens.writer, tokens.reader"))
        #expect(try status(reader) == 401 && status(writer) == 200)

        _ = try write(start + table(reader) + "x = 1\n", folder, "wasmd.toml")
        server.signal(SIGHUP)
        #expect(server.waits(for: "not reloaded: \(file):9:1: tokens[0].x: unknown setting"))
        #expect(try status(reader) == 401 && status(writer) == 200)

        _ = try write(
            start + "legacy = [\"127.0.0.1:0\"]\n" + table(reader), folder, "wasmd.toml")
        server.signal(SIGHUP)
        #expect(server.waits(for: "not reloaded: needs a restart: executor.legacy"))
        #expect(try status(reader) == 401 && status(writer) == 200)

        unlink(file)
        server.signal(SIGHUP)
        #expect(server.waits(for: "not reloaded: \(file): No such file or directory"))
        ServerProcess.send(socket, Array(request.utf8))
        #expect(ServerProcess.read(socket) { $0.contains("TOKEN") }.contains(" 401 "))
        for token in [reader, writer] {
            #expect(!server.messages.contains(token["token"]?.stringValue ?? "?"))
        }
        server.signal(SIGTERM)
        #expect(server.end() == 0)
    }

    /// A file, then variables, then options.
    @Test func precedence() throws {
        let folder = try TemporaryFolder()
        let file = try write(
            """
            data = "\(folder.path)/file"
            [executor]
            listen = ["127.0.0.1:1"]
            [limits]
            module = 1

            """, folder, "wasmd.toml")
        let server = try ServerProcess(
            ["--config", file], folder: folder,
            variables: ["WASMD_DATA=\(folder.path)/variable", "WASMD_LIMITS_MODULE=10"],
            ready: "data in ")
        #expect(server.messages.contains("data in \(folder.path)/variable"))
        let module = [UInt8]("\0asm\u{1}\0\0\0\0\u{3}\u{1}ab".utf8)
        let answer = try server.exchange(
            "POST /wasm HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                + "Content-Type: application/wasm\r\nContent-Length: \(module.count)\r\n\r\n",
            module)
        #expect(answer.status == 413)
        // The same-origin rules, since there is no token.
        #expect(try server.get("/wasm").status == 421)
        #expect(
            try server.exchange(
                "DELETE /wasm/x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                    + "Origin: http://evil.example\r\n\r\n"
            ).status == 403)
        server.signal(SIGTERM)
        #expect(server.end() == 0)
    }

    /// Readiness, reloading and the end reach the manager, and its socket is used.
    @Test func systemd() throws {
        let folder = try TemporaryFolder()
        let manager = try UnixSocket(datagrams: folder.path + "/notify")
        let listener = try UnixSocket(listening: folder.path + "/web")
        let file = try write("data = \"\(folder.path)/data\"\n", folder, "wasmd.toml")
        let server = try ServerProcess(
            ["--config", file], folder: folder, listen: nil,
            variables: [
                // The socket may have room for ten messages, and what finds none is lost: signs of
                // life that come more often fill it while this test does not run.
                "NOTIFY_SOCKET=\(folder.path)/notify", "WATCHDOG_USEC=1000000",
                "LISTEN_FDNAMES=wess",
            ], ready: "data in ", socket: listener.number)
        #expect(server.messages.contains("wess at unix:\(folder.path)/web"))
        #expect(!server.messages.contains("http://"))
        var heard: [String] = []
        func hears(_ text: String) -> Bool {
            for _ in 0..<1000 where !heard.contains(where: { $0.hasPrefix(text) }) {
                let message = manager.receive()
                // Nothing in 20 seconds.
                if message.isEmpty { return false }
                heard.append(message)
            }
            return heard.contains { $0.hasPrefix(text) }
        }
        #expect(hears("READY=1") && hears("WATCHDOG=1"))
        heard = []
        server.signal(SIGHUP)
        #expect(hears("RELOADING=1\nMONOTONIC_USEC=") && hears("READY=1"))
        let client = try UnixSocket(connectedTo: folder.path + "/web")
        ServerProcess.send(
            client.number,
            Array("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".utf8))
        #expect(ServerProcess.read(client.number).hasSuffix("{\"message\":0}"))
        server.signal(SIGTERM)
        #expect(hears("STOPPING=1") && server.end() == 0)
    }
}

/// A unix socket that is closed with its last reference.
final class UnixSocket {
    let number: Int32

    init(datagrams path: String) throws {
        number = Self.socket(SOCK_DGRAM)
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(number, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        try Self.withName(path) { bind(number, $0, $1) }
    }

    init(listening path: String) throws {
        number = Self.socket(SOCK_STREAM)
        try Self.withName(path) { bind(number, $0, $1) }
        guard listen(number, 10) == 0 else { throw ProcessFailure(errno: errno) }
    }

    init(connectedTo path: String) throws {
        number = Self.socket(SOCK_STREAM)
        try Self.withName(path) { connect(number, $0, $1) }
    }

    deinit { close(number) }

    func receive() -> String {
        var bytes = [UInt8](repeating: 0, count: 4096)
        return String(
            decoding: bytes[..<max(recv(number, &bytes, bytes.count, 0), 0)], as: UTF8.self)
    }

    /// Children do not inherit it.
    private static func socket(_ type: __socket_type) -> Int32 {
        Glibc.socket(AF_UNIX, Int32(type.rawValue | SOCK_CLOEXEC.rawValue), 0)
    }

    private static func withName(
        _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) throws {
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: path.utf8) }
        let result = withUnsafePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else { throw ProcessFailure(errno: errno) }
    }
}
