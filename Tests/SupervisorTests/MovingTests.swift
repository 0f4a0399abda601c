import Glibc
import Testing
import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdSupervisor

/// Instances that move to another device, and those that are released because there are many.
@Suite struct MovingTests {
    private static func counter(_ name: String = "counter") throws -> SupervisorHouse.Part {
        .init(
            name: name, wasm: try module(statefulText),
            functions: [.init(name: "stateful_fibo")])
    }

    private static let state = "/deploy/d/modules/counter/state"
    private static let release = "/deploy/d/modules/counter/release"
    private static let run = "/d/modules/counter/stateful_fibo"

    @Test func anInstanceMovesWithItsState() throws {
        try SupervisorHouse.open { source in
            try await source.deploy("d", [try Self.counter()])
            #expect(try await source.send(.get, Self.state).status == 204)
            for _ in 0..<4 { _ = try await source.run(Self.run) }
            let free = try await source.send(.get, Self.state)
            #expect(free.status == 200 && free.field("module-digest")?.count == 72)
            // Nothing is held.
            #expect(try await source.run(Self.run).json["result"] == "8")
            #expect(try await source.send(.post, Self.release).status == 409)
            #expect(try await source.send(.get, Self.state + "?hold=0").status == 400)
            let given = try await source.send(.get, Self.state + "?hold=30")
            #expect(given.status == 200, "\(given.text)")
            #expect(try await source.send(.get, Self.state).status == 409)
            // This run waits.
            let waiting = try await source.send(.post, Self.run)
            #expect(waiting.json["result"] == nil)
            // The same process takes the part of the other device, as another deployment would not
            // have the digest: a second deployment of the same module.
            try await source.deploy("e", [try Self.counter()])
            let taken = try await source.send(.put, "/deploy/e/modules/counter/state", given.bytes)
            #expect(taken.status == 200, "\(taken.text)")
            #expect(
                try await source.run("/e/modules/counter/stateful_fibo").json["result"] == "13")
            #expect(
                try await source.send(
                    .post, Self.release, json: .object([.init("to", "nonsense")])
                ).status == 400)
            #expect(try await source.send(.post, Self.release).status == 200)
            #expect(try await source.entry(of: waiting).json["result"] == "13")
        }
    }

    /// Twice such a setting is no number of 64 bits.
    @Test func limitsThatAreVeryLarge() throws {
        var options = Supervisor.Options()
        options.instanceMemory = 1 << 63
        try SupervisorHouse.open(options) { house in
            try await house.deploy("d", [try Self.counter()])
            for _ in 0..<4 { _ = try await house.run(Self.run) }
            #expect(try await house.run(Self.run).json["result"] == "8")
        }
        options.limits.memory = 1 << 62
        try SupervisorHouse.open(options) { house in
            try await house.deploy("d", [try Self.counter()])
            let bytes = [UInt8](repeating: 0, count: 2 << 20)
            let refused = try await house.send(.put, Self.state, bytes)
            #expect(refused.status == 400, "\(refused.text)")
        }
    }

    @Test func runsFollowTheInstance() throws {
        let folder = Array("/tmp/wasmd-supervisor-\(UInt64.random(in: 0...UInt64.max))".utf8)
        defer { removeFolder(folder) }
        try SupervisorHouse.open(folder: folder) { source in
            try await source.deploy("d", [try Self.counter()])
            _ = try await source.run(Self.run)
            #expect(try await source.send(.get, Self.state + "?hold=30").status == 200)
            let waiting = try await source.send(.post, Self.run)
            source.files.answer.withLock { $0 = (200, #"{"result":"elsewhere"}"#) }
            let url = Document.string("http://127.0.0.1:\(source.filePort)/")
            #expect(
                try await source.send(.post, Self.release, json: .object([.init("to", url)]))
                    .status == 200)
            // Sent again, since its answer was lost; to another device it is refused.
            #expect(
                try await source.send(.post, Self.release, json: .object([.init("to", url)]))
                    .status == 200)
            let other = Document.object([.init("to", "http://127.0.0.1:9/")])
            #expect(try await source.send(.post, Self.release, json: other).status == 409)
            #expect(try await source.entry(of: waiting).json["result"] == "elsewhere")
            #expect(try await source.run(Self.run + "?x=1").json["result"] == "elsewhere")
            let sent = source.files.requests.withLock { $0.map(\.target) }
            #expect(sent.contains(Self.run) && sent.contains(Self.run + "?x=1"), "\(sent)")
            #expect(source.supervisor.statistics.moves == 1)
        }
        // A restart does not forget it.
        try SupervisorHouse.open(folder: folder) { source in
            let entry = try await source.run(Self.run)
            #expect(
                entry.json["result"]?.stringValue?.contains("HTTPConnectionPool") == true
                    || entry.json["success"] == false, "\(entry.text)")
            let refused = try await source.send(.get, Self.state)
            // An orchestrator that tries a move again knows it by this reason.
            #expect(
                refused.status == 409
                    && refused.json["result"] == "the instance has moved to another device",
                "\(refused.text)")
            // Deployed again, it begins anew.
            try await source.deploy("d", [try Self.counter()])
            #expect(try await source.run(Self.run).json["result"] == "1")
        }
    }

    @Test func statesThatCannotBeAreRefused() throws {
        try SupervisorHouse.open { house in
            try await house.deploy("d", [try Self.counter()])
            _ = try await house.run(Self.run)
            let good = try await house.send(.get, Self.state).bytes
            try await house.deploy(
                "other",
                [
                    .init(
                        name: "m", wasm: try module(fiboText),
                        functions: [.init(name: "fibo", parameters: ["param0"])])
                ])
            let other = try await house.send(.put, "/deploy/other/modules/m/state", good)
            #expect(other.status == 409 && other.text.contains("another module"), "\(other.text)")
            #expect(try await house.send(.put, "/deploy/none/modules/m/state", good).status == 404)
            for index in stride(from: 0, to: good.count, by: 7) {
                var bad = good
                bad[index] ^= 0x55
                let answer = try await house.send(.put, Self.state, bad)
                #expect([200, 400, 409].contains(answer.status), "\(index): \(answer.text)")
            }
            for count in [0, 1, good.count / 2, good.count - 1] {
                let answer = try await house.send(.put, Self.state, Array(good.prefix(count)))
                #expect(answer.status == 400, "\(count): \(answer.text)")
            }
            #expect(try await house.send(.put, Self.state, good).status == 200)
            #expect(try await house.run(Self.run).json["result"] == "2")
        }
    }

    /// Opens `data` and never closes it; `hold` keeps a reference of the host in a table.
    private static let openText = """
        (module
          (import "wasi_snapshot_preview1" "path_open"
            (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_write"
            (func $write (param i32 i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
          (memory (export "memory") 1)
          (data (i32.const 100) "note")
          (func (export "open") (param i32) (result i32)
            (i32.store (i32.const 0) (i32.const 100))
            (i32.store (i32.const 4) (i32.const 4))
            (drop (call $open (i32.const 3) (i32.const 0) (i32.const 100) (i32.const 4)
              (i32.const 1) (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 80)))
            (drop (call $write (i32.load (i32.const 80)) (i32.const 0) (i32.const 1) (i32.const 8)))
            (if (local.get 0) (then (drop (call $close (i32.load (i32.const 80))))))
            (i32.load (i32.const 8)))
          (func (export "there") (result i32)
            (call $open (i32.const 3) (i32.const 0) (i32.const 100) (i32.const 4)
              (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 80))))
        """

    @Test func filesMoveAndOpenOnesAreAReason() throws {
        try SupervisorHouse.open { house in
            let part = SupervisorHouse.Part(
                name: "counter", wasm: try module(Self.openText),
                functions: [.init(name: "open", parameters: ["closes"]), .init(name: "there")])
            try await house.deploy("d", [part])
            try await house.deploy("e", [part])
            #expect(try await house.run("/d/modules/counter/open?closes=1").json["result"] == "4")
            let given = try await house.send(.get, Self.state)
            #expect(given.status == 200)
            #expect(try await house.run("/e/modules/counter/there").json["result"] == "44")
            #expect(
                try await house.send(.put, "/deploy/e/modules/counter/state", given.bytes).status
                    == 200)
            #expect(try await house.run("/e/modules/counter/there").json["result"] == "0")
            _ = try await house.run("/d/modules/counter/open?closes=0")
            let refused = try await house.send(.get, Self.state + "?hold=10")
            #expect(refused.status == 409 && refused.text.contains("open files"))
            // It is not held.
            #expect(try await house.run("/d/modules/counter/there").json["success"] == true)
        }
    }

    @Test(arguments: Supervisor.StateSaving.allCases)
    func thoseUsedLeastRecentlyAreSavedAndReleased(_ state: Supervisor.StateSaving) throws {
        var options = Supervisor.Options()
        options.instanceCount = 3
        options.state = state
        try SupervisorHouse.open(options) { house in
            let names = (0..<6).map { "counter\($0)" }
            try await house.deploy("d", try names.map { try Self.counter($0) })
            for result in ["1", "2", "3"] {
                for name in names {
                    let entry = try await house.run("/d/modules/\(name)/stateful_fibo")
                    #expect(entry.json["result"] == .string(result), "\(entry.text)")
                }
            }
            for _ in 0..<100 where house.supervisor.statistics.instances > 3 {
                try await house.loop.sleep(for: .milliseconds(20))
            }
            let numbers = house.supervisor.statistics
            #expect(numbers.instances <= 3 && numbers.evictions >= 9, "\(numbers)")
            #expect(numbers.instanceBytes >= 65_536)
        }
    }
}
