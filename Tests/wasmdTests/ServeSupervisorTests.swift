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
        }
        // The site is no orchestrator, which is said.
        #expect(first.waits(for: "the orchestrator refused the registration: 404"))
        usleep(1_200_000)
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
}
