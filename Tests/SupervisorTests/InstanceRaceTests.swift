import Testing
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
