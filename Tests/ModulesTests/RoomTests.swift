import Synchronization
import Testing
import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP

@testable import WasmdModules

/// What documents take in memory is bounded, also after a restart.
@Suite struct RoomTests {
    /// What a server has told, for the test after it.
    private final class Notes: Sendable {
        let lines = Mutex<[String]>([])
        let count = Mutex(0)
    }

    private static func options(_ bytes: Int) -> Orchestrator.Options {
        var options = OrchestrationTests.options
        options.documentMemory = bytes
        return options
    }

    private static let text = String(repeating: "x", count: 1000)

    private static func card(_ number: Int) -> String {
        #"{"asset":[{"title":"\#(text)","uid":"n\#(number)","relation":[]}]}"#
    }

    @Test func cardsBeyondTheRoomAreRefused() throws {
        let folder = ModulesHouse.newFolder()
        defer { removeFolder(folder) }
        let notes = Notes()
        try ModulesHouse.open(Self.options(128 << 10), folder: folder) { house in
            var refused: Answer?
            var count = 0
            while refused == nil, count < 200 {
                let answer = try await house.send(.post, "/nodeCards", json: Self.card(count))
                if answer.status == 200 { count += 1 } else { refused = answer }
            }
            #expect(refused?.status == 507 && count > 10)
            #expect(refused?.json["errorText"] == "the store is full")
            let reason = refused?.json["error"]?.stringValue ?? ""
            #expect(reason.contains("'nodeCards'") && reason.contains("131072"), "\(reason)")
            #expect(try await house.send(.get, "/nodeCards").json.arrayValue?.count == count)
            // Other kinds have room of their own.
            let source = #"{"asset":[{"title":"t","uid":"u","relation":[]}]}"#
            #expect(try await house.send(.post, "/dataSourceCards", json: source).status == 200)
            #expect(
                try await house.send(.delete, "/nodeCards/n0").json["deletedCount"] == .integer(1))
            #expect(
                try await house.send(.post, "/nodeCards", json: Self.card(1000)).status == 200)
            let large =
                #"{"asset":[{"title":"\#(String(repeating: "x", count: 140 << 10))"}]}"#
            #expect(try await house.send(.post, "/nodeCards", json: large).status == 413)
            notes.count.withLock { $0 = count }
        }
        var options = Self.options(32 << 10)
        options.report = { line in notes.lines.withLock { $0.append(line) } }
        let count = notes.count.withLock { $0 }
        // With less room the server starts all the same, with the oldest ones.
        try ModulesHouse.open(options, folder: folder) { house in
            try await house.orchestrator.start(
                port: house.port, address: "127.0.0.1", on: house.loop)
            let cards = try await house.send(.get, "/nodeCards").json.arrayValue ?? []
            #expect(!cards.isEmpty && cards.count < count)
            #expect(cards.first?["nodeid"] == "n1")
            #expect(
                notes.lines.withLock { lines in
                    lines.contains { $0.contains("documents of 'nodecards' have no room") }
                })
            #expect(
                try await house.send(.delete, "/nodeCards").json["deletedCount"]
                    == .integer(Int64(count)))
        }
        try ModulesHouse.open(folder: folder) { house in
            let cards = try await house.send(.get, "/nodeCards").json
            #expect(cards == .array([]))
        }
    }

    private static func numbers(_ house: ModulesHouse) async throws -> [Int64] {
        let logs = try await house.send(.get, "/device/logs").json.arrayValue ?? []
        return logs.compactMap { $0["n"]?.integerValue }
    }

    private static func post(_ number: Int, _ house: ModulesHouse) async throws {
        let answer = try await house.send(
            .post, "/device/logs",
            json: #"{"logData":{"n":\#(number),"a":[[0],[0]],"text":"\#(text)"}}"#)
        #expect(answer.status == 200, "\(answer.text)")
    }

    @Test func theOldestLogsGo() throws {
        let folder = ModulesHouse.newFolder()
        defer { removeFolder(folder) }
        try ModulesHouse.open(Self.options(32 << 10), folder: folder) { house in
            for number in 0..<40 { try await Self.post(number, house) }
            let kept = try await Self.numbers(house)
            #expect(kept.count > 5 && kept.count < 33, "\(kept)")
            #expect(kept == Array(Int64(40 - kept.count)..<40))
            let large = #"{"logData":{"text":"\#(String(repeating: "x", count: 40 << 10))"}}"#
            let refused = try await house.send(.post, "/device/logs", json: large)
            #expect(refused.status == 413)
            #expect(try await Self.numbers(house) == kept)
        }
        // With less room the newest ones are read, and the others go.
        try ModulesHouse.open(Self.options(8 << 10), folder: folder) { house in
            let kept = try await Self.numbers(house)
            #expect(!kept.isEmpty && kept.count < 9 && kept.last == 39, "\(kept)")
            try await Self.post(40, house)
            let later = try await Self.numbers(house)
            #expect(later.last == 40 && later.count <= kept.count + 1)
        }
        try ModulesHouse.open(folder: folder) { house in
            let kept = try await Self.numbers(house)
            #expect(kept.count < 10 && kept.last == 40, "\(kept)")
        }
    }

    @Test func longListsAreSentInPieces() throws {
        try ModulesHouse.open { house in
            let text = String(repeating: "y", count: 30_000)
            for number in 0..<8 {
                let log = #"{"logData":{"n":\#(number),"text":"\#(text)"}}"#
                #expect(try await house.send(.post, "/device/logs", json: log).status == 200)
            }
            let answer = try await house.send(.get, "/device/logs")
            #expect(answer.status == 200 && answer.field("content-length") == nil)
            let logs = answer.json.arrayValue ?? []
            #expect(logs.compactMap { $0["n"]?.integerValue } == Array(0..<8))
            #expect(logs.allSatisfy { $0["text"]?.stringValue == text })
            let head = try await house.send(.head, "/device/logs")
            #expect(head.status == 200 && head.bytes.isEmpty)
            let few = try await house.send(.get, "/device/logs?after=2200-01-01T00:00:00Z")
            #expect(few.json == .array([]) && few.field("content-length") == "2")
        }
    }

    @Test func zonesAreReplacedByTheirNames() throws {
        try ModulesHouse.open { house in
            func post(_ zones: [String], _ level: String) async throws -> Answer {
                let names = zones.map { "\"\($0)\"" }.joined(separator: ",")
                return try await house.send(
                    .post, "/zoneRiskLevels",
                    json: """
                        {"permission":[{"target":"\(level)","constraint":[
                         {"leftOperand":"zone","rightOperand":[\(names)]}]}]}
                        """)
            }
            let zones = (0..<40).map { "z\($0)" }
            #expect(try await post(zones, "low").status == 200)
            #expect(try await post(Array(zones[10..<20]), "high").status == 200)
            let stored = try await house.send(.get, "/zoneRiskLevels").json.arrayValue ?? []
            #expect(stored.count == 41)
            let high = stored.filter { $0["allowedRiskLevels"]?[0] == "high" }
            #expect(high.compactMap { $0["zone"]?.stringValue } == Array(zones[10..<20]))
            let many = try await post((0...10_000).map { "\($0)" }, "low")
            #expect(many.status == 413, "\(many.text)")
            // A level is written once for each of its zones.
            let long = try await post(
                (0..<50).map { "\($0)" }, String(repeating: "x", count: 100_000))
            #expect(long.status == 413)
            #expect(
                try await house.send(.get, "/zoneRiskLevels").json.arrayValue?.count == 41)
        }
    }

    /// A description of functions whose names have 200 bytes and a number.
    private static func description(_ count: Int) -> Document {
        let name = String(repeating: "f", count: 200)
        let names = (0..<count).map { Document.string("\(name)\($0)") }
        return .object([.init("supervisorInterfaces", .array(names))])
    }

    @Test func descriptionsHaveRoom() throws {
        try ModulesHouse.open(Self.options(64 << 10)) { house in
            try await house.orchestrator.start(
                port: house.port, address: "127.0.0.1", on: house.loop)
            func description(_ name: String) async throws -> Document {
                try await house.send(.get, "/file/device/\(name)").json["description"] ?? .null
            }
            for name in ["first", "second"] {
                let made = try await FakeSupervisor.start(
                    on: house.loop, description: Self.description(200))
                _ = try await house.register(name, made)
            }
            #expect(try await description("first") == Self.description(200))
            let reason = try await description("second")["error"]?.stringValue ?? ""
            #expect(reason.contains("all together 65536"), "\(reason)")
            // What the first one had is free again.
            #expect(try await house.send(.delete, "/file/device/first").status == 200)
            let third = try await FakeSupervisor.start(
                on: house.loop, description: Self.description(200))
            _ = try await house.register("third", third)
            #expect(try await description("third") == Self.description(200))
        }
    }

    @Test func whatADeviceSaysIsBounded() throws {
        try ModulesHouse.open(OrchestrationTests.options) { house in
            try await house.orchestrator.start(
                port: house.port, address: "127.0.0.1", on: house.loop)
            let numbers = Document.array([Document](repeating: .integer(1), count: 3000))
            let large = try await FakeSupervisor.start(
                on: house.loop, description: Self.description(4500),
                health: .object([.init("numbers", numbers)]))
            _ = try await house.register("large", large)
            let device = try await house.send(.get, "/file/device/large").json
            let reason = device["description"]?["error"]?.stringValue ?? ""
            #expect(reason.contains("one may take 1048576"), "\(reason)")
            #expect(device["health"]?["report"] == .null)
            let name = String(repeating: "n", count: 256)
            let addresses = (0..<65).map { "\"10.0.0.\($0)\"" }.joined(separator: ",")
            for registration in [
                #"{"name":"\#(name)","port":9,"addresses":["127.0.0.1"]}"#,
                #"{"name":"d","port":9,"addresses":[\#(addresses)]}"#,
                #"{"name":"d","port":9,"addresses":["\#(name)"]}"#,
            ] {
                let refused = try await house.send(
                    .post, "/file/device/discovery/register", json: registration)
                #expect(refused.status == 400, "\(refused.text)")
                let error = refused.json["error"]?.stringValue ?? ""
                #expect(error.contains("at most"), "\(error)")
            }
        }
    }

    /// An archive of one file with cards.
    private static func archive(_ count: Int) throws -> [UInt8] {
        let cards = (0..<count).map { #"{"name":"n\#($0)","nodeid":"\#(text)"}"# }
        let bytes = Array("[\(cards.joined(separator: ","))]".utf8)
        let header = try #require(
            TarHeader.block(Array("nodecards/all.json".utf8), size: bytes.count, seconds: 0))
        return header + bytes + TarHeader.padding(bytes.count) + TarHeader.end
    }

    @Test func importsHaveRoom() throws {
        try ModulesHouse.open(Self.options(32 << 10)) { house in
            func add(_ count: Int) async throws -> Answer {
                try await house.send(
                    .post, "/import", Self.archive(count), [("Content-Type", "application/x-tar")])
            }
            // All of it would be in memory before anything is stored.
            let huge = try await add(300)
            #expect(huge.status == 413 && huge.json["errorText"] == "the import is too large")
            let large = try await add(50)
            #expect(large.status == 507, "\(large.text)")
            #expect(try await house.send(.get, "/nodeCards").json == .array([]))
            for _ in 0..<2 {
                let answer = try await add(10)
                #expect(answer.status == 200 && answer.json["nodecards"] == .integer(10))
                // Those without an id replace the ones of their names.
                let cards = try await house.send(.get, "/nodeCards").json.arrayValue ?? []
                #expect(cards.compactMap { $0["name"]?.stringValue } == (0..<10).map { "n\($0)" })
            }
        }
    }
}
