import Glibc
import Testing

/// The process is not what a program thinks: descriptors are closed, files are limited, names are no
/// UTF-8. Each script gets wasmd as `$0`, and runs in a folder of its own.
@Suite struct ProcessWorldTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func shell(_ script: String, _ arguments: String...) throws -> ProcessResult {
        try run("/bin/bash", ["-c", script, Wasmd.path] + arguments, folder: folder.path)
    }

    /// Opens "kept" in the folder, prints "printed" to both outputs, reads its input, and ends with what
    /// these three answer: errno of writes times 1 and 10, of the read times 100.
    private static let printer = """
        (module
          (import "wasi_snapshot_preview1" "path_open" (func $open
            (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_write"
            (func $write (param i32 i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_read"
            (func $read (param i32 i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
          (memory (export "memory") 1)
          (data (i32.const 0) "kept") (data (i32.const 16) "printed\\n")
          (data (i32.const 32) "\\10\\00\\00\\00\\08\\00\\00\\00")
          (func (export "_start")
            (drop (call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 4) (i32.const 9)
              (i64.const 0x40) (i64.const 0) (i32.const 0) (i32.const 100)))
            (call $exit
              (i32.add
                (call $write (i32.const 1) (i32.const 32) (i32.const 1) (i32.const 104))
                (i32.add
                  (i32.mul (i32.const 10)
                    (call $write (i32.const 2) (i32.const 32) (i32.const 1) (i32.const 104)))
                  (i32.mul (i32.const 20)
                    (call $read (i32.const 0) (i32.const 32) (i32.const 1) (i32.const 104))))))))
        """

    /// No file gets the number of a standard stream that is closed; using that fails with 8, `badf`.
    @Test(arguments: 0..<8)
    func closedStandardStreams(closed: Int) throws {
        try folder.write("p.wat", Array(Self.printer.utf8))
        let closing = [" <&-", " >&-", " 2>&-"].enumerated()
            .filter { closed >> $0.offset & 1 == 1 }.map(\.element).joined()
        let result = try shell("(exec\(closing); exec \"$0\" run --dir . p.wat); echo $? > status")
        let isClosed = (0..<3).map { closed >> $0 & 1 == 1 }
        let status = (isClosed[1] ? 8 : 0) + (isClosed[2] ? 80 : 0) + (isClosed[0] ? 160 : 0)
        #expect(try shell("cat status").output == "\(status & 255)\n")
        #expect(try shell("stat -c %s kept").output == "0\n")
        #expect(result.output == (isClosed[1] ? "" : "printed\n"))
        #expect(result.error == (isClosed[2] ? "" : "printed\n"))
    }

    @Test func resultsWithoutAnOutput() throws {
        try folder.write("p.wat", Array(Self.printer.utf8))
        let result = try shell("exec \"$0\" inspect p.wat >&-")
        #expect(result.status == 1)
        #expect(result.error == "wasmd: standard output: Bad file descriptor\n")
        let input = try shell("exec \"$0\" validate - <&-")
        #expect(input.status == 1)
        #expect(input.error == "wasmd: -: Bad file descriptor\n")
        let folder = try shell("exec \"$0\" validate - < .")
        #expect(folder.error == "wasmd: -: Is a directory\n")
        let full = try shell("exec \"$0\" inspect p.wat > /dev/full")
        #expect(full.status == 1)
        #expect(full.error == "wasmd: standard output: No space left on device\n")
    }

    /// `-` is the descriptor, from where it stands on, and may be a stream that does not wait.
    @Test func standardInputAsAModule() throws {
        try folder.write("p.wat", Array(Self.printer.utf8))
        #expect(try shell("exec \"$0\" validate - < p.wat").status == 0)
        let behind = "(echo no text; cat p.wat) > q; (read -r; exec \"$0\" validate -) < q"
        #expect(try shell(behind).status == 0)
        let slow = """
            mkfifo f; (sleep 0.3; cat p.wat) > f &
            perl -e 'use Fcntl; fcntl(STDIN, F_SETFL, O_NONBLOCK); exec @ARGV' "$0" validate - < f
            """
        let result = try shell(slow)
        #expect(result.status == 0)
        #expect(result.error == "")
    }

    /// A reader that is slow does not lose what is printed to a stream that does not wait.
    @Test func outputThatDoesNotWait() throws {
        try folder.write("p.wat", Array(Self.printer.utf8))
        let script = """
            perl -e 'use Fcntl; fcntl(STDOUT, F_SETFL, O_NONBLOCK); exec @ARGV' \
            "$0" help run | (sleep 0.3; cat) > a
            for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do echo p.wat; done > l
            perl -e 'use Fcntl; fcntl(STDOUT, F_SETFL, O_NONBLOCK); exec @ARGV' \
            "$0" validate -v $(for i in $(seq 200); do cat l; done) | (sleep 1; cat) | wc -l
            """
        let result = try shell(script)
        #expect(result.output == "4000\n")
        #expect(result.error == "")
    }

    /// Limits on the size of files are errors and not the end of the process.
    @Test func limitedFiles() throws {
        let text = """
            (module
              (import "wasi_snapshot_preview1" "path_open" (func $open
                (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
              (import "wasi_snapshot_preview1" "fd_filestat_set_size"
                (func $size (param i32 i64) (result i32)))
              (import "wasi_snapshot_preview1" "fd_allocate"
                (func $allocate (param i32 i64 i64) (result i32)))
              (import "wasi_snapshot_preview1" "fd_pwrite"
                (func $write (param i32 i32 i32 i64 i32) (result i32)))
              (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
              (memory (export "memory") 1)
              (data (i32.const 0) "kept") (data (i32.const 32) "\\10\\00\\00\\00\\08\\00\\00\\00")
              (func (export "_start") (local $fd i32)
                (drop (call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 4)
                  (i32.const 9) (i64.const 0x400144) (i64.const 0) (i32.const 0) (i32.const 100)))
                (local.set $fd (i32.load (i32.const 100)))
                (call $exit
                  (i32.or
                    (i32.xor (i32.const 22)
                      (call $size (local.get $fd) (i64.const 10000000000)))
                    (i32.or
                      (i32.xor (i32.const 22)
                        (call $allocate (local.get $fd) (i64.const 0) (i64.const 10000000000)))
                      (i32.xor (i32.const 22)
                        (call $write (local.get $fd) (i32.const 32) (i32.const 1)
                          (i64.const 10000000000) (i32.const 104))))))))
            """
        try folder.write("p.wat", Array(text.utf8))
        let result = try shell("ulimit -f 100; \"$0\" run --dir . p.wat; echo $?")
        #expect(result.output == "0\n")
        // The program's own files as well.
        try folder.write("q.wat", Array(Self.printer.utf8))
        let own = try shell(
            "(ulimit -f 0; \"$0\" wat2wasm -o out q.wat 2>&1; echo $?) | cat; ls out")
        #expect(own.output == "wasmd: out: File too large\n1\n")
    }

    /// Prints its arguments and its variables as they are, each with a NUL behind it.
    private static let echo = """
        (module
          (import "wasi_snapshot_preview1" "args_sizes_get" (func $sizes (param i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "args_get" (func $get (param i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "environ_sizes_get"
            (func $environ_sizes (param i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "environ_get" (func $environ (param i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_write"
            (func $write (param i32 i32 i32 i32) (result i32)))
          (memory (export "memory") 1)
          (func (export "_start")
            (drop (call $sizes (i32.const 0) (i32.const 12)))
            (drop (call $get (i32.const 100) (i32.const 1000)))
            (i32.store (i32.const 8) (i32.const 1000))
            (drop (call $write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 0)))
            (drop (call $environ_sizes (i32.const 0) (i32.const 12)))
            (drop (call $environ (i32.const 100) (i32.const 10000)))
            (i32.store (i32.const 8) (i32.const 10000))
            (drop (call $write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 0)))))
        """

    /// Paths, arguments and variables that are no UTF-8 arrive byte by byte.
    @Test func bytes() throws {
        try folder.write("echo.wat", Array(Self.echo.utf8))
        let script = #"""
            f=$(printf 'f\377.wasm'); d=$(printf 'd\376'); mkdir "$d"
            "$0" wat2wasm -o "$f" echo.wat
            export V=$(printf 'v\375')
            "$0" run --env "$(printf 'N\374=\373')" --env V --dir "$d::$(printf 'g\372')" \
              "$f" "$(printf 'x\371')" > out
            printf 'f\377.wasm\0x\371\0N\374=\373\0V=v\375\0' | cmp - out && echo equal
            "$0" run --argv0 "$(printf 'z\370')" --env-inherit "$f" | tr '\0' '\n' | \
              grep -a -c -x -e "$(printf 'z\370')" -e "$(printf 'V=v\375')"
            "$0" validate "$f" && "$0" wasm2wat -o "$(printf 't\367')" "$f" && \
              [ -s "$(printf 't\367')" ] && echo written
            "$0" run --chdir "$d" "../$f" > /dev/null && echo there
            "$0" run --stdin "$(printf 't\367')" "$f" > /dev/null && echo read
            "$0" run "$(printf 'no\366')"
            """#
        let result = try shell(script)
        #expect(result.output == "equal\n2\nwritten\nthere\nread\n")
        #expect(result.error == "wasmd: no\\xf6: No such file or directory\n")
    }

    /// A value may begin with a mark that belongs to the character before: it is two bytes more.
    @Test func charactersOfTwoWords() throws {
        let guest = Repository.root + "/Tests/Guests/arguments.wasm"
        let result = try wasmd("run", "--env", "A=\u{301}", "--env=B=\u{301}", guest)
        #expect(result.output.utf8.contains(UInt8(ascii: "A")))
        #expect(result.output.contains("environment 0: [A=\u{301}]"))
        #expect(result.output.contains("environment 1: [B=\u{301}]"))
    }

    /// Little address space, few descriptors: an error, or it works.
    @Test func littleOfEverything() throws {
        let guest = Repository.root + "/Examples/hello/hello.wasm"
        for script in [
            closingOtherDescriptors + "ulimit -n 6; exec \"$0\" run \"$1\"",
            "ulimit -v 400000; exec \"$0\" run \"$1\"",
            "ulimit -s unlimited; exec \"$0\" run \"$1\"", "ulimit -s 256; exec \"$0\" run \"$1\"",
            "mkdir gone; cd gone; rmdir ../gone; exec \"$0\" run \"$1\"",
        ] {
            let result = try shell(script, guest)
            #expect(result.output.hasPrefix("Hello"), "\(script)")
            #expect(result.status == 0, "\(script)")
        }
        // Where libraries have to be opened, it is their loader that says so. In no case a signal.
        let none = try shell(
            closingOtherDescriptors + "ulimit -n 3; exec \"$0\" run \"$1\"", guest)
        #expect((0...127).contains(none.status))
    }
}
