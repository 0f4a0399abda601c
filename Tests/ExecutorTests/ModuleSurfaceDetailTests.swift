import Testing
import WasmdDocuments
import WasmdExecutor
import WasmdHTTP

/// What the module surface does beyond storing and running: fields, arguments, keys.
@Suite struct ModuleSurfaceDetailTests {
    private func open(
        _ options: Executor.Options = Executor.Options(),
        _ body: @escaping @Sendable (ExecutorHouse) async throws -> Void
    ) throws {
        try ExecutorHouse.open(options, surfaces: { [ModuleSurface($0)] }, body)
    }

    private static let binary = [("Content-Type", "application/wasm")]

    private func store(_ house: ExecutorHouse, _ text: String) async throws -> String {
        let answer = try await house.send(.post, "/wasm", try module(text), Self.binary)
        return try #require(answer.json["id"]?.stringValue)
    }

    @Test func numbersStayExact() throws {
        let text = """
            (module
              (func (export "i32") (param i32) (result i32) local.get 0)
              (func (export "i64") (param i64) (result i64) local.get 0)
              (func (export "f32") (param f32) (result f32) local.get 0)
              (func (export "f64") (param f64) (result f64) local.get 0)
              (func (export "v128") (param v128) (result v128) local.get 0))
            """
        try open { house in
            let id = try await store(house, text)
            for (function, argument, result) in [
                ("i64", "9223372036854775807", "9223372036854775807"),
                ("i64", "\"9007199254740993\"", "9007199254740993"),
                ("i64", "18446744073709551615", "-1"), ("i64", "\"-1\"", "-1"),
                ("i32", "4294967295", "-1"), ("i32", "-2147483648", "-2147483648"),
                ("i32", "4294967296", nil), ("i32", "1.5", nil), ("i32", "true", nil),
                ("i64", "18446744073709551616", nil),
                ("f32", "0.1", "0.10000000149011612"), ("f64", "0.1", "0.1"),
                ("f64", "\"NaN\"", "\"NaN\""), ("f32", "\"-Infinity\"", "\"-Infinity\""),
                ("f64", "1e999", nil), ("f64", "\"1\"", nil), ("f64", "5", "5.0"),
                (
                    "v128", "\"0x000102030405060708090a0b0c0d0e0f\"",
                    "\"0x000102030405060708090a0b0c0d0e0f\""
                ),
                ("v128", "\"0x00\"", nil), ("v128", "1", nil),
            ] as [(String, String, String?)] {
                let answer = try await house.send(
                    .post, "/wasm/\(id)?function=\(function)", "[\(argument)]")
                if let result {
                    let expected = try JSONReader.read(Array(result.utf8))
                    #expect(
                        answer.json["result"] == expected, "\(function) \(argument): \(answer.text)"
                    )
                } else {
                    #expect(answer.status == 400, "\(function) \(argument): \(answer.text)")
                }
            }
        }
    }

    @Test func argumentsOfAllForms() throws {
        try open { house in
            let id = try await store(house, adder)
            for (body, status) in [
                ("[1,2]", 200), (#"{"args":[1,2]}"#, 200), (#"{"param0":1,"param1":2}"#, 200),
                (#"{"args":{"param1":2,"param0":1}}"#, 200), ("", 400), ("[1]", 400),
                ("[1,2,3]", 400), (#"{"param0":1}"#, 400),
                (#"{"param0":1,"param1":2,"x":3}"#, 400), ("3", 400), ("{", 400),
            ] as [(String, UInt16)] {
                let answer = try await house.send(.post, "/wasm/\(id)", body)
                #expect(answer.status == status, "\(body): \(answer.text)")
                if status == 200 { #expect(answer.json["result"] == .integer(3)) }
            }
            let unknown = try await house.send(.post, "/wasm/\(id)?function=sub", "[1,2]")
            #expect(unknown.status == 400)
            // Declared types that are not the real ones: both are reported.
            _ = try await house.send(
                .put, "/wasm/\(id)", #"{"param":["f64","I64"],"results":["f32"]}"#,
                [("Content-Type", "application/json")])
            let answer = try await house.send(.post, "/wasm/\(id)", "[1,2]")
            #expect(answer.json["result"] == .integer(3))
            let note = answer.json["note"]?.stringValue ?? ""
            #expect(note.contains("(f64, i64)") && note.contains("(i32, i32)"), "\(note)")
        }
    }

    @Test func methods() throws {
        try open { house in
            let id = try await store(house, adder)
            for (path, allow) in [
                ("/wasm", "GET, HEAD, POST"), ("/wasm/\(id)", "GET, HEAD, POST, PUT, DELETE"),
                ("/jobs/\(id)", "GET, HEAD"),
            ] {
                let options = try await house.send(.options, path)
                #expect(options.status == 204 && options.field("allow") == allow, "\(path)")
                let patch = try await house.send(.patch, path)
                #expect(patch.status == 405 && patch.field("allow") == allow, "\(path)")
                #expect(patch.json["error"]?["code"] == .integer(405))
            }
            let head = try await house.send(.head, "/wasm/\(id)")
            let get = try await house.send(.get, "/wasm/\(id)")
            #expect(head.status == 200 && head.bytes.isEmpty)
            #expect(head.field("content-length") == get.field("content-length"))
            for path in ["/wasm/x", "/jobs/x", "/jobs/\(id)", "/other"] {
                #expect(try await house.send(.get, path).status == 404, "\(path)")
            }
        }
    }

    @Test func binariesWithConditionsAndRanges() throws {
        try open { house in
            let id = try await store(house, adder)
            let bytes = try module(adder)
            let wasm = ("Accept", "application/wasm")
            let whole = try await house.send(.get, "/wasm/\(id)", [], [wasm])
            #expect(whole.bytes == bytes && whole.field("content-type") == "application/wasm")
            let tag = try #require(whole.field("etag"))
            for (field, value, status) in [
                ("If-None-Match", tag, 304), ("If-None-Match", "\"x\"", 200),
                ("If-None-Match", "*", 304), ("If-Match", "\"x\"", 412), ("If-Match", tag, 200),
                ("Range", "bytes=0-3", 206), ("Range", "bytes=-4", 206),
                ("Range", "bytes=\(bytes.count)-", 416), ("Range", "bytes=0-0,2-3", 206),
            ] as [(String, String, UInt16)] {
                let answer = try await house.send(
                    .get, "/wasm/\(id)", [], [wasm, (field, value)])
                #expect(answer.status == status, "\(field): \(value)")
            }
            let last = try await house.send(
                .get, "/wasm/\(id)", [], [wasm, ("Range", "bytes=-4")])
            #expect(last.bytes == Array(bytes.suffix(4)))
            // A change changes the tag.
            let other = try module("(module (func (export \"f\")))")
            _ = try await house.send(.put, "/wasm/\(id)", other, Self.binary)
            let changed = try await house.send(
                .get, "/wasm/\(id)", [], [wasm, ("If-None-Match", tag)])
            #expect(changed.status == 200 && changed.bytes == other)
        }
    }

    @Test func longAnswersAreCompressed() throws {
        let text =
            "(module (memory 1) (data (i32.const 0) \"\(String(repeating: "ab", count: 2000))\"))"
        try open { house in
            let id = try await store(house, text)
            let plain = try await house.send(.get, "/wasm/\(id)")
            #expect(plain.field("content-encoding") == nil)
            #expect(plain.field("vary") == "Accept-Encoding")
            let packed = try await house.send(
                .get, "/wasm/\(id)", [], [("Accept-Encoding", "gzip")])
            #expect(packed.field("content-encoding") == "gzip")
            #expect(packed.bytes.count < plain.bytes.count / 4)
            var decoder = GzipDecoder(limit: 1 << 20)
            var unpacked: [UInt8] = []
            var position = 0
            while position < packed.bytes.count {
                _ = try decoder.next(
                    packed.bytes.span, at: &position, into: &unpacked, upTo: 1 << 20)
            }
            #expect(unpacked == plain.bytes)
            let refused = try await house.send(
                .get, "/wasm/\(id)", [], [("Accept-Encoding", "gzip;q=0")])
            #expect(refused.bytes == plain.bytes)
        }
    }

    @Test func creationsWithAKey() throws {
        let folder = Array("/tmp/wasmd-executor-\(UInt64.random(in: 0...UInt64.max))".utf8)
        defer { removeFolder(folder) }
        nonisolated(unsafe) var id = ""
        let key = [("Content-Type", "application/wasm"), ("Idempotency-Key", "\"k1\"")]
        func open(_ body: @escaping @Sendable (ExecutorHouse) async throws -> Void) throws {
            try ExecutorHouse.open(folder: folder, surfaces: { [ModuleSurface($0)] }, body)
        }
        try open { house in
            let first = try await house.send(.post, "/wasm", try module(adder), key)
            #expect(first.status == 202 && first.field("idempotent-replayed") == nil)
            id = first.json["id"]?.stringValue ?? ""
        }
        // Also after a restart.
        try open { house in
            let again = try await house.send(.post, "/wasm", try module(adder), key)
            #expect(again.status == 202 && again.json["id"]?.stringValue == id)
            #expect(again.field("idempotent-replayed") == "true")
            #expect(house.executor.count() == 1)
            let other = try module("(module)")
            let taken = try await house.send(.post, "/wasm", other, key)
            #expect(taken.status == 409, "\(taken.text)")
            // Each of many at once gets the same module.
            let ids = try await withThrowingTaskGroup(of: String?.self) { group in
                let second = [("Content-Type", "application/wasm"), ("Idempotency-Key", "k2")]
                for _ in 0..<8 {
                    group.addTask {
                        try await house.send(.post, "/wasm", other, second).json["id"]?
                            .stringValue
                    }
                }
                var ids: Set<String?> = []
                for try await id in group { ids.insert(id) }
                return ids
            }
            #expect(ids.count == 1 && house.executor.count() == 2)
            // A removed module frees its key.
            _ = try await house.send(.delete, "/wasm/\(id)")
            let free = try await house.send(.post, "/wasm", other, key)
            #expect(free.status == 202 && free.json["id"]?.stringValue != id)
        }
    }
}
