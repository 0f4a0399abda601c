import Testing
import WasmdDocuments
import WasmdExecutor
import WasmdHTTP
import WasmdHTTPServer
import WasmdOperation

@Suite struct ModuleSurfaceTests {
    private func open(
        _ options: Executor.Options = Executor.Options(),
        _ body: @escaping @Sendable (ExecutorHouse) async throws -> Void
    ) throws {
        try ExecutorHouse.open(
            options,
            surfaces: { [QuerySurface($0), ModuleSurface($0)] }, body)
    }

    private static let binary = [("Content-Type", "application/wasm")]
    private static let isJSON = [("Content-Type", "application/json")]

    private func store(_ house: ExecutorHouse, _ text: String) async throws -> String {
        let answer = try await house.send(.post, "/wasm", try module(text), Self.binary)
        #expect(answer.status == 202, "\(answer.text)")
        return try #require(answer.json["id"]?.stringValue)
    }

    @Test func aModuleFromStoringToDeleting() throws {
        try open { house in
            let stored = try await house.send(
                .post, "/wasm?function=add", try module(adder), Self.binary)
            #expect(stored.status == 202)
            let id = try #require(stored.json["id"]?.stringValue)
            #expect(stored.field("location") == "/wasm/\(id)")
            let run = try await house.send(.post, "/wasm/\(id)", "[1, \"41\"]")
            #expect(run.status == 200 && run.json["result"] == .integer(42), "\(run.text)")
            #expect(run.json["results"] == .array([.integer(42)]) && run.json["run"] != nil)
            let record = try await house.send(.get, "/wasm/\(id)?wasm=false")
            #expect(record.json["wasm"] == nil)
            #expect(record.json["meta_data"]?["run_function"] == "add")
            #expect(record.json["exports"]?[0]?["type"] == "(i32, i32) -> (i32)")
            let encoded = try await house.send(.get, "/wasm/\(id)?encoding=base64")
            #expect(
                encoded.json["wasm"]?.stringValue.flatMap { Base64.decode($0.utf8) }
                    == (try module(adder)))
            let bytes = try await house.send(
                .get, "/wasm/\(id)", [], [("Accept", "application/wasm")])
            #expect(bytes.bytes == (try module(adder)))
            let tag = try #require(bytes.field("etag"))
            let unchanged = try await house.send(
                .get, "/wasm/\(id)", [],
                [("Accept", "application/wasm"), ("If-None-Match", tag)])
            #expect(unchanged.status == 304)
            let part = try await house.send(
                .get, "/wasm/\(id)", [], [("Accept", "application/wasm"), ("Range", "bytes=1-3")])
            #expect(part.status == 206 && part.text == "asm")
            let changed = try await house.send(
                .put, "/wasm/\(id)", #"{"param":[{"name":"x","param_type":"i32"},"I32"]}"#,
                Self.isJSON)
            #expect(changed.status == 202)
            let named = try await house.send(
                .post, "/wasm/\(id)", #"{"args":{"param1":2,"x":-3}}"#)
            #expect(named.json["result"] == .integer(-1), "\(named.text)")
            let job = try #require(changed.json["job"]?.stringValue)
            let state = try await house.send(.get, "/jobs/\(job)")
            #expect(state.json["state"] == "done" && state.json["job_type"] == "MODIFY")
            #expect(try await house.send(.delete, "/wasm/\(id)").status == 202)
            let jobs = try await house.send(.get, "/jobs?limit=2").json["items"]?.arrayValue ?? []
            #expect(jobs.map { $0["job_type"]?.stringValue } == ["DELETE", "MODIFY"])
            #expect(jobs.allSatisfy { $0["wasm"]?.stringValue == id && $0["time"] != nil })
            #expect(try await house.send(.get, "/jobs?limit=0").status == 400)
            #expect(try await house.send(.get, "/wasm/\(id)").status == 404)
            #expect(try await house.send(.delete, "/wasm/\(id)").status == 404)
        }
    }

    @Test func bodiesOfAllKinds() throws {
        try open { house in
            let base64 = String(decoding: Base64.encode(try module(adder)), as: UTF8.self)
            let form =
                "--b\r\nContent-Disposition: form-data; name=\"function\"\r\n\r\nadd\r\n"
                + "--b\r\nContent-Disposition: form-data; name=\"param\"\r\n\r\n[\"i32\",\"i32\"]\r\n"
                + "--b\r\nContent-Disposition: form-data; name=\"wasm\"; filename=\"a.wasm\"\r\n\r\n"
            for (body, fields) in [
                (Array(#"{"wasm":"\#(base64)","functionName":"add"}"#.utf8), Self.isJSON),
                (
                    Array(#"{"wasm":\#(json(try module(adder))),"run_function":"add"}"#.utf8),
                    Self.isJSON
                ),
                (
                    Array(form.utf8) + (try module(adder)) + Array("\r\n--b--\r\n".utf8),
                    [("Content-Type", "multipart/form-data; boundary=b")]
                ),
                // As curl sends a file.
                (
                    try module(adder), [("Content-Type", "application/x-www-form-urlencoded")]
                ),
                (try module(adder), []),
            ] {
                let answer = try await house.send(.post, "/wasm", body, fields)
                #expect(answer.status == 202, "\(answer.text)")
                let id = answer.json["id"]?.stringValue ?? ""
                let run = try await house.send(.post, "/wasm/\(id)", "[1,2]")
                #expect(run.json["result"] == .integer(3))
            }
            for (body, type, status) in [
                ("abc", "application/wasm", 400), ("{}", "application/json", 400),
                ("{", "application/json", 400), ("x", "image/png", 415),
                ("x", "multipart/form-data", 400), (#"{"wasm":"!"}"#, "application/json", 400),
                (#"{"wasm":[0]}"#, "application/json", 400),
            ] as [(String, String, UInt16)] {
                let answer = try await house.send(.post, "/wasm", body, [("Content-Type", type)])
                #expect(answer.status == status, "\(body): \(answer.text)")
                #expect(answer.json["error"]?["code"] == .integer(Int64(status)))
            }
        }
    }

    @Test func pages() throws {
        try open { house in
            var ids: Set<String> = []
            for _ in 0..<7 { ids.insert(try await store(house, adder)) }
            var seen: [String] = []
            var after = ""
            while true {
                let page = try await house.send(.get, "/wasm?limit=3\(after)")
                seen += (page.json["items"]?.arrayValue ?? []).compactMap { $0["id"]?.stringValue }
                guard let next = page.json["next"]?.stringValue else { break }
                after = "&after=\(next)"
            }
            #expect(seen == ids.sorted())
            #expect(try await house.send(.get, "/wasm?limit=0").status == 400)
            let all = try await house.send(.get, "/")
            #expect(all.json.arrayValue?.count == 7)
        }
    }

    @Test func programs() throws {
        let cat = """
            (module
              (import "wasi_snapshot_preview1" "fd_write"
                (func $write (param i32 i32 i32 i32) (result i32)))
              (import "wasi_snapshot_preview1" "fd_read"
                (func $read (param i32 i32 i32 i32) (result i32)))
              (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
              (memory (export "memory") 1)
              (data (i32.const 0) "\\40\\00\\00\\00\\00\\10\\00\\00")
              (func (export "_start")
                (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 16)))
                (i32.store (i32.const 4) (i32.load (i32.const 16)))
                (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))
                (call $exit (i32.const 3))))
            """
        try open { house in
            let id = try await store(house, cat)
            let answer = try await house.send(
                .post, "/wasm/\(id)", "hello", [("Accept", "text/html")])
            #expect(answer.status == 200 && answer.text == "hello", "\(answer.text)")
            #expect(answer.field("wasmd-exit-code") == "3")
            #expect(answer.field("content-type") == "text/html")
        }
    }

    @Test func limitsNameThemselves() throws {
        var options = Executor.Options()
        // However slow the machine is, fuel ends it and not the time.
        options.limits.time = nil
        options.limits.fuel = 1_000_000
        options.limits.stack = 256 << 10
        options.limits.memory = 8 << 20
        try open(options) { house in
            for (body, limit) in [
                ("(loop $l (br $l))", "fuel"),
                ("(drop (memory.grow (i32.const 1000))) (call $f)", "stack"),
            ] {
                let id = try await store(
                    house, "(module (memory 1) (func $f (export \"f\") \(body)))")
                let answer = try await house.send(.post, "/wasm/\(id)", "[]")
                #expect(answer.status == 500)
                let error = answer.json["error"]
                #expect(error?["limit"]?.stringValue == limit, "\(answer.text)")
            }
        }
    }

    @Test func modulesImportEachOther() throws {
        try open { house in
            let one = try await store(
                house,
                """
                (module (global $n (mut i32) (i32.const 0))
                  (func $start (global.set $n (i32.const 41))) (start $start)
                  (func (export "n") (result i32) (global.get $n)))
                """)
            let two = try await store(
                house,
                """
                (module (import "\(one)" "n" (func $n (result i32)))
                  (func (export "next") (result i32) (i32.add (call $n) (i32.const 1))))
                """)
            let run = try await house.send(.post, "/wasm/\(two)")
            #expect(run.json["result"] == .integer(42), "\(run.text)")
            // A circle, a module that is gone, and an export that is missing.
            let circle = try module(
                "(module (import \"\(two)\" \"next\" (func (result i32))) (func (export \"n\") (result i32) i32.const 1))"
            )
            #expect(try await house.send(.put, "/wasm/\(one)", circle, Self.binary).status == 202)
            #expect(try await house.send(.post, "/wasm/\(two)").status == 409)
            let other = try module("(module (func (export \"m\")))")
            _ = try await house.send(.put, "/wasm/\(one)", other, Self.binary)
            let missing = try await house.send(.post, "/wasm/\(two)")
            #expect(missing.status == 409, "\(missing.text)")
            _ = try await house.send(.delete, "/wasm/\(one)")
            #expect(try await house.send(.post, "/wasm/\(two)").status == 409)
        }
    }

    /// Texts and bytes by the canonical ABI.
    @Test func textsAndBytes() throws {
        let text = """
            (module
              (memory (export "memory") 1)
              (global $next (mut i32) (i32.const 1024))
              (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                (global.get $next)
                (global.set $next (i32.add (global.get $next) (local.get 3))))
              (func (export "length") (param i32 i32) (result i32) local.get 1)
              (func (export "twice") (param i32 i32) (result i32)
                (memory.copy (i32.const 4096) (local.get 0) (local.get 1))
                (memory.copy (i32.add (i32.const 4096) (local.get 1)) (local.get 0) (local.get 1))
                (i32.store (i32.const 16) (i32.const 4096))
                (i32.store (i32.const 20) (i32.mul (local.get 1) (i32.const 2)))
                i32.const 16)
              (func (export "same") (param i32 i32) (result i32 i32) local.get 0 local.get 1)
              (func (export "wild") (result i32 i32) i32.const -1 i32.const 10))
            """
        try open { house in
            for (function, declared, body, result) in [
                ("length", #""param":["string"]"#, #"["aé"]"#, "3"),
                ("twice", #""param":["string"],"results":["string"]"#, #"["aé"]"#, #""aéaé""#),
                ("same", #""param":["bytes"],"results":["bytes"]"#, #"["AAH/"]"#, #""AAH/""#),
                ("same", #""param":["bytes"],"results":["bytes"]"#, "[[0,1,255]]", #""AAH/""#),
                // Not declared: what they are.
                ("length", #""param":null"#, "[7, 8]", "8"),
            ] {
                let id = try await store(house, text)
                let change = #"{"function":"\#(function)",\#(declared)}"#
                #expect(
                    try await house.send(.put, "/wasm/\(id)", change, Self.isJSON).status == 202)
                let run = try await house.send(.post, "/wasm/\(id)", body)
                let expected = try JSONReader.read(Array(result.utf8))
                #expect(run.json["result"] == expected, "\(function): \(run.text)")
            }
            let id = try await store(house, text)
            let change = #"{"function":"wild","results":["string"]}"#
            _ = try await house.send(.put, "/wasm/\(id)", change, Self.isJSON)
            let run = try await house.send(.post, "/wasm/\(id)")
            #expect(run.status == 500 && run.json["error"] != nil, "\(run.text)")
        }
    }

    @Test func whatWasStoredSurvives() throws {
        let folder = Array("/tmp/wasmd-executor-\(UInt64.random(in: 0...UInt64.max))".utf8)
        defer { removeFolder(folder) }
        nonisolated(unsafe) var id = ""
        let large = """
            (module (func (export "one") (result i32) i32.const 1)
              (memory 2) (data (i32.const 0) "\(String(repeating: "x", count: 60_000))"))
            """
        let surfaces: (Executor) -> [any Surface] = { [ModuleSurface($0)] }
        try ExecutorHouse.open(folder: folder, surfaces: surfaces) { house in
            id = try await store(house, large)
        }
        try ExecutorHouse.open(folder: folder, surfaces: surfaces) { house in
            let run = try await house.send(.post, "/wasm/\(id)")
            #expect(run.json["result"] == .integer(1), "\(run.text)")
        }
    }
}
