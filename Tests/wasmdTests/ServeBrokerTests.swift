import Glibc
import Testing

/// `wasmd serve --broker`, restricted by the kernel as by default.
@Suite struct ServeBrokerTests {
    private func request(
        _ server: ServerProcess, _ method: String, _ path: String, _ body: String = ""
    ) throws -> ServerProcess.Answer {
        try server.exchange(
            "\(method) \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
                + "Content-Length: \(body.utf8.count)\r\n\r\n", Array(body.utf8))
    }

    /// Sends a command to the wire port; the answer if one is wanted.
    private func command(
        _ server: ServerProcess, _ text: String, answers: Bool = true
    ) throws -> String {
        let line = server.messages.split(separator: "\n").first { $0.contains("broker at ") }
        let port = line?.split(separator: ":").last.flatMap { UInt16($0) } ?? 0
        let socket = try ServerProcess.connect(to: port)
        defer { close(socket) }
        ServerProcess.send(socket, Array(text.utf8))
        return answers ? ServerProcess.read(socket) { !$0.isEmpty } : ""
    }

    @Test func topicsOfAServer() throws {
        let folder = try TemporaryFolder()
        let arguments = [
            "--data", folder.path + "/data", "--broker", "127.0.0.1:0", "--executor", "127.0.0.1:0",
        ]
        let server = try ServerProcess(
            arguments, folder: folder, listen: nil, variables: ["WASMD_BROKER_DURABLE=true"],
            ready: "data in ")
        let published = try request(
            server, "POST", "/admin/topics/publish?topic=alert&retain=true", "hi")
        #expect(published.status == 204, "\(published.body)")
        #expect(try command(server, "read alert") == "alert hi")
        #expect(try command(server, "read alert") == "alert empty")
        #expect(
            try request(server, "POST", "/admin/topics/publish?topic=a%2Fb", "kept").status == 204)
        #expect(try request(server, "POST", "/admin/topics/publish?topic=a%23", "x").status == 400)
        #expect(try request(server, "POST", "/admin/topics/publish", "x").status == 400)
        let large = String(repeating: "x", count: 65_001)
        let refused = try request(server, "POST", "/admin/topics/publish?topic=alert", large)
        #expect(refused.status == 413 && refused.body.contains("broker.limits.message"))
        #expect(try request(server, "POST", "/admin/topics/read?topic=none").status == 204)
        #expect(try command(server, "read none") == "none empty")
        #expect(try request(server, "GET", "/admin/topics").body.contains(#""name":"a/b""#))
        let metrics = try request(server, "GET", "/metrics").body
        #expect(metrics.contains("\nwasmd_topic_queued{topic=\"a/b\"} 1\n"))
        #expect(metrics.contains("\nwasmd_wire_commands_total{outcome=\"done\"} 3\n"))
        server.signal(SIGKILL)
        _ = server.end()
        let second = try ServerProcess(
            arguments, folder: folder, listen: nil, variables: ["WASMD_BROKER_DURABLE=true"],
            ready: "data in ")
        #expect(try request(second, "GET", "/admin/topics/value?topic=alert").body == "hi")
        #expect(try request(second, "POST", "/admin/topics/read?topic=a/b").body == "kept")
        #expect(try request(second, "POST", "/admin/topics/read?topic=a/b").status == 204)
        #expect(try command(second, "read alert") == "alert empty")
        second.signal(SIGTERM)
        #expect(second.end() == 0)
    }

    @Test func whatIsWrongWithBridgesIsTold() throws {
        let folder = try TemporaryFolder()
        let file = try folder.write(
            "wasmd.toml",
            Array(
                """
                [broker]
                topics = ["a b"]
                when_full = "wait"
                [[broker.topic]]
                queue = 5
                [broker.bridges.one]
                url = "http://example.org"
                password = "secret"
                out = ["a/#"]
                in = ["a/b"]
                [broker.bridges.two]
                url = "mqtt://[::1]:1884"
                qos = 2

                """.utf8))
        let result = try run(Wasmd.path, ["serve", "--check", file])
        #expect(result.status == 1)
        for text in [
            ":2:1: broker.topics: text 1 of the list: expected a topic",
            ":3:1: broker.when_full: expected drop or refuse",
            "broker.topic[0].name: is missing", "broker.bridges.one.url: expected mqtt://HOST",
            "broker.bridges.one.user: is missing", "messages would go in a circle",
            "broker.bridges.two.qos: expected a whole number from 0 to 1",
            "broker.bridges.two.out: names no topic",
        ] { #expect(result.error.contains(text), "\(text)\n\(result.error)") }
        #expect(!result.error.contains("secret"))
    }
}
