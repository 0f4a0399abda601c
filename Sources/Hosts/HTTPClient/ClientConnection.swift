// Soundness: a connection is used by its loop's thread only; the stream checks this.

import WasmdEventLoop
import WasmdHTTP

/// A connection to a server: one request after the other.
final class ClientConnection: @unchecked Sendable {
    let stream: ByteStream
    let key: HTTPClient.Key
    private var parser: ResponseParser
    private var input: InputBuffer?
    private var writer = RequestWriter()
    private var output: [UInt8] = []
    private var isWriting = false
    private var writingTask: LoopTask<Void>?
    private var options: HTTPClientOptions
    private var end = LoopInstant.never
    /// Whether it may carry another request.
    private(set) var isReusable = true
    private(set) var uses = 0
    var idleSince = LoopInstant.never
    /// Whether some bytes of the response to the current request have arrived.
    private(set) var hasAnswered = false
    private(set) var trailers = Fields()
    /// The process that speaks TLS; the stream keeps it.
    private weak var session: TLSSession?
    private let isSecure: Bool

    init(
        _ stream: ByteStream, _ session: TLSSession?, _ key: HTTPClient.Key,
        _ options: HTTPClientOptions
    ) {
        self.stream = stream
        self.session = session
        isSecure = session != nil
        self.key = key
        self.options = options
        parser = ResponseParser(limits: options.limits)
    }

    func close() {
        isReusable = false
        stream.close()
        if let buffer = input.take() { stream.loop.giveBack(buffer) }
        writingTask?.cancel()
        writingTask = nil
    }

    /// Whether a connection without a request can take one: the server has neither closed it nor
    /// sent anything.
    var isFresh: Bool {
        guard isReusable, stream.isOpen, !stream.hasEnd else { return false }
        var buffer = InputBuffer(capacity: 1)
        // A count is the end, or bytes that belong to no request.
        do throws(LoopError) { return try stream.tryRead(into: &buffer) == nil } catch {
            return false
        }
    }

    // MARK: The request

    /// Sends a request. A body that the kernel does not take at once is sent while the client waits
    /// for the response.
    func send(_ head: RequestHead, _ body: ClientRequest.Body, until end: LoopInstant)
        async throws(HTTPClientError)
    {
        uses += 1
        self.end = end
        hasAnswered = false
        trailers = Fields()
        writer = RequestWriter()
        output.removeAll(keepingCapacity: true)
        parser.expect(head.method)
        do throws(WritingFault) {
            switch body {
            case .none:
                try writer.begin(head, body: .none, to: &output)
                try writer.end(to: &output)
            case .bytes(let bytes):
                try writer.begin(head, body: .bytes(UInt64(bytes.count)), to: &output)
                try writer.write(bytes.span, to: &output)
                try writer.end(to: &output)
            case .stream(let length, _): try writer.begin(head, body: length, to: &output)
            }
        } catch {
            close()
            throw .request(error)
        }
        setDeadline(options.transferTimeout)
        isWriting = true
        do throws(LoopError) {
            let count = try stream.tryWrite(output)
            if count == output.count, case .stream = body {
            } else if count == output.count {
                finishedWriting()
                return
            }
            output.removeFirst(count)
        } catch {
            close()
            throw HTTPClientError(error, .sending)
        }
        writingTask = stream.loop.spawn { [self] in await writeRest(body) }
    }

    private func finishedWriting() {
        isWriting = false
        output = []
        setDeadline(options.responseTimeout)
    }

    private func setDeadline(_ timeout: Duration) {
        stream.deadline = min(.after(timeout), end)
    }

    private func writeRest(_ body: ClientRequest.Body) async {
        do {
            try await flush()
            if case .stream(_, let write) = body {
                try await write(ClientBody(connection: self))
                try writer.end(to: &output)
                try await flush()
            }
            finishedWriting()
        } catch {
            // The server may have answered before it has read everything: reading shows this.
            isWriting = false
            isReusable = false
            output = []
            if !(error is HTTPClientError) {
                // The closure has failed, and the server waits for bytes that will not be sent.
                stream.close()
            }
        }
    }

    func writeBody(_ bytes: [UInt8]) async throws(HTTPClientError) {
        do throws(WritingFault) {
            try writer.write(bytes.span, to: &output)
        } catch {
            throw .request(error)
        }
        try await flush()
    }

    private func flush() async throws(HTTPClientError) {
        var position = 0
        do throws(LoopError) {
            while position < output.count {
                let count = try stream.tryWrite(output, from: position)
                position += count
                setDeadline(options.transferTimeout)
                if position < output.count { try await stream.writable() }
            }
        } catch {
            throw HTTPClientError(error, .sending)
        }
        output.removeAll(keepingCapacity: true)
    }

    // MARK: The response

    /// Waits for the head of the final response. Interim ones are dropped.
    func head() async throws(HTTPClientError) -> ResponseHead {
        while true {
            switch try parse()?.event {
            case .head(let head):
                if !head.keepsAlive { isReusable = false }
                if head.status == .switchingProtocols { isReusable = false }
                return head
            case .interim, .body, .end: continue
            case nil: break
            }
            guard try await read(isWriting ? .sending : .waiting) > 0 else {
                close()
                throw .disconnected
            }
            hasAnswered = true
        }
    }

    /// The next bytes of the body; nil at its end.
    func nextPiece() async throws(HTTPClientError) -> [UInt8]? {
        while true {
            switch try parse() {
            case (.body, let bytes)?: return bytes
            case (.end(let trailers), _)?:
                self.trailers = trailers
                return nil
            case _?: continue
            case nil: break
            }
            if !isWriting { setDeadline(options.transferTimeout) }
            guard try await read(.receiving) > 0 else {
                isReusable = false
                do throws(ResponseFault) {
                    let event = try parser.finish()
                    // Its length is known only by the end: RFC 9112 9.8.
                    if case .end = event, await isClean() { return nil }
                    if case .end = event { close() }
                } catch {
                    close()
                    throw error == .truncated ? .disconnected : .response(error)
                }
                throw .disconnected
            }
        }
    }

    private func isClean() async -> Bool {
        guard isSecure else { return true }
        return await session?.hasEndedCleanly() ?? false
    }

    private func parse() throws(HTTPClientError) -> (event: ResponseEvent, bytes: [UInt8])? {
        let bytes = input?.bytes ?? []
        let range = input?.range ?? 0..<0
        var position = range.lowerBound
        do throws(ResponseFault) {
            let event = try parser.next(
                bytes.span.extracting(first: range.upperBound), at: &position)
            defer { input?.consume(to: position) }
            guard let event else { return nil }
            if case .body(let piece) = event { return (event, Array(bytes[piece])) }
            return (event, [])
        } catch {
            close()
            throw .response(error)
        }
    }

    private func read(_ phase: HTTPClientError.Phase) async throws(HTTPClientError) -> Int {
        do throws(LoopError) {
            while true {
                var buffer = input.take() ?? stream.loop.takeBuffer()
                let count: Int?
                do throws(LoopError) {
                    count = try stream.tryRead(into: &buffer)
                } catch {
                    stream.loop.giveBack(buffer)
                    throw error
                }
                if let count, count > 0 {
                    let isFull = buffer.end == buffer.capacity
                    input = consume buffer
                    await stream.loop.yieldIfSpent(atOnce: isFull)
                    return count
                }
                if buffer.isEmpty {
                    stream.loop.giveBack(buffer)
                } else {
                    input = consume buffer
                }
                if count != nil { return 0 }
                try await stream.readable()
            }
        } catch {
            close()
            throw HTTPClientError(error, phase)
        }
    }

    /// The response is complete; whether the connection can be used again.
    func finish() -> Bool {
        let isClean = (input?.isEmpty ?? true) && !isWriting && parser.pending == 0
        if let buffer = input.take() { stream.loop.giveBack(buffer) }
        writingTask = nil
        if isReusable, isClean, stream.isOpen {
            stream.deadline = .never
            return true
        }
        close()
        return false
    }
}
