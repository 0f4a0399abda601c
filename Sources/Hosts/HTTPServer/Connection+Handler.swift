// Soundness: a connection is used by its loop's thread only.

import WasmSystem
import WasmdEventLoop
import WasmdHTTP

// What a handler does with its request: the body, the response, other protocols.

extension Connection {
    /// Throws unless the handler of a request may still use the connection.
    func check(_ number: UInt64) throws(HTTPServerError) {
        guard loop.isCurrent else { throw .loop(.wrongLoop) }
        guard isAnswering, number == self.number else { throw .order }
    }

    func limitBody(_ limit: UInt64) throws(HTTPServerError) {
        guard !bodyHasEnded else { return }
        do throws(RequestFault) {
            try parser.limitBody(to: limit)
        } catch {
            throw remember(.request(error))
        }
    }

    func remember(_ error: HTTPServerError) -> HTTPServerError {
        if fault == nil { fault = error }
        return error
    }

    /// The whole body, if all of it has arrived and none was read; nil otherwise, or if it comes in
    /// chunks.
    func bufferedBody(_ framing: Framing) throws(HTTPServerError) -> [UInt8]? {
        if let fault { throw fault }
        guard case .length(let length) = framing, !bodyHasEnded, input != nil else { return nil }
        guard length == parser.bodyRest, length <= UInt64(input?.count ?? 0) else { return nil }
        needsContinue = false
        var body: [UInt8] = []
        do throws(HTTPServerError) {
            while let event = try parse() {
                switch event {
                case .body(let piece):
                    body = Array(input?.bytes[piece] ?? [])
                    consume(to: piece.upperBound)
                case .end(let trailers):
                    self.trailers = trailers
                    bodyHasEnded = true
                    return body
                case .head: return body
                }
            }
        } catch {
            throw remember(error)
        }
        return body
    }

    func nextPiece() async throws(HTTPServerError) -> [UInt8]? {
        if let fault { throw fault }
        while !bodyHasEnded {
            do throws(HTTPServerError) {
                if let piece = try await pieceOrEnd() { return piece }
            } catch {
                throw remember(error)
            }
        }
        return nil
    }

    /// A piece; nil at the end, or if bytes arrived.
    func pieceOrEnd() async throws(HTTPServerError) -> [UInt8]? {
        let bytes = input?.bytes ?? []
        let range = input?.range ?? 0..<0
        switch try parse(bytes, range) {
        case .body(let piece):
            needsContinue = false
            let copy = Array(bytes[piece])
            consume(to: piece.upperBound)
            return copy
        case .end(let trailers):
            self.trailers = trailers
            bodyHasEnded = true
            return nil
        case .head: return nil
        case nil: break
        }
        try await acceptBody()
        let start = loop.turnTime
        let count: Int
        do throws(LoopError) {
            count = try await read(until: allowance.deadline(start))
        } catch {
            throw HTTPServerError(error)
        }
        allowance.spend(from: start, to: loop.turnTime, byteCount: count)
        if count == 0 { throw .disconnected }
        return nil
    }

    /// Sends `100 Continue` to a client that waits for it.
    func acceptBody() async throws(HTTPServerError) {
        guard needsContinue else { return }
        needsContinue = false
        if hasBegun { return }
        takeOutput()
        ResponseWriter.writeContinue(to: &output)
        try await flush()
    }

    func respond(_ head: ResponseHead, _ body: [UInt8]) async throws(HTTPServerError) {
        try begin(head, .bytes(UInt64(body.count)))
        if body.count <= Self.pieceSize {
            try append(body)
        } else {
            try await appendPieces(of: body)
        }
        try finishWriter(Fields())
        if !sendLater() { try await flush() }
    }

    /// Bytes of a body that are copied and sent at a time.
    private static let pieceSize = 256 << 10

    /// Sends a large body without a second copy of it, and lets others run in between. The last
    /// piece stays in the output.
    private func appendPieces(of body: [UInt8]) async throws(HTTPServerError) {
        var start = 0
        while true {
            let end = min(start &+ Self.pieceSize, body.count)
            try append(body.span.extracting(start..<end))
            if end == body.count { return }
            start = end
            try await flush()
            await loop.yieldIfSpent(atOnce: true)
        }
    }

    func interim(_ head: ResponseHead) async throws(HTTPServerError) {
        takeOutput()
        do throws(WritingFault) {
            try writer?.interim(head, to: &output)
        } catch {
            throw .response(error)
        }
        try await flush()
    }

    func begin(_ head: ResponseHead, _ length: BodyLength) throws(HTTPServerError) {
        guard !hasBegun, !isUpgraded else { throw .order }
        takeOutput()
        // The client was not asked to send its body, and may not do so: the next bytes are
        // ambiguous.
        if needsContinue { writer?.keepsAlive = false }
        if isStopping { writer?.keepsAlive = false }
        do throws(WritingFault) {
            try writer?.begin(head, body: length, date: room.date, to: &output)
        } catch {
            throw .response(error)
        }
        hasBegun = true
        status = head.status.code
    }

    func append(_ bytes: [UInt8]) throws(HTTPServerError) { try append(bytes.span) }

    private func append(_ bytes: Span<UInt8>) throws(HTTPServerError) {
        guard hasBegun, !hasEnded else { throw .order }
        takeOutput()
        do throws(WritingFault) {
            try writer?.write(bytes, to: &output)
        } catch {
            throw .response(error)
        }
    }

    func write(_ bytes: [UInt8]) async throws(HTTPServerError) {
        try append(bytes)
        try await flush()
    }

    func finishWriter(_ trailers: Fields) throws(HTTPServerError) {
        guard hasBegun, !hasEnded else { throw .order }
        takeOutput()
        do throws(WritingFault) {
            try writer?.end(trailers: trailers, to: &output)
        } catch {
            throw .response(error)
        }
        hasEnded = true
    }

    func end(_ trailers: Fields) async throws(HTTPServerError) {
        try finishWriter(trailers)
        try await flush()
    }

    // MARK: Other protocols

    /// Sends `101 Switching Protocols`; returns the bytes after the request, which are the new
    /// protocol's.
    func upgrade(_ fields: Fields) async throws(HTTPServerError) -> [UInt8] {
        guard !hasBegun, bodyHasEnded else { throw .order }
        takeOutput()
        do throws(WritingFault) {
            try writer?.switchProtocols(fields, to: &output)
        } catch {
            throw .response(error)
        }
        (hasBegun, hasEnded, isUpgraded) = (true, true, true)
        status = 101
        parser.switchProtocols()
        let rest = input?.take() ?? []
        try await flush()
        stream.deadline = .never
        return rest
    }
}
