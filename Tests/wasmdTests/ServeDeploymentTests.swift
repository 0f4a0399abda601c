import Glibc
import Testing
import WasmText

/// Deployments of an orchestrator to a device, as two processes, restricted by the kernel.
@Suite struct ServeDeploymentTests {
    /// `split` writes two files, of 4 and 3 bytes; `join` returns the sizes of both, the first one
    /// times ten; `both` writes a file and returns a value.
    private static let files = """
        (module
          (import "wasi_snapshot_preview1" "path_open"
            (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_read"
            (func $read (param i32 i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_write"
            (func $write (param i32 i32 i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
          (memory (export "memory") 1)
          (data (i32.const 100) "left.txt")
          (data (i32.const 110) "right.txt")
          (func $file (param i32 i32 i32 i64) (result i32)
            (if (call $open (i32.const 3) (i32.const 0) (local.get 0) (local.get 1) (local.get 2)
                  (local.get 3) (i64.const 0) (i32.const 0) (i32.const 80))
              (then unreachable))
            (i32.load (i32.const 80)))
          (func $put (param i32 i32 i32) (local i32)
            (local.set 3
              (call $file (local.get 0) (local.get 1) (i32.const 9) (i64.const 64)))
            (i32.store (i32.const 0) (i32.const 100))
            (i32.store (i32.const 4) (local.get 2))
            (if (call $write (local.get 3) (i32.const 0) (i32.const 1) (i32.const 8))
              (then unreachable))
            (drop (call $close (local.get 3))))
          (func $size (param i32 i32) (result i32) (local i32)
            (local.set 2
              (call $file (local.get 0) (local.get 1) (i32.const 0) (i64.const 2)))
            (i32.store (i32.const 0) (i32.const 1024))
            (i32.store (i32.const 4) (i32.const 4096))
            (if (call $read (local.get 2) (i32.const 0) (i32.const 1) (i32.const 8))
              (then unreachable))
            (drop (call $close (local.get 2)))
            (i32.load (i32.const 8)))
          (func (export "split")
            (call $put (i32.const 100) (i32.const 8) (i32.const 4))
            (call $put (i32.const 110) (i32.const 9) (i32.const 3)))
          (func (export "join") (result i32)
            (i32.add
              (i32.mul (call $size (i32.const 100) (i32.const 8)) (i32.const 10))
              (call $size (i32.const 110) (i32.const 9))))
          (func (export "both") (result i32)
            (call $put (i32.const 100) (i32.const 8) (i32.const 2))
            (i32.const 5)))
        """

    private static let description = """
        {"split": {"method": "get", "output": "multipart/mixed", "mounts": [
            {"name": "left.txt", "stage": "output", "mediaType": "text/plain"},
            {"name": "right.txt", "stage": "output"}]},
         "join": {"method": "post", "output": "integer", "mounts": [
            {"name": "right.txt", "stage": "execution"},
            {"name": "left.txt", "stage": "execution"}]},
         "both": {"method": "get", "output": "integer", "mounts": [
            {"name": "left.txt", "stage": "output"}]}}
        """

    /// A server that is both, its routes, and what it has.
    private struct House {
        let folder: TemporaryFolder
        let orchestrator: ServerProcess
        let device: ServerProcess

        init() throws {
            folder = try TemporaryFolder()
            orchestrator = try ServerProcess(
                ["--data", folder.path + "/o", "--orchestrator", "127.0.0.1:0", "--no-mdns"],
                folder: folder, listen: nil, ready: "data in ")
            let file = try folder.write(
                "d.toml", Array("[supervisor]\nlisten = [\"127.0.0.1:0\"]\nname = \"d\"\n".utf8))
            device = try ServerProcess(
                [
                    "--config", file, "--data", folder.path + "/d", "--no-mdns",
                    "--supervisor-orchestrator", "http://127.0.0.1:\(orchestrator.port)",
                ], folder: folder, listen: nil, ready: "data in ")
            for _ in 0..<200 {
                let list = try send(orchestrator, "GET", "/file/device").body
                if list.contains("supervisorFunctions") { return }
                usleep(50_000)
            }
            Issue.record("the device is not known: \(device.messages)")
        }

        func send(
            _ server: ServerProcess, _ method: String, _ path: String, _ body: String = ""
        ) throws -> ServerProcess.Answer {
            try server.exchange(
                "\(method) \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(server.port)\r\n"
                    + "Connection: close\r\nContent-Type: application/json\r\n"
                    + "Content-Length: \(body.utf8.count)\r\n\r\n", Array(body.utf8))
        }

        func create(_ name: String, _ text: String, _ functions: String) throws {
            var body = Array(
                """
                --bo\r\nContent-Disposition: form-data; name="name"\r\n\r\n\(name)\r\n\
                --bo\r\nContent-Disposition: form-data; name="functions"\r\n\r\n\
                \(functions)\r\n\
                --bo\r\nContent-Disposition: form-data; name="wasm"; filename="f.wasm"\r\n\
                Content-Type: application/wasm\r\n\r\n
                """.utf8)
            body += try parseModule(Array(text.utf8)) + Array("\r\n--bo--\r\n".utf8)
            let created = try orchestrator.exchange(
                "POST /file/module HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
                    + "Content-Type: multipart/form-data; boundary=bo\r\n"
                    + "Content-Length: \(body.count)\r\n\r\n", body)
            #expect(created.status == 201, "\(created.body)")
        }

        /// Deploys and executes; the answer of the execution.
        func run(_ manifest: String, _ name: String) throws -> ServerProcess.Answer {
            let created = try send(orchestrator, "POST", "/file/manifest", manifest)
            #expect(created.status == 201, "\(created.body)")
            let deployed = try send(orchestrator, "POST", "/file/manifest/\(name)")
            #expect(deployed.status == 200, "\(deployed.body)")
            return try send(orchestrator, "POST", "/execute/\(name)", "{}")
        }
    }

    @Test func aFunctionReturnsSeveralFiles() throws {
        let house = try House()
        try house.create("m", Self.files, Self.description)
        let described = try house.send(house.orchestrator, "GET", "/file/module/m/description")
        #expect(described.body.contains(#""contentType":"text/plain""#), "\(described.body)")
        let split = try house.run(
            #"{"name":"split","sequence":[{"module":"m","func":"split"}]}"#, "split")
        #expect(split.status == 200, "\(split.body)")
        let urls = split.body.split(separator: "\"").map(String.init).filter {
            $0.hasPrefix("http://") && $0.contains("module_results")
        }
        #expect(urls.count == 2, "\(split.body)")
        for (url, (type, text)) in zip(
            urls, [("text/plain", "left"), ("application/octet-stream", "lef")])
        {
            let path = url.split(separator: "/", omittingEmptySubsequences: true).dropFirst(2)
            let file = try house.send(
                house.device, "GET", "/" + path.joined(separator: "/"))
            #expect(file.status == 200 && file.body == text, "\(file.body)")
            #expect(file.field("content-type")?.hasPrefix(type) == true, "\(file)")
        }
        // Each file goes to the mount of its name, whatever their order; also in a workflow.
        let steps = #"[{"module":"m","func":"split"},{"module":"m","func":"join"}]"#
        let chain = try house.run(#"{"name":"chain","sequence":\#(steps)}"#, "chain")
        #expect(chain.status == 200 && chain.body.contains(#""result":"43""#), "\(chain.body)")
        let flow = try house.run(
            #"{"name":"flow","sequence":\#(steps),"workflow":{"steps":["#
                + #"{"id":"a","step":0,"next":"b"},{"id":"b","step":1}]}}"#, "flow")
        #expect(flow.status == 200 && flow.body.contains(#""result":"43""#), "\(flow.body)")
        // A value with a file beside it.
        let both = try house.run(
            #"{"name":"both","sequence":[{"module":"m","func":"both"}]}"#, "both")
        #expect(both.status == 200 && both.body.contains(#""result":"5""#), "\(both.body)")
        let history = try house.send(house.device, "GET", "/request-history").body
        #expect(history.contains("/m/left.txt\"],\"request_args\"") || history.contains("both:1"))
        let entry = try #require(
            both.body.split(separator: "\"").map(String.init).first {
                $0.contains("/request-history/")
            })
        let path = entry.split(separator: "/").dropFirst(2).joined(separator: "/")
        let run = try house.send(house.device, "GET", "/" + path)
        #expect(run.body.contains("/m/left.txt\"]"), "\(run.body)")
    }

    @Test func importsAreComparedWithTheirTypes() throws {
        let house = try House()
        let description = #"{"f":{"method":"get","output":"integer"}}"#
        for (name, imported, fault) in [
            ("good", #"(import "sys" "millis" (func (result i32)))"#, nil),
            ("old", #"(import "wasi_unstable" "sched_yield" (func (result i32)))"#, nil),
            (
                "typed", #"(import "sys" "millis" (func (param f32) (result i64)))"#,
                "'sys.millis' is imported with the type (f32) -> (i64), and offered with the type "
                    + "() -> (i32)"
            ),
            (
                "other", #"(import "env" "millis" (func (result i32)))"#,
                "'env.millis' of type () -> (i32) is imported, and 'sys.millis' of type () -> "
                    + "(i32) is offered"
            ),
            (
                "none", #"(import "env" "log" (func (param i32 i64)))"#,
                "it lacks 'env.log' of type (i32, i64) -> ()"
            ),
            (
                "memory", #"(import "env" "memory" (memory 1))"#,
                "it offers functions only, and 'env.memory' is a memory"
            ),
        ] as [(String, String, String?)] {
            try house.create(
                name, "(module \(imported) (func (export \"f\") (result i32) (i32.const 3)))",
                description)
            let answer = try house.send(
                house.orchestrator, "POST", "/file/manifest",
                #"{"name":"\#(name)","sequence":[{"module":"\#(name)","func":"f"}]}"#)
            if let fault {
                #expect(answer.status == 500, "\(answer.body)")
                #expect(answer.body.contains("device 'd': \(fault)"), "\(answer.body)")
            } else {
                #expect(answer.status == 201, "\(answer.body)")
                let deployed = try house.send(house.orchestrator, "POST", "/file/manifest/\(name)")
                #expect(deployed.status == 200, "\(deployed.body)")
                let run = try house.send(house.orchestrator, "POST", "/execute/\(name)", "{}")
                #expect(run.body.contains(#""result":"3""#), "\(run.body)")
            }
        }
        // Whoever deploys without an orchestrator is told the same.
        let node = """
            {"deploymentId":"x","modules":[{"id":"1","name":"typed","urls":{"binary":\
            "http://127.0.0.1:\(house.orchestrator.port)/file/module/typed/wasm",\
            "description":"","other":{}}}],"endpoints":{},"instructions":{"modules":{}},\
            "mounts":{}}
            """
        let deployed = try house.send(house.device, "POST", "/deploy", node)
        #expect(deployed.status == 200)
        #expect(
            deployed.body.contains("incompatible import type") && deployed.body.contains("millis"),
            "\(deployed.body)")
    }
}
