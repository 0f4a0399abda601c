import Testing
import WasmdDocuments
import WasmdImages

@testable import WasmdOthismo

/// Objects of the host: blobs, parts of the namespace, consoles.
@Suite struct NativeObjectTests {
    private func put(
        _ house: House, _ name: String, _ content: [UInt8], append: Bool = false
    ) throws -> Document? {
        var fields: [Document.Member] = [
            .init("name", .string(name)), .init("content", .bytes(content)),
        ]
        if append { fields.append(.init("append", true)) }
        return try house.send("/b", "othismo.blobs.put", fields).first
    }

    private func get(_ house: House, _ name: String, _ fields: [Document.Member] = []) throws
        -> Document?
    {
        try house.send("/b", "othismo.blobs.get", [.init("name", .string(name))] + fields)
            .first?["othismo.blobs.get.response"]
    }

    private func names(_ house: House, _ fields: [Document.Member] = []) throws -> [String] {
        let answer = try house.send("/b", "othismo.blobs.list", fields).first
        return (answer?["othismo.blobs.list.response"]?.arrayValue ?? []).compactMap {
            $0["name"]?.stringValue
        }
    }

    @Test func blobsAreKept() throws {
        let house = try House()
        try house.instantiate("othismo.blobs", "/b")
        let large = (0..<600_000).map { UInt8(truncatingIfNeeded: $0 / 3) }
        #expect(try put(house, "a.txt", Array("one".utf8))?.errorCode == nil)
        #expect(try put(house, "sub/b.bin", large)?.errorCode == nil)
        #expect(try put(house, "a.txt", Array("+two".utf8), append: true)?.errorCode == nil)
        try house.restart()
        let text = try get(house, "a.txt")
        #expect(text?["content"] == .bytes(Array("one+two".utf8)))
        #expect(text?["type"] == "text/plain; charset=utf-8")
        let range: [Document.Member] = [
            .init("offset", .integer(262_100)), .init("count", .integer(100)),
        ]
        #expect(
            try get(house, "sub/b.bin", range)?["content"]
                == .bytes(Array(large[262_100..<262_200])))
        #expect(try get(house, "sub/b.bin", range)?["size"]?.integerValue == 600_000)
        #expect(try names(house) == ["a.txt", "sub/b.bin"])
        #expect(try names(house, [.init("prefix", "sub/")]) == ["sub/b.bin"])
        #expect(try names(house, [.init("after", "a.txt")]) == ["sub/b.bin"])
        #expect(try names(house, [.init("limit", .integer(1))]) == ["a.txt"])
        #expect(
            try house.send("/b", "othismo.blobs.delete", [.init("name", "sub/b.bin")])
                .first?.errorCode == nil)
        #expect(try names(house) == ["a.txt"])
        #expect(
            try house.send("/b", "othismo.blobs.get", [.init("name", "none")])
                .first?.errorCode == "no_object")
        // No piece of what is gone is left.
        let pieces = house.store.settingNames(prefix: "piece:", after: nil, limit: 100)
        #expect(pieces.count == 1)
    }

    /// Parts of any length make what one put makes.
    @Test(arguments: [1, 1000, 262_143, 262_144, 262_145]) func appendsFillPieces(_ size: Int)
        throws
    {
        let house = try House()
        try house.instantiate("othismo.blobs", "/b")
        var whole: [UInt8] = []
        for part in 0..<4 {
            let bytes = [UInt8](repeating: UInt8(part), count: size)
            whole += bytes
            _ = try put(house, "x", bytes, append: part > 0)
        }
        #expect(try get(house, "x")?["content"] == .bytes(whole))
    }

    @Test func whatBlobsRefuse() throws {
        let house = try House()
        try house.instantiate("othismo.blobs", "/b")
        func code(_ key: String, _ fields: [Document.Member]) throws -> String? {
            try house.send("/b", key, fields).first?.errorCode
        }
        #expect(try code("othismo.blobs.put", [.init("name", "a")]) == "bad_request")
        #expect(try code("othismo.blobs.put", [.init("content", "a")]) == "bad_request")
        #expect(
            try code("othismo.blobs.put", [.init("name", ""), .init("content", "a")])
                == "bad_request")
        #expect(try code("othismo.blobs.cp", []) == "forbidden")
        #expect(try code("something", []) == "bad_request")
        let request: [Document.Member] = [.init("endpoint", "/none"), .init("method", "GET")]
        let answer = try house.send("/b", "othismo.http.request", request).first
        #expect(answer?["othismo.http.request.response"]?["status"]?.integerValue == 404)
    }

    @Test func partsOfTheNamespace() throws {
        let house = try House()
        try house.instantiate("othismo.namespace", "/apps")
        func make(_ path: String) throws -> String? {
            try house.send("/apps", "othismo.namespace.make_path", [.init("path", .string(path))])
                .first?.errorCode
        }
        #expect(try make("/apps/one") == nil)
        #expect(try make("/other") == "forbidden")
        #expect(try make("/apps") == "forbidden")
        #expect(try make("/appsother") == "forbidden")
        let list = try house.send("/apps", "othismo.namespace.list").first
        #expect(list?["othismo.namespace.list.response"] == .array(["/apps/one"]))
    }

    @Test func consolesPrint() throws {
        let house = try House()
        try house.instantiate("othismo.console", "/log")
        let printed = try house.send("/log", "a.b", [.init("c", .integer(1))])
        #expect(printed.first?["a.b"]?["c"]?.integerValue == 1)
        // A module of the host gets no messages, and is no object twice.
        let again = try house.send(
            "/othismo", "othismo.namespace.instantiate",
            [.init("module", "othismo.console"), .init("name", "/log")])
        #expect(again.first?.errorCode == "object_exists")
    }

    // MARK: Answers of HTTP

    private func answer(_ members: [Document.Member]) -> Envelope {
        Envelope(
            sendTo: Array("/server".utf8),
            payload: [.init("othismo.http.request.response", .object(members))])
    }

    @Test func readsResponses() throws {
        let whole = try ResponseMessage(
            answer([
                .init("status", .integer32(201)),
                .init(
                    "headers",
                    .object([
                        .init("X-A", "1"), .init("set-cookie", .array(["a=1", "b=2"])),
                        .init("Content-Length", "999"), .init("transfer-encoding", "chunked"),
                        .init("x-n", .integer(5)),
                    ])), .init("body", "text"),
            ]))
        #expect(whole.head.status.code == 201)
        #expect(whole.head.fields.all("set-cookie").count == 2)
        #expect(!whole.head.fields.contains("content-length"))
        #expect(!whole.head.fields.contains("transfer-encoding"))
        #expect(
            whole.head.fields.first("content-type")?
                .elementsEqual("text/plain; charset=utf-8".utf8) == true)
        #expect(whole.body == Array("text".utf8))
        let wrong: [[Document.Member]] = [
            [], [.init("status", .integer(199))], [.init("status", .integer(1000))],
            [.init("status", "200")], [.init("status", .double(200))],
            [.init("status", .integer(200)), .init("headers", "x")],
            [.init("status", .integer(200)), .init("headers", .object([.init("a b", "x")]))],
            [.init("status", .integer(200)), .init("headers", .object([.init("", "x")]))],
            [.init("status", .integer(200)), .init("headers", .object([.init("a", "\n")]))],
            [.init("status", .integer(200)), .init("headers", .object([.init("a", .null)]))],
            [.init("status", .integer(200)), .init("body", .integer(1))],
        ]
        for members in wrong {
            #expect(throws: ResponseMessage.Fault.self) {
                _ = try ResponseMessage(answer(members))
            }
        }
        #expect(throws: ResponseMessage.Fault.missing) {
            _ = try ResponseMessage(Envelope(sendTo: nil))
        }
    }

    @Test func documentsOfMessages() throws {
        let read = MessageDocument.read(
            try JSONReader.read(
                Array(#"{"a":1,"b":9007199254740993,"c":{"$binary":"aGk="},"d":[2]}"#.utf8)))
        #expect(read["a"] == .integer32(1))
        #expect(read["b"] == .integer(9_007_199_254_740_993))
        #expect(read["c"] == .bytes(Array("hi".utf8)))
        #expect(read["d"]?[0] == .integer32(2))
    }
}
