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
        let metadata = #"{"functionName":"f","returnType":[],"args":[]}"#
        try open { house in
            for (body, start) in [
                ("", "Inavlid Json: "), ("{", "Inavlid Json: "), ("[]", "Inavlid Json: "),
                ("{}", "Inavlid Json: missing field `wasm`"),
                (#"{"wasm":[]}"#, "Inavlid Json: missing field `metadata`"),
                (#"{"wasm":"AGFzbQ==","metadata":\#(metadata)}"#, "Inavlid Json: "),
                (#"{"wasm":[256],"metadata":\#(metadata)}"#, "Inavlid Json: "),
                (#"{"wasm":[-1],"metadata":\#(metadata)}"#, "Inavlid Json: "),
                (#"{"wasm":[1.5],"metadata":\#(metadata)}"#, "Inavlid Json: "),
                (#"{"wasm":[null],"metadata":\#(metadata)}"#, "Inavlid Json: "),
                (#"{"wasm":\#(valid),"metadata":[]}"#, "Inavlid Json: "),
                (
                    #"{"wasm":\#(valid),"metadata":{"functionName":"f"}}"#,
                    "Inavlid Json: missing field `returnType`"
                ),
                (
                    #"{"wasm":\#(valid),"metadata":{"functionName":"f","returnType":[]}}"#,
                    "Inavlid Json: missing field `args`"
                ),
                (
                    #"{"wasm":\#(valid),"metadata":{"functionName":1,"returnType":[],"args":[]}}"#,
                    "Inavlid Json: "
                ),
                (
                    #"{"wasm":\#(valid),"metadata":{"functionName":"f","returnType":null,"args":[]}}"#,
                    "Inavlid Json: "
                ),
                (
                    #"{"wasm":\#(valid),"metadata":{"functionName":"f","returnType":[1],"args":[]}}"#,
                    "Inavlid Json: "
                ),
                (
                    #"{"wasm":\#(valid),"metadata":{}}"#,
                    "Inavlid Json: missing field `functionName`"
                ),
                (
                    #"{"wasm":\#(valid),"metadata":{"functionName":"f","returnType":[],"args":["I33"]}}"#,
                    "Inavlid Json: unknown variant `I33`"
                ),
                (#"{"wasm":[],"metadata":\#(metadata)}"#, "Invalid Wasm: "),
                (#"{"wasm":[0,97,115],"metadata":\#(metadata)}"#, "Invalid Wasm: "),
                (
                    #"{"wasm":[0,97,115,109,1,0,0,0,9],"metadata":\#(metadata)}"#,
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

    private static let echoes = """
        (module
          (func (export "i32") (param i32) (result i32) local.get 0)
          (func (export "i64") (param i64) (result i64) local.get 0)
          (func (export "f32") (param f32) (result f32) local.get 0)
          (func (export "f64") (param f64) (result f64) local.get 0)
          (func (export "two") (result i32 i32) i32.const 1 i32.const 2)
          (func (export "nan") (result f32 f64 f64)
            f32.const nan f64.const inf f64.const -inf)
          (func (export "vector") (result v128) v128.const i64x2 1 2)
          (func (export "ref") (param externref) (result externref) local.get 0)
          (func (export "trap") unreachable)
          (func (export "loop") (loop $l br $l)))
        """

    /// Function, declared arguments and results, body, status, message.
    private static let runs: [(String, String, String, String, UInt16, String)] = [
        ("i32", "[\"I32\"]", "[\"I32\"]", "[4294967297]", 200, "[1]"),
        ("i32", "[\"I32\"]", "[\"I32\"]", "[2147483648]", 200, "[-2147483648]"),
        ("i32", "[\"I32\"]", "[\"I32\"]", "[18446744073709551615]", 200, "[-1]"),
        ("i32", "[\"I32\"]", "[\"I32\"]", "[-1]", 200, "[-1]"),
        ("i32", "[\"I32\"]", "[\"I32\"]", " [ null , 7 , null ] ", 200, "[7]"),
        ("i32", "[null,\"I32\",null]", "[\"I32\"]", "[7]", 200, "[7]"),
        ("i32", "[\"i32\"]", "[\"i32\"]", "[7]", 200, "[7]"),
        ("i32", "[\"I32\"]", "[\"I32\"]", "[1.5]", 400, "\"Invalid Type: I32\""),
        ("i32", "[\"I32\"]", "[\"I32\"]", "[1.0]", 400, "\"Invalid Type: I32\""),
        ("i32", "[\"I32\"]", "[\"I32\"]", "[true]", 400, "\"Invalid Type: I32\""),
        ("i32", "[\"I32\"]", "[\"I32\"]", "[\"1\"]", 400, "\"Invalid Type: I32\""),
        ("i32", "[\"I32\"]", "[\"I32\"]", "[[]]", 400, "\"Invalid Type: I32\""),
        (
            "i32", "[\"I32\"]", "[\"I32\"]", "[null]", 400,
            "\"Length Args Error: expect: 1, found: 0\""
        ),
        (
            "i32", "[\"I32\"]", "[\"I32\"]", "[1,2]", 400,
            "\"Length Args Error: expect: 1, found: 2\""
        ),
        // The number goes before the types.
        (
            "i32", "[\"I32\"]", "[\"I32\"]", "[true,2]", 400,
            "\"Length Args Error: expect: 1, found: 2\""
        ),
        ("i32", "[]", "[\"I32\"]", "[1]", 400, "\"Length Args Error: expect: 0, found: 1\""),
        // What is declared and what is real may differ.
        ("i32", "[\"I64\"]", "[\"I32\"]", "[5]", 200, "[5]"),
        ("i32", "[\"I64\"]", "[\"I32\"]", "[1.5]", 400, "\"Invalid Type: I64\""),
        ("i64", "[\"I32\"]", "[\"I64\"]", "[5]", 200, "[5]"),
        ("f64", "[\"I32\"]", "[\"I32\"]", "[5]", 200, "[5.0]"),
        ("i32", "[\"F32\"]", "[\"I32\"]", "[1.5]", 400, "\"Invalid Type: I32\""),
        ("i64", "[\"I64\"]", "[\"I64\"]", "[9223372036854775807]", 200, "[9223372036854775807]"),
        (
            "i64", "[\"I64\"]", "[\"I64\"]", "[-9223372036854775808]", 200,
            "[-9223372036854775808]"
        ),
        ("i64", "[\"I64\"]", "[\"I64\"]", "[9223372036854775808]", 400, "\"Invalid Type: I64\""),
        ("f32", "[\"F32\"]", "[\"F32\"]", "[0.1]", 200, "[0.10000000149011612]"),
        ("f32", "[\"F32\"]", "[\"F32\"]", "[3]", 200, "[3.0]"),
        ("f32", "[\"F32\"]", "[\"F32\"]", "[\"NaN\"]", 400, "\"Invalid Type: F32\""),
        ("f64", "[\"F64\"]", "[\"F64\"]", "[3]", 200, "[3.0]"),
        ("f64", "[\"F64\"]", "[\"F64\"]", "[null,false]", 400, "\"Invalid Type: F64\""),
        ("two", "[]", "[\"I32\"]", "[]", 200, "[1]"),
        ("two", "[]", "[]", "[]", 200, "[]"),
        ("two", "[]", "[null,\"I32\"]", "[]", 200, "[null,2]"),
        ("two", "[]", "[\"V128\",\"I32\"]", "[]", 200, "[null,2]"),
        ("two", "[]", "[\"ExternRef\",\"FuncRef\"]", "[]", 200, "[null,null]"),
        ("two", "[]", "[\"I32\",\"I32\",\"I32\"]", "[]", 200, "[1,2]"),
        (
            "nan", "[]", "[\"F32\",\"F64\",\"F64\"]", "[]", 200,
            "[\"NaN\",\"Infinity\",\"-Infinity\"]"
        ),
        ("vector", "[]", "[\"V128\"]", "[]", 200, "[null]"),
        ("ref", "[\"ExternRef\"]", "[]", "[1]", 400, "\"Invalid Type: ExternRef\""),
        ("ref", "[\"FuncRef\"]", "[]", "[{}]", 400, "\"Invalid Type: FuncRef\""),
        ("ref", "[\"V128\"]", "[]", "[\"0x00\"]", 400, "\"Invalid Type: V128\""),
    ]

    @Test func runs() throws {
        try open { house in
            for (function, args, returns, body, status, message) in Self.runs {
                let id = try id(
                    try await house.send(
                        .post, "/",
                        try draft(Self.echoes, function, returns: returns, args: args)))
                let answer = try await house.send(.post, "/\(id)", body)
                #expect(answer.status == status, "\(function) \(args) \(body): \(answer.text)")
                #expect(
                    answer.text == "{\"message\":\(message)}", "\(function) \(args) \(body)")
            }
        }
    }

    @Test func runsThatFail() throws {
        var options = Executor.Options()
        options.limits.fuel = 1_000_000
        try ExecutorHouse.open(options, surfaces: { [WessSurface($0)] }) { house in
            let trapping = "(module (func $f unreachable) (start $f) (func (export \"f\")))"
            let missing = "(module (import \"a\" \"b\" (func)) (func (export \"f\")))"
            let stored = "7d444840-9dc0-41d1-b245-5ffdce74fad2"
            for (text, function, args, body, start) in [
                (Self.echoes, "trap", "[]", "[]", "Function Execution Error: "),
                (Self.echoes, "loop", "[]", "[]", "Function Execution Error: fuel reached"),
                (
                    "(module (memory 10000) (func (export \"f\")))", "f", "[]", "[]",
                    "Function Execution Error: memory reached"
                ),
                (Self.echoes, "absent", "[]", "[]", "Instantiate Function Error `absent`: "),
                (Self.echoes, "", "[]", "[]", "Instantiate Function Error ``: "),
                // As many arguments as are declared, and not as many as there are.
                (
                    Self.echoes, "i32", "[\"I32\",\"I32\"]", "[1,2]",
                    "Function Execution Error: "
                ),
                (trapping, "f", "[]", "[]", "InitializingError: "),
                (missing, "f", "[]", "[]", "InitializingError: "),
                // The instance is made before its function is looked for.
                (missing, "absent", "[]", "[]", "InitializingError: "),
                (
                    "(module (import \"\(stored)\" \"f\" (func)) (func (export \"f\")))", "f",
                    "[]", "[]", "InitializingError: "
                ),
            ] {
                let id = try id(
                    try await house.send(.post, "/", try draft(text, function, args: args)))
                let answer = try await house.send(.post, "/\(id)", body)
                #expect(answer.status == 500)
                let message = answer.json["message"]?.stringValue ?? ""
                #expect(message.hasPrefix("Error: " + start), "\(function): \(message)")
                for noArray in ["{}", "", "[", "1", "null", "[1]x"] {
                    let answer = try await house.send(.post, "/\(id)", noArray)
                    #expect(answer.status == 400)
                    let message = answer.json["message"]?.stringValue ?? ""
                    #expect(message.hasPrefix("Invalid Json: "), "\(noArray): \(message)")
                }
            }
        }
    }

    /// A name that the module does not export is stored all the same, also by a change.
    @Test func changesAreSeenAtOnce() throws {
        try open { house in
            let first = try draft(adder, "absent", returns: "[]")
            let id = try id(try await house.send(.post, "/", first))
            let one = "(module (func (export \"one\") (result i32) i32.const 1))"
            let invalid = try await house.send(.put, "/\(id)", "{}")
            #expect(invalid.status == 400)
            #expect(invalid.json["message"] == "Inavlid Json: missing field `wasm`")
            #expect(try await house.send(.put, "/\(id)", try draft(one, "one")).status == 202)
            #expect(try await house.send(.post, "/\(id)", "[]").text == #"{"message":[1]}"#)
            let shown = try await house.send(.get, "/\(id.uppercased())")
            #expect(shown.status == 202)
            #expect(shown.json["message"]?["metadata"]?["returnType"] == .array(["I32"]))
            #expect(try await house.send(.head, "/\(id)").bytes.isEmpty)
            #expect(try await house.send(.head, "/").status == 202)
        }
    }

    @Test func methodsAndPaths() throws {
        try open { house in
            for (method, path, status, allow) in [
                (.put, "/", 405, "GET, HEAD, POST"), (.delete, "/", 405, "GET, HEAD, POST"),
                (.patch, "/x", 405, "GET, HEAD, POST, PUT, DELETE"), (.get, "/a/b", 404, nil),
                (.post, "/metrics", 404, nil),
                // The root has rights of its own, and one spelling.
                (.post, "//", 404, nil),
            ] as [(Method, String, UInt16, String?)] {
                let answer = try await house.send(method, path)
                #expect(answer.status == status, "\(method.name) \(path)")
                #expect(answer.field("allow") == allow)
                #expect(answer.json["message"]?.stringValue != nil)
            }
        }
    }

    /// Runs of clients of *wess* find modules that other surfaces stored without a declaration.
    @Test func modulesOfOtherSurfaces() throws {
        try ExecutorHouse.open(surfaces: { [ModuleSurface($0), WessSurface($0)] }) { house in
            let stored = try await house.send(
                .post, "/wasm", try module(adder), [("Content-Type", "application/wasm")])
            let id = stored.json["id"]?.stringValue ?? ""
            #expect(try await house.send(.post, "/\(id)", "[1,2]").text == #"{"message":[3]}"#)
            let wrong = try await house.send(.post, "/\(id)", "[1]")
            #expect(wrong.status == 500)
            let shown = try await house.send(.get, "/\(id)")
            #expect(shown.json["message"]?["metadata"]?["args"] == .array([]))
        }
    }
}
