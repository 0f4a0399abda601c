import Glibc
import Testing
import WasmText

@testable import wasmd

/// `wasmd watm`, as its users call it.
@Suite struct TransportTests {
    /// A guest of v0 that copies both ways, without the role to relay.
    static let copier: String = {
        let text = (Repository.text("Tests/Transports/copier.wat")) ?? ""
        let parts = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard let start = parts.firstIndex(where: { $0.contains(";; part relay") }),
            let end = parts.firstIndex(where: { $0.contains(";; end relay") })
        else { return text }
        return (parts[..<start] + parts[end...]).joined(separator: "\n")
    }()

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
        // The copier knows streams only.
        let datagrams = try failure(
            "dial", "--module", copier, remote, "--listen=udp:127.0.0.1:0")
        #expect(datagrams.0 == 1)
        #expect(datagrams.1.contains("_water_datagrams"))
        #expect(datagrams.1.contains("--frame-datagrams"))
        let transformed = try failure(
            "dial", "--module", copier, "--remote=udp:127.0.0.1:1", "--listen=127.0.0.1:0",
            "--frame-datagrams")
        #expect(transformed.0 == 1)
        #expect(transformed.1.contains("needs a module that does"))
        #expect(try failure("dial", "--module", copier, remote, "--listen=udp:unix:/x").0 == 2)
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
                for i in $(seq 3000); do
                    if [ -e "$2/ready" ] && [ -S "$2/near" ]; then break; fi
                    kill -0 $pid || break
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

    /// A transport of `wasmd serve`: its connections are seen, its module is replaced, a fault changes
    /// nothing.
    @Test func servedBesideEverythingElse() throws {
        let folder = try folder()
        try folder.write(
            "wasmd.toml",
            Array(
                """
                data = "\(folder.path)/data"
                [executor]
                listen = ["127.0.0.1:0"]
                [transports.front]
                role = "listen"
                modules = ["\(folder.path)/copier.wat"]
                listen = ["unix:\(folder.path)/t.sock"]
                remote = "unix:\(folder.path)/none.sock"
                """.utf8))
        let server = try ServerProcess(
            ["--config", folder.path + "/wasmd.toml"], folder: folder, listen: nil,
            ready: "data in ")
        func get(_ method: String, _ path: String) throws -> (status: Int, body: String) {
            let answer = try server.exchange(
                "\(method) \(path) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                    + "Content-Length: 0\r\n\r\n")
            return (answer.status, answer.body)
        }
        let listed = try get("GET", "/admin/transports")
        #expect(listed.status == 200)
        #expect(listed.body.contains("\"name\":\"front\",\"role\":\"listen\""))
        #expect(listed.body.contains("\"version\":\"v0\",\"forked\":true"))
        #expect(
            try get("GET", "/admin/settings").body.contains(
                "{\"name\":\"transports.front.connections\",\"value\":\"10000\",\"reloadable\":true,"
                    + "\"number\":10000,\"used\":0}"))
        // Nobody listens at the remote: the connection is accepted, and fails.
        let client = try run(
            "/usr/bin/python3",
            [
                "-c",
                "import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); "
                    + "print(s.recv(1))", folder.path + "/t.sock",
            ])
        #expect(client.output == "b''\n")
        let metrics = try get("GET", "/metrics").body
        #expect(
            metrics.contains(
                "wasmd_transport_accepted_total{transport=\"front\",role=\"listen\"} 1"))
        #expect(
            metrics.contains(
                "wasmd_transport_ended_total{transport=\"front\",result=\"failed\"} 1"))
        #expect(try get("GET", "/admin/transports/front").body.contains("\"open\":[]"))
        #expect(try get("GET", "/admin/transports/back").status == 404)
        #expect(try get("DELETE", "/admin/transports/front/connections/7").status == 404)
        let reload = "/admin/transports/front/reload"
        #expect(try get("POST", reload).body == "{\"changed\":false}\n")
        // A comment changes no module.
        let changed = Self.copier.replacing("(memory (export", with: "(func) (memory (export")
        try folder.write("copier.wat", Array(changed.utf8))
        #expect(try get("POST", "/admin/reload").body.contains("transports.front"))
        try folder.write("copier.wat", Array("(module)".utf8))
        let refused = try get("POST", reload)
        #expect(refused.status == 409 && refused.body.contains("no version"))
        #expect(try get("POST", "/admin/reload").status == 409)
        #expect(try get("GET", "/openapi.json").body.contains("/admin/transports/{name}"))
    }

    /// Arguments, environment, folders, the original's configuration and a trace of a guest that is
    /// served.
    @Test func worldsOfServedTransports() throws {
        let folder = try folder()
        try folder.write(
            "host.json",
            Array(
                """
                {"transport_module": {"bin": "\(folder.path)/copier.wat"},
                 "network": {"listener": {"network": "tcp", "address": "unix:\(folder.path)/t.sock"}},
                 "module": {"argv": ["name"], "env": {"MODE": "theirs", "OTHER": "x"},
                   "preopened_dirs": {"\(folder.path)": "/data"}}}
                """.utf8))
        // Prints its arguments, its environment and the name of its folder when it starts.
        let talker = Self.copier.replacing(
            "(memory (export",
            with: """
                (import "wasi_snapshot_preview1" "args_sizes_get"
                  (func $args_sizes (param i32 i32) (result i32)))
                (import "wasi_snapshot_preview1" "args_get"
                  (func $args (param i32 i32) (result i32)))
                (import "wasi_snapshot_preview1" "environ_sizes_get"
                  (func $environ_sizes (param i32 i32) (result i32)))
                (import "wasi_snapshot_preview1" "environ_get"
                  (func $environ (param i32 i32) (result i32)))
                (import "wasi_snapshot_preview1" "fd_prestat_dir_name"
                  (func $folder (param i32 i32 i32) (result i32)))
                (memory (export
                """
        )
        .replacing(
            "(func (export \"_water_init\") (result i32)\n    ;; part initialise\n"
                + "    (i32.const 0)\n    ;; end initialise\n  )",
            with: """
                (func $say (param $at i32) (param $count i32)
                  (i32.store (i32.const 1000) (local.get $at))
                  (i32.store (i32.const 1004) (local.get $count))
                  (drop (call $write
                    (i32.const 2) (i32.const 1000) (i32.const 1) (i32.const 1008))))
                (func (export "_water_init") (result i32)
                  (drop (call $args_sizes (i32.const 1100) (i32.const 1104)))
                  (drop (call $args (i32.const 1200) (i32.const 2000)))
                  (call $say (i32.const 2000) (i32.load (i32.const 1104)))
                  (drop (call $environ_sizes (i32.const 1100) (i32.const 1104)))
                  (drop (call $environ (i32.const 1200) (i32.const 3000)))
                  (call $say (i32.const 3000) (i32.load (i32.const 1104)))
                  (drop (call $folder (i32.const 3) (i32.const 4000) (i32.const 5)))
                  (call $say (i32.const 4000) (i32.const 5))
                  (i32.const 0))
                """)
        try folder.write("copier.wat", Array(talker.utf8))
        try folder.write(
            "wasmd.toml",
            Array(
                """
                data = "\(folder.path)/state"
                [executor]
                listen = ["127.0.0.1:0"]
                [transports.front]
                role = "dial"
                host_config = "\(folder.path)/host.json"
                environment = ["MODE=ours"]
                remote = "unix:\(folder.path)/none.sock"
                trace = "\(folder.path)/trace.txt"
                """.utf8))
        let server = try ServerProcess(
            ["--config", folder.path + "/wasmd.toml"], folder: folder, listen: nil,
            ready: "data in ")
        let client = try run(
            "/usr/bin/python3",
            [
                "-c",
                "import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); "
                    + "print(s.recv(1))", folder.path + "/t.sock",
            ])
        #expect(client.output == "b''\n")
        #expect(server.waits(for: "no connection"))
        let messages = server.messages
        #expect(messages.contains("name"))
        #expect(messages.contains("MODE=ours"))
        #expect(messages.contains("OTHER=x"))
        #expect(!messages.contains("theirs"))
        #expect(messages.contains("/data"))
        let trace = try run("/bin/cat", [folder.path + "/trace.txt"]).output
        #expect(trace.contains("args_sizes_get()"))
        #expect(trace.contains("host_dial() waits\nno connection: "))
    }

    @Test func wordsOfServedTransports() throws {
        let folder = try folder()
        let module = folder.path + "/copier.wat"
        func failure(_ words: String...) throws -> (status: Int32, error: String) {
            let result = try run(
                Wasmd.path, ["serve", "--data", folder.path + "/data"] + words)
            return (result.status, result.error)
        }
        #expect(try failure("--transport", "dial").status == 2)
        #expect(try failure("--transport", "dail,module=a,listen=127.0.0.1:0").status == 2)
        let listen = "listen,module=\(module),listen=127.0.0.1:0"
        #expect(try failure("--transport", listen).error.contains("--transport"))
        let remote = ",remote=127.0.0.1:9"
        let relay = try failure(
            "--transport", "relay,module=\(module),listen=127.0.0.1:0" + remote)
        #expect(relay.status == 1 && relay.error.contains("the role relay is not implemented"))
        let same = "dial,module=\(module),listen=127.0.0.1:0,name=a" + remote
        #expect(try failure("--transport", same, "--transport", same).status == 2)
        try folder.write(
            "bad.toml",
            Array("[transports.a]\nrole = \"listen\"\n[transports.\"b c\"]\n".utf8))
        let checked = try run(Wasmd.path, ["serve", "--check", folder.path + "/bad.toml"])
        #expect(checked.status == 1)
        for word in ["transports.a.modules: is missing", "transports.a.remote: is missing"] {
            #expect(checked.error.contains(word), "\(checked.error)")
        }
        #expect(checked.error.contains("a transport's name is"))
    }

    /// The kernel refuses a guest's host what it does not need: a module outside of the folders
    /// cannot be read again.
    @Test func theKernelRestrictsIt() throws {
        let folder = try folder()
        let result = try run(
            "/bin/bash",
            [
                "-c",
                """
                exec 2>&1
                "$0" watm dial --module "$1/copier.wat" --listen 127.0.0.1:0 \
                    --remote 127.0.0.1:9 & process=$!
                for i in $(seq 1200); do
                    grep -q "^Seccomp:.*2" /proc/$process/status && break
                    kill -0 $process || break
                    sleep 0.05
                done
                grep "^Seccomp:" /proc/$process/status
                kill $process
                wait $process
                "$0" watm dial --no-sandbox --module "$1/copier.wat" --listen 127.0.0.1:0 \
                    --remote 127.0.0.1:9 & process=$!
                sleep 1
                grep "^Seccomp:" /proc/$process/status
                kill $process
                wait $process
                """, Wasmd.path, folder.path,
            ])
        let modes = result.output.split(separator: "\n").filter { $0.hasPrefix("Seccomp:") }
        #expect(modes.map { $0.last } == ["2", "0"], "\(result.output)")
        let both = try run(
            Wasmd.path, ["watm", "dial", "--sandbox", "--no-sandbox", "--remote", "127.0.0.1:9"])
        #expect(both.status == 2)
    }
}
