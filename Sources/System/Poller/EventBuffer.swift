// Invariants: `start` points at `capacity` events of the kernel from init to deinit. An index is
// below the count that the kernel has returned, which is at most the capacity.

import Glibc

/// A buffer for the events of epoll: epoll_event(3type).
@safe struct EventBuffer: ~Copyable {
    private let start: UnsafeMutableRawPointer
    private let capacity: Int

    /// Distinguishes the waker from registrations, whose slots are below 2^32 - 1.
    static let wakeData = UInt64.max

    /// Flags, then data; the structure is packed on x86-64 only.
    #if arch(x86_64)
        private static let dataOffset = 4
        private static let stride = 12
    #else
        private static let dataOffset = 8
        private static let stride = 16
    #endif

    init(capacity: Int) {
        self.capacity = capacity
        unsafe start = .allocate(byteCount: capacity * Self.stride, alignment: 8)
    }

    deinit { unsafe start.deallocate() }

    /// Calls `body` with one event in the kernel's form.
    static func withEvent(
        _ flags: UInt32, _ data: UInt64,
        _ body: (UnsafeMutableRawPointer) throws(SystemError) -> Void
    ) throws(SystemError) {
        var event: (UInt64, UInt64) = (0, 0)
        try unsafe withUnsafeMutableBytes(of: &event) { (bytes) throws(SystemError) in
            guard let start = bytes.baseAddress else { return }
            unsafe start.storeBytes(of: flags, as: UInt32.self)
            unsafe start.storeBytes(of: data, toByteOffset: dataOffset, as: UInt64.self)
            try unsafe body(start)
        }
    }

    func event(_ index: Int) -> (flags: UInt32, data: UInt64) {
        let event = unsafe start + index * Self.stride
        return unsafe (
            event.loadUnaligned(as: UInt32.self),
            event.loadUnaligned(fromByteOffset: Self.dataOffset, as: UInt64.self)
        )
    }

    /// Waits for events: epoll_pwait2(2). Returns how many there are.
    ///
    /// - Parameter nanoseconds: the longest wait; nil for no limit.
    /// - Throws: `EINTR` if a signal arrived; `ENOSYS` before Linux 5.11.
    func fill(from queue: Int32, nanoseconds: UInt64?) throws(SystemError) -> Int {
        // The kernel refuses times beyond its range; 30 years are as good as no limit.
        var time = timespec(nanoseconds: min(nanoseconds ?? 0, 1_000_000_000_000_000_000))
        return try unsafe withUnsafePointer(to: &time) { (time) throws(SystemError) in
            try checking {
                unsafe symbol_syscall(
                    SYS_epoll_pwait2, Int(queue), Int(bitPattern: start), capacity,
                    nanoseconds == nil ? 0 : Int(bitPattern: time), 0, 0)
            }
        }
    }

    /// The same with whole milliseconds, rounded up: epoll_wait(2).
    func fill(from queue: Int32, milliseconds nanoseconds: UInt64?) throws(SystemError) -> Int {
        let (whole, part) = (nanoseconds ?? 0).quotientAndRemainder(dividingBy: 1_000_000)
        let milliseconds = Int32(clamping: whole + (part > 0 ? 1 : 0))
        return Int(
            try checking {
                unsafe symbol_epoll_wait(
                    queue, start, Int32(clamping: capacity), nanoseconds == nil ? -1 : milliseconds)
            })
    }
}
