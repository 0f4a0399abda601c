import Testing
import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP

@testable import WasmdSupervisor

/// Instances while something else is decided about them.
@Suite struct InstanceRaceTests {
    private static func house(
        _ body: @escaping @Sendable (SupervisorHouse, DeployedModule) async throws -> Void
    ) throws {
        let wasm = try module(statefulText)
        try SupervisorHouse.open { house in
            try await house.deploy(
                "d",
                [
                    .init(
                        name: "counter", wasm: wasm, functions: [.init(name: "stateful_fibo")])
                ])
            _ = try await house.run("/d/modules/counter/stateful_fibo")
            try await body(
                house, try #require(house.supervisor.deployment("d")?.module("counter")))
        }
    }

    /// Whether a restart finds that the instance has moved; `movedTo` is what it finds.
    private static func isStoredAsMoved(
        _ instance: DeployedModule, _ house: SupervisorHouse
    ) async throws -> Bool {
        do {
            _ = try await house.supervisor.storedState(of: instance, on: house.loop)
            return false
        } catch RunFault.moved {
            return true
        }
    }

    /// The time of the hold is over before, while or after the release is stored.
    @Test func aReleaseThatIsRefusedIsNotStored() throws {
        try Self.house { house, instance in
            let (supervisor, loop) = (house.supervisor, house.loop)
            let target = try #require(URL(Array("http://127.0.0.1:9/".utf8)))
            for round in 0..<100 {
                let time = Duration.microseconds(900 + 100 * (round % 25))
                let given = try await supervisor.giveState(of: instance, holding: time, on: loop)
                try await loop.sleep(for: .milliseconds(1))
                let hasMoved: Bool
                do {
                    try await supervisor.release(instance, to: target, on: loop)
                    hasMoved = true
                } catch StateFault.notHeld {
                    hasMoved = false
                }
                #expect((instance.movedTo == target) == hasMoved, "\(round)")
                #expect(try await Self.isStoredAsMoved(instance, house) == hasMoved, "\(round)")
                let bytes = try #require(given)
                if hasMoved { try await supervisor.takeOver(bytes, for: instance, on: loop) }
            }
        }
    }

    /// It is in the queue of the log when the next deployment comes there.
    @Test func aStateOfTheDeploymentBeforeIsNotThatOfTheNext() throws {
        try Self.house { house, instance in
            let (supervisor, loop) = (house.supervisor, house.loop)
            let given = try await supervisor.giveState(of: instance, holding: nil, on: loop)
            let bytes = try #require(given)
            let deployment = try #require(supervisor.deployment("d"))
            for round in 0..<20 {
                instance.saving.taken += 1
                let number = instance.saving.taken
                let saving = loop.spawn {
                    _ = try? await supervisor.store(bytes, number, of: instance, on: loop)
                }
                let putting = loop.spawn {
                    _ = try? await DeploymentRecords.put(deployment, in: supervisor.store, on: loop)
                }
                await saving.value
                await putting.value
                let stored = try await supervisor.storedState(of: instance, on: loop)
                #expect(stored == nil, "\(round)")
            }
        }
    }

    /// Adds one to the byte in the file `data`, and returns it.
    private static let bumpText = """
        (module
          (import "wasi_snapshot_preview1" "path_open"
            (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_read"
            (func $read (param i32 i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_write"
            (func $write (param i32 i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
          (memory (export "memory") 1)
          (data (i32.const 100) "data")
          (func $file (param i32 i64) (result i32)
            (if (call $open (i32.const 3) (i32.const 0) (i32.const 100) (i32.const 4) (local.get 0)
                  (local.get 1) (i64.const 0) (i32.const 0) (i32.const 80))
              (then unreachable))
            (i32.load (i32.const 80)))
          (func (export "bump") (result i32) (local i32)
            (i32.store (i32.const 0) (i32.const 200))
            (i32.store (i32.const 4) (i32.const 1))
            (local.set 0 (call $file (i32.const 0) (i64.const 2)))
            (if (call $read (local.get 0) (i32.const 0) (i32.const 1) (i32.const 8))
              (then unreachable))
            (drop (call $close (local.get 0)))
            (i32.store8 (i32.const 200) (i32.add (i32.load8_u (i32.const 200)) (i32.const 1)))
            (local.set 0 (call $file (i32.const 9) (i64.const 64)))
            (if (call $write (local.get 0) (i32.const 0) (i32.const 1) (i32.const 8))
              (then unreachable))
            (drop (call $close (local.get 0)))
            (i32.load8_u (i32.const 200))))
        """

    /// The second of two first runs is still reading the files when the guest of the first runs.
    @Test func dataFilesAreWrittenOnce() throws {
        let wasm = try module(Self.bumpText)
        try SupervisorHouse.open { house in
            var files = (0..<20).map { number in
                (name: "pad\(number)", bytes: [UInt8](repeating: UInt8(number), count: 64 << 10))
            }
            files.append((name: "data", bytes: [0]))
            let part = SupervisorHouse.Part(
                name: "m", wasm: wasm,
                functions: [
                    .init(
                        name: "bump", mounts: [("data", "application/octet-stream", "deployment")])
                ], files: files)
            for round in 0..<10 {
                try await house.deploy("d", [part])
                var runs: [LoopTask<String>] = []
                for _ in 0..<2 {
                    runs.append(
                        house.loop.spawn { () -> String in
                            let answer = try? await house.send(.get, "/d/modules/m/bump")
                            return answer?.json["result"]?.stringValue ?? ""
                        })
                    try await house.loop.sleep(for: .milliseconds(round))
                }
                var results: Set<String> = []
                for run in runs { results.insert(await run.value) }
                #expect(results == ["1", "2"], "\(round)")
            }
        }
    }

    @Test func oneOfTwoReleasesDecides() throws {
        try Self.house { house, instance in
            let (supervisor, loop) = (house.supervisor, house.loop)
            let targets = [
                try #require(URL(Array("http://127.0.0.1:9/one".utf8))),
                try #require(URL(Array("http://127.0.0.1:9/two".utf8))),
            ]
            for round in 0..<10 {
                let given = try await supervisor.giveState(
                    of: instance, holding: .seconds(60), on: loop)
                let tasks = targets.map { target in
                    loop.spawn { () -> Bool in
                        (try? await supervisor.release(instance, to: target, on: loop)) != nil
                    }
                }
                var released: [URL] = []
                for (target, task) in zip(targets, tasks) where await task.value {
                    released.append(target)
                }
                #expect(released.count == 1 && instance.movedTo == released.first, "\(round)")
                #expect(try await Self.isStoredAsMoved(instance, house), "\(round)")
                #expect(instance.movedTo == released.first, "\(round)")
                let bytes = try #require(given)
                try await supervisor.takeOver(bytes, for: instance, on: loop)
            }
        }
    }
}
