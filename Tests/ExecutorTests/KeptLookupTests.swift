import Testing
import WasmdDocuments
import WasmdEventLoop
import WasmdExecutor
import WasmdHTTP
import WasmdOperation
import WasmdStorage

/// What the executor keeps between calls must never be seen after it has changed.
@Suite struct KeptLookupTests {
    private static let binary = [("Content-Type", "application/wasm")]
    private static let isJSON = [("Content-Type", "application/json")]

    private func result(_ house: ExecutorHouse, _ path: String, _ body: String) async throws
        -> Document?
    {
        try await house.send(.post, path, body).json["result"]
    }

    @Test func callsFollowTheRecord() throws {
        try ExecutorHouse.open(surfaces: { [ModuleSurface($0)] }) { house in
            let two = try module(
                """
                (module
                  (func (export "add") (param i32 i32) (result i32)
                    (i32.add (local.get 0) (local.get 1)))
                  (func (export "double") (param i64) (result i64)
                    (i64.add (local.get 0) (local.get 0))))
                """)
            let stored = try await house.send(.post, "/wasm?function=add", two, Self.binary)
            let path = "/wasm/\(try #require(stored.json["id"]?.stringValue))"
            // By turns: the plan that is kept is that of the last call.
            for _ in 0..<2 {
                #expect(try await result(house, path, "[2, 3]") == .integer(5))
                #expect(try await result(house, path + "?function=double", "[4]") == .integer(8))
                #expect(try await result(house, path + "?function=add", "[4, 1]") == .integer(5))
            }
            let missing = try await house.send(.post, path + "?function=no", "[]")
            #expect(missing.status == 400)
            // Another function, other names of parameters, another module.
            var changed = try await house.send(
                .put, path, #"{"run_function":"double"}"#, Self.isJSON)
            #expect(changed.status == 202)
            #expect(try await result(house, path, "[21]") == .integer(42))
            changed = try await house.send(
                .put, path, #"{"param":[{"name":"n","param_type":"i64"}]}"#, Self.isJSON)
            #expect(try await result(house, path, #"{"n":4}"#) == .integer(8))
            let one = try module(
                "(module (func (export \"double\") (result f64) f64.const 1.5))")
            changed = try await house.send(.put, path, one, Self.binary)
            #expect(changed.status == 202)
            #expect(try await result(house, path, "[]") == .double(1.5))
            #expect(try await house.send(.delete, path).status == 202)
            #expect(try await house.send(.post, path, "[]").status == 404)
        }
    }

    @Test func recordsThatShareAPlace() throws {
        // More modules than places, so that some share one.
        try ExecutorHouse.open(surfaces: { [ModuleSurface($0)] }) { house in
            var ids: [ModuleID] = []
            for index in 0..<600 {
                var draft = Executor.Draft()
                draft.bytes = try module(adder)
                draft.function = "f\(index)"
                ids.append(try await house.executor.create(draft, on: house.client.loop).id)
            }
            for _ in 0..<2 {
                for (index, id) in ids.enumerated() {
                    let record = try await house.executor.record(id, on: house.client.loop)
                    #expect(record.id == id && record.function == "f\(index)")
                }
            }
        }
    }

    @Test func changesOfOneModuleAtTheSameTime() throws {
        let path = Array("/tmp/wasmd-changes-\(UInt64.random(in: 0...UInt64.max))".utf8)
        let store = try RecordStore(folder: path)
        defer {
            store.close()
            removeFolder(path)
        }
        let executor = Executor(store)
        try EventLoop().run { loop in
            var draft = Executor.Draft()
            draft.bytes = try module(adder)
            let id = try await executor.create(draft, on: loop).id
            let other = try module("(module (func (export \"one\") (result i32) i32.const 1))")
            let before = store.statistics.version
            let tasks = (0..<64).map { index in
                loop.spawn { () -> Bool in
                    var change = Executor.Draft()
                    switch index % 8 {
                    case 0: change.bytes = other
                    case 1: change.parameters = [Parameter("p\(index)", .i32)]
                    default: change.function = "f\(index)"
                    }
                    return (try? await executor.change(id, change, on: loop)) != nil
                }
            }
            for task in tasks { #expect(await task.value) }
            // Each part has the value of one of its changes, and no change undid another's part.
            let record = try await executor.record(id, on: loop)
            #expect(record.function?.hasPrefix("f") == true)
            #expect(record.parameters.first?.name.hasPrefix("p") == true)
            #expect(record.size == other.count)
            #expect(try await executor.bytes(record, on: loop) == other)
            // Changes that waited were written together, apart from those with a module.
            #expect(store.statistics.version - before < 48)
            // All are told of a module that is gone.
            try await executor.delete(id, on: loop)
            let late = (0..<8).map { _ in
                loop.spawn { () -> Bool in
                    var change = Executor.Draft()
                    change.function = "late"
                    do {
                        try await executor.change(id, change, on: loop)
                        return false
                    } catch ExecutorError.notFound {
                        return true
                    } catch {
                        return false
                    }
                }
            }
            for task in late { #expect(await task.value) }
        }
    }
}
