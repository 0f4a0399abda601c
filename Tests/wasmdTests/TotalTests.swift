import Glibc
import Testing

@testable import wasmd

/// `--max-memory` holds for the program: whatever it takes, and with all its threads.
@Suite struct TotalTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// Runs a program under 64 MiB and answers how it ended, with the KiB that the process took at most.
    private func measure(
        _ text: String, _ options: [String] = []
    ) throws -> (result: ProcessResult, peak: Int) {
        let file = try folder.write("program.wat", Array(text.utf8))
        // A process that is started by this one would count this one's memory for its own.
        let script = "\"$@\"; exit $?"
        let result = try run(
            "/bin/sh",
            ["-c", script, "sh", Wasmd.path, "run", "--stats", "--max-memory", "64MiB"] + options
                + [file])
        let line = result.error.split(separator: "\n").first { $0.contains("peak memory") }
        let digits = try #require(line).filter { $0.isNumber }
        return (result, try #require(Int(digits)))
    }

    private static let bound = 96 << 10

    @Test func manyTables() throws {
        let tables = (0..<12).map { "(table $t\($0) 999999 funcref)" }.joined()
        let fills = (0..<12).map {
            "(table.fill $t\($0) (i32.const 0) (ref.func $f) (i32.const 999999))"
        }.joined()
        let (result, peak) = try measure(
            "(module \(tables) (func $f) (elem declare func $f) (func (export \"_start\") \(fills)))"
        )
        #expect(result.status == 1)
        #expect(result.error.contains("--max-memory"))
        #expect(peak < Self.bound)
    }

    @Test func objectsOfManyThreads() throws {
        let (result, peak) = try measure(
            """
            (module
              (import "env" "memory" (memory 1 100 shared))
              (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
              (type $a (array (mut i64)))
              (global $g (mut (ref null $a)) (ref.null $a))
              (func (export "wasi_thread_start") (param i32 i32)
                (global.set $g (array.new $a (i64.const 7) (i32.const 1000000)))
                (loop $l (br $l)))
              (func (export "_start") (local $i i32)
                (loop $l
                  (drop (call $spawn (i32.const 0)))
                  (local.set $i (i32.add (local.get $i) (i32.const 1)))
                  (br_if $l (i32.lt_u (local.get $i) (i32.const 150))))
                (loop $m (br $m))))
            """)
        #expect(result.status == 134)
        #expect(
            result.error.contains(
                "trap: memory of the program exhausted (allow more with --max-memory SIZE)"))
        #expect(peak < Self.bound)
    }

    /// Descriptors, links, cookies of folders, objects, stacks, memories, tables and threads at once.
    @Test func everythingAtOnce() throws {
        for number in 0..<50 { try folder.write("file\(number)", []) }
        let (result, peak) = try measure(Self.everything, ["--dir", folder.path + "::/"])
        #expect(result.status == 134)
        #expect(
            result.error.contains(
                "trap: memory of the program exhausted (allow more with --max-memory SIZE)"))
        #expect(peak < Self.bound)
        // What it was allowed, and could take: a part of it is not touched when the trap comes, which
        // depends on the order of the threads (24 to 52 MiB on an idle machine).
        #expect(peak > 12 << 10)
    }

    private static let everything = """
        (module
          (import "env" "memory" (memory $shared 2 1024 shared))
          (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
          (import "wasi_snapshot_preview1" "path_open"
            (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "path_symlink"
            (func $link (param i32 i32 i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_readdir"
            (func $read (param i32 i32 i32 i64 i32) (result i32)))
          (memory $own 0 1024)
          (table $functions 1 funcref)
          (table $values 1 externref)
          (type $list (struct (field (ref null $list)) (field i64)))
          (global $kept (mut (ref null $list)) (ref.null $list))
          (elem declare func $nothing)
          (func $nothing)
          (data (memory $shared) (i32.const 64) ".")
          (data (memory $shared) (i32.const 80) "link0000")

          ;; Opens the folder until that fails, and reads each: its cookies are kept.
          (func $descriptors (local $fd i32)
            (loop $next
              (if (call $open (i32.const 3) (i32.const 0) (i32.const 64) (i32.const 1)
                    (i32.const 2) (i64.const 0x4000) (i64.const 0) (i32.const 0) (i32.const 96))
                (then return))
              (local.set $fd (i32.load (i32.const 96)))
              (drop (call $read (local.get $fd) (i32.const 1024) (i32.const 60000) (i64.const 0)
                (i32.const 96)))
              (br_if $next (i32.lt_u (local.get $fd) (i32.const 300)))))
          (func $links (local $n i32)
            (loop $next
              (i32.store8 offset=84 (i32.const 0)
                (i32.add (i32.const 65) (i32.shr_u (local.get $n) (i32.const 4))))
              (i32.store8 offset=85 (i32.const 0)
                (i32.add (i32.const 65) (i32.and (local.get $n) (i32.const 15))))
              (drop (call $link (i32.const 80) (i32.const 8) (i32.const 3) (i32.const 80)
                (i32.const 8)))
              (local.set $n (i32.add (local.get $n) (i32.const 1)))
              (br_if $next (i32.lt_u (local.get $n) (i32.const 200)))))
          (func $objects (param $n i32)
            (loop $next
              (global.set $kept (struct.new $list (global.get $kept) (i64.const -1)))
              (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
          (func $deep (param $n i32) (result i32)
            (if (result i32) (local.get $n)
              (then (i32.add (i32.const 1) (call $deep (i32.sub (local.get $n) (i32.const 1)))))
              (else (i32.const 0))))
          ;; Each grows until it cannot, at most `n` times, and touches what it got.
          (func $memories (param $n i32) (local $old i32)
            (loop $next
              (local.set $old (memory.grow $own (i32.const 4)))
              (if (i32.ge_s (local.get $old) (i32.const 0))
                (then (memory.fill $own (i32.shl (local.get $old) (i32.const 16)) (i32.const 85)
                  (i32.const 262144))))
              (local.set $old (memory.grow $shared (i32.const 4)))
              (if (i32.ge_s (local.get $old) (i32.const 0))
                (then (memory.fill $shared (i32.shl (local.get $old) (i32.const 16))
                  (i32.const 85) (i32.const 262144))))
              (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
          (func $tables (param $n i32)
            (loop $next
              (drop (table.grow $functions (ref.func $nothing) (i32.const 20000)))
              (drop (table.grow $values (ref.null extern) (i32.const 20000)))
              (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))

          (func (export "wasi_thread_start") (param i32 i32)
            (call $memories (i32.const 2))
            (call $tables (i32.const 2))
            (drop (call $deep (i32.const 500)))
            (drop (memory.atomic.wait32 $shared (i32.const 0) (i32.const 0) (i64.const -1))))
          (func (export "_start") (local $n i32)
            (call $descriptors)
            (call $links)
            (call $objects (i32.const 100000))
            (drop (call $deep (i32.const 5000)))
            (call $memories (i32.const 10))
            (call $tables (i32.const 5))
            (loop $next
              (drop (call $spawn (i32.const 0)))
              (local.set $n (i32.add (local.get $n) (i32.const 1)))
              (br_if $next (i32.lt_u (local.get $n) (i32.const 100))))
            (call $memories (i32.const 300))
            (call $tables (i32.const 300))
            (call $objects (i32.const 100000000))))
        """

    @Test func limitsOfNumbers() throws {
        let threads = """
            (module
              (import "env" "memory" (memory 1 1 shared))
              (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
              (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
              (func (export "wasi_thread_start") (param i32 i32)
                (drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1))))
              (func (export "_start") (local $n i32)
                (loop $next
                  (if (i32.gt_s (call $spawn (i32.const 0)) (i32.const 0)) (then
                    (local.set $n (i32.add (local.get $n) (i32.const 1)))
                    (br_if $next (i32.lt_u (local.get $n) (i32.const 100))))))
                (call $exit (local.get $n))))
            """
        let file = try folder.write("threads.wat", Array(threads.utf8))
        #expect(try wasmd("run", "--max-threads", "3", file).status == 3)

        let descriptors = """
            (module
              (import "wasi_snapshot_preview1" "path_open"
                (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
              (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
              (memory (export "memory") 1) (data (i32.const 64) ".")
              (func (export "_start") (local $n i32)
                (loop $next
                  (if (i32.eqz (call $open (i32.const 3) (i32.const 0) (i32.const 64) (i32.const 1)
                    (i32.const 2) (i64.const 0x4000) (i64.const 0) (i32.const 0) (i32.const 96)))
                    (then (local.set $n (i32.add (local.get $n) (i32.const 1)))
                      (br_if $next (i32.lt_u (local.get $n) (i32.const 200))))))
                (call $exit (local.get $n))))
            """
        let opening = try folder.write("open.wat", Array(descriptors.utf8))
        let options = ["run", "--dir", folder.path + "::/"]
        #expect(
            try run(Wasmd.path, options + ["--max-descriptors", "10", opening]).status == 6)
        let none = try run(Wasmd.path, options + ["--max-descriptors", "3", opening])
        #expect(none.status == 1)
        #expect(none.error.contains("--max-descriptors"))
        // Where the process has few, some are left to it.
        let script = closingOtherDescriptors + "ulimit -n 64; exec \"$@\""
        let few = try run(
            "/bin/bash", ["-c", script, "bash", Wasmd.path] + options + [opening])
        #expect((20...44).contains(few.status))

        let table = try folder.write(
            "table.wat", Array("(module (table 100 funcref) (func (export \"_start\")))".utf8))
        let refused = try wasmd("run", "--max-table", "99", table)
        #expect(refused.status == 1)
        #expect(refused.error.contains("--max-table"))
        #expect(try wasmd("run", "--max-table", "100", table).status == 0)
    }

    @Test func messagesNameTheOption() throws {
        let heap = try folder.write(
            "heap.wat",
            Array(
                """
                (module (type $a (array i8)) (func (export "_start")
                  (drop (array.new_default $a (i32.const 3000000)))))
                """.utf8))
        let small = try wasmd("run", "--max-heap", "1MiB", heap)
        #expect(small.status == 134)
        #expect(small.error.contains("heap exhausted (allow more with --max-heap SIZE)"))
        let total = try wasmd("run", "--max-memory", "2MiB", heap)
        #expect(total.status == 134)
        #expect(total.error.contains("(allow more with --max-memory SIZE)"))
    }
}
