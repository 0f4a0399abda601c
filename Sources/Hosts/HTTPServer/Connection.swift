// Soundness: a connection is used by its loop's thread only.

import WasmSystem
import WasmdEventLoop
import WasmdHTTP

/// A connection of a client: requests are answered one after the other, in order.
///
/// While it waits for a request it holds its socket and this object, no buffer.
final class Connection: @unchecked Sendable {
    let stream: ByteStream
    let loop: EventLoop
    let room: ServerLoop
    var options: HTTPServerOptions { room.server.options }
    var task: LoopTask<Void>?

    var parser: RequestParser
    private var input: InputBuffer?
    var output: [UInt8] = []
    private var allowance: Allowance
    /// When the head that is being read must be complete.
    private var headEnd = LoopInstant.never
    private var isFirst = true
    private var isWaitingForRequest = false
    private var isStopping = false

    // State of the request that is being answered.

    private(set) var number: UInt64 = 0
    private var isAnswering = false
    private var writer: ResponseWriter?
    private(set) var hasBegun = false
    private var hasEnded = false
    private var bodyHasEnded = true
    private var needsContinue = false
    private(set) var trailers = Fields()
    private var fault: HTTPServerError?
    private var status: UInt16 = 0
    private var sent: UInt64 = 0
    /// Whether the connection was given to another protocol.
    private var isUpgraded = false
    private var knownPeer: SystemAddress??

    init(_ stream: ByteStream, _ room: ServerLoop) {
        self.stream = stream
        self.room = room
        loop = room.loop
        let options = room.server.options
        parser = RequestParser(limits: options.limits)
        allowance = Allowance(options.transferTimeout, minimumRate: options.minimumRate)
    }

    var peer: SystemAddress? {
        if let knownPeer { return knownPeer }
        let peer = stream.peerAddress
        knownPeer = peer
        return peer
    }

    // MARK: Serving

    func run() async {
        do throws(HTTPServerError) {
            while let head = try await nextHead() {
                try await serve(head)
                if isUpgraded || writer?.keepsAlive != true { break }
            }
            if !isUpgraded { try await flush() }
        } catch {
            await refuse(error)
        }
        releaseBuffers()
        if stream.isOpen { await Self.linger(stream) }
        stream.close()
    }

    /// Called when the server stops: a connection that waits for a request ends now.
    func stop() {
        isStopping = true
        if isWaitingForRequest { stream.close() }
    }

    /// Waits for the next request whose head is complete, and answers those that have a fixed
    /// answer; nil when the connection ends.
    private func nextHead() async throws(HTTPServerError) -> RequestHead? {
        while true {
            if let head = try nextBufferedHead() {
                if let fixed = room.server.fixed?(head), head.framing == .none {
                    if answer(head, fixed), output.count < 1 << 16 { continue }
                    if !answerKeepsAlive { return nil }
                    try await flush()
                    continue
                }
                return head
            }
            try await flush()
            if isStopping, parser.isIdle { return nil }
            guard try await fillForHead() else { return nil }
        }
    }

    /// A head that is complete in the bytes read so far.
    private func nextBufferedHead() throws(HTTPServerError) -> RequestHead? {
        while input != nil {
            guard let event = try parse() else { return nil }
            switch event {
            case .head(let head): return head
            case .body, .end: continue
            }
        }
        return nil
    }

    /// The next event of the bytes read so far.
    private func parse() throws(HTTPServerError) -> RequestEvent? {
        guard let bytes = input?.bytes, let range = input?.range else {
            return try parse([], 0..<0)
        }
        return try parse(bytes, range)
    }

    private func parse(
        _ bytes: [UInt8], _ range: Range<Int>
    ) throws(HTTPServerError) -> RequestEvent? {
        var position = range.lowerBound
        let event: RequestEvent?
        do throws(RequestFault) {
            event = try parser.next(bytes.span.extracting(first: range.upperBound), at: &position)
        } catch {
            throw .request(error)
        }
        if case .body = event {} else { consume(to: position) }
        return event
    }

    private func consume(to position: Int) { input?.consume(to: position) }

    /// Reads bytes of a head; false when the connection ends.
    private func fillForHead() async throws(HTTPServerError) -> Bool {
        if !parser.isIdle, headEnd == .never { headEnd = loop.turnTime + options.headTimeout }
        let deadline =
            if parser.isIdle {
                loop.turnTime + (isFirst ? options.headTimeout : options.idleTimeout)
            } else {
                headEnd
            }
        isWaitingForRequest = parser.isIdle
        defer { isWaitingForRequest = false }
        do throws(LoopError) {
            let count = try await read(until: deadline)
            if count > 0 { return true }
        } catch {
            // Idle for too long, or the server stops: no client waits for an answer.
            if parser.isIdle, error == .timedOut || error == .closed { return false }
            throw HTTPServerError(error)
        }
        do throws(RequestFault) {
            try parser.finish()
        } catch {
            throw .request(error)
        }
        return false
    }

    /// Reads available bytes; waits without a buffer if there are none. 0 at the end.
    private func read(until deadline: LoopInstant) async throws(LoopError) -> Int {
        var isSet = false
        while true {
            var buffer = input.take() ?? loop.takeBuffer()
            let count: Int?
            do throws(LoopError) {
                count = try stream.tryRead(into: &buffer)
            } catch {
                loop.giveBack(buffer)
                throw error
            }
            if let count, count > 0 {
                let isFull = buffer.end == buffer.capacity
                input = consume buffer
                await loop.yieldIfSpent(atOnce: isFull)
                return count
            }
            if buffer.isEmpty { loop.giveBack(buffer) } else { input = consume buffer }
            if count != nil { return 0 }
            if !isSet { stream.deadline = deadline }
            isSet = true
            try await stream.readable()
        }
    }

    private func releaseBuffers() {
        if let buffer = input.take() { loop.giveBack(buffer) }
        giveOutputBack()
    }

    private func giveOutputBack() {
        guard output.capacity > 0 else { return }
        var old: [UInt8] = []
        swap(&old, &output)
        room.giveBack(old)
    }

    private func takeOutput() { if output.capacity == 0 { output = room.takeOutput() } }

    // MARK: Requests

    private var answerKeepsAlive: Bool { writer?.keepsAlive ?? true }

    /// Appends a fixed answer; false if it ends the connection, or the output should be sent.
    private func answer(_ head: RequestHead, _ fixed: FixedAnswer) -> Bool {
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

    private func serve(_ head: RequestHead) async throws(HTTPServerError) {
        begin(head)
        let start = LoopInstant.now
        var thrown: (any Error)?
        watchClient()
        do {
            try await room.server.handler(
                ServerRequest(head: head, connection: self, number: number),
                ServerResponse(connection: self, number: number))
        } catch {
            thrown = error
        }
        try? stream.onEnd(nil)
        let failure = await finish(thrown)
        isAnswering = false
        // A connection that waits keeps nothing of its last request.
        trailers = Fields()
        if let log = options.log {
            log(
                AccessRecord(
                    peer: peer, request: head, status: status, byteCount: sent,
                    duration: LoopInstant.now.since(start), error: thrown ?? failure))
        }
        if let failure { throw failure }
    }

    private func begin(_ head: RequestHead) {
        number &+= 1
        isFirst = false
        headEnd = .never
        isAnswering = true
        writer = ResponseWriter(request: head)
        if isStopping { writer?.keepsAlive = false }
        (hasBegun, hasEnded) = (false, false)
        trailers = Fields()
        fault = nil
        (status, sent) = (0, 0)
        // The address cannot be read after the client has disconnected.
        if options.log != nil { _ = peer }
        needsContinue = head.expectsContinue
        bodyHasEnded = false
        allowance = Allowance(options.transferTimeout, minimumRate: options.minimumRate)
        // A request without a body ends here: the next call of the parser is for the next request.
        if head.framing == .none {
            _ = try? parse()
            bodyHasEnded = true
        }
    }

    /// Cancels the handler's task when the client disconnects.
    private func watchClient() {
        let (number, timeout) = (number, options.abandonedTimeout)
        try? stream.onEnd { [weak self] in
            guard let self else { return }
            if stream.isGone {
                task?.cancel()
                return
            }
            loop.spawn { [weak self, loop] in
                guard (try? await loop.sleep(for: timeout)) != nil else { return }
                guard let self, isAnswering, self.number == number, !isUpgraded else { return }
                task?.cancel()
            }
        }
    }

    /// Completes the response after the handler has returned, or thrown. Returns why the connection
    /// must end, if it must.
    private func finish(_ thrown: (any Error)?) async -> HTTPServerError? {
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

    private static func text(_ status: Status) -> [UInt8] {
        Array("\(status.code) \(status.reason)\n".utf8)
    }

    /// Reads the bytes of the body that the handler has not read, if they are few.
    private func drain() async -> HTTPServerError? {
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
    private func refuse(_ error: HTTPServerError) async {
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

    // MARK: For the handler

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

    private func remember(_ error: HTTPServerError) -> HTTPServerError {
        if fault == nil { fault = error }
        return error
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
    private func pieceOrEnd() async throws(HTTPServerError) -> [UInt8]? {
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
        try append(body)
        try finishWriter(Fields())
        try await flush()
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

    private func append(_ bytes: [UInt8]) throws(HTTPServerError) {
        guard hasBegun, !hasEnded else { throw .order }
        takeOutput()
        do throws(WritingFault) {
            try writer?.write(bytes.span, to: &output)
        } catch {
            throw .response(error)
        }
    }

    func write(_ bytes: [UInt8]) async throws(HTTPServerError) {
        try append(bytes)
        try await flush()
    }

    private func finishWriter(_ trailers: Fields) throws(HTTPServerError) {
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

    /// Sends the bytes that were written.
    func flush() async throws(HTTPServerError) {
        guard !output.isEmpty else { return }
        sent &+= UInt64(output.count)
        var position = 0
        do throws(LoopError) {
            position = try stream.tryWrite(output)
            while position < output.count {
                let start = loop.turnTime
                stream.writeDeadline = allowance.deadline(start)
                try await stream.writable()
                let count = try stream.tryWrite(output, from: position)
                allowance.spend(from: start, to: loop.turnTime, byteCount: count)
                position += count
            }
        } catch {
            output = []
            throw HTTPServerError(error)
        }
        giveOutputBack()
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
