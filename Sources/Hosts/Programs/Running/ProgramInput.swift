// Soundness: the buffer of `read` is valid for the length of the call, and gets at most its count of
// bytes.

import Synchronization
import WasmInterpreter
import WasmWASI
import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPServer

/// The body of a request as the standard input of a program.
///
/// A body of up to `collectedSize` bytes is collected before the program starts: a slow sender then
/// holds no instance. A longer one, and one whose client waits for `100 Continue`, is read while the
/// program runs: the client sends when the program reads, and waits when it does not.
enum ProgramInput {
    case bytes([UInt8])
    case stream(BodyStream)

    /// Bytes that are collected before the program starts.
    static let collectedSize = 65_536

    /// - Parameter limit: bytes of the body.
    /// - Throws: `HTTPServerError.request(.bodyTooLarge)` if the announced length is above the
    ///   limit, or more bytes came; errors of the connection.
    init(_ request: ServerRequest, limit: Int) async throws(HTTPServerError) {
        if case .none = request.head.framing {
            self = .bytes([])
            return
        }
        try request.limitBody(to: UInt64(clamping: limit))
        if request.head.expectsContinue {
            self = .stream(BodyStream([]))
            return
        }
        if case .length(let count) = request.head.framing, count > UInt64(Self.collectedSize) {
            self = .stream(BodyStream([]))
            return
        }
        var body = try await request.next() ?? []
        while body.count <= Self.collectedSize {
            guard let piece = try await request.next() else {
                self = .bytes(body)
                return
            }
            body += piece
        }
        self = .stream(BodyStream(body))
    }

    var source: WASI.Input {
        switch self {
        case .bytes(let bytes): .bytes(bytes)
        case .stream(let stream): .stream(stream)
        }
    }

    /// The stream; nil for a body that was collected.
    var stream: BodyStream? {
        if case .stream(let stream) = self { stream } else { nil }
    }

    /// `CONTENT_LENGTH`: what the client announced, or the size of a body that was collected; nil
    /// without a body, and for a longer one in chunks.
    func contentLength(of head: RequestHead) -> UInt64? {
        switch (head.framing, self) {
        case (.length(let count), _): count
        case (.none, _): head.fields.contains("content-length") ? 0 : nil
        case (_, .bytes(let bytes)): UInt64(bytes.count)
        case (_, .stream): nil
        }
    }
}

/// A body that arrives while the program runs.
final class BodyStream: GuestStream {
    private struct State {
        var bytes: [UInt8]
        var start = 0
        /// Whether the program waits for more.
        var isWanted = false
        var hasEnded = false
        var isReading = false
        var fault: HTTPServerError?
        var isStopped = false
    }

    let changes = WakeSource()
    private let state: Mutex<State>
    /// The task that reads; used by the task of the request only.
    private let reader = Mutex<LoopTask<Void>?>(nil)

    /// Bytes at which the client has to wait.
    private static let capacity = 65_536

    init(_ bytes: [UInt8]) { state = Mutex(State(bytes: bytes)) }

    // MARK: The program's side

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
        try state.withLock { (state) throws(Errno) in
            let count = min(buffer.count, state.bytes.count - state.start)
            guard count > 0 else {
                if state.fault != nil { throw .io }
                if state.hasEnded { return 0 }
                state.isWanted = true
                throw .again
            }
            unsafe buffer.copyBytes(from: state.bytes[state.start..<(state.start + count)])
            state.start += count
            if state.start == state.bytes.count {
                state.bytes.removeAll(keepingCapacity: true)
                state.start = 0
            }
            return count
        }
    }

    var readableByteCount: Int? {
        state.withLock { state in
            let count = state.bytes.count - state.start
            if count > 0 || state.hasEnded || state.fault != nil { return count }
            state.isWanted = true
            return nil
        }
    }

    // MARK: The server's side

    /// Called when the program has stopped to wait: reads more of the body if it wants more, in a
    /// task beside, since the program may wait for something else too.
    ///
    /// - Throws: why the body could not be read, which ends the program.
    func refill(from request: ServerRequest) async throws {
        let (fault, begins) = state.withLock { state in
            let begins = state.isWanted && !state.isReading && !state.hasEnded
            if begins { (state.isReading, state.isWanted) = (true, false) }
            return (state.fault, begins)
        }
        if let fault { throw fault }
        guard begins else { return }
        // Sent by this task, which is the one that writes the response.
        try await request.acceptBody()
        let task = request.loop.spawn { [self] in await fill(from: request) }
        reader.withLock { $0 = task }
    }

    /// Why the body could not be read, if it could not.
    var fault: HTTPServerError? { state.withLock { $0.fault } }

    /// Ends reading; to be called before the request's handler returns.
    func stop() async {
        state.withLock { $0.isStopped = true }
        guard let task = reader.withLock({ $0 }) else { return }
        if state.withLock({ $0.isReading }) { task.cancel() }
        await task.value
    }

    private func fill(from request: ServerRequest) async {
        do throws(HTTPServerError) {
            while true {
                let piece = try await request.next()
                let isFull = state.withLock { state in
                    if let piece { state.bytes += piece } else { state.hasEnded = true }
                    return state.bytes.count - state.start >= Self.capacity
                }
                changes.signal()
                if piece == nil || isFull { break }
            }
        } catch {
            state.withLock { state in
                if !state.isStopped { state.fault = error }
            }
        }
        state.withLock { $0.isReading = false }
        changes.signal()
    }
}
