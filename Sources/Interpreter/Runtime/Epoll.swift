import WasmSystem

/// The descriptors that a loop waits for, on a `Poller`. Used by one thread.
final class Epoll {
    private var poller: Poller
    private var registrations: [Int32: Poller.Registration] = [:]

    /// Nil if the system refuses a descriptor.
    init?() {
        guard let poller = try? Poller() else { return nil }
        self.poller = poller
    }

    /// Sets the directions in which a descriptor is waited for from now on; none removes it.
    ///
    /// - Returns: false if the system cannot wait for it, for example for a file.
    func set(_ descriptor: Int32, _ directions: Wait.Directions) -> Bool {
        let known = registrations[descriptor]
        guard !directions.isEmpty else {
            if let known { poller.remove(known) }
            registrations[descriptor] = nil
            return true
        }
        var interests: Poller.Interests = []
        if directions.contains(.reading) { interests.insert(.reading) }
        if directions.contains(.writing) { interests.insert(.writing) }
        do {
            if let known {
                // Otherwise the descriptor was closed, and the number is another file's now.
                if (try? poller.arm(known, interests)) != nil { return true }
                poller.remove(known)
                registrations[descriptor] = nil
            }
            registrations[descriptor] = try poller.add(
                descriptor, interests, reportsAlways: true,
                token: UInt64(truncatingIfNeeded: descriptor))
            return true
        } catch {
            return false
        }
    }

    /// Waits once, and passes each ready descriptor to `body` with its directions.
    ///
    /// - Parameter nanoseconds: the longest wait; nil for no limit.
    func wait(nanoseconds: Int64?, _ body: (Int32, Wait.Directions) -> Void) {
        let end = nanoseconds.map {
            $0 <= 0 ? 0 : SystemClock.monotonic.now &+ UInt64(truncatingIfNeeded: $0)
        }
        try? poller.wait(until: end)
        while case .ready(let token, let readiness)? = poller.nextEvent() {
            var directions: Wait.Directions = []
            if readiness.contains(.reading) { directions.insert(.reading) }
            if readiness.contains(.writing) { directions.insert(.writing) }
            body(Int32(truncatingIfNeeded: token), directions)
        }
    }
}
