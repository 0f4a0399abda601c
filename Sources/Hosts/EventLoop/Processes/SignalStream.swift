import WasmSystem

/// Signals of the process as values: signalfd(2).
///
/// Block them before the first thread starts (`Signals.block`), else another thread takes them.
public final class SignalStream: Sendable {
    private let channel: Channel

    /// - Parameter numbers: blocked for the running thread here as well.
    public init(_ numbers: [Int32], on loop: EventLoop) throws(SystemError) {
        Signals.block(numbers)
        channel = Channel(try Signals.makeDescriptor(numbers), loop)
    }

    deinit { channel.close() }

    /// Waits for the next signal. Several of one kind that arrived meanwhile count as one.
    public func next() async throws(LoopError) -> Int32 {
        while true {
            let descriptor = try channel.opened()
            let number = try system { () throws(SystemError) in try Signals.next(descriptor) }
            if let number { return number }
            channel.mayRead = false
            try await channel.ready(.reading)
        }
    }

    /// Stops listening for the signals; they stay blocked. From any thread.
    public func close() { channel.close() }
}
