// Invariants: the kernel writes at most `capacity` events into `buffer`, and they are read up to
// the count that it returns. Data of an event is a number made in this file, and compared before it
// is used as an index.

import Glibc

/// Waits, on one thread, for descriptors, timers, and calls of other threads: epoll(7).
///
/// ```swift
/// var poller = try Poller()
/// let mailbox = Mailbox<Job>(poller.waker)
/// while true {
///     try poller.wait()
///     for job in mailbox.takeAll() { job.run() }
///     while let event = poller.nextEvent() { handle(event) }
/// }
/// ```
///
/// **Readiness is level-triggered, and a registration reports it once** (`EPOLLONESHOT`) until it
/// is armed again, unless it is made to report always. Level-triggered, because a reader that takes
/// one byte of ten and waits again must be woken; with edges it would hang unless each reader
/// remembers whether it got `EAGAIN`. Once, because a descriptor that is not being read, such as
/// the socket of a guest that computes, would end every wait. Arming costs a call of the kernel of
/// some 0.3 µs for each wait of a guest or connection; registrations that always report (listening
/// sockets) cost none.
///
/// Used by one thread; only `waker` is for others. The cost of a wait does not depend on the number
/// of registered descriptors.
public struct Poller: ~Copyable {
    /// Which readiness is of interest.
    public struct Interests: OptionSet, Hashable, Sendable {
        public let rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        public static let reading = Interests(rawValue: 1)
        public static let writing = Interests(rawValue: 2)
    }

    /// What a descriptor is ready for.
    public struct Readiness: OptionSet, Hashable, Sendable {
        public let rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        /// Reading would not block; it may return the end or an error.
        public static let reading = Readiness(rawValue: 1)
        /// Writing would not block; it may fail.
        public static let writing = Readiness(rawValue: 2)
        /// The other side has closed, or there is an error; reported also without any interest.
        public static let hangup = Readiness(rawValue: 4)
        /// The other side has stopped sending; it may still read a response.
        public static let endOfInput = Readiness(rawValue: 8)
    }

    /// A descriptor that was added. A removed registration never becomes valid again.
    public struct Registration: Hashable, Sendable {
        fileprivate let slot: UInt32
        fileprivate let generation: UInt32

        /// The data of its events.
        fileprivate var data: UInt64 { UInt64(generation) << 32 | UInt64(slot) }
    }

    /// When a registration reports what its descriptor is ready for.
    public enum Reporting: Hashable, Sendable {
        /// Once, until it is armed again.
        case once
        /// With each wait, as long as it is ready.
        case always
        /// With the wait after each change (`EPOLLET`): for owners who remember readiness and look at
        /// the descriptor before they wait. Needs no call of the kernel after `add`.
        case changes
    }

    public enum Event: Hashable, Sendable {
        /// The token of a registration.
        case ready(UInt64, Readiness)
        /// The token of a timer.
        case timer(UInt64)
    }

    private struct Slot {
        var generation: UInt32
        /// -1 for a slot that is free.
        var descriptor: Int32
        /// The flags of epoll that the kernel has.
        var flags: UInt32
        var reporting: Reporting
        /// Whether it reports the next event.
        var isArmed = true
        var token: UInt64
    }

    public let waker: Waker
    private var queue: FileDescriptor
    private var slots: [Slot] = []
    private var freeSlots: [UInt32] = []
    /// The slot of each number.
    private var slotOfNumber: [Int32: UInt32] = [:]
    private var timers = TimerQueue()
    private var buffer: EventBuffer
    /// Events of the last wait that were not yet taken.
    private var unread = 0..<0
    private var now: UInt64 = 0
    private var hasNanoseconds = true
    /// Whether the kernel may list files without a registration: see `renew`.
    private var mayHaveOrphans = false

    /// The most events of one wait; others come with the next.
    public static let eventLimit = 256

    /// - Throws: `EMFILE`, `ENFILE`: two descriptors are needed.
    public init() throws(SystemError) {
        let waker = try Waker()
        let queue = try Self.makeQueue(waker)
        self.waker = waker
        self.queue = queue
        buffer = EventBuffer(capacity: Self.eventLimit)
    }

    private static func makeQueue(_ waker: Waker) throws(SystemError) -> FileDescriptor {
        let made = try retrying { symbol_epoll_create1(O_CLOEXEC) }
        let queue = FileDescriptor(owning: try Kernel.aboveStandardStreams(made))
        try control(queue.number, EPOLL_CTL_ADD, waker.descriptor, EPOLLIN, EventBuffer.wakeData)
        return queue
    }

    // MARK: Descriptors

    /// Descriptors that are registered.
    public var registrationCount: Int { slotOfNumber.count }

    /// Registers a descriptor. The caller keeps its ownership, and removes the registration before
    /// closing it.
    ///
    /// - Parameters:
    ///   - interests: if empty, only errors and the end of the other side are reported until it is
    ///     armed.
    ///   - reportsAlways: whether each wait reports it while it is ready, without arming.
    ///   - token: is part of its events.
    /// - Throws: `EPERM` for files and folders, which are always ready; `EEXIST` if the descriptor
    ///   is registered: two that wait for the same one register duplicates of it. `ENOSPC` at the
    ///   limit of the system (`max_user_watches`).
    public mutating func add(
        _ descriptor: Int32, _ interests: Interests, reportsAlways: Bool = false, token: UInt64
    ) throws(SystemError) -> Registration {
        try add(descriptor, interests, reporting: reportsAlways ? .always : .once, token: token)
    }

    /// The same for each way of reporting.
    public mutating func add(
        _ descriptor: Int32, _ interests: Interests, reporting: Reporting, token: UInt64
    ) throws(SystemError) -> Registration {
        let index = freeSlots.last ?? UInt32(truncatingIfNeeded: slots.count)
        let generation =
            slots.indices.contains(Int(index)) ? slots[Int(index)].generation : 0
        let registration = Registration(slot: index, generation: generation)
        let flags = Self.flags(interests, reporting)
        try Self.control(queue.number, EPOLL_CTL_ADD, descriptor, flags, registration.data)
        let slot = Slot(
            generation: generation, descriptor: descriptor, flags: flags,
            reporting: reporting, token: token)
        if Int(index) < slots.count {
            freeSlots.removeLast()
            slots[Int(index)] = slot
        } else {
            slots.append(slot)
        }
        // The descriptor was closed without removing it, and is another file's now.
        if let stale = slotOfNumber[descriptor] {
            mayHaveOrphans = true
            free(stale)
        }
        slotOfNumber[descriptor] = index
        return registration
    }

    /// Arms a registration: it reports once when one of the interests is ready, also if it is now.
    ///
    /// - Throws: `EBADF` if it was removed, or its descriptor closed; `ENOENT` if the number is
    ///   another file's now.
    public mutating func arm(
        _ registration: Registration, _ interests: Interests
    ) throws(SystemError) {
        guard isCurrent(registration) else { throw .badf }
        let slot = slots[Int(registration.slot)]
        let flags = Self.flags(interests, slot.reporting)
        try Self.control(
            queue.number, EPOLL_CTL_MOD, slot.descriptor, flags, registration.data)
        slots[Int(registration.slot)].flags = flags
        slots[Int(registration.slot)].isArmed = true
    }

    /// Whether the registration was not removed.
    public func isCurrent(_ registration: Registration) -> Bool {
        guard slots.indices.contains(Int(registration.slot)) else { return false }
        let slot = slots[Int(registration.slot)]
        return slot.generation == registration.generation && slot.descriptor >= 0
    }

    /// Ends a registration: none of its events is reported any more, also none that has happened
    /// already. Does nothing if it was removed before.
    public mutating func remove(_ registration: Registration) {
        guard isCurrent(registration) else { return }
        let number = slots[Int(registration.slot)].descriptor
        do throws(SystemError) {
            try Self.control(queue.number, EPOLL_CTL_DEL, number, 0, 0)
        } catch {
            // The descriptor was closed, and with it the kernel's entry, unless another descriptor
            // has the file open.
            mayHaveOrphans = true
        }
        slotOfNumber[number] = nil
        free(registration.slot)
    }

    private mutating func free(_ index: UInt32) {
        slots[Int(index)].descriptor = -1
        slots[Int(index)].generation &+= 1
        freeSlots.append(index)
    }

    private static func flags(_ interests: Interests, _ reporting: Reporting) -> UInt32 {
        var flags: UInt32 =
            switch reporting {
            case .once: EPOLLONESHOT
            case .always: 0
            case .changes: EPOLLET
            }
        if interests.contains(.reading) { flags |= EPOLLIN | EPOLLRDHUP }
        if interests.contains(.writing) { flags |= EPOLLOUT }
        return flags
    }

    private static func control(
        _ queue: Int32, _ operation: Int32, _ descriptor: Int32, _ flags: UInt32, _ data: UInt64
    ) throws(SystemError) {
        try unsafe EventBuffer.withEvent(flags, data) { (event) throws(SystemError) in
            try retrying { unsafe symbol_epoll_ctl(queue, operation, descriptor, event) }
        }
    }

    // MARK: Timers

    public typealias Timer = TimerQueue.Timer

    /// Timers that are set.
    public var timerCount: Int { timers.count }

    /// Sets a timer that fires once. Costs no call of the kernel.
    ///
    /// - Parameter deadline: nanoseconds of `SystemClock.monotonic`; one in the past fires with the
    ///   next wait.
    public mutating func setTimer(at deadline: UInt64, token: UInt64) -> Timer {
        timers.set(at: deadline, token: token)
    }

    /// Cancels a timer, also one that is due but whose event was not yet taken; false if there is
    /// none.
    @discardableResult
    public mutating func cancel(_ timer: Timer) -> Bool { timers.cancel(timer) }

    // MARK: Waiting

    /// Waits until a descriptor is ready, a timer is due, `waker` is called, a signal was handled,
    /// or it is `end` on the monotonic clock. Untaken events of the last wait are lost, except
    /// those of timers.
    ///
    /// - Parameter end: nil for no limit; with a time in the past it checks without waiting.
    public mutating func wait(until end: UInt64? = nil) throws(SystemError) {
        unread = 0..<0
        let end = min(end ?? .max, timers.earliest ?? .max)
        let sleeps = waker.beginSleep()
        defer {
            waker.endSleep()
            now = SystemClock.monotonic.now
        }
        let count = try collect(sleeps ? end : 0)
        unread = 0..<count
    }

    /// Fills the buffer; returns how many events there are.
    private mutating func collect(_ end: UInt64) throws(SystemError) -> Int {
        var rest: UInt64? = end == .max ? nil : 0
        if end != .max, end != 0 {
            let now = SystemClock.monotonic.now
            rest = end > now ? end - now : 0
        }
        do throws(SystemError) {
            return try hasNanoseconds
                ? buffer.fill(from: queue.number, nanoseconds: rest)
                : buffer.fill(from: queue.number, milliseconds: rest)
        } catch {
            switch error {
            case .intr: return 0
            case .nosys where hasNanoseconds, .perm where hasNanoseconds:
                // Linux before 5.11, or a system call filter that does not know it.
                hasNanoseconds = false
                return try collect(end)
            default: throw error
            }
        }
    }

    /// Takes the next event of the last wait; nil if there are no more. Descriptors come first,
    /// then timers in the order of their times.
    public mutating func nextEvent() -> Event? {
        while let index = unread.first {
            unread = unread.dropFirst()
            let (flags, data) = buffer.event(index)
            if data == EventBuffer.wakeData {
                waker.clear()
                continue
            }
            let registration = Registration(
                slot: UInt32(truncatingIfNeeded: data),
                generation: UInt32(truncatingIfNeeded: data >> 32))
            if isCurrent(registration) {
                let slot = slots[Int(registration.slot)]
                guard slot.isArmed else { continue }
                slots[Int(registration.slot)].isArmed = slot.reporting != .once
                return .ready(slot.token, Self.readiness(flags))
            }
            // Removed by the handler of an earlier event, or an orphan.
            if mayHaveOrphans { renew() }
        }
        return timers.next(at: now).map { .timer($0) }
    }

    /// Removes entries of the kernel whose registration has ended: a descriptor was closed before
    /// it was removed, while another descriptor, of this process or another one, keeps the file
    /// open. The kernel has no call to remove such an entry, and would report it for ever.
    private mutating func renew() {
        guard let renewed = try? Self.makeQueue(waker) else { return }
        mayHaveOrphans = false
        for (index, slot) in slots.enumerated() where slot.descriptor >= 0 {
            let registration = Registration(
                slot: UInt32(truncatingIfNeeded: index), generation: slot.generation)
            // A registration whose descriptor was closed as well has no events.
            try? Self.control(
                renewed.number, EPOLL_CTL_ADD, slot.descriptor,
                slot.isArmed ? slot.flags : EPOLLONESHOT, registration.data)
        }
        queue = renewed
    }

    private static func readiness(_ flags: UInt32) -> Readiness {
        var readiness: Readiness = []
        let isOver = flags & (EPOLLERR | EPOLLHUP) != 0
        if isOver { readiness.insert(.hangup) }
        if flags & EPOLLRDHUP != 0 { readiness.insert(.endOfInput) }
        if isOver || flags & (EPOLLIN | EPOLLRDHUP) != 0 { readiness.insert(.reading) }
        if isOver || flags & EPOLLOUT != 0 { readiness.insert(.writing) }
        return readiness
    }
}
