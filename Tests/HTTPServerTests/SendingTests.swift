import Synchronization
import Testing
import WasmSystem
import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPServer

/// When responses leave.
@Suite struct SendingTests {
    private static let request = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"

    @Test func aHandlerThatGoesOnDoesNotKeepItsResponse() throws {
        let log = Log()
        let text = try withServer(handler: { request, response in
            try await response.respond(.ok, "early")
            log.add("responded")
            try? await request.loop.sleep(until: .never)
            log.add("over")
        }) { loop, _, address in
            let stream = try await ByteStream.connect(to: address, on: loop)
            try await stream.write(Array(Self.request.utf8))
            return try await read(stream, until: "early")
        }
        #expect(text.hasSuffix("\r\n\r\nearly"))
        #expect(log.entries.first == "responded")
    }

    /// Their handlers are called in one turn, and none of the clients has its response before the
    /// last of them has returned.
    @Test func responsesOfATurnAreSentAtItsEnd() throws {
        let numbers = Mutex<[Int32]>([])
        let early = Log()
        let texts = try withServer(handler: { request, response in
            try await response.respond(.ok, "x")
            for number in numbers.withLock({ $0 })
            where (try? Kernel.isReady(number, isReading: true)) == true { early.add("\(number)") }
        }) { loop, _, address in
            var streams: [ByteStream] = []
            for _ in 0..<3 {
                let stream = try await ByteStream.connect(to: address, on: loop)
                // So that the server waits for the next request.
                try await stream.write(Array(Self.request.utf8))
                _ = try await read(stream, until: "\r\n\r\nx")
                streams.append(stream)
            }
            numbers.withLock { list in list = streams.map(\.descriptor) }
            for stream in streams { _ = try stream.tryWrite(Array(Self.request.utf8)) }
            var texts: [String] = []
            for stream in streams { texts.append(try await read(stream, until: "\r\n\r\nx")) }
            return texts
        }
        #expect(texts.allSatisfy { $0.hasPrefix("HTTP/1.1 200 OK\r\n") })
        // Unless a fifth of a millisecond has passed, which a slow machine may take: the second
        // then sees that of the first, and the third those of both. Sent at once, each sees its own
        // as well, which makes six.
        #expect(early.entries.count <= 3)
    }

    /// The kernel takes only a part of a small response at the end of a turn: the rest is sent when
    /// the client reads.
    @Test func smallResponsesWaitForAClientThatDoesNotRead() throws {
        let count = Atomic(0)
        let body = [UInt8](repeating: 0x78, count: 15_000)
        let (sent, text) = try withServer(handler: { request, response in
            count.add(1, ordering: .relaxed)
            try await response.respond(ResponseHead(.ok), body)
        }) { loop, _, address in
            let stream = try await ByteStream.connect(to: address, on: loop)
            var sent = 0
            // One after the other, until the server does not come to the next one.
            while sent == count.load(ordering: .relaxed), sent < 2000 {
                try await stream.write(Array(Self.request.utf8))
                sent += 1
                for _ in 0..<40 where count.load(ordering: .relaxed) < sent {
                    try await loop.sleep(for: .milliseconds(5))
                }
            }
            try stream.finishWriting()
            return (sent, try await readAll(stream))
        }
        #expect(sent < 2000)
        #expect(count.load(ordering: .relaxed) == sent)
        let answers = text.split(separator: "HTTP/1.1 200 OK\r\n")
        #expect(answers.count == sent)
        #expect(answers.allSatisfy { $0.utf8.count == answers[0].utf8.count })
    }

    /// The kernel keeps little of a stream of events: a client that reads late has not to read
    /// megabytes before it is told what it lost, and its reading is noticed early.
    @Test func theKernelKeepsFewEventsOfAClientThatDoesNotRead() throws {
        var options = HTTPServerOptions()
        options.transferTimeout = .milliseconds(100)
        let event = ServerSentEvent(data: [UInt8](repeating: 0x78, count: 4000))
        let counts = Mutex<[UInt64]>([])
        let text = try withServer(
            options,
            handler: { request, response in
                let events = try await response.events()
                do {
                    while response.byteCount < 64 << 20 { try await events.send(event) }
                } catch {
                    counts.withLock { $0.append(response.byteCount) }
                    throw error
                }
            }
        ) { loop, _, address in
            let stream = try await ByteStream.connect(to: address, on: loop)
            try await stream.write(Array(Self.request.utf8))
            while counts.withLock({ $0.isEmpty }) { try await loop.sleep(for: .milliseconds(5)) }
            return try await readAll(stream)
        }
        // What the client's side keeps is the most of it; without a limit there were megabytes.
        #expect(counts.withLock { $0 }.allSatisfy { $0 > 4000 && $0 < 1 << 20 })
        #expect(text.hasPrefix("HTTP/1.1 200 OK\r\n"))
    }

    /// A client that never reads is cut off, also if only small responses wait for it.
    @Test func aClientThatNeverReadsSmallResponsesIsCutOff() throws {
        var options = HTTPServerOptions()
        options.transferTimeout = .milliseconds(100)
        let body = [UInt8](repeating: 0x78, count: 15_000)
        let count = try withServer(
            options, handler: { _, response in try await response.respond(ResponseHead(.ok), body) }
        ) { loop, server, address in
            let stream = try await ByteStream.connect(to: address, on: loop)
            while server.connectionCount == 0 { try await loop.sleep(for: .milliseconds(1)) }
            while server.connectionCount > 0 {
                _ = try? stream.tryWrite(Array(Self.request.utf8))
                try await loop.sleep(for: .milliseconds(1))
            }
            return server.connectionCount
        }
        #expect(count == 0)
    }

    @Test func aTaskThatReadsTheBodyCanBeCancelled() throws {
        let text = try withServer(handler: { request, response in
            let reader = request.loop.spawn { () -> String in
                do {
                    _ = try await request.next()
                    return "read"
                } catch {
                    return "\(error)"
                }
            }
            try await request.loop.sleep(for: .milliseconds(10))
            reader.cancel()
            try await response.respond(.ok, await reader.value)
        }) { loop, _, address in
            let stream = try await ByteStream.connect(to: address, on: loop)
            let head = "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n"
            try await stream.write(Array(head.utf8))
            return try await read(stream, until: "disconnected")
        }
        #expect(text.hasSuffix("\r\n\r\ndisconnected"))
    }

    // MARK: Bodies that have arrived

    private static func bodies(_ requests: String...) throws -> [String] {
        let log = Log()
        try withServer(handler: { request, response in
            do {
                let whole = try request.bufferedBody(limit: 5)
                log.add(whole.map { String(decoding: $0, as: UTF8.self) } ?? "nil")
                let rest = try await request.body()
                log.add(String(decoding: rest, as: UTF8.self))
            } catch {
                log.add("\(error)")
                throw error
            }
            try await response.respond(.ok, "done")
        }) { loop, _, address in
            for request in requests { _ = try await exchange(request, address, loop) }
        }
        return log.entries
    }

    @Test func aBodyThatHasArrivedIsReadAtOnce() throws {
        let head = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n"
        #expect(try Self.bodies(head + "abc") == ["abc", ""])
        #expect(try Self.bodies(head + "abc" + head + "def") == ["abc", "", "def", ""])
        // What it is not for is read as ever.
        #expect(try Self.bodies(Self.request) == ["nil", ""])
        let chunked = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        #expect(try Self.bodies(chunked + "3\r\nabc\r\n0\r\n\r\n") == ["nil", "abc"])
        let long = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nabcdef"
        #expect(try Self.bodies(long) == ["request(WasmdHTTP.RequestFault.bodyTooLarge)"])
    }

    @Test func aBodyThatHasNotArrivedIsWaitedFor() throws {
        let log = Log()
        let text = try withServer(handler: { request, response in
            let whole = try request.bufferedBody(limit: 5)
            log.add(whole == nil ? "nil" : "all")
            let body = try await request.body()
            try await response.respond(.ok, String(decoding: body, as: UTF8.self))
        }) { loop, _, address in
            let stream = try await ByteStream.connect(to: address, on: loop)
            let head = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\na"
            try await stream.write(Array(head.utf8))
            while log.entries.isEmpty { try await loop.sleep(for: .milliseconds(2)) }
            try await stream.write(Array("bc".utf8))
            return try await read(stream, until: "abc")
        }
        #expect(log.entries == ["nil"])
        #expect(text.hasSuffix("\r\n\r\nabc"))
    }
}
