import WasmSystem

extension ByteStream {
    /// Connects to an address.
    ///
    /// - Parameters:
    ///   - deadline: when to give up with `.timedOut`; nil leaves it to the kernel, which takes
    ///     minutes.
    ///   - hasNoDelay: whether small writes are sent at once: `TCP_NODELAY`.
    /// - Throws: `.system` with `ECONNREFUSED`, `EHOSTUNREACH` and others of connect(2).
    public static func connect(
        to address: SystemAddress, on loop: EventLoop, deadline: LoopInstant? = nil,
        hasNoDelay: Bool = true
    ) async throws(LoopError) -> ByteStream {
        try loop.check()
        let number = try await begin(address, loop, deadline ?? .never)
        let stream = ByteStream(socket: number, on: loop)
        if case .unix = address { return stream }
        stream.channel.setDeadline(deadline ?? .never)
        stream.channel.mayWrite = false
        try await stream.channel.ready(.writing)
        if let error = Kernel.pendingError(number) { throw .system(error) }
        stream.channel.setDeadline(.never)
        if hasNoDelay { try? Kernel.setNoDelay(number) }
        try? Kernel.setKeepAlive(number)
        return stream
    }

    private static func begin(
        _ address: SystemAddress, _ loop: EventLoop, _ deadline: LoopInstant
    ) async throws(LoopError) -> Int32 {
        var pause = Duration.milliseconds(1)
        while true {
            do throws(SystemError) {
                return try Kernel.connect(address)
            } catch {
                // A unix socket whose queue is full: there is no event to wait for.
                guard error == .again, case .unix = address else { throw .system(error) }
            }
            if deadline <= .now { throw .timedOut }
            try await loop.sleep(until: min(.after(pause), deadline))
            pause = min(pause * 2, .milliseconds(100))
        }
    }

    /// Two streams that are connected with each other.
    public static func pair(
        on loop: EventLoop, _ other: EventLoop? = nil
    ) throws(SystemError) -> (ByteStream, ByteStream) {
        let (first, second) = try Kernel.makeSocketPair()
        return (ByteStream(socket: first, on: loop), ByteStream(socket: second, on: other ?? loop))
    }
}
