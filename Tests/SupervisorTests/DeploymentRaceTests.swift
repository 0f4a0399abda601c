import Glibc
import Testing
import WasmdEventLoop
import WasmdStorage
import WasmdSupervisor
import WasmdWasmiot

/// Requests about the same deployment at the same time.
@Suite struct DeploymentRaceTests {
    private static func folder() -> [UInt8] {
        Array("/tmp/wasmd-supervisor-\(UInt64.random(in: 0...UInt64.max))".utf8)
    }

    /// The modules of the deployments that a restart would find.
    private static func stored(in folder: [UInt8]) throws -> [[String]] {
        let copy = Self.folder()
        defer { removeFolder(copy) }
        let (from, to) = (
            String(decoding: folder, as: UTF8.self), String(decoding: copy, as: UTF8.self)
        )
        _ = system("cp -r '\(from)' '\(to)'")
        let store = try RecordStore(folder: copy)
        defer { store.close() }
        return modules(of: try Supervisor(store))
    }

    private static func modules(of supervisor: Supervisor) -> [[String]] {
        supervisor.deployments.map { $0.node.modules.map(\.name) }
    }

    /// Two deploy, and one removes what it finds.
    @Test func whatIsThereIsWhatARestartFinds() throws {
        let folder = Self.folder()
        defer { removeFolder(folder) }
        let wasm = try module(statefulText)
        try SupervisorHouse.open(folder: folder) { house in
            let (supervisor, loop) = (house.supervisor, house.loop)
            var nodes: [DeploymentNode] = []
            for name in ["one", "two"] {
                let part = SupervisorHouse.Part(
                    name: name, wasm: wasm, functions: [.init(name: "stateful_fibo")])
                nodes.append(try DeploymentNode(house.node("d", [part])))
            }
            for round in 0..<20 {
                let deploying = nodes.map { node in
                    loop.spawn {
                        for _ in 0..<5 { _ = try? await supervisor.deploy(node, on: loop) }
                    }
                }
                let deleting = loop.spawn {
                    while !Task.isCancelled {
                        try? await supervisor.delete("d")
                        await loop.yieldToOthers()
                    }
                }
                for task in deploying { await task.value }
                deleting.cancel()
                await deleting.value
                let (here, stored) = (
                    Self.modules(of: supervisor), try Self.stored(in: folder)
                )
                #expect(here == stored, "\(round)")
            }
        }
    }
}
