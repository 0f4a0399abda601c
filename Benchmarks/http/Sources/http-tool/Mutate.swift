import Glibc
import WasmdHTTP

/// Numbers that look random and are the same for the same seed.
struct Generator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }

    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(max(bound, 1))) }

    /// Damages bytes in one to four places.
    mutating func mutate(_ bytes: inout [UInt8], _ words: [[UInt8]]) {
        for _ in 0...below(4) {
            let index = below(bytes.count + 1)
            let end = min(index + below(40), bytes.count)
            switch below(5) {
            case 0 where index < bytes.count: bytes[index] = UInt8(truncatingIfNeeded: next())
            case 1: bytes.removeSubrange(index..<min(index + 1, bytes.count))
            case 2: bytes.insert(contentsOf: words[below(words.count)], at: index)
            case 3: bytes.insert(contentsOf: bytes[index..<end], at: index)
            default: bytes.removeSubrange(index..<end)
            }
        }
    }

    mutating func pieces(_ bytes: [UInt8]) -> [[UInt8]] {
        var pieces: [[UInt8]] = []
        var start = 0
        while start < bytes.count {
            let end = min(start + 1 + below(64), bytes.count)
            pieces.append(Array(bytes[start..<end]))
            start = end
        }
        return pieces
    }
}

private func ascii(_ text: String) -> [UInt8] { Array(text.utf8) }

/// What a parser made of a stream, as text: comparing texts is enough to find differences.
private func requests(_ pieces: [[UInt8]]) -> String {
    var parser = RequestParser()
    var result = ""
    var body: [UInt8] = []
    do throws(RequestFault) {
        for piece in pieces {
            var position = 0
            while let event = try parser.next(piece.span, at: &position) {
                switch event {
                case .head(let head):
                    result += "\(head.method) \(head.framing) \(head.fields.bytesForTest)"
                case .body(let range): body += piece[range]
                case .end(let trailers):
                    result += "\(body) \(trailers.count);"
                    body = []
                }
            }
        }
        try parser.finish()
    } catch {
        return result + "\(body) \(error)"
    }
    return result
}

private func responses(_ pieces: [[UInt8]]) -> String {
    var parser = ResponseParser()
    for method in [Method.get, .head, .post] { parser.expect(method) }
    var result = ""
    var body: [UInt8] = []
    do throws(ResponseFault) {
        for piece in pieces {
            var position = 0
            while let event = try parser.next(piece.span, at: &position) {
                switch event {
                case .interim(let head), .head(let head):
                    result += "\(head.status.code) \(head.framing) \(head.fields.bytesForTest)"
                case .body(let range): body += piece[range]
                case .end(let trailers):
                    result += "\(body) \(trailers.count);"
                    body = []
                }
            }
        }
        if try parser.finish() != nil { result += "\(body)" }
    } catch {
        return result + "\(body) \(error)"
    }
    return result
}

private func frames(_ pieces: [[UInt8]]) -> String {
    var parser = WebSocketParser(role: .client, limit: 5000)
    var result = ""
    do throws(WebSocketFault) {
        for piece in pieces {
            var position = 0
            while let event = try parser.next(piece.span, at: &position) { result += "\(event);" }
        }
    } catch {
        return result + "\(error)"
    }
    return result
}

private func unpacked(_ pieces: [[UInt8]]) -> String {
    var decoder = GzipDecoder(limit: 20_000)
    var result: [UInt8] = []
    do throws(Inflate.Fault) {
        for piece in pieces {
            var position = 0
            while true {
                var output: [UInt8] = []
                let progress = try decoder.next(
                    piece.span, at: &position, into: &output, upTo: 700)
                result += output
                if progress != .outputFull { break }
            }
        }
        try decoder.finish()
    } catch {
        return "\(error)"
    }
    return "\(result.count) \(result.reduce(7) { ($0 &* 31) ^ Int($1) })"
}

private func programs(_ pieces: [[UInt8]]) -> String {
    var parser = CGIOutput(limit: 4000)
    var result = ""
    var body: [UInt8] = []
    func take(_ event: CGIOutput.Event, _ piece: [UInt8]) {
        switch event {
        case .head(let head): result += "\(head.status.code) \(head.fields.bytesForTest)"
        case .kept(let kept): body += kept
        case .body(let range): body += piece[range]
        }
    }
    do throws(CGIOutput.Fault) {
        for piece in pieces {
            var position = 0
            while let event = try parser.next(piece.span, at: &position) { take(event, piece) }
        }
        for event in try parser.finish() { take(event, []) }
    } catch {
        return result + "\(error)"
    }
    return result + "\(body)"
}

extension Fields {
    /// Names and values as text.
    var bytesForTest: String {
        (0..<count).map { "\(Array(self[$0].name)):\(Array(self[$0].value))" }.joined()
    }
}

/// Damages streams and compares what comes of them whole and in pieces. A trap ends the program, and
/// so does a difference.
func mutate(count: Int, seed: UInt64) {
    var packed: [UInt8] = []
    var encoder = GzipEncoder()
    let text = ascii(String(repeating: "some text, ", count: 20) + "and its end")
    encoder.compress(text.span, flush: .finish, to: &packed)
    var frame: [UInt8] = [1, 3, 0x48, 0x65, 0x6c, 0x89, 1, 0x21, 0x80, 2, 0x6c, 0x6f]
    WebSocketWriter.message([UInt8](repeating: 65, count: 200).span, isText: true, to: &frame)
    WebSocketWriter.close(.normal, reason: "bye", to: &frame)
    let words = [
        "\r\n", "\n", "\r", " ", ":", ",", ";", "chunked", "0", "\0", "ffffffff", "HTTP/1.1",
        "Content-Length: 1\r\n", "Transfer-Encoding: chunked\r\n", "Status: 1\n", "204",
    ].map(ascii)
    let layers: [(String, [UInt8], ([[UInt8]]) -> String)] = [
        (
            "request",
            ascii(
                "POST /a?b HTTP/1.1\r\nHost: a:1\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello"
                    + "PUT http://a/ HTTP/1.1\r\nHost: [::1]\r\nTransfer-Encoding: chunked\r\n\r\n"
                    + "5;a=\"b\"\r\nhello\r\n0\r\nX: y\r\n\r\n"), requests
        ),
        (
            "response",
            ascii(
                "HTTP/1.1 100 C\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nA: b\r\n\r\n"
                    + "5\r\nhello\r\n0\r\n\r\nHTTP/1.1 404 No\r\nContent-Length: 3\r\n\r\n"
                    + "HTTP/1.0 200 OK\r\n\r\nabc"), responses
        ),
        ("websocket", frame, frames), ("gzip", packed, unpacked),
        ("cgi", ascii("Content-Type: a/b\r\nStatus: 404 x\nX: y\n\nbody\n"), programs),
    ]
    var generator = Generator(state: seed)
    for (name, seed, parse) in layers {
        var outcomes: Set<Int> = []
        for number in 0..<count {
            var input = seed
            generator.mutate(&input, words)
            let whole = parse([input])
            let split = parse(generator.pieces(input))
            if whole != split {
                print("\(name) \(number): a difference for \(input)\n\(whole)\n\(split)")
                exit(1)
            }
            if outcomes.count < 100_000 { outcomes.insert(whole.hashValue) }
        }
        print("\(name): \(count) streams, \(outcomes.count) outcomes or more")
    }
}
