import Testing
import WasmText
import WasmdDocuments

@testable import wasmd

/// `wasmd top`: rates of two readings, its page, and the command beside a server.
@Suite(.serialized) struct TopTests {
    private func reading(
        process: Int64 = 7, uptime: Double, ended: Int64, failed: Int64 = 0,
        modules: [(id: String, runs: Int64)] = [], active: [Document] = []
    ) -> TopReading {
        TopReading(
            status: .object([
                .init("version", "1.2.3"), .init("process", .integer(process)),
                .init("uptime_seconds", .double(uptime)), .init("reasons", .array([])),
                .init(
                    "runs",
                    .object([
                        .init("running", .integer(Int64(active.count))),
                        .init("waiting", .integer(0)), .init("ended", .integer(ended)),
                        .init("failed", .integer(failed)), .init("refused", .integer(0)),
                    ])),
                .init("resident_bytes", .integer(3 << 20)),
            ]),
            modules: modules.map { module in
                .object([
                    .init("id", .string(module.id)), .init("runs", .integer(module.runs)),
                    .init("failures", .integer(0)), .init("name", "n\u{1b}[31m"),
                ])
            }, active: active)
    }

    @Test func ratesAreOfTheTimeThatWentBy() {
        let sample = TopSample(
            from: reading(uptime: 10, ended: 100, modules: [("a", 60), ("b", 40)]),
            to: reading(
                uptime: 12, ended: 150, failed: 3, modules: [("a", 60), ("b", 50), ("c", 40)]))
        #expect(sample.runs == 25)
        #expect(sample.failed == 1.5)
        // The busiest first, and none that did not run.
        #expect(sample.modules.map(\.id) == ["c", "b"])
        #expect(sample.modules.map(\.runs) == [20, 5])
    }

    @Test func aServerThatWasStartedAgainBeginsAtNothing() {
        let sample = TopSample(
            from: reading(process: 7, uptime: 900, ended: 1_000_000),
            to: reading(process: 8, uptime: 0.5, ended: 50))
        #expect(sample.runs == 100)
        // A server may say anything.
        let odd = TopSample(
            from: reading(uptime: 5, ended: .max), to: reading(uptime: .infinity, ended: .min))
        #expect(odd.runs == 0)
    }

    @Test func thePageFitsTheTerminalAndIsHarmless() throws {
        var page = TopPage(server: "here")
        let active = Document.object([
            .init("id", "1"), .init("module", "m"), .init("function", "f"),
            .init("seconds", .double(2.5)), .init("memory_bytes", .integer(65536)),
            .init("caller", "c"),
        ])
        for second in 0..<70 {
            page.add(
                TopSample(
                    from: reading(uptime: Double(second + 1), ended: 0),
                    to: reading(
                        uptime: Double(second + 2), ended: Int64(second), modules: [("a", 5)],
                        active: [active])))
        }
        let lines = page.lines(columns: 80)
        #expect(lines.first == "ready   up 71.0 s   process 7   wasmd 1.2.3 at here")
        #expect(lines[2].hasPrefix("runs/s 69.0   failed/s 0.0   refused/s 0.0   "))
        #expect(lines.prefix(5).allSatisfy { $0.count <= 80 })
        // A minute of history; where there is room for less, the newest seconds.
        let load = try #require(lines.first { $0.hasSuffix("█") })
        #expect(load.filter { ("▁"..."█").contains($0) }.count == 60)
        let narrow = page.lines(columns: 20)
        let loads = narrow.filter { $0.hasSuffix("█") }
        #expect(loads.count == 1 && loads[0].count == 20)
        #expect(narrow.prefix(2) == ["ready   up 71.0 s", "process 7"])
        #expect(page.absence("gone", columns: 11).contains("no answer:"))
        #expect(!page.absence("gone", columns: 11).contains("gone"))
        #expect(page.absence("gone", columns: 40).contains("no answer: gone; it is asked"))
        #expect(lines.contains { $0.contains("2.5 s") && $0.contains("64.0 KiB") })
        let screen = page.screen(rows: 6, columns: 20)
        #expect(!screen.contains("\u{1b}[31m"))
        #expect(page.screen(rows: 30, columns: 20).contains("…\u{1b}[K"))
        let shown = screen.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(shown.count <= 6)
        #expect(
            shown.allSatisfy {
                $0.replacing("\u{1b}[K", with: "").replacing("\u{1b}[H", with: "")
                    .replacing("\u{1b}[J", with: "").count <= 20
            })
    }

    @Test func besideAServer() throws {
        let folder = try TemporaryFolder()
        let server = try ServerProcess(
            ["--data", folder.path + "/data"], folder: folder, ready: "data in ")
        let command = ["top", "--server", folder.path + "/data", "--count", "1"]
        let people = try run(Wasmd.path, command)
        #expect(people.status == 0, "\(people.error)")
        let lines = people.output.split(separator: "\n")
        #expect(lines.count == 2)
        #expect(lines.first == Substring(TopPage.heading))
        let programs = try run(Wasmd.path, command + ["--json"])
        let document = try JSONReader.read(Array(programs.output.utf8))
        #expect(document["runs_per_second"]?.doubleValue == 0)
        #expect(document["status"]?["ready"] == true)
        withExtendedLifetime(server) {}
    }

    /// A reader that is no terminal is told that the server is gone, and ends; and so is a follower of
    /// the log, whose stream ends with the server.
    @Test(arguments: [["top"], ["top", "--json"], ["ctl", "logs", "--follow"]])
    func aServerThatGoesAway(_ words: [String]) throws {
        let folder = try TemporaryFolder()
        let data = folder.path + "/data"
        let server = try ServerProcess(["--data", data], folder: folder, ready: "data in ")
        let says = try parseModule(
            Array(
                #"""
                (module
                  (import "wasi_snapshot_preview1" "fd_write"
                    (func $write (param i32 i32 i32 i32) (result i32)))
                  (memory (export "memory") 1)
                  (data (i32.const 0) "\10\00\00\00\05\00\00\00") (data (i32.const 16) "here\0a")
                  (func (export "_start")
                    (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8)))))
                """#.utf8))
        let file = try folder.write("says.wasm", says)
        let id = String(
            try run(Wasmd.path, ["ctl", "--server", data, "put", file]).output.dropLast())
        #expect(try run(Wasmd.path, ["ctl", "--server", data, "run", id]).status == 0)
        // Its first line has come before the server goes.
        let program = """
            "$@" >"$OUT" 2>"$OUT.error" &
            until [ -s "$OUT" ]; do sleep 0.05; done
            kill -TERM $SERVER
            wait $!
            echo "status $?"
            cat "$OUT.error"
            """
        let result = try run(
            "/usr/bin/env",
            [
                "OUT=\(folder.path)/out", "SERVER=\(server.identifier)", "/bin/sh", "-c", program,
                "sh", Wasmd.path,
            ] + words + ["--server", data])
        #expect(result.output.hasPrefix("status 1\nwasmd: "), "\(result.output)\(result.error)")
        let expected =
            words.contains("logs") ? "the server has ended the log" : "does not answer any more"
        #expect(result.output.contains(expected), "\(result.output)")
        #expect(server.end() == 0)
    }

    @Test func withoutAServer() throws {
        let result = try run(Wasmd.path, ["top", "--server", "http://127.0.0.1:1"])
        #expect(result.status == 1)
        #expect(result.error.contains("no server is there"))
        #expect(result.error.contains("Start one with 'wasmd serve'"))
        let usage = try run(Wasmd.path, ["top", "--count", "0"])
        #expect(usage.status == 2)
        #expect(usage.error.contains("--count"))
    }
}
