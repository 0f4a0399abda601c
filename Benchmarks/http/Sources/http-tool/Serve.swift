import WasmSystem
import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPServer

/// Serves what clients of other implementations try, until `SIGTERM`. Prints the port when it listens.
func serve(port: UInt16, loops: Int) throws {
    Signals.block([Signals.termination])
    var head = ResponseHead(.ok)
    try head.fields.append("Content-Type", "text/plain")
    let fixed = try FixedAnswer(head, body: Array("hello world\n".utf8))
    var options = HTTPServerOptions()
    options.headTimeout = .seconds(2)
    options.transferTimeout = .seconds(2)
    let server = HTTPServer(
        options,
        fixed: { $0.target.path.elementsEqual("/fixed".utf8) ? fixed : nil },
        handler: answer)
    let group = try LoopGroup(count: loops)
    try group.run { loop in
        let address = try await server.listen(
            .ipv4([127, 0, 0, 1], port: port), on: group.loops)
        print(address?.port ?? 0)
        flush()
        _ = try await SignalStream([Signals.termination], on: loop).next()
        await server.stop(grace: .seconds(1), on: loop)
    }
}

@Sendable
private func answer(_ request: ServerRequest, _ response: ServerResponse) async throws {
    switch String(decoding: request.target.path, as: UTF8.self) {
    case "/hello": try await response.respond(.ok, "hello world\n")
    case "/echo":
        try response.begin(ResponseHead(.ok))
        while let piece = try await request.next() { try await response.write(piece) }
        try await response.end(trailers: request.trailers)
    case "/count": try await response.respond(.ok, "\(try await request.body().count)")
    case "/wait":
        try await request.loop.sleep(for: .milliseconds(200))
        try await response.respond(.ok, "waited")
    case "/large":
        try response.begin(ResponseHead(.ok), length: .bytes(20_000_000))
        let piece = [UInt8](repeating: 65, count: 50_000)
        for _ in 0..<400 { try await response.write(piece) }
        try await response.end()
    case "/events":
        let events = try await response.events()
        for index in 0..<3 {
            try await events.send(ServerSentEvent(data: Array("\(index)".utf8)))
        }
        try await response.end()
    case "/socket": try await echo(try await response.webSocket(for: request))
    default: try await response.respond(.notFound, "not found\n")
    }
}

private func echo(_ socket: WebSocketConnection) async throws {
    while let message = try await socket.receive() {
        switch message {
        case .text(let bytes): try await socket.send(text: String(decoding: bytes, as: UTF8.self))
        case .binary(let bytes): try await socket.send(binary: bytes)
        }
    }
}
