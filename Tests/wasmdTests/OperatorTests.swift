import Glibc
import Testing
import WasmText
import WasmdDocuments

/// What operators see and do: health, metrics, the log of requests, the admin interface and
/// `wasmd ctl`.
@Suite(.serialized) struct OperatorTests {
    private static let module = """
        (module
          (import "wasi_snapshot_preview1" "fd_write"
            (func $write (param i32 i32 i32 i32) (result i32)))
          (memory (export "memory") 1)
          (data (i32.const 16) "odd\\1b[31m\\n")
          (func (export "add") (param i32 i32) (result i32)
            (i32.add (local.get 0) (local.get 1)))
          (func (export "spin") (loop $l (br $l)))
          (func (export "warn")
            (i32.store (i32.const 0) (i32.const 16))
            (i32.store (i32.const 4) (i32.const 9))
            (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8)))))
        """

    private func server(
        _ folder: TemporaryFolder, _ arguments: [String] = []
    ) throws -> ServerProcess {
        try ServerProcess(
            ["--data", folder.path + "/data"] + arguments, folder: folder, ready: "data in ")
    }

    private func ctl(
        _ folder: TemporaryFolder, _ words: [String], input: [UInt8] = []
    ) throws -> ProcessResult {
        try run(
            Wasmd.path, ["ctl", "--server", folder.path + "/data"] + words, input: input)
    }

    private func json(_ folder: TemporaryFolder, _ words: String...) throws -> Document {
        let result = try ctl(folder, ["--json"] + words)
        #expect(result.status == 0, "\(words): \(result.error)\(result.output)")
        return try JSONReader.read(Array(result.output.utf8))
    }

    private func get(
        _ server: ServerProcess, _ path: String, method: String = "GET", _ fields: String = ""
    ) throws -> ServerProcess.Answer {
        try server.exchange(
            "\(method) \(path) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\(fields)\r\n")
    }

    private func put(_ folder: TemporaryFolder) throws -> String {
        let file = try folder.write("module.wat", Array(Self.module.utf8))
        let result = try ctl(folder, ["put", file, "--function", "add"])
        #expect(result.status == 0, "\(result.error)")
        return String(result.output.dropLast())
    }

    @Test func healthAndMetrics() throws {
        let folder = try TemporaryFolder()
        let server = try server(folder)
        #expect(try get(server, "/healthz").body.hasPrefix("ok\nsandbox: Landlock "))
        #expect(server.messages.contains("wasmd: sandbox: Landlock "))
        #expect(try get(server, "/healthz", method: "HEAD").status == 200)
        #expect(try get(server, "/healthz", method: "POST").status == 405)
        #expect(try get(server, "/readyz").body == "{\"ready\":true,\"reasons\":[]}\n")
        let id = try put(folder)
        #expect(try ctl(folder, ["run", id, "3", "4"]).output == "7\n")
        let answer = try get(server, "/metrics")
        #expect(answer.field("content-type")?.contains("version=0.0.4") == true)
        let lines = answer.body.split(separator: "\n").map(String.init)
        func value(_ series: String) -> String? {
            lines.first { $0.hasPrefix(series + " ") }.map {
                String($0.dropFirst(series.utf8.count + 1))
            }
        }
        #expect(value("wasmd_runs_total{outcome=\"succeeded\"}") == "1")
        #expect(value("wasmd_run_duration_seconds_count") == "1")
        #expect(value("wasmd_build_info{version=\"\(versionNumber)\"}") == "1")
        #expect(value("wasmd_store_writable") == "1")
        #expect(value("wasmd_module_cache_modules") == "1")
        #expect(value("process_threads").flatMap { Int($0) }.map { $0 > 0 } == true)
        #expect(value("process_open_fds").flatMap { Int($0) }.map { $0 > 3 } == true)
        #expect(value("process_resident_memory_bytes").flatMap { Int($0) }.map { $0 > 0 } == true)
        #expect(value("wasmd_store_commits_total").flatMap { Int($0) }.map { $0 > 0 } == true)
        #expect(
            value(
                "wasmd_http_requests_total{surface=\"executor\",route=\"/wasm/{id}\","
                    + "status=\"2xx\"}") == "3")
        // Each family once, and counters end with _total.
        let types = lines.filter { $0.hasPrefix("# TYPE ") }
            .map { $0.split(separator: " ").map(String.init) }
        #expect(Set(types.map { $0[2] }).count == types.count)
        for type in types { #expect((type[3] == "counter") == type[2].hasSuffix("_total")) }
        server.signal(SIGTERM)
        #expect(server.end() == 0)
        #expect(access(folder.path + "/data/wasmd.sock", F_OK) != 0)
    }

    private var versionNumber: String {
        let result = try? run(Wasmd.path, ["version"])
        return result?.output.split(separator: " ").dropFirst().first.map(String.init) ?? "?"
    }

    /// With `log.form = "json"` each line of standard error is an object, also those of the server
    /// itself and of guests; a reload changes it.
    @Test func messagesAsJSON() throws {
        let folder = try TemporaryFolder()
        let service = try folder.write(
            "service.wat",
            Array(
                """
                (module
                  (import "wasi_snapshot_preview1" "fd_write"
                    (func $write (param i32 i32 i32 i32) (result i32)))
                  (memory (export "memory") 1)
                  (data (i32.const 0) "\\10\\00\\00\\00\\06\\00\\00\\00")
                  (data (i32.const 16) "\\"hi\\"\\07\\n")
                  (func (export "_start")
                    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
                    unreachable))
                """.utf8))
        func write(_ form: String) throws -> String {
            try folder.write(
                "wasmd.toml",
                Array(
                    """
                    data = "\(folder.path)/data"
                    [executor]
                    listen = ["127.0.0.1:0"]
                    [log]
                    form = "\(form)"
                    requests = true
                    [service.loud]
                    module = "\(service)"
                    restart = "never"

                    """.utf8))
        }
        let file = try write("json")
        let server = try ServerProcess(
            ["--config", file], folder: folder, listen: nil, ready: "\"data in ")
        let id = try put(folder)
        #expect(try get(server, "/wasm/\(id)?function=warn", method: "POST").status == 200)
        #expect(server.waits(for: "It is not started again by itself."))
        #expect(server.waits(for: "odd"))
        _ = try write("xml")
        server.signal(SIGHUP)
        #expect(server.waits(for: "not reloaded"))
        _ = try write("text")
        server.signal(SIGHUP)
        #expect(server.waits(for: "wasmd: reloaded: log.form\n"))
        server.signal(SIGTERM)
        #expect(server.end() == 0)

        let lines = server.messages.split(separator: "\n").map(String.init)
        let events = try lines.prefix { $0 != "wasmd: reloaded: log.form" }.map {
            try JSONReader.read(Array($0.utf8))
        }
        for event in events {
            #expect(event["time"]?.stringValue != nil && event["level"]?.stringValue != nil)
        }
        func level(_ message: String, _ field: String? = nil, _ value: String = "") -> String? {
            events.first { event in
                event["message"]?.stringValue?.hasPrefix(message) == true
                    && (field.map { event[$0]?.stringValue == value } ?? true)
            }?["level"]?.stringValue
        }
        #expect(level("executor at http://127.0.0.1:\(server.port)/") == "info")
        #expect(level("data in \(folder.path)/data") == "info")
        #expect(level("\"hi\"\\x07", "service", "loud") == "info")
        #expect(level("trapped: unreachable", "service", "loud") == "error")
        #expect(level("not reloaded: \(file):5") == "error")
        let run = events.first { $0["route"] == "/wasm/{id}" && $0["run"] != nil }?["run"]
        #expect(level("odd\\x1b[31m", "run", run?.stringValue ?? "") == "info")
    }

    @Test func runsAreSeenProfiledAndStopped() throws {
        let folder = try TemporaryFolder()
        let server = try server(folder, ["--timeout", "60s"])
        let id = try put(folder)
        let socket = try server.connect()
        defer { close(socket) }
        ServerProcess.send(
            socket,
            Array(
                ("POST /wasm/\(id)?function=spin HTTP/1.1\r\nHost: localhost\r\n"
                    + "traceparent: 00-0000000000000000000000000000000a-000000000000000b-01\r\n"
                    + "Content-Length: 0\r\n\r\n").utf8))
        var active: Document?
        for _ in 0..<500 where active == nil {
            active = try json(folder, "runs", "--module", id)["active"]?[0]
            usleep(10_000)
        }
        let running = try #require(active?["id"]?.stringValue)
        #expect(active?["function"] == "spin")
        #expect(active?["trace"] == "0000000000000000000000000000000a")
        // What it uses of the limits of a run is beside them.
        let settings = try JSONReader.read(Array(try get(server, "/admin/settings").body.utf8))
        func limit(_ name: String) -> Document? {
            settings["limits"]?.arrayValue?.first { $0["name"]?.stringValue == name }
        }
        #expect(limit("limits.memory")?["each"] == "run")
        #expect(limit("limits.memory")?["unit"] == "bytes")
        #expect((limit("limits.memory")?["used"]?.integerValue ?? 0) > 0)
        #expect(limit("limits.run_time")?["number"]?.doubleValue == 60)
        #expect(limit("limits.run_time")?["used"]?.integerValue != nil)
        #expect(limit("limits.runs")?["used"]?.integerValue == 1)
        // A run that began before is profiled, from within its loop.
        let file = folder.path + "/profile.svg"
        let profile = try json(folder, "profile", id, "--seconds", "1", "-o", file)
        #expect(profile["runs"] == .integer(1))
        #expect((profile["samples"]?.integerValue ?? 0) > 3)
        #expect(try run("/bin/cat", [file]).output.contains("spin"))
        #expect(try ctl(folder, ["profile", "nothing"]).status == 1)
        #expect(try ctl(folder, ["stop", running]).status == 0)
        #expect(ServerProcess.read(socket) { $0.contains("stopped") }.contains(" 503 "))
        let ended = try json(folder, "runs", running)
        #expect(ended["outcome"] == "cancelled")
        #expect(ended["trap"]?["backtrace"]?[0]?.stringValue?.hasPrefix("spin") == true)
        let again = try ctl(folder, ["stop", running])
        #expect(again.status == 1 && again.error.contains("this run has ended"))
        #expect(try json(folder, "runs")["active"]?.arrayValue?.isEmpty == true)
        server.signal(SIGTERM)
        #expect(server.end() == 0)
    }

    @Test func logsAreFollowedAndHarmless() throws {
        let folder = try TemporaryFolder()
        let server = try server(folder)
        let id = try put(folder)
        let socket = try server.connect()
        defer { close(socket) }
        ServerProcess.send(
            socket,
            Array("GET /admin/logs?follow=true HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8))
        #expect(
            ServerProcess.read(socket) { $0.contains("\r\n\r\n") }.contains("text/event-stream"))
        let answer = try json(folder, "run", id, "--function", "warn")
        let runID = try #require(answer["run"]?.stringValue)
        let event = ServerProcess.read(socket) { $0.contains("\n\n") }
        #expect(event.contains("event: line\n") && event.contains(runID))
        #expect(event.contains("odd\\\\x1b[31m") && !event.contains("\u{1b}"))
        let lines = try ctl(folder, ["logs", "--run", runID])
        #expect(lines.output.hasSuffix(": odd\\x1b[31m\n"))
        #expect(try json(folder, "logs", "--recent", "0")["lines"]?.arrayValue?.isEmpty == true)
        #expect(try ctl(folder, ["logs", "--run", "x"]).status == 1)
        // Event streams have no end of their own.
        server.signal(SIGTERM)
        #expect(server.end() == 0)
    }

    @Test func dataIsBackedUpCompactedAndChecked() throws {
        let folder = try TemporaryFolder()
        let server = try server(folder)
        let id = try put(folder)
        // Large enough to be a blob.
        let large = try parseModule(
            Array(
                "(module (memory 1) (data (i32.const 0) \"\(String(repeating: "x", count: 40_000))\"))"
                    .utf8))
        let largeFile = try folder.write("large.wasm", large)
        let blob = String(try ctl(folder, ["put", largeFile]).output.dropLast())
        // The folder on the way is made.
        let target = folder.path + "/backups/monday"
        let copy = try json(folder, "backup", target)
        #expect(copy["sound"] == .boolean(true) && copy["blobs"] == .integer(1))
        #expect(try run(Wasmd.path, ["data", "verify", target]).status == 0)
        let twice = try ctl(folder, ["backup", target])
        #expect(twice.status == 1 && twice.error.contains("there is something already"))
        // A restricted server cannot write elsewhere, and says what to do.
        let elsewhere = try ctl(folder, ["backup", "--on-server", folder.path + "/other"])
        #expect(elsewhere.status == 0 || elsewhere.error.contains("download the backup"))
        #expect(try ctl(folder, ["delete", blob]).status == 0)
        let compacted = try run(Wasmd.path, ["data", "compact", folder.path + "/data"])
        #expect(compacted.status == 0, "\(compacted.error)")
        #expect(compacted.output.contains("its server has compacted it"))
        // Blobs go with their modules.
        #expect(compacted.output.contains("0 blobs removed"))
        #expect(try json(folder, "verify")["sound"] == .boolean(true))
        #expect(try json(folder, "list")["items"]?.arrayValue?.count == 1)
        server.signal(SIGTERM)
        #expect(server.end() == 0)
        // Back again: the folder is moved away, and the restored one serves what was there.
        let data = folder.path + "/data"
        let refused = try run(Wasmd.path, ["data", "restore", target, data])
        #expect(refused.status == 1 && refused.error.contains("move the folder away"))
        #expect(try run("/bin/mv", [data, folder.path + "/old"]).status == 0)
        let restored = try run(Wasmd.path, ["data", "restore", target, data])
        #expect(restored.status == 0 && restored.output.contains("start the server"))
        let second = try ServerProcess(["--data", data], folder: folder, ready: "data in ")
        let result = try run(Wasmd.path, ["ctl", "--server", data, "run", id, "20", "22"])
        #expect(result.output == "42\n", "\(result.error)")
        let module = folder.path + "/again.wasm"
        let got = try run(Wasmd.path, ["ctl", "--server", data, "get", blob, "-o", module])
        #expect(got.status == 0)
        #expect(try run("/bin/cat", [module]).outputBytes == large)
        second.signal(SIGTERM)
        #expect(second.end() == 0)
    }

    @Test func drainAndShutDown() throws {
        let folder = try TemporaryFolder()
        let server = try server(folder)
        #expect(try ctl(folder, ["drain"]).status == 0)
        let draining = try get(server, "/readyz")
        #expect(draining.status == 503 && draining.body.contains("draining"))
        #expect(try get(server, "/wasm").status == 200)
        #expect(try json(folder, "status")["ready"] == .boolean(false))
        #expect(try ctl(folder, ["drain", "--undo"]).status == 0)
        #expect(try get(server, "/readyz").status == 200)
        #expect(try ctl(folder, ["shutdown"]).status == 0)
        #expect(server.end() == 0)
        let gone = try ctl(folder, ["status"])
        #expect(gone.status == 1 && gone.error.contains("no server is there"))
        #expect(gone.error.contains("wasmd serve"))
    }

    @Test func console() throws {
        let folder = try TemporaryFolder()
        let server = try server(folder)
        let page = try get(server, "/console")
        #expect(page.status == 200)
        let policy = page.field("content-security-policy") ?? ""
        #expect(policy.hasPrefix("default-src 'none'; script-src 'self';"))
        // Everything that the page names is there, and may be used by a page with this policy.
        let names = page.body.split(separator: "\"").filter { $0.hasPrefix("/console/") }
        #expect(names.count == 3)
        for name in names {
            let file = try get(server, String(name))
            #expect(file.status == 200 && file.field("x-content-type-options") == "nosniff")
            let tag = file.field("etag") ?? ""
            let again = try get(server, String(name), "If-None-Match: \(tag)\r\n")
            #expect(again.status == 304 && again.body.isEmpty)
        }
        #expect(try get(server, "/console/").body == page.body)
        #expect(try get(server, "/console/none.js").status == 404)
        #expect(try get(server, "/console/../wasm").status != 200)
        #expect(try get(server, "/console", method: "POST").status == 405)
        #expect(try get(server, "/consoles").status == 404)
    }

    @Test func codeOfFunctions() throws {
        let folder = try TemporaryFolder()
        let server = try server(folder)
        let id = try put(folder)
        let list = try JSONReader.read(
            Array(try get(server, "/admin/modules/\(id)/functions").body.utf8))
        let items = try #require(list["items"]?.arrayValue)
        #expect(!items.isEmpty && list["next"] == .null)
        let last = items.count - 1
        let page = try get(
            server, "/admin/modules/\(id)/functions?limit=1" + (last > 0 ? "&after=0" : ""))
        #expect(page.status == 200)
        let shown = try JSONReader.read(
            Array(try get(server, "/admin/modules/\(id)/functions/\(last)").body.utf8))
        let wasm = shown["wasm"]?.arrayValue ?? []
        #expect(wasm.last?["text"] == "end")
        #expect(shown["registers"]?.arrayValue?.isEmpty == false)
        #expect(try get(server, "/admin/modules/\(id)/functions/999").status == 404)
        #expect(try get(server, "/admin/modules/\(id)/functions/x").status == 404)
        #expect(try get(server, "/admin/modules/none/functions").status == 404)
        #expect(try get(server, "/admin/modules/\(id)/functions?limit=0").status == 400)
    }

    /// Operations of other listeners are in the document with the address where they are.
    @Test func openAPIDocumentSaysWhereOperationsAre() throws {
        let folder = try TemporaryFolder()
        let server = try server(folder, ["--orchestrator", "127.0.0.1:0"])
        let document = try JSONReader.read(Array(try get(server, "/openapi.json").body.utf8))
        var elsewhere = 0
        for path in try #require(document["paths"]?.objectValue) {
            for operation in path.value.objectValue ?? [] where operation.name == "get" {
                guard let place = operation.value["servers"]?[0]?["url"]?.stringValue else {
                    continue
                }
                elsewhere += 1
                #expect(server.messages.contains("orchestrator at \(place)/"), "\(place)")
                #expect(try get(server, path.name).status == 404, "\(path.name)")
            }
        }
        #expect(elsewhere > 0)
        #expect(document["paths"]?["/file/device"]?["get"]?["servers"] == nil)
        #expect(try get(server, "/%68ealthz").status == 200)
        #expect(try get(server, "/%61dmin/status").status == 200)
        let options = try get(server, "*", method: "OPTIONS")
        #expect(options.status == 204 && options.field("allow")?.contains("GET") == true)
    }

    /// The log of an empty store has its head after the first time only.
    @Test func compactionSaysIfTheLogHasGrown() throws {
        let folder = try TemporaryFolder()
        let server = try server(folder)
        let first = try ctl(folder, ["compact"]).output
        #expect(first.contains("B more than before; 0 blobs removed"), "\(first)")
        _ = try put(folder)
        for _ in 0..<3 {
            let output = try ctl(folder, ["compact"]).output
            #expect(output.contains("before") && !output.contains("-"), "\(output)")
        }
        withExtendedLifetime(server) {}
    }

    @Test func aFailedStartLeavesNoFolder() throws {
        let folder = try TemporaryFolder()
        let server = try server(folder)
        let path = folder.path + "/other"
        let words = ["serve", "--listen", "127.0.0.1:\(server.port)", "--data", path]
        let result = try run(Wasmd.path, words)
        #expect(result.status != 0 && result.error.contains("cannot listen"), "\(result.error)")
        #expect(access(path, F_OK) != 0)
        // A folder that was there stays.
        #expect(mkdir(path, 0o700) == 0)
        #expect(try run(Wasmd.path, words).status != 0)
        #expect(access(path, F_OK) == 0)
    }

    /// The document is that of the routes: each path and method that it has is served, and others
    /// are not.
    @Test func openAPIDocumentIsThatOfTheRoutes() throws {
        let folder = try TemporaryFolder()
        let server = try server(folder)
        let document = try JSONReader.read(Array(try get(server, "/openapi.json").body.utf8))
        #expect(document["openapi"] == "3.1.0")
        let paths = try #require(document["paths"]?.objectValue)
        #expect(paths.count > 15)
        var names: Set<String> = []
        for path in paths {
            let served = path.name.replacing("{id}", with: "00000000-0000-4000-8000-000000000000")
                .replacing("{index}", with: "0")
            let described = (path.value.objectValue ?? []).map { $0.name.uppercased() }
            for method in ["GET", "POST", "PUT", "DELETE", "PATCH"] {
                // These end the server, or last.
                let lasting = ["/admin/shutdown", "/admin/profile", "/admin/topics/follow"]
                if lasting.contains(path.name) { continue }
                let query = path.name == "/admin/logs" ? "?recent=0" : ""
                let answer = try get(
                    server, served + query, method: method, "Content-Length: 0\r\n")
                let isServed = answer.status != 405
                #expect(
                    isServed == described.contains(method),
                    "\(method) \(path.name): \(answer.status)")
                if !isServed {
                    let allowed = answer.field("allow") ?? ""
                    for name in described {
                        #expect(allowed.contains(name), "\(path.name): \(allowed)")
                    }
                }
            }
            for operation in path.value.objectValue ?? [] {
                let name = operation.value["operationId"]?.stringValue ?? ""
                #expect(names.insert(name).inserted, "\(name) twice")
            }
        }
        // References lead somewhere.
        let schemas = Set(
            document["components"]?["schemas"]?.objectValue?.map(\.name) ?? [])
        func check(_ document: Document) {
            if let reference = document["$ref"]?.stringValue {
                #expect(
                    schemas.contains(reference.replacing("#/components/schemas/", with: "")))
            }
            for member in document.objectValue ?? [] { check(member.value) }
            for element in document.arrayValue ?? [] { check(element) }
        }
        check(document)
        server.signal(SIGTERM)
        #expect(server.end() == 0)
    }

    /// Tokens: the admin interface needs its scope; health needs nothing.
    @Test func scopes() throws {
        let folder = try TemporaryFolder()
        func token(_ name: String, _ scopes: String) throws -> (secret: String, table: String) {
            let result = try run(
                Wasmd.path, ["token", "--name", name, "--scopes", scopes, "--json"])
            let made = try JSONReader.read(Array(result.output.utf8))
            let list = scopes.split(separator: ",").map { "\"\($0)\"" }.joined(separator: ", ")
            return (
                made["token"]?.stringValue ?? "",
                "[[tokens]]\nname = \"\(name)\"\nsha256 = \"\(made["sha256"]?.stringValue ?? "")\"\n"
                    + "scopes = [\(list)]\n"
            )
        }
        let admin = try token("boss", "admin,read")
        let reader = try token("reader", "read")
        let text =
            "data = \"\(folder.path)/data\"\n[log]\nrequests = true\nform = \"json\"\n"
            + admin.table + reader.table
        let file = try folder.write("wasmd.toml", Array(text.utf8))
        let server = try ServerProcess(["--config", file], folder: folder, ready: "data in ")
        func status(_ path: String, _ secret: String?) throws -> Int {
            try get(
                server, path,
                secret.map { "Authorization: Bearer \($0)\r\n" } ?? ""
            ).status
        }
        #expect(try status("/healthz", nil) == 200 && status("/readyz", nil) == 200)
        #expect(try status("/metrics", nil) == 401 && status("/metrics", reader.secret) == 200)
        #expect(try status("/admin/status", nil) == 401)
        #expect(try status("/admin/status", reader.secret) == 403)
        #expect(try status("/admin/status", admin.secret) == 200)
        // By the address with a token, by the socket without.
        let secretFile = try folder.write("secret", Array((admin.secret + "\n").utf8))
        let url = "http://127.0.0.1:\(server.port)"
        let remote = try run(
            Wasmd.path, ["ctl", "--server", url, "--token-file", secretFile, "status"])
        #expect(remote.status == 0, "\(remote.error)")
        let refused = try run(Wasmd.path, ["ctl", "--server", url, "status"])
        #expect(refused.status == 1 && refused.error.contains("--token-file"))
        #expect(try ctl(folder, ["status"]).status == 0)
        #expect(try json(folder, "reload")["changed"]?.arrayValue?.isEmpty == true)
        _ = try folder.write("wasmd.toml", Array("x = 1\n".utf8))
        let broken = try ctl(folder, ["reload"])
        #expect(broken.status == 1 && broken.error.contains("unknown setting"))
        server.signal(SIGTERM)
        #expect(server.end() == 0)
        // A line for each request, and no secret in any.
        let lines = server.messages.split(separator: "\n").filter { $0.hasPrefix("{") }
        let requests = try lines.map { try JSONReader.read(Array($0.utf8)) }
        #expect(requests.contains { $0["route"] == "/metrics" && $0["token"] == "reader" })
        #expect(
            requests.contains { $0["path"] == "/admin/status" && $0["status"] == .integer(401) })
        #expect(!server.messages.contains(admin.secret))
        #expect(!server.messages.contains(reader.secret))
    }

    @Test func profilesOfRuns() throws {
        let folder = try TemporaryFolder()
        let server = try server(folder)
        let id = try put(folder)
        let answer = try server.exchange(
            "POST /wasm/\(id)?profile=flamegraph.svg HTTP/1.1\r\nHost: localhost\r\n"
                + "Connection: close\r\nContent-Length: 5\r\n\r\n", Array("[1,2]".utf8))
        let document = try JSONReader.read(Array(answer.body.utf8))
        #expect(document["result"] == .integer(3))
        #expect(document["profile"]?.stringValue?.contains("<svg") == true)
        let counted = try server.exchange(
            "POST /wasm/\(id)?profile=coverage.info HTTP/1.1\r\nHost: localhost\r\n"
                + "Connection: close\r\nContent-Length: 5\r\n\r\n", Array("[1,2]".utf8))
        let trace = try JSONReader.read(Array(counted.body.utf8))["profile"]?.stringValue ?? ""
        #expect(trace.contains("FNDA:1,add\n") && trace.contains("FNDA:0,spin\n"))
        #expect(
            try get(server, "/wasm/\(id)?profile=x", method: "POST", "Content-Length: 0\r\n").status
                == 400)
        server.signal(SIGTERM)
        #expect(server.end() == 0)
    }

    @Test func wrongCommandLines() throws {
        let folder = try TemporaryFolder()
        let unknown = try run(Wasmd.path, ["ctl", "stauts"])
        #expect(unknown.status == 2 && unknown.error.contains("Did you mean 'status'?"))
        #expect(try run(Wasmd.path, ["ctl"]).error.contains("VERB is missing"))
        #expect(try run(Wasmd.path, ["ctl", "put"]).error.contains("FILE is missing"))
        #expect(try run(Wasmd.path, ["ctl", "status", "x"]).status == 2)
        #expect(try run(Wasmd.path, ["ctl", "--server", "https://x", "status"]).status == 2)
        #expect(try run(Wasmd.path, ["ctl", "--seconds", "0", "profile"]).status == 2)
        let json = try ctl(folder, ["--json", "status"])
        #expect(json.status == 1 && json.output.contains("\"error\""))
    }
}
