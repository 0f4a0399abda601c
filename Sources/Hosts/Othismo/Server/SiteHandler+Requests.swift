import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPServer

// A request and its answer as messages.

extension SiteHandler {
    private static let pieceBytes = 256 << 10

    func ask(
        _ request: ServerRequest, _ response: ServerResponse, _ place: Place, _ handler: [UInt8]
    ) async throws {
        var members = RequestMessage.members(
            request.head, host: place.host, path: place.path, client: place.client)
        let takesPieces = place.site.takesPieces && request.head.framing != .none
        let limit = min(options.bodyLimit, ImageServer.Options.mostBodyBytes)
        if takesPieces {
            try request.limitBody(to: options.streamLimit)
        } else {
            try request.limitBody(to: UInt64(clamping: limit))
        }
        // Before the body is read: bodies of all clients together are bounded.
        let pending: PendingRequest
        do throws(ImageServer.Overload) {
            pending = try server.open(
                byteCount: takesPieces ? 0 : Self.bytes(request.head.framing, limit))
        } catch {
            throw Failure(error)
        }
        defer { server.close(pending) }
        if takesPieces {
            try await request.acceptBody()
            members += [.init("more", true), .init("body", .bytes([]))]
        } else {
            members.append(.init("body", .bytes(try await request.body())))
        }
        let deadline = LoopInstant.after(options.answerTime)
        server.post(
            message(RequestMessage.key, members, place, handler, request: pending), for: pending)
        if takesPieces { try await sendBody(request, pending, place, handler) }
        let first = try await answer(
            pending, until: takesPieces ? .after(options.answerTime) : deadline, handler,
            on: request.loop)
        try await respond(first, pending, request, response, place, handler)
    }

    /// How many bytes a body may have.
    private static func bytes(_ framing: Framing, _ limit: Int) -> Int {
        switch framing {
        case .length(let count): min(Int(clamping: count), limit)
        case .none: 0
        default: limit
        }
    }

    /// A message to the handler.
    func message(
        _ key: String, _ members: [Document.Member], _ place: Place, _ handler: [UInt8],
        request: PendingRequest? = nil
    ) -> Envelope {
        var envelope = Envelope(sendTo: handler, payload: [.init(key, .object(members))])
        if let request {
            envelope.replyTo = place.site.server
            envelope.requestID = .integer(request.number)
        }
        return envelope
    }

    // MARK: The body in pieces

    /// Sends the body in messages, each when the one before is handled.
    private func sendBody(
        _ request: ServerRequest, _ pending: PendingRequest, _ place: Place, _ handler: [UInt8]
    ) async throws {
        var piece: [UInt8] = []
        do {
            while let bytes = try await request.next() {
                piece += bytes
                guard piece.count >= Self.pieceBytes else { continue }
                try await send(piece, hasMore: true, pending, place, handler, on: request.loop)
                piece = []
            }
            try await send(piece, hasMore: false, pending, place, handler, on: request.loop)
        } catch {
            sayClosed(pending, place, handler)
            throw error
        }
    }

    private func send(
        _ piece: [UInt8], hasMore: Bool, _ pending: PendingRequest, _ place: Place,
        _ handler: [UInt8], on loop: EventLoop
    ) async throws {
        let members: [Document.Member] = [
            .init("request", .integer(pending.number)), .init("body", .bytes(piece)),
            .init("more", .boolean(hasMore)),
        ]
        let envelope = message(RequestMessage.bodyKey, members, place, handler)
        try await deliver(envelope, handler, byteCount: piece.count, on: loop)
    }

    /// Sends a message that nobody answers, and waits until it is handled.
    func deliver(
        _ envelope: Envelope, _ handler: [UInt8], byteCount: Int, on loop: EventLoop
    ) async throws {
        let delivery: PendingRequest
        do throws(ImageServer.Overload) {
            delivery = try server.open(.handled, byteCount: byteCount)
        } catch {
            throw Failure(error)
        }
        defer { server.close(delivery) }
        server.post(envelope, for: delivery)
        do {
            switch try await delivery.next(until: .after(options.answerTime), on: loop) {
            case .ended, .answer: return
            case .refused(let error):
                throw Failure(code: error.code, message: "\(error)", handler: handler)
            case .failed: throw Failure(.serviceUnavailable, "The image cannot be written.")
            }
        } catch PendingRequest.Failure.timedOut {
            throw Failure(.gatewayTimeout, "The handler did not take the message in time.")
        }
    }

    /// Tells the handler that the client is gone.
    private func sayClosed(_ pending: PendingRequest, _ place: Place, _ handler: [UInt8]) {
        server.post(
            message(
                "othismo.http.request.closed", [.init("request", .integer(pending.number))], place,
                handler))
    }

    // MARK: The response

    private func respond(
        _ first: Envelope, _ pending: PendingRequest, _ request: ServerRequest,
        _ response: ServerResponse, _ place: Place, _ handler: [UInt8]
    ) async throws {
        let message: ResponseMessage
        do throws(ResponseMessage.Fault) {
            message = try ResponseMessage(first)
        } catch {
            let name = String(decoding: handler, as: UTF8.self)
            throw Failure(
                .badGateway, "The handler's answer is malformed: \(error).",
                report: "\(name): \(error)")
        }
        guard message.hasMore else {
            let body = message.head.status.hasNoBody ? [] : message.body
            return try await response.respond(message.head, body)
        }
        do {
            try response.begin(message.head)
            try await response.write(message.body)
            try await response.flush()
            acknowledge(first)
            while true {
                let next = try await answer(
                    pending, until: .after(options.answerTime), handler, on: request.loop)
                let (body, hasMore) = try ResponseMessage.piece(next)
                if !body.isEmpty {
                    try await response.write(body)
                    try await response.flush()
                }
                acknowledge(next)
                if !hasMore { break }
            }
        } catch {
            // What was sent is no whole response: the connection ends.
            sayClosed(pending, place, handler)
            throw HTTPServerError.disconnected
        }
        try await response.end()
    }

    /// Tells an object that asks for it that the client has taken a piece.
    private func acknowledge(_ piece: Envelope) {
        guard piece.requestID != nil,
            let reply = piece.reply([.init(ResponseMessage.key + ".taken", .object([]))])
        else { return }
        server.post(reply)
    }
}
