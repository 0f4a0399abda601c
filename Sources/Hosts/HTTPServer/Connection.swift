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
    var sent: UInt64 = 0
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
}
