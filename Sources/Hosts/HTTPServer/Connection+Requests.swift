// Soundness: a connection is used by its loop's thread only.

import WasmSystem
import WasmdEventLoop
import WasmdHTTP

// One request, from its head to the end of its response, and what is refused.

extension Connection {
    var answerKeepsAlive: Bool { writer?.keepsAlive ?? true }

    /// Appends a fixed answer; false if it ends the connection, or the output should be sent.
    func answer(_ head: RequestHead, _ fixed: FixedAnswer) -> Bool {
        isFirst = false
        headEnd = .never
        takeOutput()
        let start = output.count
        var keepsAlive = true
        if isStopping || !fixed.write(for: head, date: room.date, to: &output) {
            var writer = ResponseWriter(request: head)
            if isStopping { writer.keepsAlive = false }
            // The fields were checked when the answer was made.
            try? writer.write(fixed.head, body: fixed.body, date: room.date, to: &output)
            keepsAlive = writer.keepsAlive
            self.writer = writer
        } else {
            writer = nil
        }
        if let log = options.log {
            log(
                AccessRecord(
                    peer: peer, request: head, status: fixed.head.status.code,
                    byteCount: UInt64(output.count - start), duration: .zero, error: nil))
        }
        return keepsAlive
    }

    func serve(_ head: RequestHead) async throws(HTTPServerError) {
        begin(head)
        handlerStart = .now
        room.sendOverdue(at: handlerStart)
        var thrown: (any Error)?
        // It may have ended before this request was read.
        if stream.hasEnd { loop.later { [self] in clientEnded() } }
        do {
            try await room.server.handler(
                ServerRequest(head: head, connection: self, number: number),
                ServerResponse(connection: self, number: number))
        } catch {
            thrown = error
        }
        let failure = await finish(thrown)
        isAnswering = false
        // A connection that waits keeps nothing of its last request.
        trailers = Fields()
        if let log = options.log {
            log(
                AccessRecord(
                    peer: peer, request: head, status: status, byteCount: byteCount,
                    duration: LoopInstant.now.since(handlerStart), error: thrown ?? failure))
        }
        if let failure { throw failure }
    }

    func begin(_ head: RequestHead) {
        number &+= 1
        isFirst = false
        headEnd = .never
        isAnswering = true
        writer = ResponseWriter(request: head)
        if isStopping { writer?.keepsAlive = false }
        (hasBegun, hasEnded) = (false, false)
        trailers = Fields()
        fault = nil
        (status, sent, ownStart) = (0, 0, output.count)
        mark = (0, 0)
        // The address cannot be read after the client has disconnected.
        if options.log != nil { _ = peer }
        needsContinue = head.expectsContinue
        bodyHasEnded = false
        allowance = Allowance(room.server.times.transfer, minimumRate: options.minimumRate)
        // A request without a body ends here: the next call of the parser is for the next request.
        if head.framing == .none {
            _ = try? parse()
            bodyHasEnded = true
        }
    }

    /// Cancels the handler's task when the client disconnects, or does not come back in time after it
    /// has stopped sending.
    func clientEnded() {
        guard isAnswering else { return }
        if stream.isGone {
            task?.cancel()
            return
        }
        let (number, timeout) = (number, options.abandonedTimeout)
        loop.spawn { [weak self, loop] in
            guard (try? await loop.sleep(for: timeout)) != nil else { return }
            guard let self, isAnswering, self.number == number, !isUpgraded else { return }
            task?.cancel()
        }
    }

    /// Completes the response after the handler has returned, or thrown. Returns why the connection
    /// must end, if it must.
    func finish(_ thrown: (any Error)?) async -> HTTPServerError? {
        if isUpgraded { return nil }
        if hasEnded {
            return await drain()
        }
        if hasBegun {
            // The client has only a part of the response, which must not look complete.
            stream.close()
            return .disconnected
        }
        if let error = thrown as? HTTPServerError, error == .disconnected { return error }
        // A client that has disconnected needs no answer; one whose request the server cancels
        // does.
        if Task.isCancelled, !isStopping { return .disconnected }
        let status =
            Task.isCancelled
            ? .serviceUnavailable
            : (thrown as? HTTPServerError)?.status ?? fault?.status ?? .internalServerError
        if fault != nil { writer?.keepsAlive = false }
        do throws(HTTPServerError) {
            try await respond(Self.plain(status), Self.text(status))
        } catch {
            return error
        }
        return await drain()
    }

    static func plain(_ status: Status) -> ResponseHead {
        var head = ResponseHead(status)
        try? head.fields.append("Content-Type", "text/plain; charset=utf-8")
        return head
    }

    static func text(_ status: Status) -> [UInt8] {
        Array("\(status.code) \(status.reason)\n".utf8)
    }

    /// Reads the bytes of the body that the handler has not read, if they are few.
    func drain() async -> HTTPServerError? {
        guard writer?.keepsAlive == true, !bodyHasEnded else { return nil }
        var rest = options.drainLimit
        do throws(HTTPServerError) {
            while rest > 0, let piece = try await nextPiece() { rest -= piece.count }
        } catch {
            // The response has been sent, so this error cannot be reported.
            return .disconnected
        }
        if !bodyHasEnded { writer?.keepsAlive = false }
        return nil
    }

    /// Answers a request that is malformed, or arrived too slowly.
    func refuse(_ error: HTTPServerError) async {
        let status: Status
        var text: String
        switch error {
        case .request(let fault): (status, text) = (fault.status, fault.reason)
        case .timedOut where !hasBegun || hasEnded:
            // Only a request that has begun to arrive can be late.
            (status, text) = (.requestTimeout, "the request came too slowly")
        default: return
        }
        guard stream.isOpen, !isAnswering else { return }
        text += "\n"
        takeOutput()
        let start = output.count
        var writer = ResponseWriter()
        try? writer.write(Self.plain(status), body: Array(text.utf8), date: room.date, to: &output)
        let byteCount = UInt64(output.count - start)
        try? await flush()
        options.log?(
            AccessRecord(
                peer: peer, request: nil, status: status.code, byteCount: byteCount,
                duration: .zero, error: error))
    }

    /// Closes so that the client can read everything that was sent: bytes that arrive after a close
    /// make the kernel reset the connection, and the client would lose the response.
    static func linger(_ stream: ByteStream) async {
        guard (try? stream.finishWriting()) != nil else { return }
        stream.deadline = .after(.seconds(1))
        var rest = 1 << 20
        var buffer = stream.loop.takeBuffer()
        while rest > 0, let count = try? await stream.read(into: &buffer), count > 0 {
            rest -= count
            buffer.consume(to: buffer.end)
        }
        stream.loop.giveBack(buffer)
        stream.close()
    }
}
