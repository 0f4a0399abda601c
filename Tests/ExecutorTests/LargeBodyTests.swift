import Testing
import WasmdDocuments
import WasmdEventLoop
import WasmdExecutor
import WasmdHTTP
import WasmdHTTPServer
import WasmdOperation

/// Bodies and answers that are too large to be read or written on the loop in one piece.
@Suite struct LargeBodyTests {
    private static let binary = [("Content-Type", "application/wasm")]
    private static let isJSON = [("Content-Type", "application/json")]

    private func open(_ body: @escaping @Sendable (ExecutorHouse) async throws -> Void) throws {
        try ExecutorHouse.open(
            surfaces: { [QuerySurface($0), ModuleSurface($0)] }, body)
    }

    /// The adder with a custom section of so many bytes.
    private static func large(_ count: Int) throws -> [UInt8] {
        var content: [UInt8] = [1, UInt8(ascii: "x")]
        content += (0..<count).map { UInt8(truncatingIfNeeded: $0) }
        var bytes = try module(adder)
        bytes.append(0)
        var rest = content.count
        while rest > 127 {
            bytes.append(UInt8(truncatingIfNeeded: rest) & 0x7f | 0x80)
            rest >>= 7
        }
        return bytes + [UInt8(rest)] + content
    }

    @Test func modulesAsText() throws {
        let bytes = try Self.large(1_500_000)
        let base64 = String(decoding: Base64.encode(bytes), as: UTF8.self)
        try open { house in
            for text in [
                #"{"wasm":"\#(base64)","run_function":"add"}"#,
                #"{"run_function":"add","wasm":\#(json(bytes))}"#,
            ] {
                let stored = try await house.send(.post, "/wasm", text, Self.isJSON)
                #expect(stored.status == 202, "\(stored.text)")
                let id = try #require(stored.json["id"]?.stringValue)
                let run = try await house.send(.post, "/wasm/\(id)", "[1, 41]")
                #expect(run.json["result"] == .integer(42), "\(run.text)")
                let shown = try await house.send(.get, "/wasm/\(id)?encoding=base64")
                #expect(shown.json["wasm"]?.stringValue?.utf8.elementsEqual(base64.utf8) == true)
            }
            for text in [
                #"{"wasm":"\#(base64)!"}"#, #"{"wasm":"\#(base64)""#,
                #"{"wasm":[\#(String(repeating: "[1],", count: 300_000))1]}"#,
            ] {
                let refused = try await house.send(.post, "/wasm", text, Self.isJSON)
                #expect(refused.status == 400, "\(refused.text)")
            }
        }
    }

    @Test func arguments() throws {
        let spaces = String(repeating: " ", count: 100_000)
        let objects = String(repeating: #"{"a":[1]},"#, count: 20_000)
        try open { house in
            let stored = try await house.send(
                .post, "/wasm?function=add", try module(adder), Self.binary)
            let id = try #require(stored.json["id"]?.stringValue)
            for (text, status, words) in [
                ("[1,\(spaces)41]", 200, "42"),
                (#"{"args":{"param0":1,"param1":41},"x":"\#(spaces)"}"#, 200, "42"),
                ("[\(objects)1]", 400, "20001 are given"),
                ("[[\(objects)1],2]", 400, "is no i32"),
                ("\(spaces){", 400, "the arguments are no JSON"),
                ("\(spaces)7", 400, "must be an array"),
            ] {
                let run = try await house.send(.post, "/wasm/\(id)", text)
                #expect(run.status == status && run.text.contains(words), "\(run.text)")
            }
        }
    }

    /// By the names of the module, those of the record, and numbers.
    @Test func argumentsByName() throws {
        let named = """
            (module (func (export "minus") (param $a i32) (param $b i32) (result i32)
              (i32.sub (local.get $a) (local.get $b))))
            """
        let spaces = String(repeating: " ", count: 100_000)
        try open { house in
            let stored = try await house.send(.post, "/wasm", try module(named), Self.binary)
            let id = try #require(stored.json["id"]?.stringValue)
            for space in ["", spaces] {
                for (text, status, words) in [
                    (#"{"args":{"b":1,"a":43}}"#, 200, "42"), (#"{"b":1,"a":43}"#, 200, "42"),
                    (#"{"param0":43,"b":1}"#, 200, "42"), (#"{"param1":1,"param0":43}"#, 200, "42"),
                    (#"{"a":43,"c":1}"#, 400, "argument 'param1' is missing"),
                    (#"{"a":43,"b":1,"c":1}"#, 400, "no parameter 'c'"),
                ] {
                    let run = try await house.send(.post, "/wasm/\(id)", space + text)
                    #expect(run.status == status && run.text.contains(words), "\(run.text)")
                }
            }
            let changed = try await house.send(
                .put, "/wasm/\(id)",
                #"{"param":[{"name":"b","param_type":"i32"},{"name":"x","param_type":"i32"}]}"#,
                Self.isJSON)
            #expect(changed.status == 202)
            // Declared names come before those of the module.
            let run = try await house.send(.post, "/wasm/\(id)", #"{"b":43,"x":1}"#)
            #expect(run.json["result"] == .integer(42), "\(run.text)")
        }
    }

    @Test func pathsAreDecodedForAllRoutes() throws {
        try open { house in
            let stored = try await house.send(
                .post, "/%77asm?function=add", try module(adder), Self.binary)
            let id = try #require(stored.json["id"]?.stringValue)
            let run = try await house.send(.post, "/w%61sm/\(id)", "[1,41]")
            #expect(run.json["result"] == .integer(42), "\(run.text)")
            #expect(try await house.send(.get, "/%72un/?id=\(id)").status == 400)
            #expect(try await house.send(.get, "/run/?id=\(id)").status == 400)
            #expect(try await house.send(.get, "/%2577asm").status == 404)
        }
    }

    @Test func textsAndBytes() throws {
        let same = """
            (module (memory (export "memory") 20) (global $next (mut i32) (i32.const 1024))
              (func (export "malloc") (param i32) (result i32)
                (global.get $next)
                (global.set $next (i32.add (global.get $next) (local.get 0))))
              (func (export "same") (param i32 i32) (result i32 i32)
                (local.get 0) (local.get 1)))
            """
        let bytes = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let base64 = String(decoding: Base64.encode(bytes), as: UTF8.self)
        let text = String(repeating: "ü", count: 100_000)
        let wasm = json(try module(same))
        try open { house in
            for (type, argument, result) in [
                ("bytes", json(bytes), base64), ("bytes", "\"\(base64)\"", base64),
                ("string", "\"\(text)\"", text),
            ] {
                let stored = try await house.send(
                    .post, "/wasm",
                    #"{"wasm":\#(wasm),"function":"same","param":["\#(type)"],"results":["\#(type)"]}"#,
                    Self.isJSON)
                let id = try #require(stored.json["id"]?.stringValue)
                let run = try await house.send(.post, "/wasm/\(id)", "[\(argument)]")
                let found = run.json["result"]?.stringValue
                #expect(found == result, "\(type): \(run.text.prefix(200))")
            }
        }
    }

    @Test func output() throws {
        // Prints 1.5 MB that are "A" by one call.
        let program = """
            (module
              (import "wasi_snapshot_preview1" "fd_write"
                (func $write (param i32 i32 i32 i32) (result i32)))
              (memory (export "memory") 32)
              (func (export "_start")
                (memory.fill (i32.const 1024) (i32.const 65) (i32.const 1500000))
                (i32.store (i32.const 0) (i32.const 1024))
                (i32.store (i32.const 4) (i32.const 1500000))
                (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))
            """
        let expected = [UInt8](repeating: 65, count: 1_500_000)
        try open { house in
            let stored = try await house.send(.post, "/wasm", try module(program), Self.binary)
            let id = try #require(stored.json["id"]?.stringValue)
            let run = try await house.send(.post, "/wasm/\(id)")
            #expect(run.status == 200 && run.bytes == expected)
            let profiled = try await house.send(.post, "/wasm/\(id)?profile=1")
            let output = profiled.json["output"]?.stringValue
            #expect(output.map { Array($0.utf8) } == expected, "\(profiled.text.prefix(200))")
            #expect(profiled.json["profile"]?.stringValue?.isEmpty == false)
        }
    }
}
