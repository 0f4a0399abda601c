import Glibc
import Testing
import WasmText

@testable import wasmd

/// `wasmd run` on small modules: results, exit codes, messages, limits.
@Suite struct RunTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// The file of a module in the binary format.
    private func file(_ text: String) throws -> String {
        try folder.write("module.wasm", try parseModule(Array(text.utf8)))
    }

    /// Adds, divides, and functions without end.
    private func calculator() throws -> String {
        try file(
            """
            (func (export "add") (param i32 i32) (result i32)
              (i32.add (local.get 0) (local.get 1)))
            (func $quotient (param i32 i32) (result i32)
              (i32.div_s (local.get 0) (local.get 1)))
            (func (export "divide") (param i32 i32) (result i32)
              (call $quotient (local.get 0) (local.get 1)))
            (func (export "spin") (loop (br 0)))
            (func (export "recurse") (call 4))
            (func (export "swap") (param f32 f64) (result f64 f32) (local.get 1) (local.get 0))
            (func (export "minimum") (result i64) (i64.const 0x8000_0000_0000_0000))
            (memory (export "memory") 1)
            """)
    }

    @Test func results() throws {
        let file = try calculator()
        #expect(try wasmd("run", "--invoke", "add", file, "2", "-3").output == "-1\n")
        #expect(try wasmd("run", "--invoke", "add", file, "0x10", "1").output == "17\n")
        #expect(try wasmd("run", "--invoke", "divide", file, "-7", "2").output == "-3\n")
        #expect(try wasmd("run", "--invoke=swap", file, "1.5", "-inf").output == "-inf\n1.5\n")
        #expect(try wasmd("run", "--invoke", "minimum", file).output == "-9223372036854775808\n")
    }

    @Test func traps() throws {
        let file = try calculator()
        let result = try wasmd("run", "--invoke", "divide", file, "1", "0")
        #expect(result.status == 134)
        #expect(result.output == "")
        let lines = result.error.split(separator: "\n")
        #expect(lines.count == 3)
        #expect(lines.first == "wasmd: trap: integer divide by zero")
        #expect(lines[1].hasPrefix("#0 quotient (func[1]) at 0x"))
        #expect(lines[2].hasPrefix("#1 divide (func[2]) at 0x"))
    }

    @Test func uncaughtExceptions() throws {
        let file = try file(
            """
            (tag $failure (export "failure") (param i32 f64))
            (func $inner (param i32) (throw $failure (local.get 0) (f64.const 1.5)))
            (func (export "outer") (param i32) (call $inner (local.get 0)))
            """)
        let result = try wasmd("run", "--invoke", "outer", file, "7")
        #expect(result.status == 134)
        #expect(result.output == "")
        let lines = result.error.split(separator: "\n")
        #expect(lines.count == 3)
        #expect(lines.first == "wasmd: uncaught exception failure(7, 1.5)")
        #expect(lines[1].hasPrefix("#0 inner (func[0]) at 0x"))
        #expect(lines[2].hasPrefix("#1 outer (func[1]) at 0x"))
    }

    @Test func endlessRecursionIsATrap() throws {
        let result = try wasmd("run", "--invoke", "recurse", try calculator())
        #expect(result.status == 134)
        #expect(result.error.hasPrefix("wasmd: trap: call stack exhausted"))
        #expect(result.error.contains("\n#63 recurse (func[4])"))
        #expect(result.error.contains("more frame"))
    }

    @Test func fuelRunsOut() throws {
        let result = try wasmd("run", "--invoke", "spin", "--fuel", "1000", try calculator())
        #expect(result.status == 134)
        #expect(result.error.hasPrefix("wasmd: trap: all fuel consumed (--fuel 1000)\n#0 spin"))
    }

    @Test func timeRunsOut() throws {
        let file = try calculator()
        let (result, limit) = try timed(50, reaching: .running) {
            try wasmd("run", "--invoke", "spin", "--timeout", $0, file)
        }
        #expect(result.status == 134)
        // A program that only the end of the process stops "does not stop".
        #expect(
            result.error.hasPrefix("wasmd: trap: interrupted after \(limit) (--timeout)\n#0 spin"))
    }

    @Test func waitingForInputEndsAtTheDeadline() throws {
        // Standard input is a pipe that never has any.
        let script = "exec \"$0\" run --timeout $3 \"$2\" <> \"$1\""
        let guest = Repository.root + "/Tests/Guests/cat.wasm"
        let pipe = folder.path + "/pipe"
        mkfifo(pipe, 0o600)
        let (result, limit) = try timed(100, reaching: .running) {
            try run("/bin/sh", ["-c", script, Wasmd.path, pipe, guest, $0])
        }
        #expect(result.status == 134)
        #expect(result.error.hasPrefix("wasmd: trap: interrupted after \(limit) (--timeout)"))
    }

    @Test func aBlockedCallOfTheHostIsEnded() throws {
        // Opening a pipe waits for somebody to open its other end.
        let guest = Repository.root + "/Examples/wordcount/wordcount.wasm"
        mkfifo(folder.path + "/pipe", 0o600)
        let (result, limit) = try timed(100, reaching: .running) {
            try wasmd("run", "--dir", ".", "--timeout", $0, guest, "pipe", folder: folder.path)
        }
        #expect(result.status == 134)
        #expect(
            result.error.hasPrefix("wasmd: trap: interrupted after \(limit) (--timeout)\n#0 "))
    }

    @Test func statistics() throws {
        let result = try wasmd("run", "--stats", "--invoke", "add", try calculator(), "1", "2")
        #expect(result.output == "3\n")
        for word in [
            "module", "functions", "read", "decode", "validate", "instantiate", "run", "translate",
            "translated", "peak memory",
        ] {
            #expect(result.error.contains("\n  \(word) "), "\(word)")
        }
    }

    @Test func wrongUsage() throws {
        let file = try calculator()
        let cases: [([String], String)] = [
            (["run", file], "no export '_start' to run"),
            (["run", "--invoke", "ad", file], "no export 'ad'. Did you mean 'add'?"),
            (["run", "--invoke", "memory", file], "export 'memory' is a memory"),
            (["run", "--invoke", "add", file, "1"], "add takes 2 arguments, 1 given"),
            (["run", "--invoke", "add", file, "1", "x"], "argument 2 of add: 'x' is not i32"),
            (
                ["run", "--invoke", "add", file, "1", "4294967296"],
                "argument 2 of add: '4294967296' is not i32: out of range"
            ),
            (["run"], "FILE is missing"),
            (["run", "--fule", "1", file], "Did you mean '--fuel'?"),
            ([file], "Run it with: wasmd run"),
            ([], "Usage: wasmd COMMAND"),
        ]
        for (words, text) in cases {
            let result = try run(Wasmd.path, words)
            #expect(result.status == 2, "\(words)")
            #expect(result.output == "", "\(words)")
            #expect(result.error.contains(text), "\(words): \(result.error)")
        }
    }

    @Test func refusedInput() throws {
        let missing = folder.path + "/missing.wasm"
        #expect(
            try wasmd("run", missing).error == "wasmd: \(missing): No such file or directory\n")
        #expect(try wasmd("run", missing).status == 1)

        let other = try folder.write("a.txt", Array("module".utf8))
        let refusal = try wasmd("run", other)
        #expect(refusal.status == 1)
        #expect(refusal.error.hasPrefix("wasmd: \(other): 0x0: magic header not detected: "))

        let invalid = try file("(func (result i32))")
        #expect(try wasmd("run", invalid).status == 1)
        #expect(try wasmd("run", invalid).error.contains("type mismatch"))
    }

    /// A text is known by its content, whatever the file is called.
    @Test func text() throws {
        let good = try folder.write(
            "good",
            Array(" ;; sum\n(func (export \"add\") (param i32 i32) (result i32)\n".utf8)
                + Array("  (i32.add (local.get 0) (local.get 1)))".utf8))
        #expect(try wasmd("run", "--invoke", "add", good, "2", "3").output == "5\n")
        #expect(try wasmd("validate", good).status == 0)
        #expect(try wasmd("inspect", good).output.contains("add"))
        #expect(try wasmd("explore", good, "add").output.contains("i32.add"))

        let malformed = try folder.write("a.wat", Array("(module\n  (func i32.ad))".utf8))
        let refusal = try wasmd("run", malformed)
        #expect(refusal.status == 1)
        #expect(
            refusal.error.hasPrefix(
                "wasmd: \(malformed):2:9: unknown operator: i32.ad. Did you mean 'i32.add'?\n"))
        let json = try wasmd("validate", "--json", malformed).output
        #expect(json.contains("\"line\": 2,") && json.contains("\"column\": 9,"))

        let invalid = try folder.write("b.wat", Array("(func $f i32.add drop)".utf8))
        #expect(
            try wasmd("validate", invalid).error == """
                wasmd: \(invalid):1:10: type mismatch: expected i32, found nothing
                  (func $f i32.add drop)
                           ^^^^^^^

                """)
        let quoted = try folder.write("c.wat", Array(#"(module quote "(func $f drop)")"#.utf8))
        #expect(
            try wasmd("validate", quoted).error
                == "wasmd: \(quoted): function $f: drop: type mismatch: "
                + "expected an operand, found nothing\n")
        // The name says what it is if the first bytes do not.
        let marked = try folder.write("d.wat", Array("\u{feff}(module)".utf8))
        let message = try wasmd("validate", marked).error
        #expect(message.contains("d.wat: this begins with a byte order mark"))
    }

    @Test func allMissingImportsAreNamed() throws {
        let file = try file(
            """
            (import "env" "log" (func (param i32)))
            (import "env" "\\1b[31m" (func))
            (func (export "_start"))
            """)
        let result = try wasmd("run", file)
        #expect(result.status == 1)
        #expect(result.error.contains("\"env\" \"log\""))
        #expect(result.error.contains("\\u{1b}[31m"))
    }

    @Test func memoryHasALimit() throws {
        let file = try file("(memory 100) (func (export \"_start\"))")
        #expect(try wasmd("run", file).status == 0)
        let result = try wasmd("run", "--max-memory", "1MiB", file)
        #expect(result.status == 1)
        #expect(result.error.contains("--max-memory"))
    }

    @Test func featuresCanBeTakenAway() throws {
        let file = try file(
            "(func (export \"f\") (param i32) (result i32) (i32.extend8_s (local.get 0)))")
        #expect(try wasmd("run", "--invoke", "f", file, "255").output == "-1\n")
        let result = try wasmd("run", "--features=-sign-extension", "--invoke", "f", file, "255")
        #expect(result.status == 1)
        #expect(result.error.contains("sign-extension"))
    }

    @Test func theGuestsExitCode() throws {
        let file = try file(
            """
            (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (func (export "_start") (call $exit (i32.const 7)))
            """)
        let result = try wasmd("run", file)
        #expect(result.status == 7)
        #expect(result.error == "")
    }
}
