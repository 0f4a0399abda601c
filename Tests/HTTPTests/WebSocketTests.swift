import Testing

@testable import WasmdHTTP

struct WebSocketTests {
    struct Outcome: Equatable {
        var events: [WebSocketEvent] = []
        var fault: WebSocketFault?
    }

    func parse(
        _ pieces: [[UInt8]], role: WebSocketParser.Role = .client, limit: Int = 100_000
    ) -> Outcome {
        var parser = WebSocketParser(role: role, limit: limit)
        var outcome = Outcome()
        do throws(WebSocketFault) {
            for piece in pieces {
                var position = 0
                while let event = try parser.next(piece.span, at: &position) {
                    outcome.events.append(event)
                }
            }
        } catch {
            outcome.fault = error
        }
        return outcome
    }

    @Test func handshakeOfTheSpecification() throws {
        let head = try request(
            "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: WebSocket\r\n"
                + "Connection: keep-alive, Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                + "Sec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Version: 13\r\n\r\n")
        #expect(WebSocketHandshake.protocols(head).map { text($0) } == ["chat", "superchat"])
        let fields = try WebSocketHandshake.accept(head, subprotocol: bytes("chat"))
        #expect(text(fields.first("sec-websocket-accept")) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        #expect(text(fields.first("sec-websocket-protocol")) == "chat")
        var response = ResponseHead(.switchingProtocols, fields: fields)
        #expect(WebSocketHandshake.isAccepted(response, nonce: bytes("the sample nonce")))
        #expect(!WebSocketHandshake.isAccepted(response, nonce: bytes("the sample noncE")))
        response.status = .ok
        #expect(!WebSocketHandshake.isAccepted(response, nonce: bytes("the sample nonce")))
    }

    @Test func handshakesThatAreRefused() throws {
        func fault(_ lines: String, start: String = "GET / HTTP/1.1") throws -> WebSocketHandshake
            .Fault?
        {
            let head = try request("\(start)\r\nHost: a\r\n\(lines)\r\n")
            do { _ = try WebSocketHandshake.accept(head) } catch { return error }
            return nil
        }
        let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        let good = "Upgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Version: 13\r\n"
        #expect(try fault(good + key) == nil)
        #expect(try fault("") == .notAsked)
        #expect(try fault("Upgrade: h2c\r\n") == .notAsked)
        #expect(try fault(good) == .malformed)
        #expect(try fault(good + "Sec-WebSocket-Key: short\r\n") == .malformed)
        #expect(try fault(good + key + key) == .malformed)
        #expect(try fault(good + key, start: "POST / HTTP/1.1") == .malformed)
        #expect(try fault(good + key, start: "GET / HTTP/1.0") == .malformed)
        #expect(
            try fault(
                "Upgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Version: 8\r\n" + key)
                == .version)
        #expect(WebSocketHandshake.Fault.version.status.code == 426)
    }

    /// RFC 6455 5.7.
    @Test func framesOfTheSpecification() {
        #expect(parse([[0x81, 5, 0x48, 0x65, 0x6c, 0x6c, 0x6f]]).events == [.text(bytes("Hello"))])
        let masked: [UInt8] = [
            0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58,
        ]
        #expect(parse([masked], role: .server).events == [.text(bytes("Hello"))])
        let fragments: [UInt8] = [1, 3, 0x48, 0x65, 0x6c, 0x89, 1, 0x21, 0x80, 2, 0x6c, 0x6f]
        for pieces in splits(fragments) {
            #expect(parse(pieces).events == [.ping([0x21]), .text(bytes("Hello"))])
        }
        for count in [0, 125, 126, 256, 65_535, 65_536] {
            let payload = [UInt8](repeating: 7, count: count)
            var frame: [UInt8] = []
            WebSocketWriter.message(payload.span, isText: false, to: &frame)
            #expect(frame.count == count + (count < 126 ? 2 : count < 65_536 ? 4 : 10))
            #expect(parse([frame]).events == [.binary(payload)])
        }
        var written: [UInt8] = []
        WebSocketWriter.message(bytes("Hello").span, isText: true, mask: 0x3d21_fa37, to: &written)
        #expect(written == masked)
    }

    @Test(
        arguments: [
            ([0x91, 0], WebSocketFault.reserved), ([0x83, 0], .reserved), ([0x8b, 0], .reserved),
            ([0x81, 0x80], .masking), ([9, 0], .control), ([0x89, 126], .control),
            ([0x80, 0], .fragmentation), ([1, 0, 0x81, 0], .fragmentation),
            ([0x82, 126, 0, 125], .length), ([0x82, 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff], .length),
            ([0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0], .length),
            ([0x82, 127, 0, 0, 0, 0, 0, 2, 0, 0], .tooLarge),
            ([0x81, 1, 0xff], .invalidUTF8), ([0x81, 2, 0xc3, 0x28], .invalidUTF8),
            ([0x81, 1, 0xc3], .invalidUTF8), ([1, 3, 0xed, 0xa0], .invalidUTF8),
            ([0x88, 1, 3], .close), ([0x88, 2, 3, 0xec], .close), ([0x88, 2, 3, 0xee], .close),
            ([0x88, 3, 3, 0xe8, 0xff], .invalidUTF8), ([0x88, 0, 0x81], .closed),
        ] as [([UInt8], WebSocketFault)]) func framesThatAreRefused(
            _ frame: [UInt8], _ fault: WebSocketFault
        )
    {
        let outcome = parse([frame])
        #expect(outcome.fault == fault)
        #expect(parse(frame.map { [$0] }) == outcome)
    }

    @Test func unmaskedFramesOfClientsAreRefused() {
        #expect(parse([[0x81, 0]], role: .server).fault == .masking)
        #expect(WebSocketFault.masking.code == .protocolError)
        #expect(
            WebSocketFault.invalidUTF8.code.code == 1007
                && WebSocketFault.tooLarge.code.code == 1009)
    }

    @Test func limitsCountWholeMessages() {
        #expect(
            parse([[2, 3, 1, 2, 3, 0x80, 2, 4, 5]], limit: 5).events == [.binary([1, 2, 3, 4, 5])])
        #expect(parse([[2, 3, 1, 2, 3, 0x80, 3]], limit: 5).fault == .tooLarge)
    }

    @Test func textsAcrossFragments() {
        // A character of four bytes, a byte in each frame.
        let frames: [UInt8] = [1, 1, 0xf0, 0, 1, 0x9f, 0, 1, 0x8e, 0x80, 1, 0x89]
        #expect(parse([frames]).events == [.text([0xf0, 0x9f, 0x8e, 0x89])])
    }

    @Test func closing() throws {
        var frame: [UInt8] = []
        WebSocketWriter.close(.goingAway, reason: String(repeating: "é", count: 100), to: &frame)
        #expect(frame.count == 2 + 2 + 122)
        guard case .close(let code, let reason)? = parse([frame]).events.first else {
            Issue.record("no close frame")
            return
        }
        #expect(code == .goingAway && reason.count == 122)
        frame = []
        WebSocketWriter.close(nil, to: &frame)
        #expect(parse([frame]).events == [.close(nil, reason: [])])
        for code: UInt16 in [0, 999, 1004, 1005, 1006, 1015, 2999, 5000] {
            #expect(WebSocketCloseCode(code) == nil)
        }
        #expect(throws: WebSocketFault.truncated) { try WebSocketParser(role: .client).finish() }
    }

    @Test func utf8() {
        func isValid(_ bytes: [UInt8]) -> Bool {
            var checker = UTF8Checker()
            return bytes.allSatisfy { checker.take($0) } && checker.isComplete
        }
        let critical: [UInt8] = [
            0x41, 0x80, 0xbf, 0x9f, 0xa0, 0x8f, 0x90, 0xc1, 0xc2, 0xe0, 0xed, 0xef, 0xf0, 0xf4,
            0xf5,
        ]
        var generator = Generator(state: 4)
        for _ in 0..<5000 {
            let bytes = (0..<4).map { _ in critical.randomElement(using: &generator) ?? 0 }
            #expect(isValid(bytes) == (String(validating: bytes, as: UTF8.self) != nil))
        }
    }

    @Test func hashesAndBase64() {
        func hex(_ bytes: [UInt8]) -> String {
            bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        }
        #expect(hex(SHA1.hash([])) == "da39a3ee5e6b4b0d3255bfef95601890afd80709")
        #expect(hex(SHA1.hash(bytes("abc"))) == "a9993e364706816aba3e25717850c26c9cd0d89d")
        #expect(
            hex(SHA1.hash(bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")))
                == "84983e441c3bd26ebaae4aa1f95129e5e54670f1")
        for (plain, coded) in [
            ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy"),
        ] {
            #expect(text(Base64.encode(bytes(plain))) == coded)
            #expect(Base64.decode(bytes(coded)) == bytes(plain))
        }
        for bad in ["Zg=", "Zg", "Zh==", "Zm9=", "====", "Z===", "Zg==Zg==", "Zm 8", "Zm8-"] {
            #expect(Base64.decode(bytes(bad)) == nil, "\(bad)")
        }
        #expect(Base64.decode(Base64.encode([UInt8](0...255))) == [UInt8](0...255))
    }

    @Test func mutations() {
        var generator = Generator(state: 5)
        var seed: [UInt8] = [1, 3, 0x48, 0x65, 0x6c, 0x89, 1, 0x21, 0x80, 2, 0x6c, 0x6f]
        WebSocketWriter.message([UInt8](repeating: 65, count: 300).span, isText: true, to: &seed)
        WebSocketWriter.close(.normal, reason: "bye", to: &seed)
        for _ in 0..<3000 {
            var input = seed
            generator.mutate(&input, with: [[0x81], [0x80, 0], [0x7f], [0x7e, 0, 0x7e]])
            #expect(parse(generator.pieces(input)) == parse([input]))
        }
    }
}
