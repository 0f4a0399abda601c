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
    var input: InputBuffer?
    var output: [UInt8] = []
    /// Where in `output` the bytes of the current request's response begin.
    var ownStart = 0
    /// Whether the end of the turn sends the output.
    var isSentLater = false
    /// Whether the kernel did not take all of the output at the end of a turn: the task sends the rest.
    var isBlocked = false
    /// Whether the task sends the output.
    var isFlushing = false
    /// Unsent bytes that the kernel takes; 0 before that is set.
    var unsentLimit: Int32 = 0
    var allowance: Allowance
    /// When the head that is being read must be complete.
    var headEnd = LoopInstant.never
    var isFirst = true
    var isWaitingForRequest = false
    var isStopping = false

    // State of the request that is being answered.

    var number: UInt64 = 0
    var isAnswering = false
    var writer: ResponseWriter?
    var hasBegun = false
    var hasEnded = false
    var bodyHasEnded = true
    var needsContinue = false
    var trailers = Fields()
    var fault: HTTPServerError?
    var status: UInt16 = 0
    /// Bytes of the response that were sent.
    var sent: UInt64 = 0
    /// When the handler was called.
    var handlerStart = LoopInstant(nanoseconds: 0)
    /// What the handler says of the request, for logs.
    var mark: (high: UInt64, low: UInt64) = (0, 0)
    /// Whether the connection was given to another protocol.
    var isUpgraded = false
    var knownPeer: SystemAddress??

    init(_ stream: ByteStream, _ room: ServerLoop) {
        self.stream = stream
        self.room = room
        loop = room.loop
        let options = room.server.options
        parser = RequestParser(limits: options.limits)
        allowance = Allowance(room.server.times.transfer, minimumRate: options.minimumRate)
    }

    var peer: SystemAddress? {
        if let knownPeer { return knownPeer }
        let peer = stream.peerAddress
        knownPeer = peer
        return peer
    }

    // MARK: Serving

    func run() async {
        // Released when the stream is closed, below.
        try? stream.onEnd { [self] in clientEnded() }
        // Once, and not for each wait.
        await withTaskCancellationHandler {
            await serveAll()
        } onCancel: {
            loop.onLoop { self.stream.wakeReader() }
        }
        if stream.isOpen { await Self.linger(stream) }
        stream.close()
    }

    private func serveAll() async {
        do throws(HTTPServerError) {
            while let head = try await nextHead() {
                try await serve(head)
                if isUpgraded || writer?.keepsAlive != true { break }
            }
            if !isUpgraded { try await flush() }
        } catch {
            await refuse(error)
        }
        // For a task that was cancelled, what can be sent without waiting.
        sendNow()
        releaseBuffers()
    }

    /// Called when the server stops: a connection that waits for a request ends now.
    func stop() {
        isStopping = true
        guard isWaitingForRequest else { return }
        sendNow()
        // Otherwise the task sends the rest, and closes.
        if output.isEmpty { stream.close() }
    }
}
