import Testing
import WasmdDocuments
import WasmdExecutor
import WasmdHTTP

/// Modules whose memory is kept between calls.
@Suite struct KeptMemoryTests {
    private static let counter = """
        (module (memory (export "memory") 1) (global $n (mut i32) (i32.const 0))
          (func (export "next") (result i32)
            (global.set $n (i32.add (global.get $n) (i32.const 1)))
            (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 10)))
            (i32.add (global.get $n) (i32.load (i32.const 0))))
          (func (export "fail") (result i32)
            (global.set $n (i32.const 1000)) (i32.store (i32.const 0) (i32.const 5))
            unreachable)
          (func (export "grow") (result i32) (memory.grow (i32.const 1)))
          (func (export "size") (result i32) (memory.size)))
        """
    private static let isJSON = [("Content-Type", "application/json")]

    private func open(
        _ options: Executor.Options = Executor.Options(),
        _ body: @escaping @Sendable (ExecutorHouse) async throws -> Void
    ) throws {
        try ExecutorHouse.open(options, surfaces: { [ModuleSurface($0)] }, body)
    }

    private func store(
        _ house: ExecutorHouse, _ text: String = counter, keep: String = "true"
    ) async throws -> String {
        let wasm = json(try module(text))
        let answer = try await house.send(
            .post, "/wasm", #"{"wasm":\#(wasm),"keep":\#(keep)}"#, Self.isJSON)
        return try #require(answer.json["id"]?.stringValue)
    }

    private func call(
        _ house: ExecutorHouse, _ id: String, _ function: String = "next"
    ) async throws -> Document? {
        try await house.send(.post, "/wasm/\(id)?function=\(function)", "[]").json["result"]
    }

    @Test func callsSeeWhatTheCallBeforeLeft() throws {
        try open { house in
            let (kept, other) = (try await store(house), try await store(house, keep: "false"))
            for count in 1...3 as ClosedRange<Int64> {
                #expect(try await call(house, kept) == .integer(11 * count))
                #expect(try await call(house, other) == .integer(11))
            }
            #expect(try await call(house, kept, "grow") == .integer(1))
            #expect(try await call(house, kept, "size") == .integer(2))
            // A call that fails changes nothing.
            #expect(try await call(house, kept, "fail") == nil)
            #expect(try await call(house, kept) == .integer(44))
            let record = try await house.send(.get, "/wasm/\(kept)?wasm=false")
            #expect(record.json["meta_data"]?["keep"] == .boolean(true))
        }
    }

    @Test func aChangeEndsTheState() throws {
        try open { house in
            let id = try await store(house)
            #expect(try await call(house, id) == .integer(11))
            #expect(try await call(house, id) == .integer(22))
            _ = try await house.send(.put, "/wasm/\(id)", #"{"run_function":"next"}"#, Self.isJSON)
            #expect(try await call(house, id) == .integer(11))
            let same = try module(Self.counter)
            _ = try await house.send(
                .put, "/wasm/\(id)", same, [("Content-Type", "application/wasm")])
            #expect(try await call(house, id) == .integer(11))
            _ = try await house.send(.put, "/wasm/\(id)", #"{"keep":false}"#, Self.isJSON)
            #expect(try await call(house, id) == .integer(11))
            #expect(try await call(house, id) == .integer(11))
            let wrong = try await house.send(.put, "/wasm/\(id)", #"{"keep":1}"#, Self.isJSON)
            #expect(wrong.status == 400)
        }
    }

    @Test func memoriesAreBounded() throws {
        var options = Executor.Options()
        options.keptByteLimit = 6000
        try open(options) { house in
            let one = try await store(house)
            #expect(try await call(house, one) == .integer(11))
            let two = try await store(house)
            let refused = try await house.send(.post, "/wasm/\(two)?function=next", "[]")
            #expect(refused.status == 500, "\(refused.text)")
            #expect(refused.text.contains("6000 bytes"))
            // Room is given back.
            _ = try await house.send(.delete, "/wasm/\(one)")
            #expect(try await call(house, two) == .integer(11))
            #expect(try await call(house, two) == .integer(22))
        }
    }

    @Test func callsOfOneModuleTakeTurns() throws {
        try open { house in
            let id = try await store(house)
            let results = try await withThrowingTaskGroup(of: Document?.self) { group in
                for _ in 0..<20 { group.addTask { try await call(house, id) } }
                var results: Set<Int64> = []
                for try await result in group {
                    if let number = result?.integerValue { results.insert(number) }
                }
                return results
            }
            #expect(results == Set((1...20).map { $0 * 11 }))
        }
    }

    @Test func linkedModulesAreNotKept() throws {
        try open { house in
            let one = try await store(
                house, "(module (func (export \"f\") (result i32) i32.const 1))")
            let two = try await store(
                house,
                "(module (import \"\(one)\" \"f\" (func $f (result i32))) (func (export \"g\") (result i32) call $f))"
            )
            let answer = try await house.send(.post, "/wasm/\(two)", "[]")
            #expect(answer.status == 400 && answer.text.contains("'keep'"), "\(answer.text)")
        }
    }
}
