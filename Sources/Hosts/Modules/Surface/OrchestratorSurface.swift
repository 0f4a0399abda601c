import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPServer
import WasmdWasmiot

/// The HTTP surface of wasmiot's orchestrator. Repeated and trailing slashes of paths do not count.
public final class OrchestratorSurface: Sendable {
    let orchestrator: Orchestrator

    public init(_ orchestrator: Orchestrator) { self.orchestrator = orchestrator }

    /// A handler of `HTTPServer`.
    public func answer(_ request: ServerRequest, _ response: ServerResponse) async throws {
        let exchange = Exchange(
            request: request, response: response, cors: orchestrator.options.cors)
        do {
            if request.method == .options { return try await allow(exchange) }
            try await serve(exchange)
        } catch let error as HTTPServerError {
            throw error
        } catch LoopError.cancelled {
            throw LoopError.cancelled
        } catch {
            try await exchange.fail(
                Failure(error), right: orchestrator.options.usesRightStatuses)
        }
    }

    private func allow(_ exchange: Exchange) async throws {
        if CORSPolicy.isPreflight(exchange.request.head) {
            let head = try exchange.cors.preflight(exchange.request.head)
            return try await exchange.response.respond(head)
        }
        var head = ResponseHead(.noContent)
        try head.fields.append("Allow", "GET,HEAD,PUT,PATCH,POST,DELETE")
        try await exchange.respond(head)
    }

    private func serve(_ exchange: Exchange) async throws {
        guard let words = Self.words(exchange.request) else { throw Failure.badURL }
        switch (words.first, words.dropFirst().first) {
        case ("file", "module"): try await modules(exchange, Array(words.dropFirst(2)))
        default: throw Failure.badURL
        }
    }

    /// The segments of a request's path; nil if one is no UTF-8.
    private static func words(_ request: ServerRequest) -> [String]? {
        guard let path = try? Path(request.target.path) else { return nil }
        var words: [String] = []
        for segment in path.segments {
            guard let word = String(validating: segment, as: UTF8.self) else { return nil }
            words.append(word)
        }
        return words
    }

    /// HEAD is answered as GET.
    static func method(_ exchange: Exchange) -> Method {
        exchange.request.method == .head ? .get : exchange.request.method
    }
}
