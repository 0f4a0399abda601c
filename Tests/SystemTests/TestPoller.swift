@testable import WasmSystem

/// A poller that can be looked at by expectations, which copy what they are given.
final class TestPoller {
    private var poller: Poller

    init() throws(SystemError) { poller = try Poller() }

    var waker: Waker { poller.waker }
    var registrationCount: Int { poller.registrationCount }
    var timerCount: Int { poller.timerCount }

    func add(
        _ descriptor: Int32, _ interests: Poller.Interests, reportsAlways: Bool = false,
        token: UInt64
    ) throws(SystemError) -> Poller.Registration {
        try poller.add(descriptor, interests, reportsAlways: reportsAlways, token: token)
    }

    func arm(
        _ registration: Poller.Registration, _ interests: Poller.Interests
    ) throws(SystemError) {
        try poller.arm(registration, interests)
    }

    func isCurrent(_ registration: Poller.Registration) -> Bool { poller.isCurrent(registration) }
    func remove(_ registration: Poller.Registration) { poller.remove(registration) }

    func setTimer(at deadline: UInt64, token: UInt64) -> Poller.Timer {
        poller.setTimer(at: deadline, token: token)
    }

    func cancel(_ timer: Poller.Timer) -> Bool { poller.cancel(timer) }
    func wait(until end: UInt64?) throws(SystemError) { try poller.wait(until: end) }
    func nextEvent() -> Poller.Event? { poller.nextEvent() }

    /// Takes all events of the last wait.
    func events() -> [Poller.Event] {
        var events: [Poller.Event] = []
        while let event = poller.nextEvent() { events.append(event) }
        return events
    }

    /// Waits for so many nanoseconds at most; returns what there is.
    func events(within nanoseconds: UInt64) throws(SystemError) -> [Poller.Event] {
        try poller.wait(until: SystemClock.monotonic.now + nanoseconds)
        return events()
    }
}

/// Waits until `condition`, for some seconds at most; false if it never holds.
///
/// What only the last descriptor of a file ends may take some milliseconds more than closing it: a
/// process that a test beside this one starts has copies of all until it executes its program.
func eventually(_ condition: () throws -> Bool) rethrows -> Bool {
    for _ in 0..<5000 {
        if try condition() { return true }
        SystemClock.sleep(until: SystemClock.monotonic.now + 2_000_000)
    }
    return false
}
