import Glibc
import WasmdHTTP

/// Does jobs from standard input, for `Scripts/compare-http`. A job is a line `KIND LENGTH ARGUMENT...`
/// and so many bytes; its result is a line with a length and so many bytes.
struct Peer {
    private var input = InputReader()

    mutating func run() {
        while let line = input.line() {
            let words = line.split(separator: " ").map(String.init)
            guard words.count >= 2, let length = Int(words[1]), let bytes = input.take(length)
            else {
                return
            }
            let result = Self.job(words[0], Array(words.dropFirst(2)), bytes)
            print(result.count)
            fflush(nil)
            var rest = result[...]
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes { write(1, $0.baseAddress, $0.count) }
                guard count > 0 else { return }
                rest = rest.dropFirst(count)
            }
        }
    }

    private static func job(_ kind: String, _ arguments: [String], _ bytes: [UInt8]) -> [UInt8] {
        switch kind {
        case "requests": requests(pieces(bytes, arguments[0]))
        case "responses": responses(pieces(bytes, arguments[0]), arguments[1])
        case "write-request": writeRequest(bytes, arguments)
        case "write-response": writeResponse(bytes, arguments)
        case "gzip": gzip(pieces(bytes, arguments[0]), flush: arguments[1])
        case "gunzip": gunzip(pieces(bytes, arguments[0]))
        case "frames": frames(pieces(bytes, arguments[0]), arguments[1])
        case "write-frame": writeFrame(bytes, arguments)
        case "date": date(bytes, arguments)
        case "resolve": resolve(bytes)
        default: Array("unknown job".utf8)
        }
    }

    /// Bytes in pieces of a size.
    private static func pieces(_ bytes: [UInt8], _ size: String) -> [[UInt8]] {
        let size = max(Int(size) ?? 1, 1)
        return stride(from: 0, to: bytes.count, by: size).map {
            Array(bytes[$0..<min($0 + size, bytes.count)])
        }
    }

    private static func hex(_ bytes: some Sequence<UInt8>) -> String {
        var text = ""
        for byte in bytes { text += (byte < 16 ? "0" : "") + String(byte, radix: 16) }
        return text
    }

    private static func lines(_ fields: Fields) -> String {
        (0..<fields.count).map { "field \(hex(fields[$0].name)) \(hex(fields[$0].value))\n" }
            .joined()
    }

    private static func requests(_ pieces: [[UInt8]]) -> [UInt8] {
        var parser = RequestParser()
        var text = ""
        var body: [UInt8] = []
        do throws(RequestFault) {
            for piece in pieces {
                var position = 0
                while let event = try parser.next(piece.span, at: &position) {
                    switch event {
                    case .head(let head):
                        text += "head \(head.method.name) \(hex(head.target.bytes)) "
                        text += "\(head.version == .http10 ? "1.0" : "1.1") \(head.keepsAlive)\n"
                        text += lines(head.fields)
                    case .body(let range): body += piece[range]
                    case .end(let trailers):
                        text += "body \(hex(body))\n\(lines(trailers))end\n"
                        body = []
                    }
                }
            }
            try parser.finish()
        } catch {
            text += "fault \(error.status.code) \(error)\n"
        }
        return Array(text.utf8)
    }

    private static func responses(_ pieces: [[UInt8]], _ methods: String) -> [UInt8] {
        var parser = ResponseParser()
        for name in methods.split(separator: ",") {
            if let method = Method(Array(name.utf8)) { parser.expect(method) }
        }
        var text = ""
        var body: [UInt8] = []
        func take(_ event: ResponseEvent, _ piece: [UInt8]) {
            switch event {
            case .interim(let head): text += "interim \(head.status.code)\n"
            case .head(let head):
                text += "head \(head.status.code) \(head.keepsAlive)\n\(lines(head.fields))"
            case .body(let range): body += piece[range]
            case .end(let trailers):
                text += "body \(hex(body))\n\(lines(trailers))end\n"
                body = []
            }
        }
        do throws(ResponseFault) {
            for piece in pieces {
                var position = 0
                while let event = try parser.next(piece.span, at: &position) { take(event, piece) }
            }
            if let event = try parser.finish() { take(event, []) }
        } catch {
            text += "fault \(error)\n"
        }
        return Array(text.utf8)
    }

    /// Bytes are field lines, an empty line, and the body.
    private static func split(_ bytes: [UInt8]) throws(WritingFault) -> (Fields, [UInt8]) {
        var fields = Fields()
        var rest = bytes[...]
        while let end = rest.firstIndex(of: 10) {
            let line = rest[rest.startIndex..<end]
            rest = rest[(end + 1)...]
            guard let colon = line.firstIndex(of: 58) else { break }
            try fields.append(name: line[..<colon], value: line[(colon + 1)...])
        }
        return (fields, Array(rest))
    }

    private static func length(_ kind: String, _ body: [UInt8]) -> BodyLength {
        kind == "none" ? .none : kind == "known" ? .bytes(UInt64(body.count)) : .unknown
    }

    /// Arguments: method, target, kind of length, size of pieces.
    private static func writeRequest(_ bytes: [UInt8], _ arguments: [String]) -> [UInt8] {
        var output: [UInt8] = []
        do throws(WritingFault) {
            let (fields, body) = try split(bytes)
            guard let method = Method(Array(arguments[0].utf8)) else { throw .method }
            let head = try RequestHead(
                method: method, target: Array(arguments[1].utf8), fields: fields)
            var writer = RequestWriter()
            try writer.begin(head, body: length(arguments[2], body), to: &output)
            for piece in pieces(body, arguments[3]) { try writer.write(piece.span, to: &output) }
            try writer.end(to: &output)
        } catch {
            return Array("fault \(error)".utf8)
        }
        return output
    }

    /// Arguments: status, method of the request, version, kind of length, size of pieces.
    private static func writeResponse(_ bytes: [UInt8], _ arguments: [String]) -> [UInt8] {
        var output: [UInt8] = []
        var parser = RequestParser()
        var position = 0
        let line = Array("\(arguments[1]) / HTTP/\(arguments[2])\r\nHost: a\r\n\r\n".utf8)
        guard case .head(let request)? = try? parser.next(line.span, at: &position),
            let status = Status(Int(arguments[0]) ?? 0)
        else { return [] }
        do throws(WritingFault) {
            let (fields, body) = try split(bytes)
            var writer = ResponseWriter(request: request)
            let date = DateLine(HTTPDate(seconds: 784_111_777))
            try writer.begin(
                ResponseHead(status, fields: fields), body: length(arguments[3], body), date: date,
                to: &output)
            for piece in pieces(body, arguments[4]) { try writer.write(piece.span, to: &output) }
            try writer.end(to: &output)
        } catch {
            return Array("fault \(error)".utf8)
        }
        return output
    }

    private static func gzip(_ pieces: [[UInt8]], flush: String) -> [UInt8] {
        var encoder = GzipEncoder()
        var output: [UInt8] = []
        for piece in pieces {
            encoder.compress(piece.span, flush: flush == "sync" ? .sync : .none, to: &output)
        }
        encoder.compress([UInt8]().span, flush: .finish, to: &output)
        return output
    }

    private static func gunzip(_ pieces: [[UInt8]]) -> [UInt8] {
        var decoder = GzipDecoder(limit: 1 << 26)
        var result: [UInt8] = []
        do throws(Inflate.Fault) {
            for piece in pieces {
                var position = 0
                while true {
                    var output: [UInt8] = []
                    let progress = try decoder.next(
                        piece.span, at: &position, into: &output, upTo: 5000)
                    result += output
                    if progress != .outputFull { break }
                }
            }
            try decoder.finish()
        } catch {
            return Array("fault \(error)".utf8)
        }
        return result
    }

    private static func frames(_ pieces: [[UInt8]], _ role: String) -> [UInt8] {
        var parser = WebSocketParser(role: role == "server" ? .server : .client, limit: 1 << 20)
        var text = ""
        do throws(WebSocketFault) {
            for piece in pieces {
                var position = 0
                while let event = try parser.next(piece.span, at: &position) {
                    switch event {
                    case .text(let bytes): text += "text \(hex(bytes))\n"
                    case .binary(let bytes): text += "binary \(hex(bytes))\n"
                    case .ping(let bytes): text += "ping \(hex(bytes))\n"
                    case .pong(let bytes): text += "pong \(hex(bytes))\n"
                    case .close(let code, let reason):
                        text += "close \(code?.code ?? 1005) \(hex(reason))\n"
                    }
                }
            }
        } catch {
            text += "fault \(error.code.code)\n"
        }
        return Array(text.utf8)
    }

    /// Arguments: kind, mask or `none`, size of fragments.
    private static func writeFrame(_ bytes: [UInt8], _ arguments: [String]) -> [UInt8] {
        var output: [UInt8] = []
        let mask = UInt32(arguments[1])
        switch arguments[0] {
        case "ping": WebSocketWriter.ping(bytes, mask: mask, to: &output)
        case "pong": WebSocketWriter.pong(bytes, mask: mask, to: &output)
        case "close":
            WebSocketWriter.close(
                .goingAway, reason: String(decoding: bytes, as: UTF8.self), mask: mask, to: &output)
        default:
            let isText = arguments[0] == "text"
            let size = Int(arguments[2]) ?? 0
            if size == 0 {
                WebSocketWriter.message(bytes.span, isText: isText, mask: mask, to: &output)
                break
            }
            let parts = pieces(bytes, arguments[2])
            for (index, part) in parts.enumerated() {
                WebSocketWriter.fragment(
                    part.span, isText: isText, isFirst: index == 0,
                    isFinal: index == parts.count - 1, mask: mask, to: &output)
            }
        }
        return output
    }

    /// Argument `write`: bytes are seconds; `read`: bytes are a date.
    private static func date(_ bytes: [UInt8], _ arguments: [String]) -> [UInt8] {
        if arguments[0] == "write" {
            return HTTPDate(seconds: Int64(String(decoding: bytes, as: UTF8.self)) ?? 0).bytes
        }
        let date = HTTPDate(bytes[...], now: HTTPDate(seconds: 1_700_000_000))
        return Array((date.map { "\($0.seconds)" } ?? "none").utf8)
    }

    /// Bytes are a URL, a space, and a reference.
    private static func resolve(_ bytes: [UInt8]) -> [UInt8] {
        guard let space = bytes.firstIndex(of: 32), let base = URL(bytes[..<space]),
            let result = base.resolving(bytes[(space + 1)...])
        else { return Array("none".utf8) }
        return result.bytes
    }
}

/// Standard input in lines and counted bytes.
private struct InputReader {
    private var buffer: [UInt8] = []
    private var position = 0

    private mutating func fill() -> Bool {
        buffer.removeSubrange(0..<position)
        position = 0
        let start = buffer.count
        buffer += [UInt8](repeating: 0, count: 65_536)
        let count = buffer.withUnsafeMutableBytes {
            read(0, $0.baseAddress?.advanced(by: start), 65_536)
        }
        buffer.removeSubrange((start + max(count, 0))...)
        return count > 0
    }

    mutating func line() -> String? {
        while true {
            if let end = buffer[position...].firstIndex(of: 10) {
                let line = String(decoding: buffer[position..<end], as: UTF8.self)
                position = end + 1
                return line
            }
            guard fill() else { return nil }
        }
    }

    mutating func take(_ count: Int) -> [UInt8]? {
        while buffer.count - position < count {
            guard fill() else { return nil }
        }
        let bytes = Array(buffer[position..<(position + count)])
        position += count
        return bytes
    }
}
