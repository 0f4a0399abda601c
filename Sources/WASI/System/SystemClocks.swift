import WasmSystem

// Time, waiting and random bytes.

extension System {
    /// Nanoseconds on `clock`.
    @inline(__always)
    static func time(_ clock: ClockID) throws(Errno) -> UInt64 {
        let clock = systemClock(clock)
        return try mapping { () throws(SystemError) in try clock.time() }
    }

    /// Nanoseconds between two times that `clock` can tell apart; at least 1.
    static func resolution(_ clock: ClockID) throws(Errno) -> UInt64 {
        let clock = systemClock(clock)
        return try mapping { () throws(SystemError) in try clock.resolution() }
    }

    @inline(__always)
    private static func systemClock(_ clock: ClockID) -> SystemClock {
        switch clock {
        case .realtime: .realtime
        case .monotonic: .monotonic
        case .processCPUTime: .processCPUTime
        case .threadCPUTime: .threadCPUTime
        }
    }

    static func yield() { CurrentProcess.yield() }

    /// Fills `buffer` with random bytes of the kernel.
    static func random(_ buffer: UnsafeMutableRawBufferPointer) throws(Errno) {
        try mapping { () throws(SystemError) in try Kernel.random(buffer) }
    }

    /// Waits until a descriptor is ready or `timeout` nanoseconds have passed; nil waits without
    /// limit. Returns the number of ready ones, or nil if a signal arrived first.
    static func poll(
        _ descriptors: UnsafeMutableBufferPointer<PollDescriptor>, timeout: UInt64?
    ) throws(Errno) -> Int? {
        try mapping { () throws(SystemError) in try Kernel.poll(descriptors, timeout: timeout) }
    }

    /// Whether reading from the descriptor, or writing to it, would not block.
    static func isReady(_ descriptor: Int32, isReading: Bool) throws(Errno) -> Bool {
        try mapping { () throws(SystemError) in
            try Kernel.isReady(descriptor, isReading: isReading)
        }
    }

    /// Bytes that can be read without waiting, if the host reports it: of a file, those after the
    /// position. For writing the host reports none; one byte is certain.
    static func readableByteCount(_ descriptor: Int32) -> UInt64 {
        Kernel.readableByteCount(descriptor)
    }
}

extension System {
    /// How many descriptors the process may have open (the soft limit); nil if there is no limit or
    /// it cannot be read.
    static var descriptorLimit: Int? { CurrentProcess.descriptorLimit }

    /// Ignores `SIGPIPE` and `SIGXFSZ` in the whole process.
    static func ignoreWriteSignals() { Signals.ignoreWriteSignals() }

    /// Runs `body` on a new thread that is not joined; false if the host refuses.
    static func startThread(_ body: @escaping @Sendable () -> Void) -> Bool {
        SystemThread.startDetached(SystemThread.Options("wasmd-guest"), body)
    }

    /// Keeps the thread that calls until the process ends.
    static func sleepForever() -> Never { SystemThread.sleepForever() }
}
