import Glibc
import Testing
import WasmText

@testable import wasmd

/// `wasmd watm`, as its users call it.
@Suite struct TransportTests {
    /// A guest of v0 that copies both ways: it waits for three descriptors with `poll_oneoff`.
    static let copier = """
        (module
          (import "env" "host_dial" (func $host_dial (result i32)))
          (import "env" "host_accept" (func $host_accept (result i32)))
          (import "wasi_snapshot_preview1" "fd_write"
            (func $write (param i32 i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_read"
            (func $read (param i32 i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_fdstat_set_flags"
            (func $flags (param i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "poll_oneoff"
            (func $poll (param i32 i32 i32 i32) (result i32)))
          (memory (export "memory") 2)
          (global $one (mut i32) (i32.const -1))
          (global $two (mut i32) (i32.const -1))
          (global $cancel (mut i32) (i32.const -1))
          (func $subscribe (param $at i32) (param $fd i32)
            (i32.store8 offset=8 (local.get $at) (i32.const 1))
            (i32.store offset=16 (local.get $at) (local.get $fd))
            (drop (call $flags (local.get $fd) (i32.const 4))))
          (func $copy (param $from i32) (param $to i32) (result i32) (local $errno i32)
            (i32.store (i32.const 600) (i32.const 65536))
            (i32.store (i32.const 604) (i32.const 16384))
            (local.set $errno
              (call $read (local.get $from) (i32.const 600) (i32.const 1) (i32.const 608)))
            (if (i32.eq (local.get $errno) (i32.const 6)) (then (return (i32.const 1))))
            (if (local.get $errno) (then (return (i32.const 0))))
            (if (i32.eqz (i32.load (i32.const 608))) (then (return (i32.const 0))))
            (i32.store (i32.const 604) (i32.load (i32.const 608)))
            (i32.eqz (call $write (local.get $to) (i32.const 600) (i32.const 1) (i32.const 612))))
          (func (export "_water_v0"))
          (func (export "_water_init") (result i32) (i32.const 0))
          (func (export "_water_dial") (param i32) (result i32)
            (global.set $one (local.get 0)) (global.set $two (call $host_dial)) (global.get $two))
          (func (export "_water_accept") (param i32) (result i32)
            (global.set $one (local.get 0)) (global.set $two (call $host_accept)) (global.get $two))
          (func (export "_water_cancel_with") (param i32) (result i32)
            (global.set $cancel (local.get 0)) (i32.const 0))
          (func (export "_water_worker") (result i32)
            (call $subscribe (i32.const 0) (global.get $cancel))
            (call $subscribe (i32.const 48) (global.get $one))
            (call $subscribe (i32.const 96) (global.get $two))
            (loop $again
              (drop (call $poll (i32.const 0) (i32.const 256) (i32.const 3) (i32.const 512)))
              (if (i32.eqz (call $copy (global.get $one) (global.get $two)))
                (then (return (i32.const 0))))
              (if (i32.eqz (call $copy (global.get $two) (global.get $one)))
                (then (return (i32.const 0))))
              ;; 6 is EAGAIN: nobody has cancelled it
              (i32.store (i32.const 600) (i32.const 65536))
              (i32.store (i32.const 604) (i32.const 1))
              (br_if $again (i32.eq (i32.const 6)
                (call $read (global.get $cancel) (i32.const 600) (i32.const 1) (i32.const 608)))))
            (i32.const -11)))
        """

    private func folder() throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        try folder.write("copier.wat", Array(Self.copier.utf8))
        try folder.write("none.wat", Array("(module)".utf8))
        return folder
    }

    @Test func validating() throws {
        let folder = try folder()
        let good = try run(Wasmd.path, ["watm", "validate", folder.path + "/copier.wat"])
        #expect(good.status == 0)
        #expect(good.output.contains("copier.wat: v0, roles: dial, listen\n"))
        #expect(good.output.contains("note: the role relay is not implemented"))
        let bad = try run(
            Wasmd.path, ["watm", "validate", "--json", "--module", folder.path + "/none.wat"])
        #expect(bad.status == 1)
        #expect(bad.output.contains("\"usable\": false"))
        #expect(bad.output.contains("no version"))
        let missing = try run(Wasmd.path, ["watm", "validate", folder.path + "/missing.wasm"])
        #expect(missing.status == 1)
    }

    @Test func whatCannotServeEndsAtOnce() throws {
        let folder = try folder()
        func failure(_ words: String...) throws -> (Int32, String) {
            let result = try run(Wasmd.path, ["watm"] + words)
            return (result.status, result.error)
        }
        let copier = folder.path + "/copier.wat"
        let remote = "--remote=127.0.0.1:1"
        #expect(try failure() == (2, try failure().1))
        #expect(try failure("dail").1.contains("Did you mean 'dial'?"))
        #expect(try failure("dial", copier).0 == 2)
        #expect(try failure("dial", remote).1.contains("--module FILE"))
        #expect(try failure("dial", "--module", copier).1.contains("--remote ADDR"))
        #expect(try failure("dial", "--module", copier, "--remote", "x").0 == 2)
        #expect(try failure("listen", "--module", copier, remote).1.contains("--listen ADDR"))
        let relay = try failure("relay", "--module", copier, remote, "--listen=127.0.0.1:0")
        #expect(relay.0 == 1)
        #expect(relay.1.contains("the role relay is not implemented: _water_associate"))
        let none = try failure("dial", "--module", folder.path + "/none.wat", remote)
        #expect(none.0 == 1)
        #expect(none.1.contains("watm validate"))
        try folder.write("bad.json", Array("{\"network\": []}".utf8))
        let json = folder.path + "/bad.json"
        let host = try failure("dial", "--module", copier, remote, "--host-config", json)
        #expect(host.0 == 1)
        #expect(host.1.contains("bad.json: network: an object is expected"))
        let config = try failure("dial", "--module", copier, remote, "--config", json + "x")
        #expect(config.0 == 1)
    }

    /// Standard input and output through a listener and a dialer, with statistics.
    @Test func aDialerAndAListener() throws {
        let folder = try folder()
        let copier = folder.path + "/copier.wat"
        // `cat` is the server: its answer comes when the application has ended.
        let result = try run(
            "/bin/bash",
            [
                "-c",
                """
                set -m
                "$0" watm listen --wasm "$1" --laddr "unix:$2/near" --raddr "unix:$2/far" --json \\
                    --half-close --loops 1 > "$2/lines" 2> "$2/errors" &
                pid=$!
                python3 -c '
                import os, socket, sys
                server = socket.socket(socket.AF_UNIX)
                server.bind(sys.argv[1] + "/far")
                server.listen()
                open(sys.argv[1] + "/ready", "w").close()
                peer = server.accept()[0]
                text = b""
                while True:
                    piece = peer.recv(65536)
                    if not piece: break
                    text += piece
                peer.sendall(text.upper())
                ' "$2" &
                for i in $(seq 500); do
                    if [ -e "$2/ready" ] && [ -S "$2/near" ]; then break; fi
                    sleep 0.02
                done
                echo "through two guests" |
                    "$0" watm dial --module "$1" --remote "unix:$2/near" --loops 1
                echo "status $?"
                kill $pid
                wait $pid
                echo "status $?"
                cat "$2/lines"
                """, Wasmd.path, copier, folder.path,
            ])
        #expect(result.output.hasPrefix("THROUGH TWO GUESTS\nstatus 0\nstatus 0\n"))
        #expect(result.output.contains("\"event\":\"listening\",\"role\":\"listen\""))
        #expect(result.output.contains("\"bytes_forth\":19,\"bytes_back\":19"))
        #expect(result.output.contains("\"event\":\"totals\",\"accepted\":1,\"live\":0"))
    }
}
