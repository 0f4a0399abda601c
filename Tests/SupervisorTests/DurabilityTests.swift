import Glibc
import Synchronization
import Testing
import WasmdDocuments
import WasmdHTTP
import WasmdSupervisor

@Suite struct DurabilityTests {
    private static func folder() -> [UInt8] {
        Array("/tmp/wasmd-supervisor-\(UInt64.random(in: 0...UInt64.max))".utf8)
    }

    private static func counter() throws -> SupervisorHouse.Part {
        .init(
            name: "counter", wasm: try module(statefulText),
            functions: [.init(name: "stateful_fibo")])
    }

    /// What a process that is killed leaves is what is in the folder at that moment.
    private static func copy(_ folder: [UInt8], to other: [UInt8]) {
        let (from, to) = (
            String(decoding: folder, as: UTF8.self), String(decoding: other, as: UTF8.self)
        )
        _ = system("cp -r '\(from)' '\(to)'")
    }

    @Test(arguments: [Supervisor.StateSaving.always, .interval])
    func deploymentsHistoryAndStateSurviveTheProcess(_ state: Supervisor.StateSaving) throws {
        var options = Supervisor.Options()
        options.state = state
        let (folder, copy) = (Self.folder(), Self.folder())
        defer { for path in [folder, copy] { removeFolder(path) } }
        try SupervisorHouse.open(options, folder: folder) { house in
            try await house.deploy("d", [try Self.counter()])
            try await house.deploy("gone", [try Self.counter()])
            for _ in 0..<4 {
                let saves = house.supervisor.statistics.saves
                _ = try await house.run("/d/modules/counter/stateful_fibo")
                // Before the next run, so that the last save is surely that of the last run.
                for _ in 0..<3000
                where state == .interval && house.supervisor.statistics.saves == saves {
                    try await house.loop.sleep(for: .milliseconds(10))
                }
            }
            _ = try await house.run("/d/modules/counter/none")
            _ = try await house.run("/gone/modules/counter/stateful_fibo")
            #expect(try await house.send(.delete, "/deploy/gone").status == 200)
            let answer = try await house.send(
                .post, "/register", json: .object([.init("url", "http://127.0.0.1:9/")]))
            #expect(answer.status == 200)
            Self.copy(folder, to: copy)
        }
        try SupervisorHouse.open(options, folder: copy) { house in
            #expect(house.supervisor.damage.isEmpty)
            let list = try await house.send(.get, "/deploy")
            #expect(list.json["deployments"]?.arrayValue?.count == 1)
            #expect(list.json["deployments"]?[0]?["deploymentId"] == "d")
            let history = try await house.send(.get, "/request-history")
            #expect(
                history.json.arrayValue?.map { $0["request_id"] } == [
                    "d:counter:stateful_fibo:1", "d:counter:stateful_fibo:2",
                    "d:counter:stateful_fibo:3", "d:counter:stateful_fibo:4",
                    "d:counter:none:1", "gone:counter:stateful_fibo:1",
                ])
            let old = try await house.send(.get, "/request-history/d:counter:stateful_fibo:4")
            #expect(old.status == 200 && old.json["result"] == "5", "\(old.text)")
            #expect(
                try await house.send(.get, "/health").field("custom-orchestrator-set") == "true")
            // The modules were fetched before.
            house.files.contents.withLock { $0 = [:] }
            let entry = try await house.run("/d/modules/counter/stateful_fibo")
            #expect(entry.json["result"] == "8", "\(entry.text)")
            #expect(entry.json["request_id"] == "d:counter:stateful_fibo:5")
            let other = try await house.run("/d/modules/counter/none")
            #expect(other.json["request_id"] == "d:counter:none:2")
            #expect(
                try await house.send(.get, "/gone/modules/counter/stateful_fibo").status == 404)
        }
    }

    /// A server that stops does not wait for the next save by itself.
    @Test func whatRunsHaveChangedIsSavedAtTheEnd() throws {
        let folder = Self.folder()
        defer { removeFolder(folder) }
        try SupervisorHouse.open(folder: folder) { house in
            try await house.deploy("d", [try Self.counter()])
            try await house.deploy("held", [try Self.counter()])
            for id in ["d", "held"] {
                for _ in 0..<4 { _ = try await house.run("/\(id)/modules/counter/stateful_fibo") }
            }
            let state = "/deploy/held/modules/counter/state?hold=60"
            #expect(try await house.send(.get, state).status == 200)
            await house.supervisor.finish(on: house.loop)
        }
        try SupervisorHouse.open(folder: folder) { house in
            for id in ["d", "held"] {
                let entry = try await house.run("/\(id)/modules/counter/stateful_fibo")
                #expect(entry.json["result"] == "8", "\(entry.text)")
            }
        }
    }

    @Test func deployingAgainDiscardsTheStoredState() throws {
        var options = Supervisor.Options()
        options.state = .always
        let folder = Self.folder()
        defer { removeFolder(folder) }
        try SupervisorHouse.open(options, folder: folder) { house in
            try await house.deploy("d", [try Self.counter()])
            for _ in 0..<4 { _ = try await house.run("/d/modules/counter/stateful_fibo") }
            try await house.deploy("d", [try Self.counter()])
        }
        try SupervisorHouse.open(options, folder: folder) { house in
            let entry = try await house.run("/d/modules/counter/stateful_fibo")
            #expect(entry.json["result"] == "1")
        }
    }

    @Test func outputFilesAndDataFilesSurviveTheProcess() throws {
        let folder = Self.folder()
        defer { removeFolder(folder) }
        var options = Supervisor.Options()
        options.skills.image = Array("JPEG".utf8)
        let data = [UInt8](repeating: 7, count: 40_000)
        try SupervisorHouse.open(options, folder: folder) { house in
            try await house.deploy(
                "d",
                [
                    .init(
                        name: "cam", wasm: try module(cameraText),
                        functions: [
                            .init(
                                name: "take_image_predefined_path", output: "image/jpeg",
                                mounts: [("image.jpeg", "image/jpeg", "output")])
                        ]),
                    .init(
                        name: "files", wasm: try module(fileText),
                        functions: [
                            .init(
                                name: "size",
                                mounts: [("data", "application/octet-stream", "deployment")])
                        ], files: [("data", data)]),
                ])
            let entry = try await house.run("/d/modules/cam/take_image_predefined_path")
            #expect(entry.status == 200, "\(entry.text)")
        }
        try SupervisorHouse.open(options, folder: folder) { house in
            let file = try await house.send(.get, "/module_results/cam/image.jpeg")
            #expect(file.status == 200 && file.bytes.count == 921_600)
            #expect(file.bytes.starts(with: "JPEG".utf8))
            let entry = try await house.run("/d/modules/files/size")
            #expect(entry.json["result"] == "40000", "\(entry.text)")
            #expect(try await house.send(.delete, "/deploy/d").status == 200)
            #expect(try await house.send(.get, "/module_results/cam/image.jpeg").status == 500)
        }
    }

    @Test func theHistoryIsBoundedAndKeepsTheNewest() throws {
        var options = Supervisor.Options()
        options.historyLimit = 1000
        let folder = Self.folder()
        defer { removeFolder(folder) }
        try SupervisorHouse.open(options, folder: folder) { house in
            try await house.deploy("d", [try Self.counter()])
            for _ in 0..<1020 {
                _ = try await house.send(.get, "/d/modules/counter/none")
            }
            #expect(house.supervisor.history.count == 1000)
            #expect(
                try await house.send(.get, "/request-history/d:counter:none:20").status == 404)
        }
        try SupervisorHouse.open(options, folder: folder) { house in
            let all = house.supervisor.history.all
            #expect(all.count == 1000)
            #expect(all.first?.id == "d:counter:none:21" && all.last?.id == "d:counter:none:1020")
        }
    }

    /// Names that are the same once malformed UTF-8 is repaired, and documents as deep as are read.
    @Test func entriesAndNodesOfAnyShapeSurviveTheProcess() throws {
        let folder = Self.folder()
        defer { removeFolder(folder) }
        let type = #"{"type":"integer"}"#
        let json = [("Content-Type", "application/json")]
        let known = Mutex(0)
        try SupervisorHouse.open(folder: folder) { house in
            try await house.deploy("d", [try Self.counter()])
            let path = "/d/modules/counter/stateful_fibo"
            #expect(try await house.send(.get, path + "?%ff=1&%fe=2").status == 200)
            #expect(try await house.send(.get, path + "?a=%ff").status == 200)
            #expect(try await house.send(.get, path + "?a%00=1").status == 400)
            for depth in 110...128 {
                let node = String(
                    decoding: JSONWriter.write(house.node("n\(depth)", [try Self.counter()])),
                    as: UTF8.self)
                let schema =
                    String(repeating: #"{"a":"#, count: depth) + type
                    + String(repeating: "}", count: depth)
                let text = node.replacing(type, with: schema)
                let answer = try await house.send(.post, "/deploy", Array(text.utf8), json)
                if answer.json["status"] == "success" { known.withLock { $0 += 1 } }
            }
            let count = known.withLock { $0 }
            #expect(count > 5 && count < 19)
        }
        try SupervisorHouse.open(folder: folder) { house in
            #expect(house.supervisor.damage.isEmpty)
            let history = try await house.send(.get, "/request-history")
            #expect(history.json.arrayValue?.count == 2, "\(history.text)")
            let list = try await house.send(.get, "/deploy")
            let count = known.withLock { $0 }
            // The list is deeper than readers of JSON go here.
            #expect(list.text.split(separator: "\"deploymentId\":").count == count + 2)
        }
    }

    @Test func functionsOfAllDeploymentsAreBounded() throws {
        let folder = Array("/tmp/wasmd-supervisor-\(UInt64.random(in: 0...UInt64.max))".utf8)
        defer { removeFolder(folder) }
        var options = Supervisor.Options()
        options.functionLimit = 2
        try SupervisorHouse.open(options, folder: folder) { house in
            try await house.deploy("d", [try Self.counter()])
            try await house.deploy("e", [try Self.counter()])
            // In the place of one with the same id.
            try await house.deploy("e", [try Self.counter()])
            let refused = try await house.send(
                .post, "/deploy", json: house.node("f", [try Self.counter()]))
            #expect(refused.status == 503, "\(refused.text)")
            let reason = refused.json["error"]?.stringValue ?? ""
            #expect(reason == "all deployments together may have 2 functions")
            #expect(try await house.send(.delete, "/deploy/d").status == 200)
            try await house.deploy("f", [try Self.counter()])
        }
        options.functionLimit = 1
        try SupervisorHouse.open(options, folder: folder) { house in
            let damage = house.supervisor.damage
            #expect(damage.count == 1 && damage[0].contains("has no room"), "\(damage)")
            let list = try await house.send(.get, "/deploy").json["deployments"]
            #expect(list?.arrayValue?.count == 1)
        }
        options.functionLimit = 2
        options.nodeTotalLimit = 1
        try SupervisorHouse.open(options, folder: folder) { house in
            #expect(house.supervisor.damage.count == 2)
            let refused = try await house.send(
                .post, "/deploy", json: house.node("g", [try Self.counter()]))
            #expect(refused.status == 503)
        }
        try SupervisorHouse.open(folder: folder) { house in
            #expect(house.supervisor.damage.isEmpty && house.supervisor.deployments.count == 2)
        }
    }
}
