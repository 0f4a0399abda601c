import Glibc
import Testing

@testable import wasmd

/// `wasmd serve`: the kernel holds the server, and it serves all the same.
@Suite struct ServeSandboxTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// Makes `made` in the first folder, and prints three letters.
    private static func program(_ text: String) -> [UInt8] {
        Array(
            """
            (module
              (import "wasi_snapshot_preview1" "fd_write"
                (func $write (param i32 i32 i32 i32) (result i32)))
              (import "wasi_snapshot_preview1" "path_open"
                (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
              (memory (export "memory") 1)
              (data (i32.const 0) "\\20\\00\\00\\00\\04\\00\\00\\00")
              (data (i32.const 32) "\(text)\\0a")
              (data (i32.const 64) "made")
              (func (export "_start")
                (drop (call $open (i32.const 3) (i32.const 0) (i32.const 64) (i32.const 4)
                  (i32.const 1) (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 128)))
                (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 132)))))
            """.utf8)
    }

    /// Starts a server with the words in `OPTIONS`, and defines `get PATH` and `stop`.
    private static let start = """
        : > log
        "$0" serve --listen 127.0.0.1:0 --loops 3 $OPTIONS 2> log &
        for i in $(seq 400); do
            grep -q 'serving at' log && break; kill -0 $! || break; sleep 0.05
        done
        port=$(sed -n 's|.*serving at http://127.0.0.1:\\([0-9]*\\)/.*|\\1|p' log)
        get() {
            exec 5<>/dev/tcp/127.0.0.1/$port
            printf 'GET %s HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' "$1" >&5
            timeout 30 tail -n 1 <&5; exec 5>&-
        }
        stop() { kill $!; wait $!; echo "ended with $?"; }

        """

    private func lines(_ options: String, _ script: String) throws -> [String] {
        let result = try run(
            "/bin/bash", ["-c", Self.start + script, Wasmd.path], folder: folder.path,
            environment: ["PATH=/usr/bin:/bin", "LC_ALL=C", "OPTIONS=\(options)"])
        #expect(result.error == "", "\(result.error)")
        return result.output.split(separator: "\n").map(String.init)
    }

    /// The restrictions hold for all threads, which shows that there was one when they came. Some
    /// may begin or end meanwhile.
    private static let look = """
        [ $(cat /proc/$!/task/*/status 2>/dev/null | grep '^Seccomp:' | grep -vc ':.2') = 0 ] \\
            && [ $(ls /proc/$!/task | wc -l) -ge 3 ] && echo restricted
        grep -q '^NoNewPrivs:.1' /proc/$!/status && echo no new rights

        """

    @Test func aProgramIsServed() throws {
        try folder.write("p.wat", Self.program("one"))
        mkdir(folder.path + "/data", 0o700)
        let lines = try lines(
            "--dir data p.wat",
            "get /; get /; \(Self.look) ls data; stop; grep -v 'serving at\\|sandbox: ' log")
        #expect(lines == ["one", "one", "restricted", "no new rights", "made", "ended with 0"])
    }

    @Test func aFolderIsServedAndReadAgain() throws {
        try folder.write("one.wat", Self.program("one"))
        try folder.write("two.wat", Self.program("two"))
        mkdir(folder.path + "/data", 0o700)
        mkdir(folder.path + "/site", 0o700)
        mkdir(folder.path + "/site/public", 0o700)
        try folder.write("site/public/page.txt", Array("a page\n".utf8))
        for name in ["one", "two"] {
            #expect(
                try run(
                    Wasmd.path, ["wat2wasm", "\(name).wat", "-o", "\(name).wasm"],
                    folder: folder.path
                ).status == 0)
        }
        let lines = try lines(
            "--dir data site",
            """
            get /page.txt; cp one.wasm site/p.wasm
            for i in $(seq 200); do [ "$(get /p)" = one ] && break; sleep 0.05; done; get /p
            cp two.wasm new; mv new site/p.wasm
            for i in $(seq 200); do [ "$(get /p)" = two ] && break; sleep 0.05; done; get /p
            \(Self.look) ls data; stop
            """)
        #expect(
            lines == [
                "a page", "one", "two", "restricted", "no new rights", "made", "ended with 0",
            ])
    }

    @Test func itCanBeTurnedOff() throws {
        try folder.write("p.wat", Self.program("one"))
        let lines = try lines(
            "--no-sandbox p.wat", "get /; grep -q '^Seccomp:.0' /proc/$!/status && echo free; stop")
        #expect(lines == ["one", "free", "ended with 0"])
        let both = try wasmd("serve", "--no-sandbox", "--sandbox", "p.wat")
        #expect(both.status == 2)
        #expect(both.error.contains("--no-sandbox"))
    }

    @Test func listenersAreBoundBefore() throws {
        try folder.write("p.wat", Self.program("one"))
        let lines = try lines(
            "--listen unix:socket --sandbox p.wat",
            """
            get /; [ -S socket ] && echo socket
            timeout 20 "$0" serve --listen 127.0.0.1:$port p.wat 2> other; echo "$?"
            grep -c 'cannot listen: Address already in use' other
            stop
            """)
        #expect(lines == ["one", "socket", "1", "1", "ended with 0"])
    }
}
