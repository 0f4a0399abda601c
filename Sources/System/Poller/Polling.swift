import Glibc

// Waiting for a list of descriptors: ppoll(2). `Poller` is better for many descriptors, or the same
// ones repeatedly.
//
// Invariant: the list is valid for the time of the call.

/// A descriptor to wait for, and afterwards its readiness.
public typealias PollDescriptor = pollfd

extension PollDescriptor {
    /// Waits for nothing yet.
    public init(_ descriptor: Int32) { self.init(fd: descriptor, events: 0, revents: 0) }

    /// - Parameter isReading: waits until reading would not block, else until writing would not.
    public init(_ descriptor: Int32, isReading: Bool) {
        self.init(descriptor)
        add(isReading: isReading)
    }

    public mutating func add(isReading: Bool) {
        events |= Int16(truncatingIfNeeded: isReading ? POLLIN : POLLOUT)
    }

    public var waitsForReading: Bool { Int32(truncatingIfNeeded: events) & POLLIN != 0 }
    public var waitsForWriting: Bool { Int32(truncatingIfNeeded: events) & POLLOUT != 0 }

    /// Whether the descriptor is ready for anything, errors included.
    public var isReady: Bool { result != 0 }

    /// Whether reading, or else writing, would not block; it may fail.
    public func isReady(isReading: Bool) -> Bool {
        result & ((isReading ? POLLIN : POLLOUT) | POLLHUP | POLLERR | POLLNVAL) != 0
    }

    /// False if the peer only stopped sending: it may still read a response.
    public var isHangup: Bool { result & (POLLHUP | POLLERR) != 0 }
    public var isInvalid: Bool { result & POLLNVAL != 0 }

    private var result: Int32 { Int32(truncatingIfNeeded: revents) }
}

extension Kernel {
    /// Waits until a descriptor is ready or `timeout` nanoseconds have passed; nil waits without
    /// limit. Returns the number of ready ones, or nil if a signal arrived first.
    public static func poll(
        _ descriptors: UnsafeMutableBufferPointer<PollDescriptor>, timeout: UInt64?
    ) throws(SystemError) -> Int? {
        // The kernel refuses times beyond its range; 30 years are as good as no limit.
        var time = timespec(nanoseconds: min(timeout ?? 0, 1_000_000_000_000_000_000))
        let count = unsafe withUnsafePointer(to: &time) { time in
            unsafe symbol_ppoll(
                descriptors.baseAddress, UInt(descriptors.count), timeout == nil ? nil : time, nil)
        }
        if count >= 0 { return Int(count) }
        if errno == EINTR { return nil }
        throw .ofLastCall
    }

    /// Whether reading from the descriptor, or writing to it, would not block.
    public static func isReady(
        _ descriptor: Int32, isReading: Bool
    ) throws(SystemError) -> Bool {
        try wait(descriptor, isReading: isReading, timeout: 0) == 1
    }

    /// Waits until reading from the descriptor, or writing to it, would not block; false if a
    /// signal arrived first.
    public static func waitUntilReady(
        _ descriptor: Int32, isReading: Bool
    ) throws(SystemError) -> Bool {
        try wait(descriptor, isReading: isReading, timeout: nil) == 1
    }

    private static func wait(
        _ descriptor: Int32, isReading: Bool, timeout: UInt64?
    ) throws(SystemError) -> Int? {
        var item = PollDescriptor(descriptor, isReading: isReading)
        return try unsafe withUnsafeMutablePointer(to: &item) { (item) throws(SystemError) in
            try unsafe poll(UnsafeMutableBufferPointer(start: item, count: 1), timeout: timeout)
        }
    }
}
