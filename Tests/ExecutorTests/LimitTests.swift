import Testing
import WasmdDocuments
import WasmdExecutor
import WasmdHTTP
import WasmdOperation

/// What one client can take, and what is left of it.
@Suite struct LimitTests {
    private func open(
        _ options: Executor.Options = Executor.Options(),
        _ body: @escaping @Sendable (ExecutorHouse) async throws -> Void
    ) throws {
        try ExecutorHouse.open(
            options, surfaces: { [QuerySurface($0), ModuleSurface($0)] }, body)
    }

    private static let binary = [("Content-Type", "application/wasm")]
    private static let isJSON = [("Content-Type", "application/json")]

    private func store(_ house: ExecutorHouse, _ text: String) async throws -> String {
        let answer = try await house.send(.post, "/wasm", try module(text), Self.binary)
        return try #require(answer.json["id"]?.stringValue, "\(answer.text)")
    }

    /// What a record cannot hold is refused with its name, before anything is written.
    @Test func recordsThatAreTooLarge() throws {
        try open { house in
            let long = String(repeating: "f", count: 70_000)
            let body = #"{"wasm":\#(json(try module(adder))),"run_function":"\#(long)"}"#
            let answer = try await house.send(.post, "/wasm", body, Self.isJSON)
            #expect(answer.status == 413, "\(answer.text)")
            #expect(answer.json["error"]?["limit"] == "record")
            #expect(try await house.send(.get, "/wasm").json["items"] == .array([]))
            // Long names of the module's own are left out of the lists.
            let id = try await store(
                house, "(module (func (export \"\(long)\") (result i32) i32.const 1))")
            let shown = try await house.send(.get, "/wasm/\(id)?wasm=false")
            #expect(shown.json["exports"]?[0]?["omitted"] == .integer(1), "\(shown.text)")
            #expect(try await house.send(.post, "/wasm/\(id)").json["result"] == .integer(1))
        }
    }

    /// Texts that are the same part of the memory count each.
    @Test func allTextsOfAResult() throws {
        let text = """
            (module (memory (export "memory") 200)
              (func (export "run") (result i32 i32 i32 i32)
                i32.const 0 i32.const 9000000 i32.const 0 i32.const 9000000))
            """
        try open { house in
            let id = try await store(house, text)
            let change = #"{"results":["string","string"]}"#
            #expect(try await house.send(.put, "/wasm/\(id)", change, Self.isJSON).status == 202)
            let run = try await house.send(.post, "/wasm/\(id)")
            #expect(run.status == 500 && run.text.contains("the limit"), "\(run.text)")
        }
    }

    /// A program that prints without end is ended by what it has printed.
    @Test func printingWithoutEnd() throws {
        let text = """
            (module (import "wasi_snapshot_preview1" "fd_write"
                (func $write (param i32 i32 i32 i32) (result i32)))
              (memory (export "memory") 2) (data (i32.const 0) "\\08\\00\\00\\00\\00\\00\\01\\00")
              (func (export "_start") (loop $again
                (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 4)))
                br $again)))
            """
        var options = Executor.Options()
        options.limits.output = 300_000
        try open(options) { house in
            let id = try await store(house, text)
            let run = try await house.send(.post, "/wasm/\(id)")
            #expect(run.status == 500, "\(run.text)")
            #expect(run.json["error"]?["limit"] == "output", "\(run.text)")
        }
    }

    /// Uploads together are bounded; small modules are stored all the same.
    @Test func uploads() throws {
        var options = Executor.Options()
        options.uploadLimit = 100_000
        try open(options) { house in
            let padding = String(repeating: "x", count: 60_000)
            let large =
                "(module (memory 4) (data (i32.const 0) \"\(padding)\(padding)\(padding)\"))"
            let refused = try await house.send(
                .post, "/wasm", try module(large), Self.binary)
            #expect(refused.status == 503, "\(refused.text)")
            _ = try await store(house, adder)
        }
    }
}
