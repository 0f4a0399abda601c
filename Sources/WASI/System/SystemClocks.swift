import Glibc
import WasmInterpreter

// Calls of the operating system for time, waiting and random bytes.

extension System {
    /// Nanoseconds on `clock`.
    @inline(__always)
    static func time(_ clock: ClockID) throws(Errno) -> UInt64 {
        var time = timespec()
        guard clock_gettime(number(clock), &time) == 0 else { throw .ofHost }
        return time.nanoseconds
    }

    /// Nanoseconds between two times that `clock` can tell apart; at least 1.
    static func resolution(_ clock: ClockID) throws(Errno) -> UInt64 {
        var time = timespec()
        guard clock_getres(number(clock), &time) == 0 else { throw .ofHost }
        return max(time.nanoseconds, 1)
    }

    @inline(__always)
    private static func number(_ clock: ClockID) -> clockid_t {
        switch clock {
        case .realtime: CLOCK_REALTIME
        case .monotonic: CLOCK_MONOTONIC
        case .processCPUTime: CLOCK_PROCESS_CPUTIME_ID
        case .threadCPUTime: CLOCK_THREAD_CPUTIME_ID
        }
    }

    static func yield() { sched_yield() }

    /// Fills `buffer` with random bytes of the kernel.
    static func random(_ buffer: UnsafeMutableRawBufferPointer) throws(Errno) {
        guard var next = buffer.baseAddress else { return }
        var left = buffer.count
        while left > 0 {
            // Larger requests may be answered in part: the loop goes on where the kernel stopped.
            let count = try retrying { symbol_getrandom(next, left, 0) }
            next += count
            left -= count
        }
    }
}

/// A descriptor to wait for, and afterwards what there is of it.
typealias PollDescriptor = pollfd

extension PollDescriptor {
    /// Waits for nothing yet.
    init(_ descriptor: Int32) { self.init(fd: descriptor, events: 0, revents: 0) }

    /// - Parameter isReading: waits until reading would not block, else until writing would not.
    init(_ descriptor: Int32, isReading: Bool) {
        self.init(descriptor)
        add(isReading: isReading)
    }

    mutating func add(isReading: Bool) { events |= Int16(isReading ? POLLIN : POLLOUT) }

    /// What is waited for.
    var directions: Wait.Directions {
        var directions: Wait.Directions = []
        let events = Int32(truncatingIfNeeded: self.events)
        if events & POLLIN != 0 { directions.insert(.reading) }
        if events & POLLOUT != 0 { directions.insert(.writing) }
        return directions
    }

    /// Whether reading, or else writing, would not block, be it because it would fail.
    func isReady(isReading: Bool) -> Bool {
        Int32(revents) & ((isReading ? POLLIN : POLLOUT) | POLLHUP | POLLERR | POLLNVAL) != 0
    }

    /// Not for a peer that only stopped sending: it may still want an answer.
    var isHangup: Bool { Int32(revents) & (POLLHUP | POLLERR) != 0 }
    var isInvalid: Bool { Int32(revents) & POLLNVAL != 0 }
}

extension System {
    /// Waits until a descriptor is ready or `timeout` nanoseconds have passed; nil waits without
    /// limit. Answers how many are ready, or nil if a signal came first.
    static func poll(
        _ descriptors: UnsafeMutableBufferPointer<PollDescriptor>, timeout: UInt64?
    ) throws(Errno) -> Int? {
        // The kernel refuses times beyond its own range; nobody lives to see 30 years pass.
        var time = timespec(nanoseconds: min(timeout ?? 0, 1_000_000_000_000_000_000))
        let answer = withUnsafePointer(to: &time) { time in
            symbol_ppoll(
                descriptors.baseAddress, UInt(descriptors.count), timeout == nil ? nil : time, nil)
        }
        if answer >= 0 { return Int(answer) }
        if errno == EINTR { return nil }
        throw .ofHost
    }
}

extension System {
    /// Whether reading from the descriptor, or writing to it, would not block.
    static func isReady(_ descriptor: Int32, isReading: Bool) throws(Errno) -> Bool {
        var item = PollDescriptor(descriptor, isReading: isReading)
        let count = try withUnsafeMutablePointer(to: &item) { (item) throws(Errno) in
            try poll(UnsafeMutableBufferPointer(start: item, count: 1), timeout: 0)
        }
        return count == 1
    }
}

extension System {
    /// Bytes that can be read without waiting, as far as the host tells: of a file, those behind
    /// the position. For writing the host does not tell; one byte is certain.
    static func readableByteCount(_ descriptor: Int32) -> UInt64 {
        var count: Int32 = 0
        guard ioctl(descriptor, UInt(FIONREAD), &count) == 0 else { return 0 }
        return UInt64(clamping: count)
    }
}
