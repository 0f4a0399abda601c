import Glibc
import Testing

@testable import wasmd

/// `--timeout` counts from the start of the process, whatever it does, and says what that was.
@Suite struct TimeoutTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// Runs a line of the shell in the folder, with the program as `$0`.
    private func shell(_ line: String) throws -> ProcessResult {
        let start = Statistics.now()
        let result = try run("/bin/sh", ["-c", line, Wasmd.path], folder: folder.path)
        // No case ends by itself.
        #expect(Statistics.now() - start < 20_000_000_000)
        #expect(result.status == ExitCode.trap)
        return result
    }

    private func text(_ name: String) throws -> String {
        try run("/bin/cat", [folder.path + "/" + name]).output
    }

    @Test func readingTheModule() throws {
        let message = "wasmd: interrupted after 200ms (--timeout), while reading the module\n"
        #expect(try shell("mkfifo m; exec \"$0\" run --timeout 200ms m").error == message)
        #expect(
            try shell("mkfifo p; exec \"$0\" run --timeout 200ms - <> p").error == message)
        // It has begun to come.
        #expect(
            try shell("(printf '\\0asm'; sleep 3) | \"$0\" run --timeout 200ms -").error
                == message)
    }

    @Test func readingAText() throws {
        var text = Array("(module".utf8)
        for _ in 0..<60_000 {
            text += Array("(func (drop (i32.const 1)) (drop (i32.const 2)))\n".utf8)
        }
        try folder.write("a.wat", text + Array("(func (export \"_start\")))".utf8))
        #expect(
            try shell("exec \"$0\" run --timeout 50ms a.wat").error
                == "wasmd: interrupted after 50ms (--timeout), while reading the text\n")
    }

    @Test func openingStandardInput() throws {
        try folder.write("a.wat", Array(Self.writer.utf8))
        #expect(
            try shell("mkfifo p; exec \"$0\" run --timeout 400ms --stdin p a.wat").error
                == """
                wasmd: interrupted after 400ms (--timeout), while opening what the program gets

                """)
    }

    @Test func startFunctions() throws {
        try folder.write(
            "a.wat",
            Array("(module (func $s (loop $l (br $l))) (start $s) (func (export \"_start\")))".utf8)
        )
        let error = try shell("exec \"$0\" run --timeout 300ms a.wat").error
        #expect(
            error.hasPrefix(
                """
                wasmd: trap: interrupted after 300ms (--timeout), while instantiating the module
                #0
                """))
    }

    /// Writes to standard output for ever.
    private static let writer = """
        (module
          (import "wasi_snapshot_preview1" "fd_write"
            (func $write (param i32 i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_sync" (func $sync (param i32) (result i32)))
          (memory (export "memory") 20)
          (func $forever (param $fd i32)
            (i32.store (i32.const 4) (i32.const 1000000))
            (loop $l
              (drop (call $write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8)))
              (br $l)))
          (func (export "sync") (loop $l (drop (call $sync (i32.const 3))) (br $l)))
          (func (export "_start") (call $forever (i32.const 1))))
        """

    /// Profile and coverage are written when the time is over while the guest waits.
    @Test func observationOfAWaitingGuest() throws {
        try folder.write("a.wat", Array(Self.writer.utf8))
        let error = try shell(
            """
            mkfifo p
            exec "$0" run --timeout 1s --profile out.json --coverage out.lcov a.wat <> p >&0
            """
        ).error
        #expect(error.hasPrefix("wasmd: trap: interrupted after 1s (--timeout)\n#0 "))
        #expect(try text("out.lcov").contains("FNDA:1,forever"))
        #expect(try text("out.json").hasPrefix("{"))
    }

    /// A terminal that nobody reads takes some bytes, and then no more: the guest waits and is stopped,
    /// whatever else it was about to write.
    @Test func stoppedTerminals() throws {
        let master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
        defer { close(master) }
        var lock: Int32 = 0
        var number: Int32 = 0
        // TIOCSPTLCK and TIOCGPTN
        guard ioctl(master, 0x4004_5431, &lock) == 0, ioctl(master, 0x8004_5430, &number) == 0
        else { return }
        let name = "/dev/pts/\(number)"
        try folder.write("a.wat", Array(Self.writer.utf8))
        let error = try shell("exec \"$0\" run --timeout 500ms a.wat > \(name)").error
        #expect(error.hasPrefix("wasmd: trap: interrupted after 500ms (--timeout)\n#0 "))
    }

    /// The kernel does not return: the process ends a second later, with everything written.
    @Test func blockedCalls() throws {
        try folder.write(
            "slow.c",
            Array("int pause(void); int fsync(int fd) { for (;;) pause(); }".utf8))
        let compiler = try run(
            "/bin/sh", ["-c", "for c in clang cc gcc; do command -v $c && break; done"],
            environment: environment()
        ).output.split(separator: "\n").first.map(String.init)
        let library = folder.path + "/slow.so"
        guard let compiler,
            try run(
                compiler, ["-shared", "-fPIC", "-o", library, folder.path + "/slow.c"],
                environment: environment()
            ).status == 0
        else { return }
        // Another fsync can be loaded only into a program that loads libraries.
        let header = try run("/bin/sh", ["-c", "readelf -l \"$0\" | grep -c INTERP", Wasmd.path])
        guard header.status == 0 else { return }
        try folder.write("a.wat", Array(Self.writer.utf8))
        let error = try shell(
            """
            exec env LD_PRELOAD=\(library) "$0" run --timeout 500ms --invoke sync --dir . \
              --profile out.json --coverage out.lcov a.wat
            """
        ).error
        #expect(
            error == """
                wasmd: interrupted after 500ms (--timeout): a call of the host does not return

                """)
        #expect(try text("out.lcov").contains("FNDA:1,sync"))
        #expect(try text("out.json").hasPrefix("{"))
    }

    private func environment() -> [String] {
        ["PATH=" + (getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin")]
    }
}
