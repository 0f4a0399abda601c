import WasmInterpreter

// Waiting for time to pass and for descriptors to become ready.

extension WASIGuest {
    /// Subscriptions in one call; more are `inval`, as too many descriptors are to the host.
    private static let subscriptionLimit = 16384

    /// Waits until at least one of `count` subscriptions has something to tell and writes an event
    /// for each that has.
    ///
    /// - Throws: `Errno` for the guest; `Trap` when the store's deadline passes.
    func poll_oneoff(
        _ memory: GuestMemory, _ input: UInt32, _ output: UInt32, _ count: UInt32,
        _ result: UInt32, _ version: Version, deadline: ContinuousClock.Instant?
    ) throws {
        let count = Int(truncatingIfNeeded: count)
        guard count > 0, count <= Self.subscriptionLimit else { throw Errno.inval }
        let size = Subscription.size(version)
        let source = UnsafeRawPointer(try memory.pointer(input, byteCount: count &* size))
        let target = try memory.pointer(output, byteCount: count &* Event.size)
        let result = try memory.result32(result)

        var wait = Wait(clock: clock)
        for index in 0..<count {
            guard let subscription = Subscription(from: source + index &* size, version) else {
                throw Errno.inval
            }
            try add(subscription, to: &wait)
        }
        var offset = 0
        for event in try wait.run(until: deadline) {
            event.store(to: target + offset)
            offset &+= Event.size
        }
        result.store(UInt32(clamping: offset / Event.size))
    }

    private func add(_ subscription: Subscription, to wait: inout Wait) throws(Errno) {
        switch subscription.condition {
        case .clock(let id, let timeout, let isAbsolute):
            guard let clock = ClockID(rawValue: id), clock == .realtime || clock == .monotonic
            else {
                // Processor time does not pass while one waits for it.
                return wait.add(
                    Event(userdata: subscription.userdata, error: .inval, type: .clock))
            }
            try wait.add(
                clock, timeout, isAbsolute: isAbsolute, userdata: subscription.userdata)
        case .descriptor(let fd, let type):
            var event = Event(userdata: subscription.userdata, type: type)
            do throws(Errno) {
                let descriptor = try table[fd]
                try descriptor.require(.pollFdReadwrite)
                try descriptor.requireAccess(type == .fdRead ? .fdRead : .fdWrite)
                if let number = descriptor.hostNumber {
                    return wait.add(number, event)
                }
                event.byteCount = type == .fdRead ? descriptor.readableByteCount : 1
            } catch {
                event.error = error
            }
            wait.add(event)
        }
    }

    /// Waits until a call on a stream that might block will not, so that the store's deadline can
    /// stop the guest meanwhile. Without a deadline the call itself waits.
    ///
    /// - Throws: `Trap` when the deadline passes first.
    @inline(__always)
    func awaitReady(_ fd: UInt32, isReading: Bool, _ caller: borrowing Caller) throws {
        guard let descriptor = try? table[fd], descriptor.mayBlock,
            let deadline = caller.store.deadline
        else { return }
        try awaitReady(descriptor, isReading: isReading, deadline)
    }

    @inline(never)
    private func awaitReady(
        _ descriptor: Descriptor, isReading: Bool, _ deadline: ContinuousClock.Instant
    ) throws {
        guard let number = descriptor.hostNumber,
            let flags = try? descriptor.flags, !flags.contains(.nonblock)
        else { return }
        var wait = Wait(clock: .system)
        wait.add(number, Event(userdata: 0, type: isReading ? .fdRead : .fdWrite))
        _ = try wait.run(until: deadline)
    }
}

/// What a call of `poll_oneoff` waits for.
private struct Wait {
    /// A time to wait for.
    private struct Timer {
        var userdata: UInt64
        var clock: ClockID
        /// On `clock`.
        var end: UInt64
    }

    private let clock: ClockSource
    /// Known before waiting: errors, and streams that are always ready.
    private var events: [Event] = []
    private var timers: [Timer] = []
    /// One for each of the host's descriptors: the host limits how many there may be.
    private var descriptors: [PollDescriptor] = []
    private var indices: [Int32: Int] = [:]
    /// What to tell when one of `descriptors` is ready.
    private var pending: [(index: Int, event: Event)] = []

    init(clock: ClockSource) { self.clock = clock }

    mutating func add(_ event: Event) { events.append(event) }

    mutating func add(_ descriptor: Int32, _ event: Event) {
        let index = indices[descriptor] ?? descriptors.count
        if index == descriptors.count {
            descriptors.append(PollDescriptor(descriptor))
            indices[descriptor] = index
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
        // A span is measured on the clock that nobody sets.
        let end = try self.clock.time(.monotonic).saturatingAdding(timeout)
        timers.append(Timer(userdata: userdata, clock: .monotonic, end: end))
    }

    /// Waits; the events are in the order of immediate ones, descriptors, clocks.
    mutating func run(until deadline: ContinuousClock.Instant?) throws -> [Event] {
        while true {
            let remaining = try timers.map { timer in
                try clock.time(timer.clock).distance(to: timer.end)
            }.min()
            if case .custom(let source) = clock, let remaining {
                // Time passes only by being slept: whoever is ready now is first.
                try poll(timeout: 0)
                if try collect() { return events }
                source.sleep(nanoseconds: remaining)
            } else {
                var timeout = events.isEmpty ? remaining : 0
                if let deadline {
                    let left = ContinuousClock.now.duration(to: deadline).nanoseconds
                    timeout = min(timeout ?? .max, left)
                }
                try poll(timeout: timeout)
            }
            if try collect() { return events }
            if let deadline, ContinuousClock.now >= deadline { throw Trap(.interrupted) }
        }
    }

    private mutating func poll(timeout: UInt64?) throws(Errno) {
        try descriptors.withUnsafeMutableBufferPointer { (descriptors) throws(Errno) in
            // After a signal nothing is known of the descriptors; the caller comes back.
            if try System.poll(descriptors, timeout: timeout) == nil {
                for index in descriptors.indices { descriptors[index].revents = 0 }
            }
        }
    }

    /// Makes events of what is ready; answers whether there are any.
    private mutating func collect() throws(Errno) -> Bool {
        for (index, event) in pending {
            let descriptor = descriptors[index]
            guard descriptor.isReady(isReading: event.type == .fdRead) else { continue }
            var event = event
            if descriptor.isInvalid {
                event.error = .badf
            } else {
                event.isHangup = descriptor.isHangup
                event.byteCount = System.byteCount(
                    descriptor.fd, isReading: event.type == .fdRead)
            }
            events.append(event)
        }
        for timer in timers where try clock.time(timer.clock) >= timer.end {
            events.append(Event(userdata: timer.userdata, type: .clock))
        }
        return !events.isEmpty
    }
}

extension UInt64 {
    /// How far `end` is ahead; 0 if it is not.
    fileprivate func distance(to end: UInt64) -> UInt64 { end.saturatingSubtracting(self) }
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

extension Descriptor {
    /// Whether a call can wait for somebody else: not for files and what is in memory.
    @inline(__always)
    fileprivate var mayBlock: Bool {
        switch kind {
        case .file: filetype != .regularFile && filetype != .blockDevice
        case .socket: true
        case .directory, .virtualFile, .memoryDirectory: false
        }
    }
}
