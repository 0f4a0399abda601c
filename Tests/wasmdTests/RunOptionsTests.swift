import Testing
import WasmInterpreter
import WasmWASI

@testable import wasmd

@Suite struct RunOptionsTests {
    private func options(_ words: String...) throws -> RunOptions {
        try RunOptions(ArgumentParser.parse(["run"] + words + ["a.wasm", "x", "y"]))
    }

    @Test func folders() throws {
        let folders = try options(
            "--dir", ".", "--dir", "data:ro", "--dir", "a::/b", "--dir", "c:d::/e:ro"
        ).folders
        #expect(
            folders == [
                .init(hostPath: ".", guestPath: "."),
                .init(hostPath: "data", guestPath: "data", isReadOnly: true),
                .init(hostPath: "a", guestPath: "/b"),
                .init(hostPath: "c:d", guestPath: "/e", isReadOnly: true),
            ])
    }

    @Test(arguments: ["", ":ro", "::", "::b", "a::", "a:::ro"])
    func noFolders(text: String) {
        #expect(throws: UsageError.self) { try options("--dir", text) }
    }

    @Test func environment() throws {
        let entries = try options("--env", "A=1", "--env=B=x=y", "--env", "C", "--env", "D=")
            .environment
        #expect(
            entries == [
                .set(name: "A", value: "1"), .set(name: "B", value: "x=y"), .copy(name: "C"),
                .set(name: "D", value: ""),
            ])
        #expect(throws: UsageError.self) { try options("--env", "=1") }
    }

    @Test func laterVariablesReplaceEarlierOnes() {
        let variables = GuestEnvironment(
            inheriting: false,
            entries: [
                .set(name: "A", value: "1"), .set(name: "B", value: "2"),
                .set(name: "A", value: "3"), .copy(name: "WASMD_TESTS_HAVE_NO_SUCH_VARIABLE"),
            ]
        ).variables
        #expect(variables.map(\.name) == ["A", "B"])
        #expect(variables.map(\.value) == ["3", "2"])
    }

    @Test func limits() throws {
        let options = try options(
            "--fuel", "10", "--timeout", "2s", "--max-memory", "1MiB", "--max-heap", "2MiB",
            "--stack-size=64K", "--max-table", "1_000", "--max-threads=4",
            "--max-descriptors", "20")
        #expect(options.fuel == 10)
        #expect(options.timeout == .init(nanoseconds: 2_000_000_000, text: "2s"))
        #expect(options.maximumMemory == 1 << 20)
        #expect(options.maximumHeap == 2 << 20)
        #expect(options.stackByteCount == 64 << 10)
        #expect(options.maximumTable == 1000)
        #expect(options.maximumThreads == 4)
        #expect(options.maximumDescriptors == 20)
        #expect(options.file == "a.wasm")
        #expect(options.arguments == ["x", "y"])
    }

    @Test func determinism() throws {
        #expect(try !options("--stats").isDeterministic)
        let options = try options("--deterministic", "--features", "all")
        #expect(options.isDeterministic)
        let all = Features.all.union(.legacyExceptions)
        #expect(options.features == all.subtracting(.threads))
        let folder = try GuestWorld.wasi(options)
        guard case .custom = folder.clock, case .seeded = folder.random else {
            Issue.record("the world is the host's")
            return
        }
    }

    @Test func wrongLimitsAreRefused() {
        for words in [
            ["--fuel", "-1"], ["--timeout", "0"], ["--max-memory", "lots"], ["--max-heap", "-1"],
            ["--stack-size", "16777215TiB"], ["--max-table", "-1"], ["--max-threads", "some"],
            ["--max-descriptors", ""],
        ] {
            #expect(throws: UsageError.self) { try options(words[0], words[1]) }
        }
    }

    @Test func sockets() throws {
        let given = try options(
            "--tcplisten", "127.0.0.1:80", "--listen-fd", "5", "--tcplisten=[::1]:0",
            "--tcplisten", "unix:a b", "--listen-fd=0")
        #expect(given.listeners.map(\.description) == ["127.0.0.1:80", "[::1]:0", "unix:a b"])
        #expect(given.descriptors == [5, 0])
        for words in [
            ["--tcplisten", "80"], ["--tcplisten", "example.org:80"], ["--tcplisten", ""],
            ["--listen-fd", "-1"], ["--listen-fd", "2147483648"], ["--listen-fd", "x"],
        ] {
            #expect(throws: UsageError.self) { try options(words[0], words[1]) }
        }
    }

    @Test func whatTheGuestFinds() throws {
        var wasi = try GuestWorld.wasi(try options("--env", "A=1", "--dir", "x::/y"))
        #expect(wasi.arguments == ["a.wasm", "x", "y"])
        #expect(wasi.environment.map(\.name) == ["A"])
        #expect(wasi.folders.map(\.guestPath) == ["/y"])
        wasi = try GuestWorld.wasi(try options("--argv0", "/bin/tool", "--env-inherit"))
        #expect(wasi.arguments == ["/bin/tool", "x", "y"])
        #expect(wasi.environment.contains { $0.name == "PATH" })
        #expect(throws: Refusal.self) {
            try GuestWorld.wasi(try options("--stdin", "/nowhere/to/be/found"))
        }
    }
}
