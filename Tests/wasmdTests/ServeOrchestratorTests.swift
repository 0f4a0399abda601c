import Glibc
import Testing
import WasmText

/// `wasmd serve --orchestrator`, restricted by the kernel as by default.
@Suite struct ServeOrchestratorTests {
    private func request(
        _ server: ServerProcess, _ method: String, _ path: String, _ body: String = "",
        _ fields: String = ""
    ) throws -> ServerProcess.Answer {
        try server.exchange(
            "\(method) \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\(fields)"
                + "Content-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n",
            Array(body.utf8))
    }

    @Test func anInitFolderIsAddedAtTheStart() throws {
        let folder = try TemporaryFolder()
        for name in ["init", "init/module", "init/device", "init/files"] {
            mkdir(folder.path + "/" + name, 0o700)
        }
        let bytes = try parseModule(Array(#"(module (func (export "f")))"#.utf8))
        _ = try folder.write("init/files/f.wasm", bytes)
        _ = try folder.write(
            "init/module/m.json",
            Array(
                #"""
                {"_id":"68625a3144799bc88dfe2d69","name":"m","wasm":{"originalFilename":"f.wasm"}}
                """#.utf8))
        _ = try folder.write("init/device/d.json", Array(#"[{"name":"kitchen"}]"#.utf8))
        let arguments = [
            "--data", folder.path + "/data", "--orchestrator", "127.0.0.1:0",
            "--orchestrator-init", folder.path + "/init",
        ]
        let first = try ServerProcess(arguments, folder: folder, listen: nil, ready: "data in ")
        #expect(first.waits(for: "added 1 of module, 1 of device"), "\(first.messages)")
        let module = try request(first, "GET", "/file/module/m")
        #expect(module.body.contains(#""exports":[{"name":"f""#), "\(module.body)")
        // A page on loopback may change something, one from elsewhere may not.
        let page = try request(
            first, "DELETE", "/file/device/kitchen", "", "Origin: http://localhost:5173\r\n")
        #expect(page.status == 200, "\(page.body)")
        let foreign = try request(
            first, "DELETE", "/file/module", "", "Origin: http://gui.example\r\n")
        #expect(foreign.status == 403 && foreign.body.contains("errorText"))
        first.signal(SIGKILL)
        _ = first.end()
        let second = try ServerProcess(arguments, folder: folder, listen: nil, ready: "data in ")
        #expect(second.waits(for: "added 1 of device"))
        second.signal(SIGTERM)
        #expect(second.end() == 0)
    }
}
