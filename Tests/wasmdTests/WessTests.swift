import Glibc
import Testing
import WasmdDocuments

@testable import wasmd

/// `wess.toml`, and what the public suite of *wess* does.
@Suite struct WessTests {
    private func write(_ text: String, _ folder: TemporaryFolder) throws -> String {
        let path = folder.path + "/wess.toml"
        let stream = try #require(fopen(path, "we"))
        fputs(text, stream)
        fclose(stream)
        return path
    }

    private func text(_ path: String) -> String {
        guard let stream = fopen(path, "re") else { return "" }
        defer { fclose(stream) }
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        return String(decoding: bytes[..<fread(&bytes, 1, bytes.count, stream)], as: UTF8.self)
    }

    /// The file of wess, as it comes.
    private static let original = """
        [server]
        port = 80
        address = "0.0.0.0"

        [database]
        db = "rocksdb"
        stage = "dev"

        [reader]
        cache_size = 1024
        channel_size = 1024

        [writer]
        channel_size = 5000

        [runner]
        cache_size = 1024
        channel_size = 100
        """

    @Test func whatTheFileSays() {
        let (read, problems) = WessFile.read(Array(Self.original.utf8))
        #expect(problems.isEmpty)
        #expect(read.address.map { "\($0)" } == "0.0.0.0:80")
        var settings = DaemonSettings()
        read.apply(to: &settings)
        #expect(settings.wess.listen.map { "\($0)" } == ["0.0.0.0:80"])
        // Sizes raise limits, and never lower them.
        #expect(settings.common.limits.writes == 5000)
        #expect(settings.common.limits.waiting == DaemonSettings().common.limits.waiting)
    }

    @Test func otherFiles() {
        for (text, address) in [
            ("", nil), ("[server]\nport = 7770\n", "0.0.0.0:7770"),
            ("[server]\naddress = \"::1\"\n", "[::1]:80"),
            ("[server]\naddress = \"localhost\"\nport = 1\n", "127.0.0.1:1"),
            ("other = 1\n[server]\nport = 1\nmore = 2\n", "0.0.0.0:1"),
        ] as [(String, String?)] {
            let (read, problems) = WessFile.read(Array(text.utf8))
            #expect(problems.isEmpty, "\(text)")
            #expect(read.address.map { "\($0)" } == address, "\(text)")
        }
        for text in [
            "[server]\nport = 70000\n", "[server]\nport = \"80\"\n", "[server", "server = 1\n",
            "[server]\naddress = \"a b\"\n", "[writer]\nchannel_size = 0\n",
            "[reader]\ncache_size = \"x\"\n", "[database]\ndb = 1\n",
        ] {
            #expect(!WessFile.read(Array(text.utf8)).1.isEmpty, "\(text)")
        }
    }

    @Test func commandLine() throws {
        let folder = try TemporaryFolder()
        let open = try write(Self.original, folder)
        let refused = try run(
            Wasmd.path, ["serve", "--wess-config", open, "--data", folder.path + "/d"])
        #expect(refused.status == 1 && refused.error.contains("--insecure"), "\(refused.error)")
        let missing = try run(Wasmd.path, ["serve", "--wess-config", folder.path + "/none"])
        #expect(missing.status == 1 && missing.error.contains("/none"), "\(missing.error)")
    }

    /// The scenarios of the public suite: each change is in the log when its answer arrives.
    @Test func theLogHasEachChange() throws {
        let folder = try TemporaryFolder()
        let file = try write("[server]\naddress = \"127.0.0.1\"\nport = 0\n", folder)
        let log = folder.path + "/log/wess.log"
        let server = try ServerProcess(
            ["--wess-config", file, "--wess-log", log, "--data", folder.path + "/data"],
            folder: folder, listen: nil, ready: "data in ")
        func send(_ method: String, _ path: String, _ body: String = "") throws -> Document {
            let answer = try server.exchange(
                "\(method) \(path) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                    + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
            #expect(answer.status == 202)
            return try JSONReader.read(Array(answer.body.utf8))
        }
        let body =
            #"{"wasm":[0,97,115,109,1,0,0,0],"metadata":{"functionName":"f","#
            + #""returnType":["I32"],"args":[null]}}"#
        let pattern =
            /\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2} \| INFO wess::tx \| src\/\S+\.rs:\d+ - .+/
        var expected: [String] = []
        func check(_ line: String) throws {
            expected.append(line)
            let lines = text(log).split(separator: "\n")
            #expect(lines.count == expected.count)
            for (line, end) in zip(lines, expected) {
                #expect(line.wholeMatch(of: pattern) != nil && line.hasSuffix(end), "\(line)")
            }
        }
        let id = try send("POST", "/", body)["message"]?["id"]?.stringValue ?? ""
        try check("- CREATE \(id)")
        _ = try send("PUT", "/\(id)", body)
        try check("- UPDATE \(id)")
        _ = try send("DELETE", "/\(id)")
        try check("- DELETE \(id)")
    }
}
