import Glibc
import Testing
import WasmdDocuments

/// What the token of a tenant may do on all interfaces of a server.
@Suite(.serialized) struct TenantAccessTests {
    /// The operations that keep tenants apart: `TenancyTests` checks that they do.
    private static let separated: Set<String> = [
        "GET /wasm", "POST /wasm", "GET /wasm/{id}", "PUT /wasm/{id}", "DELETE /wasm/{id}",
        "POST /wasm/{id}", "GET /jobs", "GET /jobs/{id}",
    ]

    /// Operations without a token, which say nothing about what is stored.
    private static let open: Set<String> = [
        "GET /healthz", "GET /readyz", "GET /openapi.json", "GET /health",
        "GET /.well-known/wasmiot-device-description", "GET /.well-known/wot-thing-description",
    ]

    /// What no document describes: wess, the surface of the first executor, and other ways to write
    /// paths; with whether the token may use it.
    private static let others: [(host: String, operation: String, isAdmitted: Bool)] = [
        ("wess", "GET /", true), ("wess", "GET /{id}", true), ("wess", "POST /{id}", true),
        ("wess", "DELETE /{id}", true), ("wess", "GET /metrics", false),
        ("legacy", "GET /", true), ("legacy", "GET /run/?id={id}", true),
        ("executor", "GET /console", true), ("executor", "GET /?x", true),
        ("executor", "GET /wasm/?id={id}", true), ("executor", "DELETE /?id={id}", true),
        ("executor", "GET /admin//status", false), ("executor", "GET /%61dmin/status", false),
        ("executor", "PUT /admin/status", false), ("executor", "GET /file/device", false),
        ("executor", "POST /execute/{id}", false), ("executor", "GET /executions/", false),
        ("orchestrator", "GET //file//module/", false), ("orchestrator", "GET /nothing", false),
        ("orchestrator", "GET /file/module/{id}/file.txt", false),
        ("orchestrator", "POST /device/logs", false),
        ("orchestrator", "GET /core/modules/datalist/x", false),
        ("orchestrator", "GET /health/modules/datalist/x", false),
        ("orchestrator", "POST /health/modules/datalist/x", false),
        ("orchestrator", "GET /docs/modules/datalist/x", false),
        ("orchestrator", "OPTIONS /file/module", true),
        ("supervisor", "GET //deploy", false), ("supervisor", "GET /{id}/modules/m/f", false),
        ("supervisor", "PUT /deploy/{id}/modules/m/state", false),
        ("othismo", "GET /", true),
    ]

    private static let transport = """
        (module
          (func (export "_water_v0"))
          (func (export "_water_init") (result i32) (i32.const 0))
          (func (export "_water_cancel_with") (param i32) (result i32) (i32.const 0))
          (func (export "_water_worker") (result i32) (i32.const 0))
          (func (export "_water_associate") (result i32) (i32.const 0)))
        """

    private func ports(in messages: String) -> [String: UInt16] {
        var ports: [String: UInt16] = [:]
        for line in messages.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count >= 4, words[2] == "at", let place = words.last,
                let port = place.split(separator: ":").last.flatMap({ UInt16($0.dropLast()) })
            else { continue }
            ports[String(words[1])] = port
        }
        return ports
    }

    private func ask(
        _ port: UInt16, _ operation: String, _ secret: String?
    ) throws -> ServerProcess.Answer {
        let words = operation.split(separator: " ", maxSplits: 1)
        var path = ""
        var isInName = false
        for character in words[1] {
            if character == "{" { path += "00000000-0000-4000-8000-000000000000" }
            if character == "{" || character == "}" {
                isInName = character == "{"
            } else if !isInName {
                path.append(character)
            }
        }
        let socket = try ServerProcess.connect(to: port)
        defer { close(socket) }
        let field = secret.map { "Authorization: Bearer \($0)\r\n" } ?? ""
        ServerProcess.send(
            socket,
            Array(
                ("\(words[0]) \(path) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                    + "Content-Length: 0\r\n\(field)\r\n").utf8))
        return ServerProcess.Answer(ServerProcess.read(socket))
    }

    /// A tenant's token with all scopes gets 403 from every route but those that keep tenants apart:
    /// a route that is new and is in neither list fails here.
    @Test func onlyInterfacesThatKeepTenantsApart() throws {
        let folder = try TemporaryFolder()
        let made = try JSONReader.read(
            Array(
                try run(
                    Wasmd.path,
                    [
                        "token", "--name", "shop", "--scopes", "read,write,run,admin", "--tenant",
                        "shop", "--json",
                    ]
                ).output.utf8))
        let secret = try #require(made["token"]?.stringValue)
        let digest = try #require(made["sha256"]?.stringValue)
        let service = try folder.write(
            "service.wat", Array("(module (func (export \"_initialize\")))".utf8))
        let relay = try folder.write("relay.wat", Array(Self.transport.utf8))
        let file = try folder.write(
            "wasmd.toml",
            Array(
                """
                [[tokens]]
                name = "shop"
                sha256 = "\(digest)"
                scopes = ["read", "write", "run", "admin"]
                tenant = "shop"
                [tenants.shop]
                [service.s]
                module = "\(service)"

                """.utf8))
        #expect(try run(Wasmd.path, ["othismo", "new-image", folder.path + "/app"]).status == 0)
        let hosts = ["executor-legacy", "wess", "orchestrator", "supervisor", "othismo", "broker"]
        let server = try ServerProcess(
            [
                "--config", file, "--data", folder.path + "/data", "--no-mdns", "--othismo-image",
                folder.path + "/app", "--transport",
                "relay,module=\(relay),listen=127.0.0.1:0,remote=127.0.0.1:9,name=t",
            ] + hosts.flatMap { ["--\($0)", "127.0.0.1:0"] }, folder: folder, ready: "data in ")
        let ports = ports(in: server.messages)
        func check(_ host: String, _ operation: String, _ isAdmitted: Bool) throws {
            let port = try #require(ports[host], "no listener of \(host): \(server.messages)")
            let answer = try ask(port, operation, secret)
            if isAdmitted {
                #expect(
                    answer.status >= 200 && ![401, 403].contains(answer.status),
                    "\(host) \(operation): \(answer.status) \(answer.body)")
            } else {
                #expect(
                    answer.status == 403 || answer.status == 404,
                    "\(host) \(operation): \(answer.status) \(answer.body)")
                if answer.status == 403 {
                    #expect(answer.body.contains("use a token without a tenant"))
                }
            }
        }
        var seen: Set<String> = []
        for host in ["executor", "orchestrator", "supervisor"] {
            let port = try #require(ports[host], "no listener of \(host): \(server.messages)")
            let text = try ask(port, "GET /openapi.json", nil).body
            let paths = try JSONReader.read(Array(text.utf8))["paths"]?.objectValue ?? []
            #expect(paths.count > 3)
            for path in paths {
                for member in path.value.objectValue ?? [] {
                    let operation = "\(member.name.uppercased()) \(path.name)"
                    seen.insert(operation)
                    try check(
                        host, operation,
                        Self.open.contains(operation)
                            || host == "executor" && Self.separated.contains(operation))
                }
            }
        }
        #expect(seen.isSuperset(of: Self.separated) && seen.isSuperset(of: Self.open))
        for host in ["broker", "othismo", "transports", "services"] {
            let beginning = host == "broker" ? "GET /admin/topics" : "GET /admin/\(host)"
            #expect(seen.contains { $0.hasPrefix(beginning) }, "no route of \(host)")
        }
        for (host, operation, isAdmitted) in Self.others {
            try check(host, operation, isAdmitted)
        }
        server.signal(SIGTERM)
        #expect(server.end() == 0)
    }
}
