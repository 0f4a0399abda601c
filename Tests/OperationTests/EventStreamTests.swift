import Synchronization
import Testing
import WasmSystem
import WasmdEventLoop
import WasmdGuests
import WasmdHTTP
import WasmdHTTPServer

@Suite struct EventStreamTests {
    @Test func eventsAreMadeOnceAndBounded() throws {
        let shared = SharedEvents(capacity: 4, byteLimit: 100)
        var made = 0
        func bytes(_ number: UInt64, _ count: Int = 10) throws -> [UInt8] {
            try shared.bytes(number) {
                made += 1
                return ServerSentEvent(data: Array(repeating: UInt8(ascii: "x"), count: count))
            }
        }
        let first = try bytes(1)
        #expect(first == Array("data: xxxxxxxxxx\n\n".utf8))
        #expect(try bytes(1) == first && made == 1)
        // A later event takes the place, and an earlier one does not take it back.
        _ = try bytes(5)
        #expect(made == 2)
        _ = try bytes(1)
        _ = try bytes(5)
        #expect(made == 3 && shared.byteCount == first.count)
        // One that is too large is not kept; one that is not makes room.
        _ = try bytes(6, 200)
        #expect(shared.byteCount == first.count)
        _ = try bytes(7, 85)
        #expect(shared.byteCount == 93)
        _ = try bytes(7, 85)
        #expect(made == 5)
        // What cannot be written is not kept.
        #expect(throws: WritingFault.self) {
            try shared.bytes(8) { ServerSentEvent(type: Array("a\nb".utf8), data: []) }
        }
        #expect(shared.byteCount == 93)
    }

    /// Twenty clients read nothing while one reads everything: each event is made once, the one
    /// gets all, others are answered, and those twenty are told how many they lost.
    @Test func slowClientsLoseEventsAndCostOthersNothing() throws {
        let feed = Feed<Int>(capacity: 16)
        let shared = SharedEvents(capacity: 64, byteLimit: 16 << 20)
        let made = Mutex(0)
        // Together more than what the kernel keeps for a connection.
        let (count, size) = (600, 16 << 10)
        let following = Mutex(0)
        var options = HTTPServerOptions()
        options.transferTimeout = .seconds(3600)
        let server = HTTPServer(options) { request, response in
            guard request.target.path.elementsEqual("/events".utf8) else {
                return try await response.respond(.ok, "here")
            }
            let events = try await response.events()
            let source = FeedReader(feed.subscribe(batchLimit: 4))
            following.withLock { $0 += 1 }
            try await events.follow(while: { true }) { end in
                try await source.next(until: end, on: request.loop)
            } send: { batch in
                if batch.lost > 0 { try await events.comment(Array("lost \(batch.lost)".utf8)) }
                try await events.send(
                    encoded: try batch.elements.enumerated().map { offset, element in
                        try shared.bytes(batch.first + UInt64(offset)) {
                            made.withLock { $0 += 1 }
                            return ServerSentEvent(
                                data: Array("\(element) ".utf8)
                                    + Array(repeating: UInt8(ascii: "x"), count: size))
                        }
                    })
            }
        }
        let (received, answer, slow) = try EventLoop().run { loop in
            let bound = try await server.listen(.ipv4([127, 0, 0, 1], port: 0), on: [loop])
            let address = try #require(bound)
            let request = Array("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8)
            var unread: [ByteStream] = []
            for _ in 0..<20 {
                let stream = try await ByteStream.connect(to: address, on: loop)
                try await stream.write(request)
                unread.append(stream)
            }
            let reading = try await ByteStream.connect(to: address, on: loop)
            try await reading.write(request)
            while following.withLock({ $0 }) < 21 { try await loop.sleep(for: .milliseconds(1)) }
            // The next event comes when the reading client has the last one.
            var parser = ServerSentEventParser()
            var received: [Int] = []
            var buffer = loop.takeBuffer()
            for number in 0..<count {
                feed.append(number)
                while received.last != number {
                    guard try await reading.read(into: &buffer) > 0 else { break }
                    let bytes = buffer.take()
                    received += Self.numbers(bytes, &parser)
                }
            }
            let neighbour = try await ByteStream.connect(to: address, on: loop)
            try await neighbour.write(Array("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8))
            var answer: [UInt8] = []
            while !answer.suffix(4).elementsEqual("here".utf8) {
                guard try await neighbour.read(into: &buffer) > 0 else { break }
                answer += buffer.take()
            }
            // One of the others begins to read.
            var slow: [UInt8] = []
            while try await unread[0].read(into: &buffer) > 0 {
                let bytes = buffer.take()
                // Words for the comparison, not the long lines.
                slow += bytes.filter { $0 != UInt8(ascii: "x") }
                if String(decoding: slow.suffix(200), as: UTF8.self)
                    .contains("data: \(count - 1) ")
                {
                    break
                }
            }
            for stream in unread { stream.close() }
            await server.stop(grace: .zero, on: loop)
            return (received, answer, slow)
        }
        #expect(received == Array(0..<count))
        #expect(made.withLock { $0 } == count)
        #expect(String(decoding: answer, as: UTF8.self).hasSuffix("here"))
        // By bytes: a chunk ends with CR LF, which is one character.
        let lines = slow.split(separator: UInt8(ascii: "\n"))
            .map { String(decoding: $0, as: UTF8.self) }
        let lost = lines.filter { $0.hasPrefix(": lost ") }
            .compactMap { Int($0.dropFirst(7)) }.reduce(0, +)
        let seen = lines.count { $0.hasPrefix("data: ") }
        #expect(lost > 0 && lost + seen == count, "\(lost) lost, \(seen) seen")
    }

    /// The numbers of the events in a piece of a chunked body. Lines of chunks are none of events.
    private static func numbers(
        _ bytes: [UInt8], _ parser: inout ServerSentEventParser
    ) -> [Int] {
        var numbers: [Int] = []
        var position = 0
        while let event = try? parser.next(bytes.span, at: &position) {
            let word = event.data.prefix { $0 != UInt8(ascii: " ") }
            if let number = Int(String(decoding: word, as: UTF8.self)) { numbers.append(number) }
        }
        return numbers
    }
}
