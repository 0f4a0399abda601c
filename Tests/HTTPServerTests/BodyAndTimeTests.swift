import Testing
import WasmSystem
import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPServer

private let get = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
private let chunkedPost = "POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"

@Suite struct BodyTests {
    @Test func bodiesOfBothFormsArrive() throws {
        let texts = try withServer { loop, _, address in
            [
                try await exchange(
                    "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", address, loop),
                try await exchange(
                    chunkedPost + "3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nT: 1\r\n\r\n", address, loop),
            ]
        }
        #expect(texts[0].hasSuffix("POST /a hello"))
        #expect(texts[1].hasSuffix("POST /c abcdefg"))
    }

    @Test func aLargeBodyGoesThroughInPieces() throws {
        let body = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 % 251) }
        let isSame = try withServer(handler: { request, response in
            try response.begin(ResponseHead(.ok), length: .bytes(1_000_000))
            while let piece = try await request.next() { try await response.write(piece) }
            try await response.end()
        }) { loop, _, address in
            let stream = try await ByteStream.connect(to: address, on: loop)
            let writing = loop.spawn {
                let head = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n"
                try? await stream.write([Array(head.utf8), body])
                try? stream.finishWriting()
            }
            var all: [UInt8] = []
            var buffer = loop.takeBuffer()
            while try await stream.read(into: &buffer) > 0 { all += buffer.take() }
            await writing.value
            return all.suffix(1_000_000).elementsEqual(body)
        }
        #expect(isSame)
    }

    @Test func clientsThatWaitAreToldToContinueWhenTheBodyIsRead() throws {
        let texts = try withServer(handler: { request, response in
            if request.target.path.elementsEqual("/no".utf8) {
                return try await response.respond(.forbidden, "no")
            }
            try await echo(request, response)
        }) { loop, _, address in
            let expectation =
                " HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
            let stream = try await ByteStream.connect(to: address, on: loop)
            try await stream.write(Array(("POST /yes" + expectation).utf8))
            let interim = try await read(stream, until: "\r\n\r\n")
            try await stream.write(Array("ok".utf8))
            let answer = try await read(stream, until: "POST /yes ok")
            // Refused without the body: nobody knows whether it comes, so the connection ends.
            try await stream.write(Array(("POST /no" + expectation).utf8))
            return [interim, answer, try await readAll(stream)]
        }
        #expect(texts[0] == "HTTP/1.1 100 Continue\r\n\r\n")
        #expect(texts[1].hasPrefix("HTTP/1.1 200 OK"))
        #expect(texts[2].hasPrefix("HTTP/1.1 403"))
        #expect(texts[2].contains("Connection: close"))
    }

    @Test func whatAHandlerLeavesIsDroppedOrTheConnectionCloses() throws {
        var options = HTTPServerOptions()
        options.drainLimit = 1000
        let handler: HTTPServer.Handler = { try await $1.respond(.ok, "done") }
        func post(_ count: Int) -> String {
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: \(count)\r\n\r\n"
                + String(repeating: "x", count: count)
        }
        let (small, large) = (post(500), post(300_000))
        let texts = try withServer(options, handler: handler) { loop, _, address in
            [
                try await exchange(small + get, address, loop),
                try await exchange(large + get, address, loop),
            ]
        }
        #expect(texts[0].split(separator: "done").count == 2)
        #expect(texts[1].hasSuffix("done"))
        #expect(texts[1].split(separator: "HTTP/1.1").count == 1)
    }

    @Test func aRouteMayLowerTheLimit() throws {
        let texts = try withServer(handler: { request, response in
            let body = try await request.body(limit: 4)
            try await response.respond(.ok, "\(body.count)")
        }) { loop, _, address in
            [
                try await exchange(
                    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nabcd", address, loop),
                try await exchange(
                    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabcde", address, loop),
                try await exchange(chunkedPost + "5\r\nabcde\r\n0\r\n\r\n" + get, address, loop),
            ]
        }
        #expect(texts[0].hasPrefix("HTTP/1.1 200"))
        #expect(texts[1].hasPrefix("HTTP/1.1 413"))
        #expect(texts[2].hasPrefix("HTTP/1.1 413"))
        #expect(texts[2].split(separator: "HTTP/1.1").count == 1)
    }
}

@Suite struct TimeTests {
    private static var hasty: HTTPServerOptions {
        var options = HTTPServerOptions()
        options.headTimeout = .milliseconds(60)
        options.idleTimeout = .milliseconds(60)
        options.transferTimeout = .milliseconds(60)
        options.minimumRate = 1_000_000
        options.abandonedTimeout = .milliseconds(20)
        return options
    }

    /// Sends the first bytes, then one more every ten milliseconds.
    private static func slowly(
        _ beginning: String, _ address: SystemAddress, _ loop: EventLoop
    ) async throws -> String {
        let stream = try await ByteStream.connect(to: address, on: loop)
        try await stream.write(Array(beginning.utf8))
        let writing = loop.spawn {
            while (try? await loop.sleep(for: .milliseconds(10))) != nil {
                guard (try? await stream.write([97])) != nil else { return }
            }
        }
        defer { writing.cancel() }
        return try await readAll(stream)
    }

    @Test func slowHeadsAndBodiesAreCutOff() throws {
        let texts = try withServer(Self.hasty) { loop, _, address in
            [
                try await Self.slowly("GET / HTTP/1.1\r\nHost: h\r\nX: ", address, loop),
                try await Self.slowly("G", address, loop),
                try await Self.slowly(
                    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n", address, loop),
            ]
        }
        for text in texts { #expect(text.hasPrefix("HTTP/1.1 408")) }
    }

    @Test func idleConnectionsEndWithoutAWord() throws {
        let texts = try withServer(Self.hasty) { loop, _, address in
            let silent = try await ByteStream.connect(to: address, on: loop)
            let first = try await readAll(silent)
            let stream = try await ByteStream.connect(to: address, on: loop)
            try await stream.write(Array(get.utf8))
            return [first, try await readAll(stream)]
        }
        #expect(texts[0] == "")
        #expect(texts[1].hasSuffix("GET /a "))
    }

    @Test func clientsThatDoNotReadAreCutOff() throws {
        let log = Log()
        try withServer(
            Self.hasty,
            handler: { request, response in
                do {
                    try await response.respond(
                        ResponseHead(.ok), [UInt8](repeating: 1, count: 30_000_000))
                    log.add("sent")
                } catch {
                    log.add("\(error)")
                    throw error
                }
            }
        ) { loop, server, address in
            let stream = try await ByteStream.connect(to: address, on: loop)
            try await stream.write(Array(get.utf8))
            while log.entries.isEmpty { try await loop.sleep(for: .milliseconds(5)) }
            _ = stream.isOpen
        }
        #expect(log.entries == ["timedOut"])
    }

    @Test func aHandlerWhoseClientIsGoneIsCancelled() throws {
        let log = Log()
        try withServer(
            Self.hasty,
            handler: { request, response in
                do {
                    try await request.loop.sleep(until: .never)
                } catch {
                    log.add("\(error)")
                    throw error
                }
            }
        ) { loop, server, address in
            let stream = try await ByteStream.connect(to: address, on: loop)
            try await stream.write(Array(get.utf8))
            try await loop.sleep(for: .milliseconds(20))
            #expect(log.entries == [])
            stream.close()
            while server.connectionCount > 0 { try await loop.sleep(for: .milliseconds(5)) }
        }
        #expect(log.entries == ["cancelled"])
    }

    @Test func oneConnectionMoreThanFitsIsRefusedByName() throws {
        var options = HTTPServerOptions()
        options.connectionLimit = 2
        let text = try withServer(options) { loop, server, address in
            let kept = [
                try await ByteStream.connect(to: address, on: loop),
                try await ByteStream.connect(to: address, on: loop),
            ]
            while server.connectionCount < 2 { try await loop.sleep(for: .milliseconds(1)) }
            let text = try await exchange(get, address, loop)
            for stream in kept { stream.close() }
            while server.connectionCount > 0 { try await loop.sleep(for: .milliseconds(1)) }
            #expect(try await exchange(get, address, loop).hasPrefix("HTTP/1.1 200"))
            return text
        }
        #expect(text.hasPrefix("HTTP/1.1 503") && text.contains("Retry-After: 1\r\n"))
        #expect(text.contains("there are 2 connections, the limit"))
    }

    @Test func stoppingLetsRequestsEndAndClosesWhatIsIdle() throws {
        let texts = try withServer(handler: { request, response in
            try await request.loop.sleep(for: .milliseconds(50))
            try await response.respond(.ok, "late")
        }) { loop, server, address in
            let idle = try await ByteStream.connect(to: address, on: loop)
            let busy = try await ByteStream.connect(to: address, on: loop)
            try await busy.write(Array(get.utf8))
            try await loop.sleep(for: .milliseconds(10))
            await server.stop(grace: .seconds(10), on: loop)
            let refused: Bool
            do {
                _ = try await ByteStream.connect(to: address, on: loop)
                refused = false
            } catch {
                refused = true
            }
            #expect(refused)
            return [try await readAll(idle), try await readAll(busy)]
        }
        #expect(texts[0] == "")
        #expect(texts[1].hasSuffix("late"))
        #expect(texts[1].contains("Connection: close"))
    }

    @Test func stoppingCancelsWhatTakesLongerThanTheGrace() throws {
        let count = try withServer(handler: { request, _ in
            try await request.loop.sleep(until: .never)
        }) { loop, server, address in
            let stream = try await ByteStream.connect(to: address, on: loop)
            try await stream.write(Array(get.utf8))
            try await loop.sleep(for: .milliseconds(10))
            await server.stop(grace: .milliseconds(20), on: loop)
            return (server.connectionCount, try await readAll(stream))
        }
        #expect(count.0 == 0)
        #expect(count.1.hasPrefix("HTTP/1.1 503"))
    }
}

@Suite struct UpgradeTests {
    @Test func aWebSocketEchoes() throws {
        let log = Log()
        let frames = try withServer(handler: { request, response in
            let socket = try await response.webSocket(for: request)
            while let message = try await socket.receive() {
                guard case .text(let bytes) = message else { continue }
                try await socket.send(text: String(decoding: bytes, as: UTF8.self))
            }
            log.add("closed \(socket.closeCode?.code ?? 0)")
        }) { loop, _, address in
            let stream = try await ByteStream.connect(to: address, on: loop)
            let nonce = [UInt8](repeating: 7, count: 16)
            let head =
                "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
                + String(decoding: Base64.encode(nonce), as: UTF8.self) + "\r\n\r\n"
            var bytes = Array(head.utf8)
            // Sent before the answer: it is the other protocol's already.
            WebSocketWriter.message(Array("one".utf8).span, isText: true, mask: 5, to: &bytes)
            WebSocketWriter.ping([1], mask: 6, to: &bytes)
            try await stream.write(bytes)
            bytes = []
            WebSocketWriter.close(.normal, mask: 9, to: &bytes)
            try await stream.write(bytes)
            var all: [UInt8] = []
            var buffer = loop.takeBuffer()
            while try await stream.read(into: &buffer) > 0 { all += buffer.take() }
            return all
        }
        #expect(log.entries == ["closed 1000"])
        // The text, the pong and the close, none of them masked.
        #expect(frames.suffix(12) == [0x81, 3, 111, 110, 101, 0x8a, 1, 1, 0x88, 2, 3, 0xe8])
    }

    @Test func eventsArriveOneByOne() throws {
        let text = try withServer(handler: { request, response in
            let events = try await response.events()
            for index in 0..<3 {
                try await events.send(ServerSentEvent(data: Array("\(index)".utf8)))
                try await request.loop.sleep(for: .milliseconds(1))
            }
            try await response.end()
        }) { loop, _, address in try await exchange(get, address, loop) }
        #expect(text.contains("Content-Type: text/event-stream\r\n"))
        #expect(text.hasSuffix("9\r\ndata: 2\n\n\r\n0\r\n\r\n"))
    }
}
