// Soundness: a connection is used by its loop's thread only.

import WasmSystem
import WasmdEventLoop
import WasmdHTTP

// How responses leave: small ones at the end of the turn in which they were made, all of a loop's
// connections one after the other. A client that gets one wakes up, and is still awake for the next:
// waking it for each would take the kernel several times as long as sending.

extension Connection {
    /// A longer output is sent at once.
    private static let smallSize = 16 << 10

    /// Unsent bytes that the kernel takes of a connection, and of one with events, whose client
    /// should not be told of what is long over.
    private static let unsentLimit: Int32 = 128 << 10
    static let unsentEventLimit: Int32 = 16 << 10

    /// Bytes of the current request's response so far.
    var byteCount: UInt64 { sent &+ UInt64(max(output.count &- ownStart, 0)) }

    /// Leaves the output to the end of the turn; false if it must be sent by the task.
    func sendLater() -> Bool {
        guard !isBlocked, output.count < Self.smallSize else { return false }
        if !isSentLater, !output.isEmpty {
            isSentLater = true
            room.sendLater(self)
        }
        return true
    }

    /// Sends what the kernel takes without waiting. The task sends the rest when it waits for a
    /// request or has called the handler.
    func sendNow() {
        isSentLater = false
        guard !isFlushing, !output.isEmpty else { return }
        let count = (try? stream.tryWrite(output)) ?? 0
        if count == output.count { return finishOutput() }
        sent &+= UInt64(max(count &- ownStart, 0))
        ownStart = max(ownStart &- count, 0)
        output.removeFirst(count)
        isBlocked = true
        stream.wakeReader()
    }

    /// Sends the bytes that were written.
    func flush() async throws(HTTPServerError) {
        guard !output.isEmpty else { return }
        do throws(LoopError) {
            try await send()
        } catch {
            throw HTTPServerError(error)
        }
    }

    /// Lets the kernel keep few unsent bytes, once for a connection.
    ///
    /// Otherwise it takes megabytes, and calls the socket writable when a third of them is free
    /// again: a client that reads 80 KB a second would seem to read nothing for half a minute.
    func limitUnsent(_ byteCount: Int32 = unsentLimit) {
        guard unsentLimit != byteCount else { return }
        unsentLimit = byteCount
        try? Kernel.setUnsentLimit(stream.descriptor, byteCount)
    }

    func send() async throws(LoopError) {
        if unsentLimit == 0, sent &+ UInt64(output.count) >= Self.smallSize { limitUnsent() }
        isFlushing = true
        defer { (isFlushing, isBlocked) = (false, false) }
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
            throw error
        }
        finishOutput()
    }

    private func finishOutput() {
        sent = byteCount
        ownStart = 0
        giveOutputBack()
    }

    func giveOutputBack() {
        guard output.capacity > 0 else { return }
        var old: [UInt8] = []
        swap(&old, &output)
        room.giveBack(old)
    }

    func takeOutput() { if output.capacity == 0 { output = room.takeOutput() } }
}
