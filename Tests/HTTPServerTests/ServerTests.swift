import Testing
import WasmSystem
import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPServer

private let get = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"

@Suite struct ServerTests {
    @Test func aPortThatIsTakenIsRefusedToSeveralLoops() throws {
        let first = try ListeningSockets(.ipv4([127, 0, 0, 1], port: 0), loopCount: 2)
        let address = try #require(first.address)
        #expect(throws: SystemError.addrinuse) { try ListeningSockets(address, loopCount: 2) }
        // Those who want to share it may.
        var options = HTTPServerOptions().listener
        options.sharesPort = true
        _ = try ListeningSockets(address, loopCount: 2, options: options)
    }

    @Test func socketsAreServedThatWereMadeBefore() throws {
        let sockets = try ListeningSockets(.ipv4([127, 0, 0, 1], port: 0), loopCount: 2)
        let address = try #require(sockets.address)
        let group = try LoopGroup(count: 2)
        let statuses = try group.run { loop in
            // It waits in the kernel.
            let early = try await ByteStream.connect(to: address, on: loop)
            let server = HTTPServer { _, response in try await response.respond(.ok, "served") }
            try await server.serve(sockets, on: group.loops)
            try await server.serve(sockets, on: group.loops)
            var statuses: [Bool] = []
            for index in 0..<20 {
                let stream =
                    index == 0 ? early : try await ByteStream.connect(to: address, on: loop)
                try await stream.write(
                    Array("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".utf8))
                var buffer = loop.takeBuffer()
                var bytes: [UInt8] = []
                while try await stream.read(into: &buffer) > 0 { bytes += buffer.take() }
                statuses.append(String(decoding: bytes, as: UTF8.self).hasSuffix("served"))
            }
            await server.stop(grace: .zero, on: loop)
            return statuses
        }
        #expect(statuses == [Bool](repeating: true, count: 20))
    }

    @Test func aRequestIsAnswered() throws {
        let text = try withServer { loop, _, address in try await exchange(get, address, loop) }
        #expect(
            withoutDate(text)
                == "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"
                + "Content-Length: 7\r\n\r\nGET /a ")
        #expect(text.contains("\r\nDate: "))
    }

    @Test func pipelinedRequestsAreAnsweredInOrder() throws {
        let requests = (0..<50).map {
            "POST /\($0) HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
        }
        let text = try withServer { loop, _, address in
            try await exchange(requests.joined(), address, loop)
        }
        let answers = text.split(separator: "HTTP/1.1 200 OK").map { $0.suffix(while: "POST") }
        #expect(answers == (0..<50).map { "POST /\($0) abc" })
    }

    @Test func aConnectionIsUsedAgain() throws {
        let texts = try withServer { loop, server, address in
            let stream = try await ByteStream.connect(to: address, on: loop)
            var texts: [String] = []
            for _ in 0..<3 {
                try await stream.write(Array(get.utf8))
                texts.append(try await read(stream, until: "GET /a "))
            }
            #expect(server.connectionCount == 1)
            try await stream.write(
                Array("GET /b HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".utf8))
            texts.append(try await readAll(stream))
            return texts
        }
        #expect(texts.count == 4)
        #expect(texts[0] == texts[2] || withoutDate(texts[0]) == withoutDate(texts[2]))
        #expect(texts[3].contains("\r\nConnection: close\r\n"))
    }

    @Test func headHasNoBodyAndTheSameLength() throws {
        let text = try withServer { loop, _, address in
            try await exchange(
                "HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n" + get, address, loop)
        }
        #expect(text.contains("Content-Length: 8\r\n\r\nHTTP/1.1 200 OK"))
    }

    @Test func optionsOfTheServerAndOldClients() throws {
        let texts = try withServer { loop, _, address in
            [
                try await exchange("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", address, loop),
                try await exchange("GET /x HTTP/1.0\r\n\r\n", address, loop),
                try await exchange(
                    "GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", address, loop),
            ]
        }
        #expect(texts[0].hasSuffix("OPTIONS * "))
        #expect(texts[1].contains("Connection: close"))
        #expect(texts[2].contains("Connection: keep-alive"))
    }

    @Test(arguments: [
        ("GET / HTTP/1.1\r\n\r\n", 400), ("GET /\r\n\r\n", 400), ("\u{1}\r\n\r\n", 400),
        ("GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505),
        ("GET / HTTP/1.1\nHost: h\n\n", 400),
        ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
            400
        ),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999\r\n\r\n", 413),
        ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: h\r\nExpect: magic\r\n\r\n", 417),
        ("GET /" + String(repeating: "a", count: 20_000) + " HTTP/1.1\r\nHost: h\r\n\r\n", 414),
        (
            "GET / HTTP/1.1\r\nHost: h\r\nX: " + String(repeating: "a", count: 70_000) + "\r\n\r\n",
            431
        ),
        ("GET / HTTP/1.1\r\nHost: h\r\nCont", 400),
    ])
    func malformedRequestsGetTheirStatus(_ request: String, _ status: Int) throws {
        // A good request before it is answered, and what follows is not looked at.
        let text = try withServer { loop, _, address in
            try await exchange(get + request + get, address, loop)
        }
        let statuses = text.split(separator: "HTTP/1.1 ").map { $0.prefix(3) }.filter {
            Int($0) != nil
        }
        #expect(statuses == ["200", "\(status)"])
        #expect(text.contains("\r\nConnection: close\r\n"))
    }

    @Test func aHandlerThatFailsOrForgetsBecomes500() throws {
        struct Failure: Error {}
        let texts = try withServer(handler: { request, response in
            if request.target.path.elementsEqual("/throw".utf8) { throw Failure() }
        }) { loop, _, address in
            [
                try await exchange("GET /throw HTTP/1.1\r\nHost: h\r\n\r\n" + get, address, loop)
            ]
        }
        // The connection goes on.
        #expect(texts[0].split(separator: "HTTP/1.1 500").count == 2)
    }

    @Test func aHandlerThatFailsInTheMiddleClosesTheConnection() throws {
        struct Failure: Error {}
        let text = try withServer(handler: { _, response in
            try response.begin(ResponseHead(.ok))
            try await response.write([65])
            throw Failure()
        }) { loop, _, address in try await exchange(get + get, address, loop) }
        #expect(text.hasSuffix("1\r\nA\r\n"))
    }

    @Test func aResponseOfAnotherLengthClosesTheConnection() throws {
        let text = try withServer(handler: { _, response in
            try response.begin(ResponseHead(.ok), length: .bytes(5))
            try await response.write([65, 66])
            try await response.end()
        }) { loop, _, address in try await exchange(get + get, address, loop) }
        #expect(text.hasSuffix("\r\n\r\nAB"))
    }

    @Test func piecesAreSentInChunksWithTrailers() throws {
        let text = try withServer(handler: { _, response in
            try response.begin(ResponseHead(.ok))
            try await response.write(Array("hello".utf8))
            try await response.write([])
            try await response.write(Array(" world".utf8))
            var trailers = Fields()
            try trailers.append("X-Sum", "7")
            try await response.end(trailers: trailers)
        }) { loop, _, address in try await exchange(get, address, loop) }
        #expect(text.hasSuffix("\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\nX-Sum: 7\r\n\r\n"))
    }

    @Test func usingARequestLaterIsRefused() throws {
        let log = Log()
        let keptRequest = Kept()
        _ = try withServer(handler: { request, response in
            if let (request, response) = keptRequest.take() {
                do { _ = try await request.next() } catch { log.add("\(error)") }
                do { try await response.write([1]) } catch { log.add("\(error)") }
            }
            keptRequest.keep(request, response)
            try await response.respond(.ok, "x")
        }) { loop, _, address in try await exchange(get + get, address, loop) }
        #expect(log.entries == ["order", "order"])
    }

    @Test func fixedAnswersAreWhatTheHandlerWouldSend() throws {
        var head = ResponseHead(.ok)
        try head.fields.append("Content-Type", "text/plain; charset=utf-8")
        let fixed = try FixedAnswer(head, body: Array("fixed".utf8))
        let requests = [
            "GET", "HEAD", "POST",
        ].flatMap { method in
            ["1.0", "1.1"].flatMap { version in
                ["", "Connection: close\r\n", "Connection: keep-alive\r\n"].map {
                    "\(method) / HTTP/\(version)\r\nHost: h\r\n\($0)\r\n"
                }
            }
        }
        let texts = try withServer(fixed: { _ in fixed }) { loop, _, address in
            var texts: [String] = []
            for request in requests {
                texts.append(withoutDate(try await exchange(request, address, loop)))
            }
            return texts
        }
        let others = try withServer(handler: { try await $1.respond(.ok, "fixed") }) {
            loop, _, address in
            var texts: [String] = []
            for request in requests {
                texts.append(withoutDate(try await exchange(request, address, loop)))
            }
            return texts
        }
        #expect(texts == others)
    }

    @Test func manyFixedAnswersArePipelined() throws {
        let fixed = try FixedAnswer(ResponseHead(.ok), body: Array("x".utf8))
        let text = try withServer(fixed: { _ in fixed }) { loop, _, address in
            let stream = try await ByteStream.connect(to: address, on: loop)
            let writing = loop.spawn {
                try? await stream.write(Array(String(repeating: get, count: 3000).utf8))
                try? stream.finishWriting()
            }
            let text = try await readAll(stream)
            await writing.value
            return text
        }
        #expect(text.split(separator: "HTTP/1.1 200 OK").count == 3000)
    }

    @Test func theLogTellsWhatWasServed() throws {
        let log = Log()
        var options = HTTPServerOptions()
        options.log = { record in
            let target = record.request.map { String(decoding: $0.target.bytes, as: UTF8.self) }
            log.add(
                "\(target ?? "-") \(record.status) \(record.peer != nil) \(record.byteCount > 0)")
        }
        _ = try withServer(options) { loop, _, address in
            _ = try await exchange(get + "bad\r\n\r\n", address, loop)
        }
        #expect(log.entries == ["/a 200 true true", "- 400 true true"])
    }

    @Test func unixSocketsAreServed() throws {
        let path = Array("/tmp/wasmd-http-\(CurrentProcess.identifier)".utf8)
        let server = HTTPServer(handler: echo)
        let text = try EventLoop().run { loop in
            try await server.listen(.unix(path), on: [loop])
            return try await exchange(get, .unix(path), loop)
        }
        try Kernel.unlink(CString(path: path))
        #expect(text.hasSuffix("GET /a "))
    }

    @Test func severalLoopsServeOnePort() throws {
        let server = HTTPServer(handler: echo)
        let group = try LoopGroup(count: 2)
        try group.run { loop in
            let address = try await server.listen(
                .ipv4([127, 0, 0, 1], port: 0), on: group.loops)
            for _ in 0..<20 {
                let text = try await exchange(get, try #require(address), loop)
                #expect(text.hasSuffix("GET /a "))
            }
            await server.stop(grace: .seconds(1), on: loop)
        }
        #expect(server.connectionCount == 0)
    }
}

/// A request and its response, kept beyond their time.
private final class Kept: @unchecked Sendable {
    private var kept: (ServerRequest, ServerResponse)?
    func keep(_ request: ServerRequest, _ response: ServerResponse) { kept = (request, response) }
    func take() -> (ServerRequest, ServerResponse)? {
        defer { kept = nil }
        return kept
    }
}

extension Substring {
    /// From the last occurrence of a text on.
    func suffix(while text: String) -> String {
        guard let index = indices.last(where: { self[$0...].hasPrefix(text) }) else { return "" }
        return String(self[index...])
    }
}
