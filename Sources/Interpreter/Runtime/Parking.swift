// Waiting on the thread itself: futex(2) where there are no descriptors, ppoll(2) where there are. A
// port changes this file and the two that it uses.
//
// Invariant: one thread at a time waits for a store.

import Glibc

extension Store {
    /// Parks the thread until the wait may be over.
    ///
    /// - Parameter cell: one that wakes this thread, and ends the wait when it is woken, or was.
    /// - Returns: what stops the guest; nil if it is to look.
    func park(_ wait: Wait, _ cell: WakeCell) -> TrapCode? {
        let handle = interruptHandle
        var descriptors = DescriptorWait(wait.interests)
        while true {
            // In this order: a notification from here on ends the parking.
            handle.prepareToPark()
            let now = ContinuousClock.now
            if cell.isWoken || wait.end.map({ now >= $0 }) ?? false { return nil }
            if let code = stopRequest() { return code }
            let next = [wait.end, deadline].compactMap(\.self).min()
            let timeout = next.map { nanoseconds(from: now, to: $0) }
            if descriptors.isEmpty {
                handle.park(nanoseconds: timeout)
            } else if descriptors.park(handle, nanoseconds: timeout) {
                return nil
            }
        }
    }

    func nanoseconds(
        from start: ContinuousClock.Instant, to end: ContinuousClock.Instant
    ) -> Int64 {
        let (seconds, attoseconds) = start.duration(to: end).components
        // A year is as good as any longer time: the loop looks again.
        guard seconds < 31_536_000 else { return 31_536_000_000_000_000 }
        return max(0, seconds) * 1_000_000_000 + max(0, attoseconds / 1_000_000_000) + 1
    }
}

/// Waits for descriptors of the host to become ready.
private struct DescriptorWait {
    private var items: [pollfd]
    private let count: Int

    /// How long to wait at once where a request to stop cannot wake the thread.
    private static let blindNanoseconds: Int64 = 10_000_000

    init(_ interests: [Wait.Interest]) {
        items = interests.map {
            var events: Int32 = 0
            if $0.directions.contains(.reading) { events |= POLLIN }
            if $0.directions.contains(.writing) { events |= POLLOUT }
            return pollfd(fd: $0.descriptor, events: Int16(truncatingIfNeeded: events), revents: 0)
        }
        count = items.count
    }

    var isEmpty: Bool { count == 0 }

    /// Parks the thread once. May return early.
    ///
    /// - Returns: whether to look at the descriptors.
    mutating func park(_ handle: InterruptHandle, nanoseconds: Int64?) -> Bool {
        var timeout = nanoseconds
        let readable = Int16(truncatingIfNeeded: POLLIN)
        if items.count == count {
            if let wake = handle.wakeDescriptor {
                items.append(pollfd(fd: wake, events: readable, revents: 0))
            } else {
                timeout = min(timeout ?? .max, Self.blindNanoseconds)
            }
        }
        var answer: Int32 = 0
        var error: Int32 = 0
        handle.polling {
            answer = Self.poll(&items, timeout)
            if answer < 0 { error = errno }
        }
        guard answer >= 0 else {
            // After a signal nothing is known. Else there are more than the host can wait for at once.
            guard error != EINTR else { return false }
            handle.park(nanoseconds: min(nanoseconds ?? .max, Self.blindNanoseconds))
            return true
        }
        if items.count > count, items[count].revents != 0 { handle.clearWakeDescriptor() }
        return answer > 0 && items.prefix(count).contains { $0.revents != 0 }
    }

    private static func poll(_ items: inout [pollfd], _ nanoseconds: Int64?) -> Int32 {
        let count = UInt(items.count)
        guard let nanoseconds else { return symbol_ppoll(&items, count, nil, nil) }
        var time = timespec()
        time.tv_sec = Int(nanoseconds / 1_000_000_000)
        time.tv_nsec = Int(nanoseconds % 1_000_000_000)
        return symbol_ppoll(&items, count, &time, nil)
    }
}

// Swift's import of the C library leaves it out, as a GNU extension.
@_silgen_name("ppoll")
func symbol_ppoll(
    _ descriptors: UnsafeMutablePointer<pollfd>?, _ count: UInt,
    _ timeout: UnsafePointer<timespec>?, _ mask: UnsafePointer<sigset_t>?
) -> Int32
