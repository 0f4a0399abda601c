import Synchronization
import WasmSystem
import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPServer

/// A server on a loop of its own, and what a test asks it.
func withServer<Success: Sendable>(
    _ options: HTTPServerOptions = HTTPServerOptions(), fixed: HTTPServer.FixedAnswers? = nil,
    handler: @escaping HTTPServer.Handler = echo,
    _ body: sending @escaping (EventLoop, HTTPServer, SystemAddress) async throws -> Success
) throws -> Success {
    let server = HTTPServer(options, fixed: fixed, handler: handler)
    return try EventLoop().run { loop in
        let address = try await server.listen(.ipv4([127, 0, 0, 1], port: 0), on: [loop])
        guard let address else { throw LoopError.closed }
        return try await body(loop, server, address)
    }
}

/// Answers with method, target and body.
let echo: HTTPServer.Handler = { request, response in
    let body = try await request.body()
    let text = "\(request.method.name) \(String(decoding: request.target.bytes, as: UTF8.self)) "
    try await response.respond(.ok, text + String(decoding: body, as: UTF8.self))
}

/// Sends bytes, says that nothing follows, and reads all that comes back.
func exchange(_ request: String, _ address: SystemAddress, _ loop: EventLoop) async throws -> String
{
    let stream = try await ByteStream.connect(to: address, on: loop)
    try await stream.write(Array(request.utf8))
    try stream.finishWriting()
    return try await readAll(stream)
}

func readAll(_ stream: ByteStream) async throws -> String {
    var all: [UInt8] = []
    var buffer = stream.loop.takeBuffer()
    stream.deadline = .after(.seconds(20))
    while try await stream.read(into: &buffer) > 0 { all += buffer.take() }
    return String(decoding: all, as: UTF8.self)
}

/// Reads until a text has come; what came.
func read(_ stream: ByteStream, until end: String) async throws -> String {
    var all: [UInt8] = []
    var buffer = stream.loop.takeBuffer()
    stream.deadline = .after(.seconds(20))
    while !String(decoding: all, as: UTF8.self).hasSuffix(end) {
        guard try await stream.read(into: &buffer) > 0 else { break }
        all += buffer.take()
    }
    return String(decoding: all, as: UTF8.self)
}

/// The response without its `Date` line.
func withoutDate(_ text: String) -> String {
    text.split(separator: "\r\n", omittingEmptySubsequences: false)
        .filter { !$0.hasPrefix("Date: ") }.joined(separator: "\r\n")
}

/// What happened, in order; from any thread.
final class Log: Sendable {
    private let list = Mutex<[String]>([])
    var entries: [String] { list.withLock { $0 } }
    func add(_ text: String) { list.withLock { $0.append(text) } }
}
