import Glibc
import Testing

/// `wasmd serve` and the local network, restricted by the kernel as by default.
@Suite struct ServeDiscoveryTests {
    private func devices(_ server: ServerProcess) throws -> String {
        try server.exchange(
            "GET /file/device HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
        ).body
    }

    private func serve(
        _ folder: TemporaryFolder, _ name: String, _ arguments: String...
    ) throws -> ServerProcess {
        try ServerProcess(
            ["--data", folder.path + "/" + name] + arguments, folder: folder, listen: nil,
            ready: "data in ")
    }

    /// Whether the server has a device that listens on the port, within ten seconds.
    private func knows(_ server: ServerProcess, _ device: ServerProcess) throws -> Bool {
        for _ in 0..<100 {
            if try devices(server).contains("\"port\":\(device.port)") { return true }
            usleep(100_000)
        }
        return false
    }

    @Test func anOrchestratorFindsASupervisor() throws {
        let folder = try TemporaryFolder()
        let orchestrator = try serve(folder, "o", "--orchestrator", "127.0.0.1:0")
        let supervisor = try serve(folder, "s", "--supervisor", "127.0.0.1:0")
        let isFound = try knows(orchestrator, supervisor)
        #expect(isFound, "\(orchestrator.messages)")
        for server in [orchestrator, supervisor] {
            server.signal(SIGTERM)
            #expect(server.end() == 0)
        }
    }

    @Test func withoutMulticastNothingIsFound() throws {
        let folder = try TemporaryFolder()
        let orchestrator = try serve(folder, "o", "--orchestrator", "127.0.0.1:0", "--no-mdns")
        let supervisor = try serve(folder, "s", "--supervisor", "127.0.0.1:0")
        usleep(3_000_000)
        let known = try devices(orchestrator)
        #expect(!known.contains("\"port\":\(supervisor.port)"))
        #expect(known.contains("\"orchestrator\""))
        for server in [orchestrator, supervisor] {
            server.signal(SIGTERM)
            #expect(server.end() == 0)
        }
    }
}
