import Testing
import WasmdDocuments
import WasmdHTTP
import WasmdModules

@Suite struct ModuleRoutesTests {
    private static let described = #"""
        {"fibo":{"method":"GET","parameters":[{"name":"n","type":"integer"}],"output":"integer"}}
        """#

    @Test func aModuleFromCreatingToDeleting() throws {
        try ModulesHouse.open { house in
            let bytes = try module(fibo)
            let created = try await house.send(
                .post, "/file/module",
                form: [
                    .text("name", "m"), .text("author", "a"), .text("_id", "x"),
                    .file("any", bytes, "f.wasm", "application/wasm"),
                ])
            #expect(created.status == 201)
            #expect(created.field("content-type") == "application/json; charset=utf-8")
            let id = try #require(created.json["id"]?.stringValue)
            #expect(id.utf8.count == 24)
            for path in [id, "m"] {
                let answer = try await house.send(.get, "/file/module/\(path)")
                #expect(answer.status == 200)
                let document = try #require(answer.json[0])
                #expect(document["name"] == "m" && document["author"] == "a")
                #expect(document["_id"] == .string(id))
                #expect(document["wasm"]?["originalFilename"] == "f.wasm")
                #expect(
                    document["requirements"]
                        == .array([
                            .object([
                                .init("module", "env"), .init("name", "log"),
                                .init("kind", "function"),
                            ])
                        ]))
                #expect(document["imports"]?[0]?["params"] == .array(["i32"]))
                #expect(document["imports"]?[1]?["kind"] == "memory")
                #expect(document["exports"]?[1]?["parameterCount"] == .integer(3))
                #expect(document["exports"]?[0]?["results"] == .array(["i64"]))
                #expect(document["_stored"] == nil && document["dataFiles"] == nil)
            }
            let binary = try await house.send(.get, "/file/module/m/wasm")
            #expect(binary.bytes == bytes && binary.field("content-type") == "application/wasm")
            let tag = try #require(binary.field("etag"))
            let same = try await house.send(
                .get, "/file/module/\(id)/wasm", [], [("If-None-Match", tag)])
            #expect(same.status == 304)
            let part = try await house.send(
                .get, "/file/module/m/wasm", [], [("Range", "bytes=1-3")])
            #expect(part.status == 206 && part.text == "asm")
            #expect(try await house.send(.get, "//file//module///").json[0]?["name"] == "m")
            #expect(try await house.send(.head, "/file/module/m").status == 200)
            #expect(try await house.send(.delete, "/file/module/m").status == 204)
            #expect(try await house.send(.delete, "/file/module/m").status == 204)
            #expect(try await house.send(.get, "/file/module/\(id)").status == 404)
            #expect(try await house.send(.get, "/file/module").json == .array([]))
        }
    }

    @Test func allEncodingsOfADescription() throws {
        try ModulesHouse.open { house in
            let id = try await house.create("m", try module(fibo))
            let path = "/file/module/\(id)/upload"
            let first = try await house.send(
                .post, path, form: [.text("functions", Self.described)])
            #expect(first.status == 200 && first.json["warnings"] == nil, "\(first.text)")
            let json = try await house.send(.post, path, json: Self.described)
            #expect(json.json == first.json)
            let escaped = "fibo%5Bmethod%5D=GET&fibo[n]=x&fibo[paramn]=integer&fibo[output]=integer"
            let urlencoded = try await house.send(
                .post, path, Array(escaped.utf8),
                [("Content-Type", "application/x-www-form-urlencoded")])
            #expect(urlencoded.status == 200)
            let operation = urlencoded.json["description"]?["paths"]?[
                "/{deployment}/modules/m/fibo"]?["get"]
            #expect(operation?["parameters"]?[0]?["name"] == "paramn")
            let brackets = try await house.send(
                .post, path,
                form: [
                    .text("fibo[method]", "GET"), .text("fibo[parameters][0][name]", "n"),
                    .text("fibo[parameters][0][type]", "integer"),
                    .text("fibo[output]", "integer"), .text("fibo[mountName]", ""),
                    .text("fibo[stage]", "deployment"), .text("note", "text"),
                ])
            #expect(brackets.json == first.json, "\(brackets.text)")
            let read = try await house.send(.get, "/file/module/m/description")
            #expect(read.json == first.json["description"])
        }
    }

    @Test func createAndDescribeInOneRequest() throws {
        try ModulesHouse.open { house in
            let functions = #"""
                {"fibo":{"method":"post","param0":"integer","output":"image/png","mounts":[
                 {"name":"in.csv","stage":"deployment"},{"name":"live","stage":"execution"},
                 {"name":"out.png","stage":"output","mediaType":"image/jpeg"}]}}
                """#
            let parts: [Part] = [
                .file("in.csv", Array("a,b".utf8), "x.csv", "text/csv"), .text("name", "m"),
                .text("functions", functions),
                .file("wasm", try module(fibo), "f.wasm", "application/wasm"),
            ]
            let answer = try await house.send(.post, "/file/module", form: parts)
            #expect(answer.status == 201, "\(answer.text)")
            let operation = answer.json["description"]?["paths"]?[
                "/{deployment}/modules/m/fibo"]?["post"]
            let form = operation?["requestBody"]?["content"]?["multipart/form-data"]
            #expect(form?["encoding"]?["in.csv"]?["contentType"] == "text/csv")
            #expect(form?["schema"]?["properties"]?["out.png"] == nil)
            #expect(form?["schema"]?["properties"]?["live"] != nil)
            #expect(
                operation?["responses"]?["200"]?["content"]?["image/jpeg"]?["schema"]?["format"]
                    == "binary")
            let document = try await house.send(.get, "/file/module/m").json[0]
            #expect(document?["mounts"]?["fibo"]?["in.csv"]?["mediaType"] == "text/csv")
            #expect(document?["mounts"]?["fibo"]?["out.png"]?["stage"] == "output")
            #expect(document?["dataFiles"]?["in.csv"]?["originalFilename"] == "x.csv")
            let data = try await house.send(.get, "/file/module/m/in.csv")
            #expect(data.text == "a,b" && data.field("content-type") == "application/octet-stream")
            // All or nothing.
            let refused = try await house.send(
                .post, "/file/module", form: Array(parts.dropFirst()))
            #expect(refused.status == 400)
            #expect(
                refused.json["errorText"] == #"Functions missing mounts: [["fibo","in.csv"]]"#)
            #expect(try await house.send(.get, "/file/module").json.arrayValue?.count == 1)
        }
    }

    @Test func dataFilesAreReplacedByEachDescription() throws {
        try ModulesHouse.open { house in
            let id = try await house.create("m", try module(fibo))
            let path = "/file/module/\(id)/upload"
            let functions = #"""
                {"fibo":{"method":"get","param0":"integer","output":"integer","mounts":[
                 {"name":"a","stage":"deployment"}]}}
                """#
            let large = [UInt8](repeating: 7, count: 100_000)
            for content in [Array("one".utf8), large, Array("two".utf8)] {
                let answer = try await house.send(
                    .post, path,
                    form: [.text("functions", functions), .file("a", content, "n", nil)])
                #expect(answer.status == 200, "\(answer.text)")
                #expect(try await house.send(.get, "/file/module/m/a").bytes == content)
            }
            let again = try await house.send(
                .post, path,
                form: [.text("functions", Self.described), .file("b", [1], "n", nil)])
            #expect(again.status == 200)
            #expect(try await house.send(.get, "/file/module/m/a").status == 400)
            #expect(try await house.send(.get, "/file/module/m/b").bytes == [1])
        }
    }

    @Test func anInitFunctionMakesMounts() throws {
        try ModulesHouse.open { house in
            let id = try await house.create("m", try module(fibo))
            let functions = #"""
                {"fibo":{"method":"get","param0":"integer","output":"integer","mounts":[
                 {"name":"id","stage":"deployment"}]},
                 "_wasmiot_init":{"method":"post","output":"application/octet-stream","mounts":[
                 {"name":"id","stage":"output"}]}}
                """#
            let answer = try await house.send(.post, "/file/module/\(id)/upload", json: functions)
            #expect(answer.status == 200, "\(answer.text)")
        }
    }

    @Test func descriptionsThatDisagreeAreWarned() throws {
        try ModulesHouse.open { house in
            let id = try await house.create("m", try module(fibo))
            let functions = #"""
                {"fibo":{"method":"get","param0":"float","output":"integer"},
                 "subtract":{"method":"get","param0":"integer","output":"integer"},
                 "fibo_from_pointers":{"method":"get","param0":"integer","param1":"integer",
                  "param2":"number","output":"image/png","mounts":[]},
                 "nope":{"method":"get","output":"integer"}}
                """#
            let answer = try await house.send(.post, "/file/module/\(id)/upload", json: functions)
            #expect(answer.status == 200)
            let warnings = try #require(answer.json["warnings"]?.arrayValue)
            #expect(warnings.count == 3)
            #expect(
                warnings.first
                    == .object([
                        .init("function", "fibo"), .init("declared", "(float) -> (integer)"),
                        .init("actual", "(i64) -> (i64)"),
                    ]))
            #expect(warnings.last?["actual"] == "not exported")
            let document = try await house.send(.get, "/file/module/m").json[0]
            #expect(document?["warnings"] == .array(warnings))
            let right = try await house.send(
                .post, "/file/module/\(id)/upload", json: Self.described)
            #expect(right.json["warnings"] == nil)
            #expect(try await house.send(.get, "/file/module/m").json[0]?["warnings"] == nil)
        }
    }

    @Test func everythingIsThereAfterOpeningAgain() throws {
        let folder = ModulesHouse.newFolder()
        defer { removeFolder(folder) }
        // Longer than a record of the store may be.
        let names = (0..<3000).map { "(func (export \"f_with_a_long_name_\($0)\"))" }
        let wide = try module("(module \(names.joined(separator: " ")))")
        try ModulesHouse.open(folder: folder) { house in
            let id = try await house.create("wide", wide)
            _ = try await house.create("m", try module(fibo))
            _ = try await house.send(.post, "/file/module/m/upload", json: Self.described)
            _ = try await house.send(
                .post, "/file/module/\(id)/upload",
                json: #"{"f_with_a_long_name_1":{"method":"get","output":"integer"}}"#)
        }
        try ModulesHouse.open(folder: folder) { house in
            let list = try await house.send(.get, "/file/module").json.arrayValue
            #expect(list?.map { $0["name"] } == ["wide", "m"])
            #expect(list?.first?["exports"]?.arrayValue?.count == 3000)
            #expect(list?.last?["description"] != nil)
            #expect(try await house.send(.get, "/file/module/wide/wasm").bytes == wide)
            #expect(
                try await house.send(.delete, "/file/module").json["deletedCount"] == .integer(2))
        }
        try ModulesHouse.open(folder: folder) { house in
            let list = try await house.send(.get, "/file/module")
            #expect(list.json == .array([]))
        }
    }

    @Test func concurrentDescriptionsAreOneAfterTheOther() throws {
        try ModulesHouse.open { house in
            let id = try await house.create("m", try module(fibo))
            let tasks = (0..<8).map { number in
                house.loop.spawn { () -> UInt16 in
                    let answer = try? await house.send(
                        .post, "/file/module/\(id)/upload",
                        form: [
                            .text("functions", Self.described),
                            .file("data", Array("\(number)".utf8), "n", nil),
                        ])
                    return answer?.status ?? 0
                }
            }
            for task in tasks { #expect(await task.value == 200) }
            let data = try await house.send(.get, "/file/module/m/data")
            #expect(data.status == 200 && data.bytes.count == 1)
        }
    }

    private struct Refused: Sendable {
        var path = "/file/module"
        var parts: [Part] = []
        var json: String?
        var status: UInt16
        var right: UInt16?
        var errorText: String?
    }

    private static let refused: [Refused] = [
        Refused(parts: [.text("name", "x")], status: 500, right: 400, errorText: "unknown error"),
        Refused(
            parts: [
                .text("name", "x"),
                .file("w", Array("\0asm\u{1}".utf8), "b.wasm", "application/wasm"),
            ], status: 500, right: 400, errorText: "unknown error"),
        Refused(
            parts: [.file("w", [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0], "b.wasm", nil)], status: 400),
        Refused(
            parts: [
                .text("name", "../x"), .file("w", [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0], "b", nil),
            ], status: 400),
        Refused(
            parts: [
                .text("name", "core:x"), .file("w", [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0], "b", nil),
            ], status: 400),
        Refused(path: "/file/module/m/upload", json: "{", status: 400),
        Refused(path: "/file/module/m/upload", json: "[]", status: 400),
        Refused(
            path: "/file/module/m/upload", parts: [.text("functions", "{")], status: 400),
        Refused(
            path: "/file/module/m/upload", json: #"{"fibo":{"output":"integer"}}"#, status: 500,
            right: 400, errorText: "unknown error"),
        Refused(
            path: "/file/module/m/upload",
            json: #"{"fibo":{"method":"get","output":"a","mounts":[{"name":"x","stage":"y"}]}}"#,
            status: 400),
        Refused(
            path: "/file/module/none/upload", json: described, status: 500, right: 404,
            errorText: "unknown error"),
        Refused(
            path: "/file/module/m/upload",
            parts: [
                .text("functions", described), .file("a", [0], "x.wasm", "application/wasm"),
            ], status: 400, errorText: "failed attaching file to module"),
        Refused(
            path: "/file/module/m/upload",
            parts: [.text("functions", described), .file("wasm", [0], "x", nil)], status: 400),
        Refused(
            path: "/file/module/m/upload",
            parts: [.text("functions", described), .file("../a", [0], "x", nil)], status: 400),
        Refused(path: "/nowhere", json: "{}", status: 404),
    ]

    @Test(arguments: [false, true]) func requestsThatAreRefused(_ usesRightStatuses: Bool) throws {
        var options = Orchestrator.Options()
        options.usesRightStatuses = usesRightStatuses
        try ModulesHouse.open(options) { house in
            _ = try await house.create("m", try module(fibo))
            let before = try await house.send(.get, "/file/module").text
            for refused in Self.refused {
                let answer =
                    if let json = refused.json {
                        try await house.send(.post, refused.path, json: json)
                    } else { try await house.send(.post, refused.path, form: refused.parts) }
                let status =
                    usesRightStatuses ? refused.right ?? refused.status : refused.status
                #expect(answer.status == status, "\(refused): \(answer.text)")
                #expect(answer.json["error"] != nil || answer.json["err"] != nil)
                if let text = refused.errorText {
                    #expect(answer.json["errorText"] == .string(text))
                }
            }
            let json = try await house.send(.post, "/file/module", json: #"{"name":"x"}"#)
            #expect(json.status == 400 && json.text == "file-submission missing")
            #expect(try await house.send(.get, "/file/module").text == before)
        }
    }

    @Test func twoModulesOfOneName() throws {
        try ModulesHouse.open { house in
            let first = try await house.create("twin", try module(fibo))
            _ = try await house.create("twin", try module("(module)"))
            let both = try await house.send(.get, "/file/module/twin")
            #expect(both.status == 500)
            #expect(both.json["errorText"] == "too many matches for ID twin")
            #expect(try await house.send(.get, "/file/module/\(first)").status == 200)
            let oldest = try await house.send(.get, "/file/module/twin/wasm")
            #expect(oldest.bytes == (try module(fibo)))
            let describe = try await house.send(
                .post, "/file/module/twin/upload", json: Self.described)
            #expect(describe.status == 500)
            #expect(try await house.send(.delete, "/file/module/twin").status == 204)
            #expect(try await house.send(.get, "/file/module").json == .array([]))
        }
    }

    @Test func pagesOfOtherOrigins() throws {
        try ModulesHouse.open { house in
            let preflight = try await house.send(
                .options, "/file/module", [],
                [
                    ("Origin", "http://localhost:5173"),
                    ("Access-Control-Request-Method", "DELETE"),
                ])
            #expect(preflight.status == 204)
            #expect(
                preflight.field("access-control-allow-methods")
                    == "GET,HEAD,PUT,PATCH,POST,DELETE")
            let page = try await house.send(
                .get, "/file/module/x", [], [("Origin", "http://localhost:5173")])
            #expect(page.status == 404)
            #expect(page.field("access-control-allow-origin") == "http://localhost:5173")
            let foreign = try await house.send(
                .get, "/file/module", [], [("Origin", "http://example.com")])
            #expect(foreign.field("access-control-allow-origin") == nil)
        }
    }

    @Test func modulesThatAreTooLarge() throws {
        var options = Orchestrator.Options()
        options.moduleLimit = 100
        options.bodyLimit = 5000
        try ModulesHouse.open(options) { house in
            let large = try await house.send(
                .post, "/file/module",
                form: [
                    .text("name", "x"), .file("w", try module(fibo), "f.wasm", "application/wasm"),
                ])
            #expect(large.status == 413, "\(large.text)")
            let body = try await house.send(
                .post, "/file/module",
                form: [.file("w", [UInt8](repeating: 0, count: 6000), "f", nil)])
            #expect(body.status == 413)
        }
    }
}
