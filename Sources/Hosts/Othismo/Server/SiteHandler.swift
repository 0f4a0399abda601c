import WasmSystem
import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPServer
import WasmdImages

/// Answers requests of HTTP by objects of an image: see `Site`.
public struct SiteHandler: Sendable {
    let server: ImageServer

    public init(_ server: ImageServer) { self.server = server }

    var options: ImageServer.Options { server.options }

    /// What a request is to, and for which host.
    struct Place: Sendable {
        let site: Site
        let host: [UInt8]
        let path: Path
        var client: String?
    }

    /// A handler of `HTTPServer`.
    public func answer(_ request: ServerRequest, _ response: ServerResponse) async throws {
        if request.target.form == .asterisk {
            return try await response.respondToServerOptions()
        }
        guard request.method != .connect else {
            return try await response.respond(.methodNotAllowed, "This server is no proxy.\n")
        }
        let path: Path
        do throws(Path.Fault) {
            path = try Path(request.target.path)
        } catch {
            return try await response.respond(.badRequest, "The path is malformed.\n")
        }
        let host = Self.host(request.head)
        var found: Site?
        do {
            if let host { found = try await server.site(host, on: request.loop) }
        } catch let error as ImageError {
            // Of a server that stops, this is no news.
            if error != .closed { options.report("the image cannot be read: \(error)") }
            return try await response.respond(
                .serviceUnavailable, "The image cannot be read.\n")
        }
        guard let host, let site = found else {
            return try await response.respond(.notFound, "There is no site of this name.\n")
        }
        var place = Place(site: site, host: host, path: path)
        place.client = request.peer.flatMap(Self.text)
        if try await sendContent(request, response, place) { return }
        guard let handler = site.handler else {
            return try await refuseWithoutHandler(request, response)
        }
        do {
            if request.fields.list("upgrade", contains: "websocket") {
                try await serveSocket(request, response, place, handler)
            } else {
                try await ask(request, response, place, handler)
            }
        } catch let failure as Failure where !response.hasBegun {
            if let report = failure.report { options.report(report) }
            var head = ResponseHead(failure.status)
            try head.fields.append("Content-Type", "text/plain; charset=utf-8")
            if failure.status == .serviceUnavailable { try head.fields.append("Retry-After", "1") }
            try await response.respond(head, Array("\(failure.text)\n".utf8))
        }
    }

    /// The host that a request names, in lower case and without port; empty for none, nil if it is
    /// malformed.
    private static func host(_ head: RequestHead) -> [UInt8]? {
        guard let authority = head.authority else { return [] }
        return Authority(authority)?.host.bytes
    }

    private static func text(_ address: SystemAddress) -> String? {
        switch address {
        case .ipv4(let bytes, _): bytes.map { "\($0)" }.joined(separator: ".")
        case .ipv6(let bytes, _): SystemAddress.ipv6Text(bytes)
        case .unix: nil
        }
    }

    // MARK: Content

    /// Sends a file, if the site has one of this path. True if there was something to say.
    private func sendContent(
        _ request: ServerRequest, _ response: ServerResponse, _ place: Place
    ) async throws -> Bool {
        guard let object = place.site.content,
            request.method == .get || request.method == .head
        else { return false }
        let image = server.image
        let endpoint = RequestMessage.endpoint(place.path)
        let found: BlobAnswer.Found
        do {
            found = try await request.loop.blocking {
                try BlobAnswer.find(endpoint, in: object, image)
            }
        } catch let error as LoopError {
            throw error
        } catch {
            options.report("\(endpoint): \(error)")
            try await response.respond(.serviceUnavailable, "The image cannot be read.\n")
            return true
        }
        switch found {
        case .blob(let answer): try await answer.send(request, response)
        case .nothing: return false
        case .folder:
            var head = ResponseHead(.permanentRedirect)
            var location = place.path.bytes + [UInt8(ascii: "/")]
            if let query = request.target.query { location += [UInt8(ascii: "?")] + query }
            try head.fields.append("Location", location)
            try await response.respond(head)
        }
        return true
    }

    private func refuseWithoutHandler(
        _ request: ServerRequest, _ response: ServerResponse
    ) async throws {
        guard request.method != .get, request.method != .head else {
            return try await response.respond(.notFound, "There is nothing at this path.\n")
        }
        var head = ResponseHead(.methodNotAllowed)
        try head.fields.append("Allow", "GET, HEAD")
        try head.fields.append("Content-Type", "text/plain; charset=utf-8")
        try await response.respond(head, Array("This site has files only.\n".utf8))
    }

    // MARK: Failures

    /// What a client gets instead of an answer.
    struct Failure: Error {
        let status: Status
        let text: String
        /// For the log.
        var report: String?

        init(_ status: Status, _ text: String, report: String? = nil) {
            self.status = status
            self.text = text
            self.report = report
        }

        init(_ overload: ImageServer.Overload) {
            switch overload {
            case .requests, .bytes:
                self.init(.serviceUnavailable, "Too many requests wait for the image.")
            case .stopping: self.init(.serviceUnavailable, "The server stops.")
            }
        }

        /// What `othismo.error` says.
        init(code: String, message: String, handler: [UInt8]) {
            let report = "\(String(decoding: handler, as: UTF8.self)): \(code): \(message)"
            switch code {
            case "timeout":
                self.init(.gatewayTimeout, "The handler took too long.", report: report)
            case "queue_full":
                self.init(.serviceUnavailable, "Too many requests wait for the handler.")
            case "too_large":
                self.init(.contentTooLarge, "The message is too large.", report: report)
            default: self.init(.badGateway, "The handler failed: \(code).", report: report)
            }
        }
    }

    /// The next answer of the handler.
    ///
    /// - Throws: `Failure`; `LoopError.cancelled` if the client is gone.
    func answer(
        _ pending: PendingRequest, until deadline: LoopInstant, _ handler: [UInt8],
        on loop: EventLoop
    ) async throws -> Envelope {
        do {
            while true {
                switch try await pending.next(until: deadline, on: loop) {
                case .ended: continue
                case .answer(let envelope):
                    guard let error = envelope.payload.last(where: { $0.name == MessageError.key })
                    else { return envelope }
                    throw Failure(
                        code: error.value["code"]?.stringValue ?? "error",
                        message: error.value["message"]?.stringValue ?? "", handler: handler)
                case .refused(let error):
                    throw Failure(code: error.code, message: "\(error)", handler: handler)
                case .failed: throw Failure(.serviceUnavailable, "The image cannot be written.")
                }
            }
        } catch PendingRequest.Failure.timedOut {
            throw Failure(
                .gatewayTimeout, "The handler did not answer in time.",
                report: "\(String(decoding: handler, as: UTF8.self)): no answer in time")
        } catch PendingRequest.Failure.lost {
            throw Failure(.badGateway, "The handler sent more than the client took.")
        }
    }
}
