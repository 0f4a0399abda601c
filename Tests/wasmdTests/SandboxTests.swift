import Glibc
import Testing

@testable import wasmd

/// `--sandbox`: everything that a program does without it works, and the kernel holds the process.
@Suite struct SandboxTests {
    private static let guests = Repository.files(in: "Tests/Guests", ending: ".wasm")
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    @Test(arguments: guests)
    func programsRunAsBefore(guest: String) throws {
        let base = "Tests/Guests/\(guest)"
        var results: [ProcessResult] = []
        for option in [[], ["--sandbox"]] {
            let room = try TemporaryFolder()
            var words = ["run"] + option + ["--dir", "\(room.path)::."]
            for variable in Repository.lines("\(base).environment") {
                words += ["--env", variable]
            }
            words.append("\(Repository.root)/\(base).wasm")
            words += Repository.lines("\(base).arguments")
            results.append(
                try run(Wasmd.path, words, input: Repository.bytes("\(base).input") ?? []))
        }
        #expect(results[1].status == results[0].status, "\(results[1].error)")
        #expect(results[1].output == results[0].output)
        // One line comes before what the program and its end say.
        let lines = results[1].error.split(
            separator: "\n", maxSplits: 1, omittingEmptySubsequences: false)
        let words = ["wasmd: sandbox: ", "wasmd: this kernel restricts the program only in part: "]
        #expect(words.contains { lines.first?.hasPrefix($0) == true }, "\(lines)")
        #expect(lines.count == 2 && String(lines[1]) == results[0].error)
    }

    /// Waits until its input ends.
    private static let waiting = """
        (module
          (import "wasi_snapshot_preview1" "fd_read"
            (func $read (param i32 i32 i32 i32) (result i32)))
          (memory (export "memory") 1)
          (data (i32.const 32) "\\40\\00\\00\\00\\08\\00\\00\\00")
          (func (export "_start")
            (drop (call $read (i32.const 0) (i32.const 32) (i32.const 1) (i32.const 104)))))
        """

    @Test(arguments: ["--sandbox", "--sandbox=strict", "--timeout=60s --sandbox"])
    func theProcessIsRestricted(options: String) throws {
        try folder.write("p.wat", Array(Self.waiting.utf8))
        // The shell keeps the input open until it has looked.
        let script = """
            mkfifo input
            "$0" run \(options) --dir . p.wat < input & exec 3> input
            for i in $(seq 1200); do
                grep -q 'Seccomp:.2' /proc/$!/status && break; kill -0 $! || break; sleep 0.05
            done
            grep -E '^(NoNewPrivs|Seccomp):' /proc/$!/status
            # Restrictions hold for each of its threads, of which some may begin or end meanwhile.
            cat /proc/$!/task/*/status 2>/dev/null | grep '^Seccomp:' | grep -vc ':.2'
            exec 3>&-; wait $!; echo $?
            """
        let result = try run("/bin/bash", ["-c", script, Wasmd.path], folder: folder.path)
        #expect(result.output == "NoNewPrivs:\t1\nSeccomp:\t2\n0\n0\n", "\(result.error)")
    }

    /// Files that wasmd itself writes when the program has ended are written.
    @Test func filesOfOptionsAreWritten() throws {
        try folder.write(
            "p.wat", Array("(module (func (export \"_start\") unreachable))".utf8))
        mkdir(folder.path + "/out", 0o700)
        let result = try run(
            Wasmd.path,
            [
                "run", "--sandbox", "--coredump", "out/core", "--flamegraph", "out/flame.svg",
                "--coverage", "out/coverage", "--trace=out/trace", "--stats", "p.wat",
            ], folder: folder.path)
        #expect(result.status == 134)
        for file in ["core", "flame.svg", "coverage"] {
            #expect(access("\(folder.path)/out/\(file)", F_OK) == 0, "\(file): \(result.error)")
        }
    }

    @Test func timeIsStillUp() throws {
        try folder.write(
            "p.wat", Array("(module (func (export \"_start\") (loop (br 0))))".utf8))
        let result = try run(
            Wasmd.path, ["run", "--sandbox", "--timeout", "200ms", "p.wat"], folder: folder.path)
        #expect(result.status == 134)
        #expect(result.error.contains("200ms"))
    }

    @Test func aFolderThatIsMissingIsNamed() throws {
        try folder.write("p.wat", Array(Self.waiting.utf8))
        let result = try run(
            Wasmd.path, ["run", "--sandbox", "--dir", "nowhere", "p.wat"], folder: folder.path)
        #expect(result.status == 1)
        #expect(result.error.contains("nowhere"))
        // So is that of a file that could not be written at the end.
        let dump = try run(
            Wasmd.path, ["run", "--sandbox", "--coredump", "nodir/core", "p.wat"],
            folder: folder.path)
        #expect(dump.status == 1)
        #expect(dump.error.contains("--sandbox: files cannot be restricted: nodir: "))
    }

    /// The verb of the process that executes programs is none of users.
    @Test func theVerbOfTheSpawnerIsNoCommand() throws {
        let result = try wasmd("execute-programs", "/bin/sh")
        #expect(result.status == 2)
        #expect(result.error.contains("execute-programs"))
    }

    @Test func wrongModesAreRefused() throws {
        let result = try wasmd("run", "--sandbox=strictly", "p.wasm")
        #expect(result.status == 2)
        #expect(result.error.contains("--sandbox"))
        #expect(result.error.contains("strict"))
    }
}
