import Testing
import WasmdDocuments
import WasmdExecutor
import WasmdHTTP

@Suite struct WessSurfaceTests {
    private func open(_ body: @escaping @Sendable (ExecutorHouse) async throws -> Void) throws {
        try ExecutorHouse.open(
            surfaces: { [WessSurface($0)] }, body)
    }

    private func draft(
        _ text: String, _ function: String, returns: String = "[\"I32\"]", args: String = "[]"
    ) throws -> String {
        """
        {"wasm":\(json(try module(text))),"metadata":{"functionName":"\(function)",
        "returnType":\(returns),"args":\(args)}}
        """
    }

    private func id(_ answer: Answer) throws -> String {
        try #require(answer.json["message"]?["id"]?.stringValue)
    }

    @Test func aModuleFromStoringToDeleting() throws {
        try open { house in
            #expect(try await house.send(.get, "/").text == #"{"message":0}"#)
            let body = try draft(adder, "add", args: #"["I32","I32"]"#)
            let stored = try await house.send(.post, "/", body, [("Content-Type", "text/plain")])
            #expect(stored.status == 202)
            let id = try id(stored)
            #expect(try ModuleID(id.utf8).description == id)
            #expect(try await house.send(.get, "/").text == #"{"message":1}"#)
            let shown = try await house.send(.get, "/\(id)")
            #expect(shown.status == 202)
            let message = try #require(shown.json["message"])
            #expect(message["metadata"]?["functionName"] == "add")
            #expect(message["metadata"]?["args"] == .array(["I32", "I32"]))
            #expect(message["wasm"]?.arrayValue?.count == (try module(adder)).count)
            let run = try await house.send(.post, "/\(id)", "[2, null, 40]")
            #expect(run.status == 200 && run.text == #"{"message":[42]}"#)
            let other = try draft(
                "(module (func (export \"one\") (result i64) i64.const 1))", "one")
            let changed = try await house.send(.put, "/\(id)", other)
            #expect(changed.status == 202 && changed.json["message"]?["id"]?.stringValue == id)
            #expect(try await house.send(.post, "/\(id)", "[]").text == #"{"message":[1]}"#)
            let deleted = try await house.send(.delete, "/\(id)")
            #expect(deleted.status == 202)
            let gone = try await house.send(.delete, "/\(id)")
            #expect(
                gone.status == 404 && gone.text == #"{"message":"Invalid Id: Error: Not found"}"#)
            let unknown = try await house.send(.get, "/\(id)")
            #expect(unknown.status == 404 && unknown.text == #"{"message":"Error: Not found"}"#)
            #expect(try await house.send(.get, "/").text == #"{"message":0}"#)
        }
    }

    @Test func malformedBodies() throws {
        let valid = json(try module(adder))
        try open { house in
            for (body, start) in [
                ("", "Inavlid Json: "), ("{", "Inavlid Json: "), ("[]", "Inavlid Json: "),
                ("{}", "Inavlid Json: missing field `wasm`"),
                (#"{"wasm":[]}"#, "Inavlid Json: missing field `metadata`"),
                (#"{"wasm":"AGFzbQ==","metadata":{"functionName":"f"}}"#, "Inavlid Json: "),
                (#"{"wasm":[256],"metadata":{"functionName":"f"}}"#, "Inavlid Json: "),
                (#"{"wasm":[1.5],"metadata":{"functionName":"f"}}"#, "Inavlid Json: "),
                (
                    #"{"wasm":\#(valid),"metadata":{}}"#,
                    "Inavlid Json: missing field `functionName`"
                ),
                (
                    #"{"wasm":\#(valid),"metadata":{"functionName":"f","args":["I33"]}}"#,
                    "Inavlid Json: unknown variant `I33`"
                ),
                (#"{"wasm":[],"metadata":{"functionName":"f"}}"#, "Invalid Wasm: "),
                (#"{"wasm":[0,97,115],"metadata":{"functionName":"f"}}"#, "Invalid Wasm: "),
                (
                    #"{"wasm":[0,97,115,109,1,0,0,0,9],"metadata":{"functionName":"f"}}"#,
                    "Invalid Wasm: "
                ),
            ] {
                let answer = try await house.send(.post, "/", body)
                #expect(answer.status == 400, "\(body)")
                let message = answer.json["message"]?.stringValue ?? ""
                #expect(message.hasPrefix(start), "\(body): \(message)")
            }
            #expect(try await house.send(.get, "/").text == #"{"message":0}"#)
        }
    }

    @Test func ids() throws {
        try open { house in
            let unknown = "7d444840-9dc0-11d1-b245-5ffdce74fad2"
            for id in ["x", unknown] {
                let put = try await house.send(.put, "/\(id)", "{}")
                #expect(put.status == 404)
                #expect(put.json["message"] == "Invalid Id: Error: Not found")
                let run = try await house.send(.post, "/\(id)", "[]")
                #expect(run.json["message"] == "Invalid Id: Error: Not found")
            }
            let malformed = try await house.send(.get, "/abc")
            #expect(malformed.status == 400)
            #expect(
                malformed.json["message"]
                    == "Invalid ID: invalid length: expected length 32 for simple format, found 3")
        }
    }

    @Test func runs() throws {
        let text = """
            (module
              (func (export "i32") (param i32) (result i32) local.get 0)
              (func (export "i64") (param i64) (result i64) local.get 0)
              (func (export "f32") (param f32) (result f32) local.get 0)
              (func (export "f64") (param f64) (result f64) local.get 0)
              (func (export "two") (result i32 i32) i32.const 1 i32.const 2)
              (func (export "trap") unreachable)
              (func (export "loop") (loop $l br $l)))
            """
        var options = Executor.Options()
        options.limits.fuel = 1_000_000
        try ExecutorHouse.open(
            options, surfaces: { [WessSurface($0)] }
        ) { house in
            for (function, returns, body, status, message) in [
                ("i32", "[\"I32\"]", "[4294967297]", 200, "[1]"),
                ("i32", "[\"I32\"]", "[-1]", 200, "[-1]"),
                ("i32", "[\"I32\"]", "[1.5]", 400, "\"Invalid Type: I32\""),
                ("i32", "[\"I32\"]", "[true]", 400, "\"Invalid Type: I32\""),
                ("i32", "[\"I32\"]", "[\"1\"]", 400, "\"Invalid Type: I32\""),
                ("i32", "[\"I32\"]", "[null]", 400, "\"Length Args Error: expect: 1, found: 0\""),
                ("i32", "[\"I32\"]", "[1,2]", 400, "\"Length Args Error: expect: 1, found: 2\""),
                ("i64", "[\"I64\"]", "[9223372036854775807]", 200, "[9223372036854775807]"),
                ("f32", "[\"F32\"]", "[0.1]", 200, "[0.10000000149011612]"),
                ("f64", "[\"F64\"]", "[3]", 200, "[3.0]"),
                ("two", "[\"I32\"]", "[]", 200, "[1]"),
                ("two", "[null,\"I32\"]", "[]", 200, "[null,2]"),
                ("two", "null", "[]", 200, "[1,2]"),
                ("two", "[\"V128\",\"I32\"]", "[]", 200, "[null,2]"),
            ] as [(String, String, String, UInt16, String)] {
                let id = try id(
                    try await house.send(
                        .post, "/", try draft(text, function, returns: returns)))
                let answer = try await house.send(.post, "/\(id)", body)
                #expect(answer.status == status, "\(function) \(body): \(answer.text)")
                #expect(answer.text == "{\"message\":\(message)}", "\(function) \(body)")
            }
            for (function, start) in [
                ("trap", "Error: Function Execution Error: "),
                ("loop", "Error: Function Execution Error: fuel reached"),
                ("absent", "Error: Instantiate Function Error `absent`: "),
            ] {
                let id = try id(try await house.send(.post, "/", try draft(text, function)))
                let answer = try await house.send(.post, "/\(id)", "[]")
                #expect(answer.status == 500)
                #expect(answer.json["message"]?.stringValue?.hasPrefix(start) == true)
                let noArray = try await house.send(.post, "/\(id)", "{}")
                #expect(noArray.status == 400)
                #expect(noArray.json["message"]?.stringValue?.hasPrefix("Invalid Json: ") == true)
            }
            let id = try id(
                try await house.send(
                    .post, "/",
                    try draft("(module (import \"a\" \"b\" (func)) (func (export \"f\")))", "f")))
            let answer = try await house.send(.post, "/\(id)", "[]")
            #expect(
                answer.json["message"]?.stringValue?.hasPrefix("Error: InitializingError: ")
                    == true)
        }
    }
}
