import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPServer

// A WebSocket as messages.

extension SiteHandler {
    /// Asks the handler whether it takes a WebSocket, and carries its messages.
    func serveSocket(
        _ request: ServerRequest, _ response: ServerResponse, _ place: Place, _ handler: [UInt8]
    ) async throws {
        do throws(WebSocketHandshake.Fault) {
            _ = try WebSocketHandshake.accept(request.head)
        } catch {
            var head = ResponseHead(error.status)
            if error == .version { try head.fields.append("Sec-WebSocket-Version", "13") }
            return try await response.respond(head)
        }
        guard server.sockets.count < options.socketLimit else {
            throw Failure(.serviceUnavailable, "Too many WebSockets are open.")
        }
        let (name, outbox) = server.sockets.add()
        defer { server.sockets.remove(name) }
        guard let socket = try await open(name, request, response, place, handler) else { return }
        let sending = request.loop.spawn { await Self.send(outbox, to: socket) }
        defer {
            sending.cancel()
            var members: [Document.Member] = [.init("socket", .string(name))]
            if let code = socket.closeCode {
                members.append(.init("code", .integer32(Int32(clamping: code.code))))
            }
            server.post(message(SocketTable.prefix + "closed", members, place, handler))
        }
        do {
            while let received = try await socket.receive() {
                let content: Document.Member =
                    switch received {
                    case .text(let bytes):
                        .init("text", .string(String(decoding: bytes, as: UTF8.self)))
                    case .binary(let bytes): .init("data", .bytes(bytes))
                    }
                var envelope = message(
                    SocketTable.prefix + "message", [.init("socket", .string(name)), content],
                    place, handler)
                envelope.replyTo = place.site.server
                try await deliver(
                    envelope, handler, byteCount: Self.byteCount(received),
                    on: request.loop)
            }
        } catch is Failure {
            try? await socket.close(.internalError)
        } catch is WebSocketFault {
            // The connection was closed with its code.
        }
    }

    private static func byteCount(_ message: WebSocketConnection.Message) -> Int {
        switch message {
        case .text(let bytes), .binary(let bytes): bytes.count
        }
    }

    /// Nil if the handler refused it with a response.
    private func open(
        _ name: String, _ request: ServerRequest, _ response: ServerResponse, _ place: Place,
        _ handler: [UInt8]
    ) async throws -> WebSocketConnection? {
        let protocols = WebSocketHandshake.protocols(request.head)
        var members = RequestMessage.members(
            request.head, host: place.host, path: place.path, client: place.client)
        members.append(.init("socket", .string(name)))
        members.append(
            .init(
                "protocols",
                .array(protocols.map { .string(String(decoding: $0, as: UTF8.self)) })))
        let pending: PendingRequest
        do throws(ImageServer.Overload) { pending = try server.open() } catch {
            throw Failure(error)
        }
        defer { server.close(pending) }
        let key = SocketTable.prefix + "open"
        server.post(message(key, members, place, handler, request: pending), for: pending)
        let answer = try await answer(
            pending, until: .after(options.answerTime), handler, on: request.loop)
        let fields = answer.payload.last { $0.name == key + ".response" }?.value
        if let fields, fields["accept"] != false {
            let chosen = fields["protocol"]?.stringValue.map { Array($0.utf8) }
            guard chosen.map(protocols.contains) ?? true else {
                throw Failure(.badGateway, "The handler chose a protocol that was not offered.")
            }
            return try await response.webSocket(
                for: request, protocol: chosen, limit: options.socketMessageLimit)
        }
        if let refusal = try? ResponseMessage(answer), !refusal.hasMore {
            try await response.respond(refusal.head, refusal.body)
        } else {
            try await response.respond(.forbidden, "This is no WebSocket.\n")
        }
        return nil
    }

    /// Sends what objects send, until the task is cancelled or one of them closes the WebSocket.
    private static func send(
        _ outbox: SocketTable.Outbox, to socket: WebSocketConnection
    ) async {
        var events = outbox.subscribe(recent: .max, batchLimit: 1)
        while let batch = await events.next() {
            do {
                if batch.lost > 0 {
                    return try await socket.close(.policyViolation, reason: "too slow")
                }
                for event in batch.elements {
                    switch event {
                    case .text(let text): try await socket.send(text: text)
                    case .binary(let bytes): try await socket.send(binary: bytes)
                    case .close(let code, let reason):
                        return try await socket.close(
                            WebSocketCloseCode(code) ?? .normal,
                            reason: String(decoding: Array(reason.utf8.prefix(120)), as: UTF8.self))
                    }
                }
            } catch {
                return
            }
        }
    }
}
