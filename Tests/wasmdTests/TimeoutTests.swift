import Glibc
import Testing

@testable import wasmd

/// `--timeout` counts from the start of the process, whatever it does, and says what that was.
@Suite struct TimeoutTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// Runs a line of the shell in the folder, with the program as `$0` and its time limit as `$1`.
    private func shell(
        _ line: String, _ milliseconds: Int, reaching phase: Watchdog.Phase
    ) throws -> (error: String, limit: String) {
        let (result, limit) = try timed(milliseconds, reaching: phase) {
            try run("/bin/sh", ["-c", line, Wasmd.path, $0], folder: folder.path)
        }
        #expect(result.status == ExitCode.trap)
        return (result.error, limit)
    }

    private func makePipe(_ name: String) { mkfifo(folder.path + "/" + name, 0o600) }

    private func text(_ name: String) throws -> String {
        try run("/bin/cat", [folder.path + "/" + name]).output
    }

    @Test func readingTheModule() throws {
        makePipe("p")
        for line in [
            "exec \"$0\" run --timeout $1 p", "exec \"$0\" run --timeout $1 - <> p",
            // It has begun to come.
            "exec <> p; printf '\\0asm' >&0; exec \"$0\" run --timeout $1 -",
        ] {
            let (error, limit) = try shell(line, 200, reaching: .reading)
            #expect(
                error == "wasmd: interrupted after \(limit) (--timeout), while reading the module\n"
            )
        }
    }

    @Test func readingAText() throws {
        // 50 MB: no machine is done with it at the first time limits.
        let body = String(repeating: "(drop (i32.const 1))", count: 40)
        let functions = String(repeating: "(func \(body))\n", count: 60_000)
        try folder.write("a.wat", Array("(module \(functions) (func (export \"_start\")))".utf8))
        let (error, limit) = try shell(
            "exec \"$0\" run --timeout $1 a.wat", 100, reaching: .parsing)
        #expect(error == "wasmd: interrupted after \(limit) (--timeout), while reading the text\n")
    }

    @Test func openingStandardInput() throws {
        try folder.write("a.wat", Array(Self.writer.utf8))
        makePipe("p")
        let (error, limit) = try shell(
            "exec \"$0\" run --timeout $1 --stdin p a.wat", 400, reaching: .preparing)
        #expect(
            error == """
                wasmd: interrupted after \(limit) (--timeout), while opening what the program gets

                """)
    }

    @Test func startFunctions() throws {
        try folder.write(
            "a.wat",
            Array("(module (func $s (loop $l (br $l))) (start $s) (func (export \"_start\")))".utf8)
        )
        let (error, limit) = try shell(
            "exec \"$0\" run --timeout $1 a.wat", 300, reaching: .instantiating)
        #expect(
            error.hasPrefix(
                """
                wasmd: trap: interrupted after \(limit) (--timeout), while instantiating the module
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
        makePipe("p")
        let (error, limit) = try shell(
            """
            exec "$0" run --timeout $1 --profile out.json --coverage out.lcov a.wat <> p >&0
            """, 1000, reaching: .running)
        #expect(error.hasPrefix("wasmd: trap: interrupted after \(limit) (--timeout)\n#0 "))
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
        let (error, limit) = try shell(
            "exec \"$0\" run --timeout $1 a.wat > \(name)", 500, reaching: .running)
        #expect(error.hasPrefix("wasmd: trap: interrupted after \(limit) (--timeout)\n#0 "))
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
        let (error, limit) = try shell(
            """
            exec env LD_PRELOAD=\(library) "$0" run --timeout $1 --invoke sync --dir . \
              --profile out.json --coverage out.lcov a.wat
            """, 500, reaching: .running)
        #expect(
            error == """
                wasmd: interrupted after \(limit) (--timeout): a call of the host does not return

                """)
        #expect(try text("out.lcov").contains("FNDA:1,sync"))
        #expect(try text("out.json").hasPrefix("{"))
    }

    private func environment() -> [String] {
        ["PATH=" + (getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin")]
    }
}
