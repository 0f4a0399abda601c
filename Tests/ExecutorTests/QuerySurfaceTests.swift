import Testing
import WasmdDocuments
import WasmdExecutor
import WasmdHTTP

/// The surface of the first executor, beside the module surface and alone.
@Suite struct QuerySurfaceTests {
    private static let one = "(module (func (export \"one\") (result i32) i32.const 1))"

    private func open(
        isAlone: Bool, _ body: @escaping @Sendable (ExecutorHouse) async throws -> Void
    ) throws {
        try ExecutorHouse.open(
            surfaces: { executor in
                isAlone
                    ? [QuerySurface(executor, isAlone: true)]
                    : [QuerySurface(executor), ModuleSurface(executor)]
            }, body)
    }

    @Test(arguments: [true, false]) func whatClientsDo(isAlone: Bool) throws {
        try open(isAlone: isAlone) { house in
            let body = #"{"wasm":\#(json(try module(adder))),"run_function":"add"}"#
            let stored = try await house.send(.post, "/", body)
            #expect(stored.status == 200)
            let id = try #require(stored.json.stringValue)
            #expect(try ModuleID(id.utf8).description == id)
            #expect(try await house.send(.get, "/").json == .array([.string(id)]))
            let shown = try await house.send(.get, "/wasm/?id=\(id)")
            #expect(shown.status == 200)
            #expect(shown.json["wasm"]?.arrayValue?.count == (try module(adder)).count)
            let metadata = shown.json["meta_data"]
            #expect(metadata?["id"]?.stringValue == id)
            #expect(metadata?["run_function"] == "add" && metadata?["job_type"] == "SAVE")
            #expect(metadata?["size"] == .integer(Int64(try module(adder).count)))
            let change = #"{"wasm":\#(json(try module(Self.one))),"run_function":"one"}"#
            #expect(try await house.send(.put, "/?id=\(id)", change).status == 200)
            let run = try await house.send(.get, "/run/?id=\(id)")
            #expect(run.status == 200 && run.text == "[1]")
            let deleted = try await house.send(.delete, "/?id=\(id)")
            #expect(deleted.status == 200 && deleted.json.stringValue == id)
            for (method, path) in [
                (.get, "/run/?id=\(id)"), (.get, "/wasm/?id=\(id)"), (.delete, "/?id=\(id)"),
                (.put, "/?id=\(id)"),
            ] as [(Method, String)] {
                let gone = try await house.send(method, path, method == .put ? change : "")
                #expect(gone.status == 404 && gone.text == "wasm not exist", "\(path)")
            }
        }
    }

    @Test(arguments: [true, false]) func whatIsWrong(isAlone: Bool) throws {
        try open(isAlone: isAlone) { house in
            for (method, path, body, status, text) in [
                (.get, "/wasm/?id=x", "", 400, "Invalid Wasm ID"),
                (.get, "/run/?id=", "", 400, "Invalid Wasm ID"),
                (.get, "/run/", "", 400, "Invalid Wasm ID"),
                (.delete, "/", "", 400, "Invalid Wasm ID"),
                (.put, "/?id=1", "{}", 400, "Invalid Wasm ID"),
                (.post, "/", "{}", 400, "Invalid Wasm"), (.post, "/", "", 400, "Invalid Wasm"),
                (.post, "/", #"{"wasm":[1,2],"run_function":"f"}"#, 400, "Invalid Wasm"),
                (.post, "/run/", "", 404, "Page not found"),
                (.patch, "/", "", 404, "Page not found"),
            ] as [(Method, String, String, UInt16, String)] {
                let answer = try await house.send(method, path, body)
                #expect(answer.status == status, "\(method.name) \(path)")
                #expect(answer.text == text, "\(method.name) \(path)")
            }
        }
    }

    /// Alone it owns all paths; beside the module surface only its own.
    @Test func whosePathIsIt() throws {
        let html = [("Accept", "text/html,application/xhtml+xml;q=0.9")]
        try open(isAlone: true) { house in
            #expect(try await house.send(.get, "/wasm/").text == "Invalid Wasm ID")
            let page = try await house.send(.get, "/other")
            #expect(page.status == 404 && page.text == "Page not found")
            #expect(try await house.send(.get, "/", [], html).json == .array([]))
        }
        try open(isAlone: false) { house in
            #expect(try await house.send(.get, "/wasm").json["items"] == .array([]))
            let page = try await house.send(.get, "/other")
            #expect(page.status == 404 && page.json["error"]?["code"] == .integer(404))
            let moved = try await house.send(.get, "/", [], html)
            #expect(moved.status == 303 && moved.field("location") == "/console")
        }
    }
}
