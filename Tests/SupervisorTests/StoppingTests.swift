import Testing
import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdSupervisor

/// The end of a server while runs go on.
@Suite struct StoppingTests {
    private static func folder() -> [UInt8] {
        Array("/tmp/wasmd-supervisor-\(UInt64.random(in: 0...UInt64.max))".utf8)
    }

    private static var options: Supervisor.Options {
        var options = Supervisor.Options()
        options.limits.time = nil
        options.limits.waitingTime = nil
        return options
    }

    @Test func runsThatDoNotEndAreEndedAndInTheHistory() throws {
        let folder = Self.folder()
        defer { removeFolder(folder) }
        let wasm = try module(fiboText)
        let cancelled: Document = "the run was cancelled"
        try SupervisorHouse.open(Self.options, folder: folder) { house in
            try await house.deploy(
                "d",
                [
                    .init(
                        name: "m", wasm: wasm,
                        functions: [
                            .init(name: "spin"), .init(name: "fibo", parameters: ["param0"]),
                        ])
                ])
            let asking = house.loop.spawn { () -> String in
                let answer = try? await house.send(.get, "/d/modules/m/spin")
                return answer?.text ?? ""
            }
            while house.supervisor.statistics.pending == 0 {
                try await house.loop.sleep(for: .milliseconds(5))
            }
            // This one waits for its turn, and its client does not wait for it.
            let posted = try await house.send(.post, "/d/modules/m/fibo?param0=7")
            #expect(posted.json["resultUrl"] != nil && posted.json["result"] == nil)
            house.supervisor.endRuns()
            await house.supervisor.finish(on: house.loop)
            #expect(house.supervisor.statistics.pending == 0)
            let text = await asking.value
            #expect(text.contains("d:m:spin:1"), "\(text)")
            // Nor does one that begins later.
            let late = try await house.run("/d/modules/m/spin")
            #expect(late.json["result"] == cancelled, "\(late.text)")
        }
        try SupervisorHouse.open(Self.options, folder: folder) { house in
            for id in ["d:m:spin:1", "d:m:fibo:1", "d:m:spin:2"] {
                let entry = try await house.send(.get, "/request-history/\(id)")
                #expect(entry.json["result"] == cancelled, "\(id): \(entry.text)")
            }
        }
    }

    /// What such a run has written takes a thread of the pool to be stored.
    @Test func aRunThatWaitsForTheNextEndpointIsInTheHistory() throws {
        let folder = Self.folder()
        defer { removeFolder(folder) }
        let wasm = try module(fileText)
        try SupervisorHouse.open(Self.options, folder: folder) { house in
            // It takes connections, and never answers.
            let silent = try Listener(.ipv4([127, 0, 0, 1], port: 0), on: house.loop)
            var convert = SupervisorHouse.Function(
                name: "convert", output: "image/jpeg",
                mounts: [
                    ("in", "application/octet-stream", "execution"),
                    ("out", "image/jpeg", "output"),
                ], method: "post")
            convert.to = house.endpoint(
                "d", "next",
                .init(
                    name: "classify", mounts: [("out", "image/jpeg", "execution")], method: "post"),
                port: try #require(silent.address?.port))
            try await house.deploy("d", [.init(name: "m", wasm: wasm, functions: [convert])])
            let (body, type) = form([("in", [UInt8](repeating: 1, count: 50_000))])
            let posted = try await house.send(
                .post, "/d/modules/m/convert", body, [("Content-Type", type)])
            #expect(posted.json["result"] == nil, "\(posted.text)")
            let stream = try await silent.accept()
            house.supervisor.endRuns()
            await house.supervisor.finish(on: house.loop)
            #expect(house.supervisor.statistics.pending == 0)
            stream.close()
            silent.close()
        }
        try SupervisorHouse.open(Self.options, folder: folder) { house in
            let entry = try await house.send(.get, "/request-history/d:m:convert:1")
            #expect(entry.status == 500 && entry.json["success"] == false, "\(entry.text)")
            let file = try await house.send(.get, "/module_results/d/m/out")
            #expect(file.status == 200 && file.bytes == [UInt8](repeating: 2, count: 50_000))
        }
    }
}
