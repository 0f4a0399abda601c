import Testing
import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdModules

extension ModulesHouse {
    /// With a module `m`, described, and supervisors of the given names.
    static func openWithDevices(
        _ names: [String], options: Orchestrator.Options = OrchestrationTests.options,
        _ body: @escaping @Sendable (ModulesHouse, [FakeSupervisor], [String]) async throws -> Void
    ) throws {
        try ModulesHouse.open(options) { house in
            try await house.orchestrator.start(
                port: house.port, address: "127.0.0.1", on: house.loop)
            _ = try await house.create("m", try module(fibo))
            let described = try await house.send(
                .post, "/file/module/m/upload",
                json: #"{"fibo":{"method":"get","param0":"integer","output":"integer"}}"#)
            #expect(described.status == 200)
            var supervisors: [FakeSupervisor] = []
            var ids: [String] = []
            for name in names {
                let made = try await FakeSupervisor.start(
                    on: house.loop, description: OrchestrationTests.description)
                supervisors.append(made)
                ids.append(try await house.register(name, made))
            }
            try await body(house, supervisors, ids)
        }
    }

    /// Creates and deploys a deployment `d`; its id.
    func deploy(_ steps: String, more: String = "") async throws -> String {
        let made = try await send(
            .post, "/file/manifest", json: #"{"name":"d","sequence":[\#(steps)]\#(more)}"#)
        #expect(made.status == 201, "\(made.text)")
        let id = try #require(made.json.stringValue)
        let deployed = try await send(.post, "/file/manifest/\(id)")
        #expect(deployed.status == 200, "\(deployed.text)")
        return id
    }
}
