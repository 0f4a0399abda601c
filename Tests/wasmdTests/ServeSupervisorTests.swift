import Glibc
import Testing
import WasmText

/// `wasmd serve --supervisor`, restricted by the kernel as by default.
@Suite struct ServeSupervisorTests {
    private static let counter = """
        (module
          (memory (export "memory") 1)
          (func (export "next") (result i32)
            (i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (i32.const 1)))
            (i32.load (i32.const 8))))
        """

    private func request(
        _ server: ServerProcess, _ method: String, _ path: String, _ body: String = ""
    ) throws -> ServerProcess.Answer {
        try server.exchange(
            "\(method) \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
                + "Content-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n",
            Array(body.utf8))
    }

    /// Whether the server has saved so many states by itself, within half a minute.
    private func hasSaved(_ count: Int, _ data: String) throws -> Bool {
        try reaches(count, "state_saves_total", data)
    }

    /// Whether a number of the metrics becomes so large, within half a minute.
    private func reaches(_ count: Int, _ name: String, _ data: String) throws -> Bool {
        for _ in 0..<600 {
            let socket = try UnixSocket(connectedTo: data + "/wasmd.sock")
            let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            ServerProcess.send(socket.number, Array(request.utf8))
            let metrics = ServerProcess.Answer(ServerProcess.read(socket.number)).body
            let line = metrics.split(separator: "\n").first {
                $0.hasPrefix("wasmd_supervisor_\(name) ")
            }
            let number = line?.split(separator: " ").last.flatMap { Int($0) } ?? 0
            if number >= count { return true }
            usleep(50_000)
        }
        return false
    }

    @Test func aDeviceThatIsKilledContinues() throws {
        let folder = try TemporaryFolder()
        // The modules come from another server.
        let site = folder.path + "/site"
        mkdir(site, 0o700)
        mkdir(site + "/public", 0o700)
        _ = try folder.write("site/public/counter.wasm", parseModule(Array(Self.counter.utf8)))
        let image = try folder.write("still.jpeg", [0xff, 0xd8])
        let files = try ServerProcess([site], folder: folder)
        let arguments = [
            "--data", folder.path + "/data", "--supervisor", "127.0.0.1:0", "--camera-image",
            image, "--supervisor-orchestrator", "http://127.0.0.1:\(files.port)",
        ]
        let first = try ServerProcess(arguments, folder: folder, listen: nil, ready: "data in ")
        let description = try request(first, "GET", "/.well-known/wasmiot-device-description")
        #expect(description.status == 200 && description.body.contains("\"takeImage\""))
        #expect(description.body.contains("\"poll_oneoff\""))
        let node = """
            {"deploymentId":"d","modules":[{"id":"0","name":"m","urls":{"binary":\
            "http://127.0.0.1:\(files.port)/counter.wasm","other":{}}}]}
            """
        let deployed = try request(first, "POST", "//deploy", node)
        #expect(deployed.body == #"{"status":"success","deploymentId":"d"}"#, "\(first.messages)")
        for number in 1...3 {
            let run = try request(first, "GET", "/d/modules/m/next")
            #expect(run.body.contains("\"result\":\"\(number)\""), "\(run.body)")
            // The state after this run: that of the one before is saved already.
            #expect(try hasSaved(number, folder.path + "/data"), "\(first.messages)")
        }
        // The site is no orchestrator, which is said.
        #expect(first.waits(for: "the orchestrator refused the registration: 404"))
        first.signal(SIGKILL)
        _ = first.end()
        let second = try ServerProcess(arguments, folder: folder, listen: nil, ready: "data in ")
        let entry = try request(second, "GET", "/request-history/d:m:next:3")
        #expect(entry.status == 200 && entry.body.contains("\"result\":\"3\""))
        let run = try request(second, "GET", "/d/modules/m/next")
        #expect(run.body.contains("\"result\":\"4\""), "\(run.body)")
        #expect(run.body.contains("d:m:next:4"))
        second.signal(SIGTERM)
        #expect(second.end() == 0)
    }

    @Test func aDeviceThatIsStoppedContinues() throws {
        let folder = try TemporaryFolder()
        let site = folder.path + "/site"
        mkdir(site, 0o700)
        mkdir(site + "/public", 0o700)
        _ = try folder.write("site/public/counter.wasm", parseModule(Array(Self.counter.utf8)))
        let files = try ServerProcess([site], folder: folder)
        let arguments = [
            "--data", folder.path + "/data", "--supervisor", "127.0.0.1:0", "--no-mdns",
        ]
        let node = """
            {"deploymentId":"d","modules":[{"id":"0","name":"m","urls":{"binary":\
            "http://127.0.0.1:\(files.port)/counter.wasm","other":{}}}]}
            """
        for start in [1, 4, 7] {
            let server = try ServerProcess(
                arguments, folder: folder, listen: nil, ready: "data in ")
            if start == 1 { #expect(try request(server, "POST", "/deploy", node).status == 200) }
            for number in start..<(start + 3) {
                let run = try request(server, "GET", "/d/modules/m/next")
                #expect(run.body.contains("\"result\":\"\(number)\""), "\(run.body)")
            }
            // At once: no save by itself has begun.
            server.signal(SIGTERM)
            #expect(server.end() == 0, "\(server.messages)")
        }
    }

    private static let endless = """
        (module (func (export "spin") (loop (br 0))))
        """

    /// A grace, and whether a second signal ends it.
    @Test(arguments: [("200ms", false), ("1h", true)] as [(String, Bool)])
    func runsThatDoNotEndDoNotHoldTheEndOfTheServer(_ grace: String, _ isEnded: Bool) throws {
        let folder = try TemporaryFolder()
        let site = folder.path + "/site"
        mkdir(site, 0o700)
        mkdir(site + "/public", 0o700)
        _ = try folder.write("site/public/endless.wasm", parseModule(Array(Self.endless.utf8)))
        let files = try ServerProcess([site], folder: folder)
        let file = try folder.write(
            "device.toml",
            Array(
                """
                [supervisor]
                listen = ["127.0.0.1:0"]
                run_time = "1h"
                [limits]
                waiting_time = "1h"
                [shutdown]
                grace = "\(grace)"
                """.utf8))
        let arguments = ["--config", file, "--data", folder.path + "/data", "--no-mdns"]
        let server = try ServerProcess(arguments, folder: folder, listen: nil, ready: "data in ")
        let node = """
            {"deploymentId":"d","modules":[{"id":"0","name":"m","urls":{"binary":\
            "http://127.0.0.1:\(files.port)/endless.wasm","other":{}}}]}
            """
        #expect(try request(server, "POST", "/deploy", node).status == 200)
        // A client that waits for its run.
        let socket = try server.connect()
        defer { close(socket) }
        ServerProcess.send(
            socket, Array("GET /d/modules/m/spin HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".utf8))
        #expect(try reaches(1, "runs_pending", folder.path + "/data"))
        // One that does not, since its run waits for the other.
        let posted = try request(server, "POST", "/d/modules/m/spin")
        #expect(posted.body.contains("d:m:spin:2"), "\(posted.body)")
        server.signal(SIGTERM)
        if isEnded {
            // The listener is closed: the first signal was read.
            for _ in 0..<3000 {
                guard let other = try? server.connect() else { break }
                close(other)
                usleep(10_000)
            }
            server.signal(SIGTERM)
        }
        #expect(server.end() == 0, "\(server.messages)")
        let second = try ServerProcess(arguments, folder: folder, listen: nil, ready: "data in ")
        for number in 1...2 {
            let entry = try request(second, "GET", "/request-history/d:m:spin:\(number)")
            #expect(entry.body.contains("the run was cancelled"), "\(entry.body)")
        }
        second.signal(SIGTERM)
        #expect(second.end() == 0)
    }

    @Test func imagesAndURLsThatAreNoneAreRefused() throws {
        let folder = try TemporaryFolder()
        let data = folder.path + "/data"
        let missing = try wasmd(
            "serve", "--data", data, "--supervisor", "127.0.0.1:0", "--camera-image",
            folder.path + "/none.jpeg")
        #expect(missing.status == 1 && missing.error.contains("none.jpeg"))
        let url = try wasmd(
            "serve", "--data", data, "--supervisor", "127.0.0.1:0", "--supervisor-orchestrator",
            "nonsense")
        #expect(url.status == 2 && url.error.contains("--supervisor-orchestrator"))
        let open = try wasmd("serve", "--data", data, "--supervisor", "0.0.0.0:0")
        #expect(open.status == 1 && open.error.contains("--insecure"))
    }

    private static let fibo = """
        (module
          (func $fibo (export "fibo") (param i64) (result i64)
            (if (result i64) (i64.le_s (local.get 0) (i64.const 1))
              (then (i64.const 1))
              (else
                (i64.add
                  (call $fibo (i64.sub (local.get 0) (i64.const 1)))
                  (call $fibo (i64.sub (local.get 0) (i64.const 2))))))))
        """

    /// The text after a name in JSON.
    private func member(_ name: String, of text: some StringProtocol) -> String? {
        let parts = text.split(separator: "\"\(name)\":\"", maxSplits: 1)
        return parts.count > 1 ? parts[1].split(separator: "\"").first.map { String($0) } : nil
    }

    @Test func anOrchestratorDeploysAChainOverTwoDevices() throws {
        let folder = try TemporaryFolder()
        let orchestrator = try ServerProcess(
            ["--data", folder.path + "/o", "--orchestrator", "127.0.0.1:0", "--no-mdns"],
            folder: folder,
            listen: nil, ready: "data in ")
        var devices: [ServerProcess] = []
        for name in ["kitchen", "garden"] {
            let file = try folder.write(
                "\(name).toml",
                Array("[supervisor]\nlisten = [\"127.0.0.1:0\"]\nname = \"\(name)\"\n".utf8))
            devices.append(
                try ServerProcess(
                    [
                        "--config", file, "--data", folder.path + "/\(name)",
                        "--supervisor-orchestrator", "http://127.0.0.1:\(orchestrator.port)",
                    ], folder: folder, listen: nil, ready: "data in "))
        }
        let wasm = try parseModule(Array(Self.fibo.utf8))
        for name in ["first", "second"] {
            var body = Array(
                """
                --bo\r\nContent-Disposition: form-data; name="name"\r\n\r\n\(name)\r\n\
                --bo\r\nContent-Disposition: form-data; name="functions"\r\n\r\n\
                {"fibo":{"method":"get","param0":"integer","output":"integer"}}\r\n\
                --bo\r\nContent-Disposition: form-data; name="wasm"; filename="f.wasm"\r\n\
                Content-Type: application/wasm\r\n\r\n
                """.utf8)
            body += wasm + Array("\r\n--bo--\r\n".utf8)
            let created = try orchestrator.exchange(
                "POST /file/module HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
                    + "Content-Type: multipart/form-data; boundary=bo\r\n"
                    + "Content-Length: \(body.count)\r\n\r\n", body)
            #expect(created.status == 201, "\(created.body)")
        }
        var ids: [String] = []
        for _ in 0..<200 {
            let list = try request(orchestrator, "GET", "/file/device").body
            ids = ["kitchen", "garden"].compactMap { name in
                let parts = list.split(separator: "\"name\":\"\(name)\"", maxSplits: 1)
                return parts.count > 1 ? member("_id", of: parts[1]) : nil
            }
            if ids.count == 2 { break }
            usleep(50_000)
        }
        try #require(ids.count == 2, "\(devices[0].messages)")
        let manifest = """
            {"name":"chain","sequence":[{"device":"\(ids[0])","module":"first","func":"fibo"},\
            {"device":"\(ids[1])","module":"second","func":"fibo"}]}
            """
        #expect(try request(orchestrator, "POST", "/file/manifest", manifest).status == 201)
        let deployed = try request(orchestrator, "POST", "/file/manifest/chain")
        #expect(deployed.status == 200, "\(deployed.body)")
        let result = try request(orchestrator, "POST", "/execute/chain", #"{"param0":"5"}"#)
        // fibo(5) is 8, and fibo(8) is 34.
        #expect(result.status == 200 && member("result", of: result.body) == "34", "\(result.body)")
        for device in devices {
            #expect(try request(device, "GET", "/request-history").body.contains(":fibo:1\""))
            device.signal(SIGTERM)
            #expect(device.end() == 0)
        }
    }

    @Test func operatorsSeeADevice() throws {
        let folder = try TemporaryFolder()
        let site = folder.path + "/site"
        mkdir(site, 0o700)
        mkdir(site + "/public", 0o700)
        _ = try folder.write("site/public/counter.wasm", parseModule(Array(Self.counter.utf8)))
        let files = try ServerProcess([site], folder: folder)
        let server = try ServerProcess(
            ["--data", folder.path + "/data", "--supervisor", "127.0.0.1:0", "--no-mdns"],
            folder: folder,
            listen: nil, ready: "data in ")
        let node = """
            {"deploymentId":"d","modules":[{"id":"0","name":"m","urls":{"binary":\
            "http://127.0.0.1:\(files.port)/counter.wasm","other":{}}}]}
            """
        #expect(try request(server, "POST", "/deploy", node).status == 200)
        #expect(try request(server, "GET", "/d/modules/m/next").status == 200)
        #expect(
            try request(server, "GET", "/openapi.json").body.contains("\"beginRun\""))
        let socket = "unix:" + folder.path + "/data/wasmd.sock"
        let runs = try wasmd("ctl", "runs", "--server", socket)
        #expect(runs.status == 0 && runs.output.contains("d/m"), "\(runs.output)\(runs.error)")
        server.signal(SIGTERM)
        #expect(server.end() == 0)
    }

    @Test func settingsOfADeviceAreChecked() throws {
        let folder = try TemporaryFolder()
        let good = """
            [supervisor]
            listen = ["127.0.0.1:0"]
            name = "kitchen"
            renewal = "15m"
            state = "always"
            run_time = "2s"
            call_time = "5s"
            instance_memory = "64MiB"
            instances = 10
            history = 1000
            right_statuses = true
            temperature = 21.5
            humidity = 40
            ping = false
            [supervisor.remote_functions.classify]
            url = "http://127.0.0.1:9/f"
            """
        let file = try folder.write("good.toml", Array(good.utf8))
        let checked = try wasmd("serve", "--check", file)
        #expect(checked.status == 0, "\(checked.error)")
        for (line, reason) in [
            ("instances = 0", "instances"), ("history = 10", "history"),
            ("state = \"often\"", "always, interval or never"), ("humidity = 200", "humidity"),
            ("instance_memory = \"lots\"", "size"), ("temprature = 3", "temperature"),
            ("[supervisor.remote_functions.x]", "url"),
        ] {
            let file = try folder.write("bad.toml", Array("[supervisor]\n\(line)\n".utf8))
            let refused = try wasmd("serve", "--check", file)
            #expect(
                refused.status != 0 && "\(refused.output)\(refused.error)".contains(reason),
                "\(line): \(refused.output)\(refused.error)")
        }
        let device = try folder.write(
            "device.toml",
            Array(
                """
                data = "\(folder.path)/data"
                [supervisor]
                listen = ["127.0.0.1:0"]
                description = "\(folder.path)/none.json"
                """.utf8))
        let missing = try wasmd("serve", "--config", device)
        #expect(missing.status == 1 && missing.error.contains("none.json"), "\(missing.error)")
    }
}
