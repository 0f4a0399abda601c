// Soundness: a connection is used by its loop's thread only.

import WasmSystem
import WasmdEventLoop
import WasmdHTTP

// Requests as they arrive, and the buffers.

extension Connection {
    /// Waits for the next request whose head is complete, and answers those that have a fixed
    /// answer; nil when the connection ends.
    func nextHead() async throws(HTTPServerError) -> RequestHead? {
        while true {
            if let head = try nextBufferedHead() {
                if let fixed = room.server.fixed?(head), head.framing == .none {
                    if answer(head, fixed), output.count < 1 << 16 { continue }
                    if !answerKeepsAlive { return nil }
                    try await flush()
                    continue
                }
                // A handler may take long.
                try await flush()
                return head
            }
            if !sendLater() { try await flush() }
            if isStopping, parser.isIdle { return nil }
            guard try await fillForHead() else { return nil }
        }
    }

    /// A head that is complete in the bytes read so far.
    func nextBufferedHead() throws(HTTPServerError) -> RequestHead? {
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
    func parse() throws(HTTPServerError) -> RequestEvent? {
        guard let bytes = input?.bytes, let range = input?.range else {
            return try parse([], 0..<0)
        }
        return try parse(bytes, range)
    }

    func parse(
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

    func consume(to position: Int) { input?.consume(to: position) }

    /// Reads bytes of a head; false when the connection ends.
    func fillForHead() async throws(HTTPServerError) -> Bool {
        let (isIdle, times) = (parser.isIdle, room.server.times)
        if !isIdle, headEnd == .never {
            headEnd = loop.turnTime.advanced(byNanoseconds: times.head)
        }
        let deadline =
            isIdle
            ? loop.turnTime.advanced(byNanoseconds: isFirst ? times.head : times.idle) : headEnd
        isWaitingForRequest = isIdle
        defer { isWaitingForRequest = false }
        do throws(LoopError) {
            let count = try await read(until: deadline, isOwnTask: true)
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
    ///
    /// - Parameter isOwnTask: whether this is the connection's task and no handler runs: it is woken
    ///   when it is cancelled, and sends what the end of a turn could not.
    func read(
        until deadline: LoopInstant, isOwnTask: Bool = false
    ) async throws(LoopError) -> Int {
        var isSet = false
        while true {
            if isOwnTask, isBlocked {
                try await send()
                if isStopping, parser.isIdle { throw .closed }
            }
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
            if isOwnTask {
                try await stream.readableOrWoken()
                if Task.isCancelled { throw .cancelled }
            } else {
                try await stream.readable()
            }
        }
    }

    func releaseBuffers() {
        if let buffer = input.take() { loop.giveBack(buffer) }
        giveOutputBack()
    }
}
