import Testing
import WasmdDocuments
import WasmdHTTP
import WasmdStorage

@testable import WasmdSupervisor

/// The numbers of runs, which are kept by the name of the function.
@Suite struct CountTests {
    private static func counts(_ house: SupervisorHouse) -> Int {
        house.supervisor.store.snapshot().keys(prefix: RecordKey.counts).count
    }

    private static func part() throws -> SupervisorHouse.Part {
        .init(
            name: "counter", wasm: try module(statefulText),
            functions: [.init(name: "stateful_fibo")])
    }

    /// An older node does not say which functions there are: the module does.
    @Test func namesThatClientsChooseAreNotKept() throws {
        let folder = Array("/tmp/wasmd-supervisor-\(UInt64.random(in: 0...UInt64.max))".utf8)
        defer { removeFolder(folder) }
        try SupervisorHouse.open(folder: folder) { house in
            let node = Document.object(
                (house.node("d", [try Self.part()]).objectValue ?? []).filter {
                    $0.name == "deploymentId" || $0.name == "modules"
                })
            #expect(try await house.send(.post, "/deploy", json: node).status == 200)
            for number in 0..<20 {
                let entry = try await house.run("/d/modules/counter/none\(number)")
                #expect(entry.json["success"] == false)
                #expect(entry.json["request_id"] == .string("d:counter:none\(number):1"))
            }
            // A memory is no function.
            #expect(try await house.run("/d/modules/counter/memory").json["success"] == false)
            #expect(Self.counts(house) == 0)
            for number in 1...3 {
                let entry = try await house.run("/d/modules/counter/stateful_fibo")
                let id = "d:counter:stateful_fibo:\(number)"
                #expect(entry.json["request_id"] == .string(id), "\(entry.text)")
                #expect(Self.counts(house) == 1)
            }
        }
        try SupervisorHouse.open(folder: folder) { house in
            let entry = try await house.run("/d/modules/counter/stateful_fibo")
            #expect(entry.json["request_id"] == "d:counter:stateful_fibo:4", "\(entry.text)")
            #expect(Self.counts(house) == 1)
        }
    }

    /// They go with the deployment and the last entry, whichever goes last.
    @Test func numbersOfDeploymentsThatAreGoneAreForgotten() throws {
        var options = Supervisor.Options()
        options.historyLimit = 1000
        try SupervisorHouse.open(options) { house in
            for id in ["d", "e"] {
                try await house.deploy(id, [try Self.part()])
                _ = try await house.run("/\(id)/modules/counter/stateful_fibo")
            }
            #expect(try await house.send(.delete, "/deploy/d").status == 200)
            #expect(Self.counts(house) == 2)
            for _ in 0..<1000 { _ = try await house.send(.get, "/e/modules/counter/none") }
            let history = house.supervisor.history
            #expect(history["d:counter:stateful_fibo:1"] == nil)
            #expect(history["e:counter:stateful_fibo:1"] == nil)
            #expect(Self.counts(house) == 1)
            // Those of a deployment that is there go on.
            let next = try await house.run("/e/modules/counter/stateful_fibo")
            #expect(next.json["request_id"] == "e:counter:stateful_fibo:2", "\(next.text)")
            for _ in 0..<1000 { _ = try await house.send(.get, "/e/modules/counter/none") }
            #expect(try await house.send(.delete, "/deploy/e").status == 200)
            #expect(Self.counts(house) == 0)
            try await house.deploy("e", [try Self.part()])
            let first = try await house.run("/e/modules/counter/stateful_fibo")
            #expect(first.json["request_id"] == "e:counter:stateful_fibo:1", "\(first.text)")
        }
    }
}
