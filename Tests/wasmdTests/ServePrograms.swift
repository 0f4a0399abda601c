import WasmText

/// Small programs that answer requests.
enum ServePrograms {
    private static func module(_ body: String, _ rest: String = "") throws -> [UInt8] {
        try parseModule(
            Array(
                """
                (module
                  (import "wasi_snapshot_preview1" "fd_write"
                    (func $write (param i32 i32 i32 i32) (result i32)))
                  (import "wasi_snapshot_preview1" "fd_read"
                    (func $read (param i32 i32 i32 i32) (result i32)))
                  (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
                  (import "wasi_snapshot_preview1" "poll_oneoff"
                    (func $poll (param i32 i32 i32 i32) (result i32)))
                  (import "wasi_snapshot_preview1" "environ_sizes_get"
                    (func $sizes (param i32 i32) (result i32)))
                  (import "wasi_snapshot_preview1" "environ_get"
                    (func $environment (param i32 i32) (result i32)))
                  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
                  (memory (export "memory") 4)
                  (func $say (param $from i32) (param $count i32)
                    (i32.store (i32.const 0) (local.get $from))
                    (i32.store (i32.const 4) (local.get $count))
                    (drop (call $write
                      (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
                  (func $sleep (param $milliseconds i64)
                    (memory.fill (i32.const 64) (i32.const 0) (i32.const 48))
                    (i32.store (i32.const 80) (i32.const 1))
                    (i64.store (i32.const 88)
                      (i64.mul (local.get $milliseconds) (i64.const 1000000)))
                    (drop (call $poll
                      (i32.const 64) (i32.const 128) (i32.const 1) (i32.const 200))))
                  (func (export "_start") (local $i i32) (local $n i32) \(body))
                  \(rest))
                """.utf8))
    }

    private static func data(_ text: String, at address: Int = 1024) -> String {
        let bytes = text.utf8.map { byte in
            let digits = String(byte, radix: 16)
            return "\\" + (digits.count < 2 ? "0" : "") + digits
        }
        return "(data (i32.const \(address)) \"\(bytes.joined())\")"
    }

    /// Prints a text.
    static func saying(_ text: String) throws -> [UInt8] {
        try module("(call $say (i32.const 1024) (i32.const \(text.utf8.count)))", data(text))
    }

    /// Writes a text to standard error; goes on for ever if `isEndless`.
    static func complaining(_ text: String, isEndless: Bool = false) throws -> [UInt8] {
        try module(
            """
            (i32.store (i32.const 0) (i32.const 1024))
            (i32.store (i32.const 4) (i32.const \(text.utf8.count)))
            (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8)))
            \(isEndless ? "(loop $l (br $l))" : "")
            """, data(text))
    }

    /// Prints its environment, NUL after each variable.
    static func environment() throws -> [UInt8] {
        try module(printEnvironment)
    }

    private static let printEnvironment = """
        (drop (call $sizes (i32.const 16) (i32.const 20)))
        (drop (call $environment (i32.const 65536) (i32.const 131072)))
        (call $say (i32.const 131072) (i32.load (i32.const 20)))
        """

    /// Prints what it reads.
    static func echo() throws -> [UInt8] {
        try module(
            """
            (loop $next
              (i32.store (i32.const 0) (i32.const 2048))
              (i32.store (i32.const 4) (i32.const 4096))
              (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
              (local.set $i (i32.load (i32.const 8)))
              (if (local.get $i)
                (then (call $say (i32.const 2048) (local.get $i)) (br $next))))
            """)
    }

    static func endless() throws -> [UInt8] { try module("(loop $l (br $l))") }

    /// Prints without end.
    static func printing() throws -> [UInt8] {
        try module("(loop $l (call $say (i32.const 65536) (i32.const 65536)) (br $l))")
    }

    static func sleeping(milliseconds: Int) throws -> [UInt8] {
        try module("(call $sleep (i64.const \(milliseconds)))")
    }

    static func exiting(_ code: Int) throws -> [UInt8] {
        try module("(call $exit (i32.const \(code)))")
    }

    static func trapping() throws -> [UInt8] { try module("(unreachable)") }

    /// Prints `first`, waits, prints `second`; closes its standard output and goes on for ever if
    /// `closes`.
    static func pausing(_ first: String, _ second: String, closes: Bool = false) throws -> [UInt8] {
        try module(
            """
            (call $say (i32.const 1024) (i32.const \(first.utf8.count)))
            (call $sleep (i64.const 20))
            (call $say (i32.const 2048) (i32.const \(second.utf8.count)))
            \(closes ? "(drop (call $close (i32.const 1))) (loop $l (call $sleep (i64.const 5)) (br $l))" : "")
            """, data(first) + data(second, at: 2048))
    }

    /// A module of WAGI with the functions `hello` and `goodbye`, which print their names and the
    /// environment.
    static func routes(_ lines: String) throws -> [UInt8] {
        try module(
            "(call $say (i32.const 1024) (i32.const 5))",
            """
            (func (export "_routes") (call $say (i32.const 2048) (i32.const \(lines.utf8.count))))
            (func (export "hello")
              (call $say (i32.const 1040) (i32.const 6)) \(printEnvironment))
            (func (export "goodbye")
              (call $say (i32.const 1056) (i32.const 8)) \(printEnvironment))
            """ + data("main\n") + data("hello\n", at: 1040) + data("goodbye\n", at: 1056)
                + data(lines, at: 2048))
    }
}
