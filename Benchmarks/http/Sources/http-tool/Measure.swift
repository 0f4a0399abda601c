import WasmdHTTP

/// A request as browsers send it: 10 fields.
private let browserRequest = Array(
    ("GET /wasm/7f9c/run?x=1&y=2 HTTP/1.1\r\nHost: localhost:8080\r\nConnection: keep-alive\r\n"
        + "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
        + "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
        + "Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n"
        + "Referer: http://localhost:8080/console\r\nUpgrade-Insecure-Requests: 1\r\n"
        + "Sec-Fetch-Site: same-origin\r\nCache-Control: max-age=0\r\n\r\n").utf8)

/// A request as load generators send it: 2 fields.
private let shortRequest = Array(
    "GET /healthz HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: wrk\r\n\r\n".utf8)

/// The fastest of many short rounds, in nanoseconds for each call: on a busy machine some rounds are
/// not interrupted.
func fastest(_ count: Int, _ body: () -> Void) -> Double {
    var best = Double.infinity
    let clock = ContinuousClock()
    for _ in 0..<(count == 1 ? 7 : 500) {
        let time = clock.measure { for _ in 0..<count { body() } }
        let nanoseconds =
            Double(time.components.attoseconds) / 1e9 + Double(time.components.seconds) * 1e9
        best = min(best, nanoseconds / Double(count))
    }
    return best
}

func report(_ name: String, _ nanoseconds: Double, bytes: Int? = nil) {
    var line = "\(name): \(Int(nanoseconds.rounded())) ns"
    if let bytes { line += ", \(Int((Double(bytes) / nanoseconds * 1000).rounded())) MB/s" }
    print(line)
}

func measure() {
    var parser = RequestParser()
    var sum = 0
    for (name, input) in [("10 fields", browserRequest), ("2 fields", shortRequest)] {
        let time = fastest(1_000) {
            var position = 0
            while let event = try? parser.next(input.span, at: &position) {
                if case .head(let head) = event { sum &+= head.fields.count }
            }
        }
        report("parse a request with \(name), \(input.count) bytes", time)
    }

    var output: [UInt8] = []
    output.reserveCapacity(4096)
    let date = DateLine(HTTPDate(seconds: 1_700_000_000))
    let body = Array("{\"result\":42}".utf8)
    var position = 0
    guard case .head(let request)? = try? parser.next(shortRequest.span, at: &position) else {
        return
    }
    var fields = Fields()
    try? fields.append("Content-Type", "application/json")
    let head = ResponseHead(.ok, fields: fields)
    report(
        "write a response with kept fields",
        fastest(1_000) {
            output.removeAll(keepingCapacity: true)
            var writer = ResponseWriter(request: request)
            try? writer.write(head, body: body, date: date, to: &output)
        })
    report(
        "write a response with new fields",
        fastest(1_000) {
            output.removeAll(keepingCapacity: true)
            var writer = ResponseWriter(request: request)
            var head = ResponseHead(.ok)
            try? head.fields.append("Content-Type", "application/json")
            try? writer.write(head, body: body, date: date, to: &output)
        })

    var router = Router<Int>()
    for (index, pattern) in ["/wasm", "/wasm/:id", "/wasm/:id/run", "/jobs/:id", "/files/..."]
        .enumerated()
    {
        try? router.add(.get, pattern, index)
    }
    let path = Array("/wasm/7f9c/run".utf8)
    report(
        "decode and route a path",
        fastest(1_000) {
            guard let path = try? Path(path[...]) else { return }
            if case .found(let value, _) = router.match(.get, path) { sum &+= value }
        })

    measureStreams()
    if sum == 1 { print(sum) }
}

private func measureStreams() {
    let text = Array(
        (0..<40_000).flatMap { "line \($0 * 7919 % 1000) of some text that is repeated\n".utf8 })
    var packed: [UInt8] = []
    let compression = fastest(1) {
        packed.removeAll(keepingCapacity: true)
        var encoder = GzipEncoder()
        encoder.compress(text.span, flush: .finish, to: &packed)
    }
    report("gzip to \(packed.count * 100 / text.count) %", compression, bytes: text.count)
    var unpacked: [UInt8] = []
    let decompression = fastest(1) {
        unpacked.removeAll(keepingCapacity: true)
        var decoder = GzipDecoder(limit: 1 << 30)
        var position = 0
        _ = try? decoder.next(packed.span, at: &position, into: &unpacked, upTo: 1 << 30)
    }
    report("gunzip", decompression, bytes: unpacked.count)
    var frame: [UInt8] = []
    WebSocketWriter.message(text.span, isText: true, mask: 0x1234_5678, to: &frame)
    let frames = fastest(1) {
        var parser = WebSocketParser(role: .server, limit: 1 << 30)
        var position = 0
        _ = try? parser.next(frame.span, at: &position)
    }
    report("read a masked text of WebSocket", frames, bytes: text.count)
}
