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

    /// Whether the server has a device that listens on the port, within half a minute.
    private func knows(_ server: ServerProcess, _ device: ServerProcess) throws -> Bool {
        for _ in 0..<300 {
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

    /// The names of the devices in a list that are twins: other tests advertise devices as well.
    private func twins(_ list: String) -> [Substring] {
        list.split(separator: "{\"name\":\"").compactMap { $0.split(separator: "\"").first }
            .filter { $0.hasPrefix("twin") }.sorted()
    }

    /// Two devices that were given the same name are two devices, each at its own address.
    @Test func devicesOfTheSameNameAreTold() throws {
        let folder = try TemporaryFolder()
        let orchestrator = try serve(folder, "o", "--orchestrator", "127.0.0.1:0")
        let url = "http://127.0.0.1:\(orchestrator.port)"
        let file = try folder.write(
            "twin.toml",
            Array(
                "[supervisor]\nlisten = [\"127.0.0.1:0\"]\nname = \"twin\"\norchestrator = \"\(url)\"\n"
                    .utf8))
        let one = try serve(folder, "a", "--config", file)
        #expect(try knows(orchestrator, one))
        let other = try serve(folder, "b", "--config", file)
        #expect(try knows(orchestrator, other))
        // Until the second one has its other name everywhere.
        for _ in 0..<300 {
            let list = try devices(orchestrator)
            if twins(list) == ["twin", "twin-2"], other.messages.contains("twin-2") { break }
            usleep(100_000)
        }
        // What was on its way then adds nothing.
        usleep(1_000_000)
        let list = try devices(orchestrator)
        #expect(twins(list) == ["twin", "twin-2"], "\(list)")
        for (name, server) in [("twin", one), ("twin-2", other)] {
            let device = list.components(after: "\"name\":\"\(name)\"")
            #expect(device?.contains("\"port\":\(server.port)}") == true, "\(list)")
        }
        #expect(other.messages.contains("twin-2"))
        for server in [orchestrator, one, other] {
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

extension String {
    /// The text from the first occurrence of another one to the next document of a list.
    fileprivate func components(after text: String) -> Substring? {
        let parts = split(separator: text, maxSplits: 1, omittingEmptySubsequences: false)
        return parts.count > 1 ? parts[1].split(separator: "\"description\"").first : nil
    }
}
