// Soundness: a `ServerLoop` is used by its loop's thread only.

import WasmSystem
import WasmdEventLoop
import WasmdHTTP

/// A stream that waits for its turn; resumed once, by the one before it.
@safe private struct StreamTurn {
    let continuation: UnsafeContinuation<Void, Never>

    func resume() { unsafe continuation.resume() }
}

/// The state that the connections of one loop share.
final class ServerLoop: @unchecked Sendable {
    let loop: EventLoop
    let server: HTTPServer
    var listeners: [Listener] = []
    /// Responses of events that follow something.
    var streams = 0
    /// Streams that wait for their turn, from `nextTurn` on.
    private var turns: [StreamTurn] = []
    private var nextTurn = 0
    private var isTurnTaken = false
    private(set) var connections: [ObjectIdentifier: Connection] = [:]
    private var line = DateLine(HTTPDate(seconds: 0))
    private var nextSecond = LoopInstant(nanoseconds: 0)
    private var outputs: [[UInt8]] = []
    /// Connections with responses that are sent at the end of the turn.
    private var unsent: [Connection] = []
    /// When the handler of the first of them was called.
    private var unsentStart = LoopInstant(nanoseconds: 0)
    /// Nanoseconds, the longest time from the call of a handler to the sending of its response, if other handlers
    /// are called meanwhile.
    private static let longestDelay: UInt64 = 200_000
    /// Whether the end of this turn sends.
    private var sendsAtEnd = false

    init(_ loop: EventLoop, _ server: HTTPServer) {
        self.loop = loop
        self.server = server
    }

    /// The line of the date, made once per second.
    var date: DateLine {
        let now = loop.turnTime
        if now >= nextSecond {
            let time = SystemClock.realtime.now
            let (seconds, rest) = time.quotientAndRemainder(dividingBy: 1_000_000_000)
            line.update(HTTPDate(seconds: Int64(clamping: seconds)))
            nextSecond = now + .nanoseconds(Int64(clamping: 1_000_000_000 - rest))
        }
        return line
    }

    // MARK: Buffers for responses, which connections that wait do not need

    func takeOutput() -> [UInt8] { outputs.popLast() ?? [] }

    func giveBack(_ output: consuming [UInt8]) {
        guard output.capacity <= 1 << 17, outputs.count < 64 else { return }
        output.removeAll(keepingCapacity: true)
        outputs.append(output)
    }

    // MARK: Streams

    /// Lets the others of the loop run. One stream at a time is among those that wait in the loop,
    /// so that a guest that computes is delayed by one stream, and not by all of them.
    func yieldStream() async {
        if isTurnTaken {
            await unsafe withUnsafeContinuation {
                unsafe turns.append(StreamTurn(continuation: $0))
            }
        }
        isTurnTaken = true
        await loop.yieldToOthers()
        guard nextTurn < turns.count else {
            isTurnTaken = false
            return
        }
        // The turn is passed on.
        let next = turns[nextTurn]
        nextTurn += 1
        if nextTurn == turns.count {
            turns.removeAll(keepingCapacity: true)
            nextTurn = 0
        } else if nextTurn >= 1024 {
            turns.removeFirst(nextTurn)
            nextTurn = 0
        }
        next.resume()
    }

    // MARK: Sending

    /// Sends a connection's output when the tasks that can run now have run.
    func sendLater(_ connection: Connection) {
        if unsent.isEmpty { unsentStart = connection.handlerStart }
        if !sendsAtEnd {
            sendsAtEnd = true
            loop.atEndOfTurn { [self] in
                sendsAtEnd = false
                sendAll()
            }
        }
        unsent.append(connection)
    }

    /// Sends all output if the first of it is old.
    func sendOverdue(at time: LoopInstant) {
        guard !unsent.isEmpty else { return }
        if time.nanoseconds &- unsentStart.nanoseconds > Self.longestDelay { sendAll() }
    }

    private func sendAll() {
        for connection in unsent { connection.sendNow() }
        unsent.removeAll(keepingCapacity: true)
    }

    // MARK: Connections

    func accept(_ listener: Listener) async {
        while true {
            let stream: ByteStream
            do throws(LoopError) {
                stream = try await listener.accept()
            } catch {
                return
            }
            if let admits = server.options.admits {
                guard let peer = try? Kernel.peerCredentials(stream.descriptor), admits(peer) else {
                    stream.close()
                    continue
                }
            }
            if server.begin() {
                let connection = Connection(stream, self)
                connections[ObjectIdentifier(connection)] = connection
                // The others were told before this one was there.
                if server.isStopping { connection.stop() }
                connection.task = loop.spawn { [self] in
                    await connection.run()
                    connections[ObjectIdentifier(connection)] = nil
                    server.end()
                }
            } else {
                loop.spawn { [self] in await refuse(stream) }
            }
        }
    }

    /// Refuses a client because there are too many.
    private func refuse(_ stream: ByteStream) async {
        var output: [UInt8] = []
        var writer = ResponseWriter()
        let limit = server.options.connectionLimit
        let text = Array("there are \(limit) connections, the limit\n".utf8)
        var head = Connection.plain(.serviceUnavailable)
        try? head.fields.append("Retry-After", "1")
        try? writer.write(head, body: text, date: date, to: &output)
        _ = try? stream.tryWrite(output)
        await Connection.linger(stream)
    }

    /// Closes the listeners, and the connections that wait for a request; others close after
    /// theirs.
    func stop() {
        for listener in listeners { listener.close() }
        listeners = []
        for connection in connections.values { connection.stop() }
    }

    func cancelAll() {
        for connection in connections.values { connection.task?.cancel() }
    }
}
