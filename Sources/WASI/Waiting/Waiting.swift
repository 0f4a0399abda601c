import WasmInterpreter

// Waiting for time to pass and for descriptors to become ready.

/// What a guest's thread waits for: descriptors, clocks, and always that somebody stops the guest.
///
/// The thread is parked in one call of the host meanwhile.
struct Wait {
    /// A time to wait for.
    private struct Timer {
        var userdata: UInt64
        var clock: ClockID
        /// On `clock`.
        var end: UInt64
    }

    private let clock: ClockSource
    /// Thousands of subscriptions take milliseconds.
    private let stop: StopSignal?
    /// When the first of the timers was added that run from now on.
    private var start: UInt64?
    /// Known before waiting: errors, and streams that are always ready.
    private var events: [Event] = []
    private var timers: [Timer] = []
    /// One for each of the host's descriptors: the host limits how many there may be.
    private var descriptors: [PollDescriptor] = []
    /// Keeps the host's descriptors open, whatever another thread closes meanwhile.
    private var kept: [Descriptor] = []
    private var indices: [Int32: Int] = [:]
    /// What to tell when one of `descriptors` is ready.
    private var pending: [(index: Int, event: Event)] = []

    init(clock: ClockSource, _ stop: StopSignal? = nil) {
        self.clock = clock
        self.stop = stop
    }

    mutating func add(_ event: Event) { events.append(event) }

    /// - Parameter descriptor: one of the host's.
    mutating func add(_ descriptor: Descriptor, _ event: Event) {
        guard let number = descriptor.hostNumber else { return }
        let index = indices[number] ?? descriptors.count
        if index == descriptors.count {
            descriptors.append(PollDescriptor(number))
            indices[number] = index
            kept.append(descriptor)
        }
        descriptors[index].add(isReading: event.type == .fdRead)
        pending.append((index, event))
    }

    mutating func add(
        _ clock: ClockID, _ timeout: UInt64, isAbsolute: Bool, userdata: UInt64
    ) throws(Errno) {
        guard !isAbsolute else {
            return timers.append(Timer(userdata: userdata, clock: clock, end: timeout))
        }
        // A span is measured on the clock that nobody sets, and all of one call from the same moment.
        let now = if let start { start } else { try self.clock.time(.monotonic) }
        start = now
        let end = now.saturatingAdding(timeout)
        timers.append(Timer(userdata: userdata, clock: .monotonic, end: end))
    }

    /// Waits; the events are in the order of immediate ones, descriptors, clocks.
    ///
    /// - Returns: the events, at least one; or a trap, if the store stops the guest before there is
    ///   one.
    mutating func run(for store: Store) throws(Errno) -> Result<[Event], Trap> {
        while true {
            let remaining = try remainingTime()
            if case .custom(let source) = clock, let remaining {
                // Time passes only by being slept: whoever is ready now is first.
                try poll(timeout: 0, store)
                if try collect() { return .success(events) }
                source.sleep(nanoseconds: remaining)
            } else {
                var timeout = events.isEmpty ? remaining : 0
                if let deadline = store.deadline {
                    let left = ContinuousClock.now.duration(to: deadline).nanoseconds
                    timeout = min(timeout ?? .max, left)
                }
                try poll(timeout: timeout, store)
            }
            if try collect() { return .success(events) }
            if let code = store.stopRequest() { return .failure(Trap(code)) }
        }
    }

    /// Nanoseconds until the first clock is due; nil without clocks.
    private func remainingTime() throws(Errno) -> UInt64? {
        var now = Now(clock)
        var least: UInt64?
        for timer in timers {
            let remaining = timer.end.saturatingSubtracting(try now.time(timer.clock))
            least = min(least ?? .max, remaining)
        }
        return least
    }

    /// How long to wait at once where a request to stop cannot wake the thread.
    private static let blindNanoseconds: UInt64 = 10_000_000

    private mutating func poll(timeout: UInt64?, _ store: Store) throws(Errno) {
        let handle = store.interruptHandle
        var timeout = timeout
        let wakeIndex = descriptors.count
        defer { descriptors.removeSubrange(wakeIndex...) }
        if timeout != 0 {
            if let wake = handle.wakeDescriptor {
                descriptors.append(PollDescriptor(wake, isReading: true))
            } else {
                timeout = min(timeout ?? .max, Self.blindNanoseconds)
            }
        }
        let ready = try descriptors.withUnsafeMutableBufferPointer { (all) throws(Errno) in
            try System.poll(all, timeout: timeout)
        }
        guard ready != nil else {
            // After a signal nothing is known of the descriptors; the caller comes back.
            for index in descriptors.indices { descriptors[index].revents = 0 }
            return
        }
        if descriptors.count > wakeIndex, descriptors[wakeIndex].isReady(isReading: true) {
            handle.clearWakeDescriptor()
        }
    }

    /// Makes events of what is ready; answers whether there are any.
    private mutating func collect() throws(Errno) -> Bool {
        // Asked once for each descriptor.
        var byteCounts: [Int: UInt64] = [:]
        for (number, (index, event)) in pending.enumerated() {
            if number & 255 == 255, stop.isRaised { throw .intr }
            let descriptor = descriptors[index]
            guard descriptor.isReady(isReading: event.type == .fdRead) else { continue }
            var event = event
            if descriptor.isInvalid {
                event.error = .badf
            } else {
                event.isHangup = descriptor.isHangup
                event.byteCount = 1
                if event.type == .fdRead {
                    let count = byteCounts[index] ?? System.readableByteCount(descriptor.fd)
                    byteCounts[index] = count
                    event.byteCount = count
                }
            }
            events.append(event)
        }
        var now = Now(clock)
        for timer in timers where try now.time(timer.clock) >= timer.end {
            events.append(Event(userdata: timer.userdata, type: .clock))
        }
        return !events.isEmpty
    }
}

/// The two times that guests can wait for, each looked at once.
private struct Now {
    private let source: ClockSource
    private var realtime: UInt64?
    private var monotonic: UInt64?

    init(_ source: ClockSource) { self.source = source }

    mutating func time(_ clock: ClockID) throws(Errno) -> UInt64 {
        if let known = clock == .realtime ? realtime : monotonic { return known }
        let time = try source.time(clock)
        if clock == .realtime { realtime = time } else { monotonic = time }
        return time
    }
}

extension Duration {
    /// Nanoseconds, 0 for a negative duration.
    fileprivate var nanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        let (whole, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
        guard !overflow else { return .max }
        return whole.saturatingAdding(UInt64(attoseconds / 1_000_000_000))
    }
}
