import Glibc
import Testing

@testable import wasmd

/// Backtraces with lines, and the files that `wasmd run` writes about a program.
@Suite struct ObservationTests {
    private let folder: TemporaryFolder
    private let guest = "\(Repository.root)/Tests/Guests/lines.wasm"

    init() throws { folder = try TemporaryFolder() }

    private func text(_ name: String) throws -> String {
        String(decoding: try #require(contents("\(folder.path)/\(name)")), as: UTF8.self)
    }

    private func contents(_ path: String) -> [UInt8]? {
        guard let stream = fopen(path, "re") else { return nil }
        defer { fclose(stream) }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        return Array(bytes[..<fread(&bytes, 1, bytes.count, stream)])
    }

    @Test func backtracesHaveLines() throws {
        let result = try wasmd("run", guest)
        #expect(result.status == ExitCode.trap)
        #expect(
            result.error == """
                wasmd: trap: unreachable
                #0 check (inlined in func[2]) at 0x109 in lines.c:9:9
                #1 count (func[2]) at 0x109 in lines.c:18:16
                #2 _start (func[1]) at 0x78 in lines.c:29:15

                """)
    }

    @Test func coverageOfLines() throws {
        let result = try wasmd("run", "--coverage", "\(folder.path)/out.lcov", guest)
        #expect(result.status == ExitCode.trap)
        let lines = try text("out.lcov").split(separator: "\n")
        #expect(lines[1] == "SF:/guests/lines.c")
        #expect(lines.contains("FNDA:2,count"))
        #expect(lines.contains("FNDA:0,unused"))
        // Three rounds of the first call, five of the second; one of them traps.
        #expect(lines.contains("DA:8,8"))
        #expect(lines.contains("DA:9,1"))
        // The branch that is never taken, and the return of a function that traps.
        #expect(lines.contains("DA:17,0"))
        #expect(lines.contains("DA:30,0"))
        #expect(lines.last == "end_of_record")
    }

    @Test func coverageOfFunctions() throws {
        let file = try folder.write(
            "a.wat",
            Array(
                """
                (module (func $once (export "_start")) (func $never (export "never")))
                """.utf8))
        let result = try wasmd("run", "--coverage", "-", file)
        #expect(result.status == 0)
        #expect(result.output.contains("FNDA:1,once\nFNDA:0,never\n"))
        #expect(result.output.contains("/a.wat\n"))
    }

    @Test func profiles() throws {
        let path = folder.path
        let result = try wasmd(
            "run", "--profile", "\(path)/out.json", "--flamegraph", "\(path)/out.svg",
            "\(Repository.root)/Examples/sudoku/sudoku.wasm")
        #expect(result.status == 0)
        let json = try text("out.json")
        #expect(json.hasPrefix(#"{"meta":{"version":24,"preprocessedProfileVersion":61,"#))
        #expect(json.contains(#""name":"sudoku.wasm""#))
        #expect(try text("out.svg").hasSuffix("</svg>\n"))
    }

    @Test func aFileThatCannotBeWrittenIsAnError() throws {
        let result = try wasmd("run", "--coverage", "\(folder.path)/no/out", guest)
        #expect(result.status == ExitCode.refused)
        #expect(result.error.contains("No such file or directory"))
    }

    @Test func anInterruptFromTheKeyboardLeavesTheFiles() throws {
        // It prints a line after half a second, when the profile has something of it.
        let file = try folder.write(
            "spin.wat",
            Array(
                """
                (module
                  (import "wasi_snapshot_preview1" "fd_write"
                    (func $fd_write (param i32 i32 i32 i32) (result i32)))
                  (import "wasi_snapshot_preview1" "clock_time_get"
                    (func $clock (param i32 i64 i32) (result i32)))
                  (memory (export "memory") 1)
                  (data (i32.const 0) "\\08\\00\\00\\00\\06\\00\\00\\00ready\\n")
                  (func $now (result i64)
                    (drop (call $clock (i32.const 1) (i64.const 0) (i32.const 200)))
                    (i64.load (i32.const 200)))
                  (func $spin (export "_start") (local $end i64)
                    (local.set $end (i64.add (call $now) (i64.const 500_000_000)))
                    (loop $l (br_if $l (i64.lt_u (call $now) (local.get $end))))
                    (drop
                      (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 200)))
                    (loop $l (br $l))))
                """.utf8))
        let result = try run(
            Wasmd.path, ["run", "--flamegraph", "\(folder.path)/out.svg", file], signal: SIGINT)
        // As the shell says of a process that an interrupt ended.
        #expect(result.status == 130)
        #expect(result.error.contains("#0 spin (func[3])"))
        #expect(try text("out.svg").contains("<title>spin, "))
    }
}
