import Glibc
import Testing

@testable import wasmd

/// What somebody tries who sees wasmd for the first time: reactors, linked modules, traces, dumps.
@Suite struct NewcomerTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func text(_ name: String, _ text: String) throws -> String {
        try folder.write(name, Array(text.utf8))
    }

    private func contents(_ name: String) throws -> String {
        let result = try run("/bin/cat", ["\(folder.path)/\(name)"])
        #expect(result.status == 0, "\(name)")
        return result.output
    }

    // MARK: What is run

    @Test func startFunctionsAndInitializers() throws {
        let start = try text(
            "start.wat",
            """
            (module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
              (memory (export "memory") 1) (start $s) (func $s (call $exit (i32.const 7))))
            """)
        #expect(try wasmd("run", start).status == 7)
        let quiet = try text("quiet.wat", "(module (func $s) (start $s))")
        #expect(try wasmd("run", quiet).status == 0)
        let reactor = try text(
            "reactor.wat",
            """
            (module (global $g (mut i32) (i32.const 1))
              (func (export "_initialize")
                (global.set $g (i32.mul (global.get $g) (i32.const 10))))
              (func (export "get") (result i32) (global.get $g)))
            """)
        #expect(try wasmd("run", reactor).status == 0)
        #expect(try wasmd("run", "--invoke", "get", reactor).output == "10\n")
        #expect(try wasmd("run", "--invoke", "_initialize", reactor).status == 0)
        // An initializer comes first, also before _start; the nameless export before that.
        let both = try text(
            "both.wat",
            """
            (module (global $g (mut i32) (i32.const 1))
              (func (export "_initialize") (global.set $g (i32.const 0)))
              (func (export "_start") (if (global.get $g) (then (unreachable)))))
            """)
        #expect(try wasmd("run", both).status == 0)
        let nameless = try text(
            "nameless.wat",
            """
            (module (func (export "") (param i32) (result i32) (local.get 0))
              (func (export "_start") (unreachable)))
            """)
        #expect(try wasmd("run", nameless, "5").output == "5\n")
    }

    @Test func aModuleWithNothingToRunSaysWhatThereIs() throws {
        let file = try text("lib.wat", #"(module (func (export "add")))"#)
        let result = try wasmd("run", file)
        #expect(result.status == ExitCode.usage)
        #expect(result.error.hasSuffix("Functions it exports:\n  --invoke add\n"))
        let misplaced = try wasmd("run", file, "--invoke", "add")
        #expect(misplaced.status == ExitCode.usage)
        #expect(misplaced.error.contains("'--invoke' after \(file) went to the program"))
        let parameters = try text("p.wat", #"(module (func (export "_start") (param i32)))"#)
        let refused = try wasmd("run", parameters)
        #expect(refused.status == ExitCode.usage)
        #expect(refused.error.contains("--invoke _start"))
    }

    @Test func optionsBehindTheFile() throws {
        let guest = "\(Repository.root)/Tests/Guests/exit.wasm"
        let hint = "options of wasmd stand before it"
        #expect(try wasmd("run", guest, "5", "--dir", ".").error.contains(hint))
        #expect(try wasmd("run", guest, "5", "--dir=.").error.contains(hint))
        // A program has options of its own, and nothing is wrong.
        #expect(try !wasmd("run", guest, "0", "--dir", ".").error.contains(hint))
        #expect(try !wasmd("run", guest, "5", "--directory").error.contains(hint))
    }

    @Test func oneColonInsteadOfTwo() throws {
        let guest = "\(Repository.root)/Tests/Guests/exit.wasm"
        let result = try wasmd("run", "--dir", "data:/data", guest, folder: folder.path)
        #expect(result.status == ExitCode.refused)
        #expect(result.error.hasSuffix("stand two colons: --dir data::/data\n"))
        // A folder may be called so.
        _ = try run("/bin/mkdir", ["\(folder.path)/data:"])
        #expect(try wasmd("run", "--dir", "data:", guest, "0", folder: folder.path).status == 0)
        #expect(try wasmd("run", "--dir", ".::/d:rw", guest).status == ExitCode.usage)
    }

    // MARK: Values

    @Test func vectorsAndReferences() throws {
        let file = try text(
            "values.wat",
            """
            (module (func $v (export "v") (param v128) (result v128) (local.get 0))
              (func (export "f") (param funcref) (result funcref) (ref.func $v))
              (func (export "s") (result (ref struct)) (struct.new_default $s))
              (type $s (struct (field i32) (field i64))))
            """)
        func invoke(_ name: String, _ arguments: String...) throws -> ProcessResult {
            try run(Wasmd.path, ["run", "--invoke", name, file] + arguments)
        }
        #expect(try invoke("v", "i32x4:1,2,3,-4").output == "0xfffffffc000000030000000200000001\n")
        #expect(try invoke("v", "f64x2:1,-0").output == "0x80000000000000003ff0000000000000\n")
        #expect(
            try invoke("v", "i8x16:1,2,3,4,5,6,7,8,9,10,11,12,13,14,255,-128").output
                == "0x80ff0e0d0c0b0a090807060504030201\n")
        #expect(try invoke("v", "f32x4:1,nan,inf,0x1p1").output.hasPrefix("0x400000007f800000"))
        #expect(try invoke("f", "null").output == "funcref (v128) -> (v128)\n")
        #expect(try invoke("s").output == "structref of 2 fields\n")
        let short = try invoke("v", "i64x2:1")
        #expect(short.status == ExitCode.usage)
        #expect(short.error.contains("'i64x2:1' is not v128: it has 2 lanes\nA v128 is"))
        #expect(try invoke("v", "i8x16:1").status == ExitCode.usage)
        #expect(try invoke("v", "i32x4:1,2,3,4294967296").error.contains("out of range"))
        #expect(try invoke("v", "i31x4:1,2,3,4").status == ExitCode.usage)
        #expect(try invoke("f", "x").error.contains("The only funcref that can be given is null."))
    }

    @Test func trapsTellTheirValues() throws {
        let file = try text(
            "oob.wat",
            """
            (module (memory 1)
              (func (export "load") (param i32) (result i64) (i64.load offset=8 (local.get 0))))
            """)
        let result = try wasmd("run", "--invoke", "load", file, "65530")
        #expect(result.status == ExitCode.trap)
        #expect(
            result.error.hasPrefix(
                "wasmd: trap: out of bounds memory access: "
                    + "8 bytes at 0x10002 of memory 0, which has 65536 bytes\n#0 load (func[0])"))
    }

    // MARK: Linking

    @Test func preloadedModules() throws {
        let math = try text(
            "math.wat",
            """
            (module (global $ten (mut i32) (i32.const 0))
              (func (export "_initialize") (global.set $ten (i32.const 10)))
              (func (export "shift") (param i32) (result i32)
                (i32.add (local.get 0) (global.get $ten))))
            """)
        let twice = try text(
            "twice.wat",
            """
            (module (import "math" "shift" (func $shift (param i32) (result i32)))
              (func (export "twice") (param i32) (result i32)
                (call $shift (call $shift (local.get 0)))))
            """)
        let main = try text(
            "main.wat",
            """
            (module (import "twice" "twice" (func $twice (param i32) (result i32)))
              (func (export "run") (result i32) (call $twice (i32.const 1))))
            """)
        let options = ["--preload", "math=\(math)", "--preload", "twice=\(twice)"]
        #expect(
            try run(Wasmd.path, ["run"] + options + ["--invoke", "run", main]).output == "21\n")
        // In the other order, the second is missing for the first.
        let reversed = try wasmd(
            "run", "--preload", "twice=\(twice)", "--preload", "math=\(math)", "--invoke", "run",
            main)
        #expect(reversed.status == ExitCode.refused)
        #expect(reversed.error.hasPrefix("wasmd: \(twice): these imports"))
        #expect(reversed.error.contains("--preload NAME=FILE"))
        #expect(try wasmd("run", "--preload", "math", main).status == ExitCode.usage)
        #expect(
            try wasmd("run", "--preload", "math=\(math)x", "--invoke", "run", main).status
                == ExitCode.refused)
    }

    @Test func unknownImports() throws {
        let file = try text(
            "unknown.wat",
            """
            (module (import "env" "missing" (func $f (param i32) (result i32)))
              (func (export "run") (param i32) (result i32)
                (if (result i32) (local.get 0) (then (call $f (i32.const 4))) (else (i32.const 3)))))
            """)
        #expect(try wasmd("run", "--invoke", "run", file, "0").status == ExitCode.refused)
        let trap = ["run", "--unknown-imports", "trap", "--invoke", "run", file]
        #expect(try run(Wasmd.path, trap + ["0"]).output == "3\n")
        let called = try run(Wasmd.path, trap + ["1"])
        #expect(called.status == ExitCode.trap)
        #expect(called.error.contains(#"unknown import "env" "missing" was called"#))
        let zero = try wasmd(
            "run", "--unknown-imports=zero", "--trace", "--invoke", "run", file, "1")
        #expect(zero.output == "0\n")
        #expect(zero.error == "env.missing(4) = zero\n")
        #expect(try wasmd("run", "--unknown-imports", "ignore", file).status == ExitCode.usage)
    }

    // MARK: Trace and core dump

    @Test func traces() throws {
        let guest = "\(Repository.root)/Examples/wordcount/wordcount.wasm"
        _ = try text("a.txt", "one two\n")
        let path = "\(folder.path)/out.trace"
        let result = try wasmd(
            "run", "--trace=\(path)", "--dir", ".", guest, "a.txt", folder: folder.path)
        #expect(result.status == 0 && result.error == "")
        let lines = try contents("out.trace").split(separator: "\n")
        #expect(
            lines.contains {
                $0.hasPrefix("path_open(fd=3, ") && $0.contains(#"path="a.txt""#)
                    && $0.contains(") = success fd=4 <0.")
            })
        #expect(lines.contains { $0.contains(#" = success nread=8 data="one two\n" <0."#) })
        let deterministic = try wasmd("run", "--deterministic", "--trace", guest, "b.txt")
        #expect(!deterministic.error.contains("<0."))
        let refused = try wasmd("run", "--trace=\(folder.path)/no/out", guest)
        #expect(refused.status == ExitCode.refused)
    }

    @Test func tracesOfThreads() throws {
        let result = try wasmd("run", "--trace", "\(Repository.root)/Tests/Guests/threads.wasm")
        let lines = result.error.split(separator: "\n")
        #expect(lines.contains { $0.hasPrefix("[0] thread-spawn(start_arg=0x") })
        #expect(lines.contains { $0.contains(") = success thread=1 ") })
    }

    @Test func coreDumps() throws {
        let path = "\(folder.path)/core"
        let result = try wasmd(
            "run", "--coredump", path, "\(Repository.root)/Tests/Guests/lines.wasm")
        #expect(result.status == ExitCode.trap)
        #expect(result.error.hasSuffix("wasmd: core dump written to \(path)\n"))
        #expect(try wasmd("validate", path).status == 0)
        let sections = try wasmd("inspect", path).output
        for name in ["core", "coremodules", "coreinstances", "corestack"] {
            #expect(sections.contains("\"\(name)\"") || sections.contains(name))
        }
        // Nothing is written if nothing is wrong.
        let other = "\(folder.path)/other"
        let guest = "\(Repository.root)/Tests/Guests/exit.wasm"
        #expect(try wasmd("run", "--coredump", other, guest, "3").status == 3)
        #expect(access(other, F_OK) != 0)
    }

    // MARK: Signals

    /// Prints a line first, so that a signal finds it running.
    private func printing(_ name: String, _ code: String) throws -> String {
        try text(
            name,
            """
            (module
              (import "wasi_snapshot_preview1" "fd_write"
                (func $fd_write (param i32 i32 i32 i32) (result i32)))
              (import "wasi_snapshot_preview1" "poll_oneoff"
                (func $poll (param i32 i32 i32 i32) (result i32)))
              (memory (export "memory") 1)
              (data (i32.const 0) "\\08\\00\\00\\00\\06\\00\\00\\00ready\\n")
              (func $\(name.dropLast(4)) (export "_start")
                (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 200)))
                \(code)))
            """)
    }

    @Test(arguments: [("INT", SIGINT), ("TERM", SIGTERM), ("HUP", SIGHUP)] as [(String, Int32)])
    func signalsLeaveTheFiles(name signal: String, number: Int32) throws {
        let spin = try printing("spin.wat", "(loop $l (br $l))")
        let wait = try printing(
            "wait.wat",
            """
            (i32.store (i32.const 40) (i32.const 1))
            (i64.store (i32.const 48) (i64.const 100000000000))
            (drop (call $poll (i32.const 24) (i32.const 100) (i32.const 1) (i32.const 200)))
            """)
        for (file, name) in [(spin, "spin"), (wait, "wait")] {
            let result = try run(
                Wasmd.path,
                [
                    "run", "--profile", "\(folder.path)/\(name).json", "--coverage",
                    "\(folder.path)/\(name).lcov", "--flamegraph", "\(folder.path)/\(name).svg",
                    "--coredump", "\(folder.path)/\(name).core", file,
                ], signal: number)
            #expect(result.status == 128 + number, "\(name)")
            #expect(result.error.contains("#0 \(name) (func["))
            #expect(try contents("\(name).lcov").contains("FNDA:1,\(name)"))
            #expect(try contents("\(name).svg").hasSuffix("</svg>\n"))
            #expect(try contents("\(name).json").hasPrefix("{"))
            #expect(try wasmd("validate", "\(folder.path)/\(name).core").status == 0)
        }
    }

    // MARK: Coverage

    @Test func coverageLeavesOutSourcesThatAreNotThere() {
        let record = { (path: String) in "SF:\(path)\nDA:1,1\nend_of_record\n" }
        let tracefile = "TN:\n" + record("/here/a.c") + record("/gone/b.c") + record("/gone/c.c")
        let some = CoverageSources(tracefile) { $0.hasPrefix("/here") }
        #expect(some.text == "TN:\n" + record("/here/a.c"))
        #expect(some.note?.contains("2 source files") == true)
        #expect(some.note?.contains("/gone/b.c") == true)
        let all = CoverageSources(tracefile) { _ in true }
        #expect(all.text == tracefile && all.note == nil)
        let none = CoverageSources(tracefile) { _ in false }
        #expect(none.text == tracefile)
        #expect(none.note?.contains("--ignore-errors source") == true)
    }
}
