import WasmInterpreter

// Waiting for time to pass and for descriptors to become ready.

/// The subscriptions of a `poll_oneoff`: descriptors, streams of the embedder, clocks.
///
/// A value that is passed from attempt to attempt; the first one has converted durations to
/// absolute times.
struct PollRequest {
    /// A time to wait for.
    private struct Timer {
        var userdata: UInt64
        var clock: ClockID
        /// On `clock`.
        var end: UInt64
    }

    private let clock: ClockSource
    /// When the first timer with a relative time was added.
    private var start: UInt64?
    /// Known before waiting: errors, and streams that are always ready.
    private var events: [Event] = []
    private var timers: [Timer] = []
    /// One for each of the host's descriptors, because the host limits their number.
    private var descriptors: [PollDescriptor] = []
    /// Keeps the host's descriptors open if another thread closes them meanwhile.
    private var kept: [Descriptor] = []
    private var indices: [Int32: Int] = [:]
    /// Streams of the embedder that were not ready, and the turns of their sources.
    private var streams: [(stream: any GuestStream, turn: UInt64, event: Event)] = []
    /// The events of `descriptors` that become ready.
    private var pending: [(index: Int, event: Event)] = []

    init(clock: ClockSource) { self.clock = clock }

    mutating func add(_ event: Event) { events.append(event) }

    /// - Parameter descriptor: a descriptor of the host.
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
        // Durations are measured on the monotonic clock, all of one call from the same time.
        let now = if let start { start } else { try self.clock.time(.monotonic) }
        start = now
        let end = now.saturatingAdding(timeout)
        timers.append(Timer(userdata: userdata, clock: .monotonic, end: end))
    }

    /// Adds a stream of the embedder that was not ready.
    ///
    /// - Parameter turn: of its source, read before that was checked.
    mutating func add(_ stream: any GuestStream, since turn: UInt64, _ event: Event) {
        streams.append((stream, turn, event))
    }

    /// Collects events, in the order of immediate ones, descriptors, streams, clocks.
    ///
    /// Calls `sleep` of a custom clock, which advances only there.
    ///
    /// - Parameter stop: is checked, since thousands of subscriptions take milliseconds.
    /// - Returns: the events, at least one; nil if there is none yet.
    mutating func look(_ stop: StopSignal) throws(Errno) -> [Event]? {
        if !descriptors.isEmpty { try poll() }
        if try collect(stop) { return events }
        guard case .custom(let source) = clock, let remaining = try remainingTime() else {
            return nil
        }
        source.sleep(nanoseconds: remaining)
        return try collect(stop) ? events : nil
    }

    /// What to wait for before the next attempt.
    func wait() throws(Errno) -> Wait {
        var wait = Wait()
        for (item, descriptor) in zip(descriptors, kept) {
            var directions: Wait.Directions = []
            if item.waitsForReading { directions.insert(.reading) }
            if item.waitsForWriting { directions.insert(.writing) }
            wait.add(item.fd, directions, keeping: descriptor)
        }
        // Each source once, with its first turn: a wait for one thing costs the same however often a
        // guest names it.
        var known: Set<ObjectIdentifier> = []
        for (stream, turn, _) in streams
        where streams.count == 1 || known.insert(ObjectIdentifier(stream.changes)).inserted {
            wait.add(stream.changes, since: turn)
        }
        if let remaining = try remainingTime() {
            // A custom clock has slept already, so the next attempt follows at once.
            let nanoseconds = if case .custom = clock { UInt64(0) } else { remaining }
            wait.end = .now.advanced(by: .nanoseconds(min(nanoseconds, Self.longestWait)))
        }
        return wait
    }

    /// A hundred years, used for no limit.
    private static let longestWait: UInt64 = 3_155_760_000_000_000_000

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

    private mutating func poll() throws(Errno) {
        let ready = try descriptors.withUnsafeMutableBufferPointer { (all) throws(Errno) in
            try System.poll(all, timeout: 0)
        }
        guard ready == nil else { return }
        // After a signal the readiness of descriptors is unknown; the guest waits and tries again.
        for index in descriptors.indices { descriptors[index].revents = 0 }
    }

    /// Makes events for ready subscriptions; returns whether there are any.
    private mutating func collect(_ stop: StopSignal) throws(Errno) -> Bool {
        // Read once for each descriptor.
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
        for index in streams.indices {
            var (stream, _, event) = streams[index]
            let turn = stream.changes.turn
            streams[index].turn = turn
            guard let ready = stream.poll(isReading: event.type == .fdRead) else { continue }
            event.byteCount = UInt64(clamping: ready)
            event.isHangup = stream.isHungUp
            events.append(event)
        }
        var now = Now(clock)
        for timer in timers where try now.time(timer.clock) >= timer.end {
            events.append(Event(userdata: timer.userdata, type: .clock))
        }
        return !events.isEmpty
    }
}

/// The two clocks that guests can wait for, each read once.
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
