import Testing

@testable import WasmdHTTP

struct FileTests {
    static let now = HTTPDate(seconds: 784_200_000)
    static let file = FileFacts(
        size: 100, modified: HTTPDate(seconds: 784_111_777), tag: EntityTag(bytes("v1")))
    static let date = "Sun, 06 Nov 1994 08:49:37 GMT"
    static let before = "Sun, 06 Nov 1994 08:49:36 GMT"

    @Test(
        arguments: [
            ("", FileAnswer.whole),
            ("Range: bytes=0-9\r\n", .range(0..<10)),
            ("Range: bytes=90-\r\n", .range(90..<100)),
            ("Range: bytes=-10\r\n", .range(90..<100)),
            ("Range: bytes=-1000\r\n", .range(0..<100)),
            ("Range: bytes=0-1000\r\n", .range(0..<100)),
            ("Range: bytes=100-\r\n", .notSatisfiable),
            ("Range: bytes=-0\r\n", .notSatisfiable),
            ("Range: bytes=5-4\r\n", .whole),
            ("Range: lines=0-9\r\n", .whole),
            ("Range: bytes=0-9\r\nRange: bytes=0-9\r\n", .whole),
            ("Range: bytes=0-9, 20-29,-1\r\n", .ranges([0..<10, 20..<30, 99..<100])),
            ("Range: bytes=0-9, 200-\r\n", .range(0..<10)),
            ("Range: bytes=0-9, 5-20\r\n", .whole),
            ("If-None-Match: \"v1\"\r\n", .notModified),
            ("If-None-Match: W/\"v1\"\r\nRange: bytes=0-9\r\n", .notModified),
            ("If-None-Match: \"v0\", \"v1\"\r\n", .notModified),
            ("If-None-Match: *\r\n", .notModified),
            ("If-None-Match: \"v2\"\r\nIf-Modified-Since: \(date)\r\n", .whole),
            ("If-Modified-Since: \(date)\r\n", .notModified),
            ("If-Modified-Since: \(before)\r\n", .whole),
            ("If-Modified-Since: rubbish\r\n", .whole),
            ("If-Modified-Since: Fri, 31 Dec 9999 23:59:59 GMT\r\n", .whole),
            ("If-Match: \"v1\"\r\n", .whole),
            ("If-Match: W/\"v1\"\r\n", .preconditionFailed),
            ("If-Match: \"v2\"\r\n", .preconditionFailed),
            ("If-Match: *\r\n", .whole),
            ("If-Unmodified-Since: \(before)\r\n", .preconditionFailed),
            ("If-Unmodified-Since: \(date)\r\n", .whole),
            ("If-Range: \"v1\"\r\nRange: bytes=0-9\r\n", .range(0..<10)),
            ("If-Range: W/\"v1\"\r\nRange: bytes=0-9\r\n", .whole),
            ("If-Range: \"v2\"\r\nRange: bytes=0-9\r\n", .whole),
            ("If-Range: \(date)\r\nRange: bytes=0-9\r\n", .range(0..<10)),
            ("If-Range: \(before)\r\nRange: bytes=0-9\r\n", .whole),
        ] as [(String, FileAnswer)]) func answers(_ lines: String, _ answer: FileAnswer) throws
    {
        let head = try request("GET /f HTTP/1.1\r\nHost: a\r\n\(lines)\r\n")
        #expect(FileAnswer(head, Self.file, now: Self.now) == answer)
    }

    @Test func otherMethodsAndFiles() throws {
        let head = try request("HEAD /f HTTP/1.1\r\nHost: a\r\nRange: bytes=0-9\r\n\r\n")
        #expect(FileAnswer(head, Self.file, now: Self.now) == .whole)
        let put = try request("PUT /f HTTP/1.1\r\nHost: a\r\nIf-None-Match: *\r\n\r\n")
        #expect(FileAnswer(put, Self.file, now: Self.now) == .preconditionFailed)
        let range = try request("GET /f HTTP/1.1\r\nHost: a\r\nRange: bytes=0-\r\n\r\n")
        #expect(FileAnswer(range, FileFacts(size: 0), now: Self.now) == .notSatisfiable)
        let many = (0..<17).map { "\($0 * 2)-\($0 * 2)" }.joined(separator: ",")
        let greedy = try request("GET /f HTTP/1.1\r\nHost: a\r\nRange: bytes=\(many)\r\n\r\n")
        #expect(FileAnswer(greedy, Self.file, now: Self.now) == .whole)
        // A file that was changed within the last second may change again under the same date.
        let fresh = try request(
            "GET /f HTTP/1.1\r\nHost: a\r\nIf-Range: \(Self.date)\r\nRange: bytes=0-9\r\n\r\n")
        #expect(FileAnswer(fresh, Self.file, now: HTTPDate(seconds: 784_111_778)) == .whole)
    }

    @Test func responses() throws {
        func lines(_ answer: FileAnswer) throws -> ([String], [FileBodyPart]) {
            let (head, body) = try answer.response(
                Self.file, type: bytes("a/b"), boundary: bytes("xyz"))
            return (
                ["\(head.status.code)"]
                    + (0..<head.fields.count).map {
                        (text(head.fields[$0].name) ?? "") + ": "
                            + (text(head.fields[$0].value) ?? "")
                    },
                body
            )
        }
        let validators = ["ETag: \"v1\"", "Last-Modified: \(Self.date)"]
        #expect(
            try lines(.whole) == (
                ["200"] + validators + ["Accept-Ranges: bytes", "Content-Type: a/b"],
                [.file(0..<100)]
            ))
        #expect(
            try lines(.range(0..<10))
                == (
                    ["206"] + validators + ["Content-Type: a/b", "Content-Range: bytes 0-9/100"],
                    [.file(0..<10)]
                ))
        #expect(try lines(.notModified) == (["304"] + validators, []))
        #expect(
            try lines(.notSatisfiable) == (
                ["416"] + validators + ["Content-Range: bytes */100"], []
            ))
        let (head, body) = try lines(.ranges([0..<1, 5..<7]))
        #expect(head.last == "Content-Type: multipart/byteranges; boundary=xyz")
        let first = bytes("--xyz\r\nContent-Type: a/b\r\nContent-Range: bytes 0-0/100\r\n\r\n")
        let second = bytes("\r\n--xyz\r\nContent-Type: a/b\r\nContent-Range: bytes 5-6/100\r\n\r\n")
        let end = bytes("\r\n--xyz--\r\n")
        #expect(body == [.bytes(first), .file(0..<1), .bytes(second), .file(5..<7), .bytes(end)])
        #expect(body.byteCount == UInt64(first.count + second.count + end.count + 3))
    }

    @Test func types() {
        func type(_ name: String) -> String { "\(ContentTypes.type(ofFile: bytes(name)))" }
        #expect(type("a/index.HTML") == "text/html; charset=utf-8")
        #expect(type("x.wasm") == "application/wasm")
        #expect(type("x.tar.gz") == "application/gzip")
        #expect(type("none") == "application/octet-stream")
        #expect(type("x.") == "application/octet-stream")
        #expect(ContentTypes.isCompressible("text/css; charset=utf-8"))
        #expect(!ContentTypes.isCompressible("image/png"))
    }
}
