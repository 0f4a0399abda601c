// Waiting on the thread itself: futex(2) without descriptors, ppoll(2) with some.
//
// Invariant: one thread at a time waits for a store.

import WasmSystem

extension Store {
    /// Parks the thread until the wait may be over.
    ///
    /// - Parameter cell: wakes this thread; the wait ends when it is woken, or was woken before.
    /// - Returns: why the guest must stop; nil if it must check again.
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
        // A longer wait is cut to a year, since the loop checks again.
        let span = start.duration(to: end).nanoseconds(atMost: 31_536_000_000_000_000)
        return Int64(clamping: span) + 1
    }
}

/// Waits for descriptors of the host to become ready.
private struct DescriptorWait {
    private var items: [PollDescriptor]
    private let count: Int

    /// The longest single wait if a request to stop cannot wake the thread.
    private static let blindNanoseconds: Int64 = 10_000_000

    init(_ interests: [Wait.Interest]) {
        items = interests.map {
            var item = PollDescriptor($0.descriptor)
            if $0.directions.contains(.reading) { item.add(isReading: true) }
            if $0.directions.contains(.writing) { item.add(isReading: false) }
            return item
        }
        count = items.count
    }

    var isEmpty: Bool { count == 0 }

    /// Parks the thread once. May return early.
    ///
    /// - Returns: whether to check the descriptors.
    mutating func park(_ handle: InterruptHandle, nanoseconds: Int64?) -> Bool {
        var timeout = nanoseconds
        if items.count == count {
            if let wake = handle.wakeDescriptor {
                items.append(PollDescriptor(wake, isReading: true))
            } else {
                timeout = min(timeout ?? .max, Self.blindNanoseconds)
            }
        }
        var readyCount: Int? = 0
        var isRefused = false
        handle.polling {
            do throws(SystemError) {
                readyCount = try items.withUnsafeMutableBufferPointer {
                    (items) throws(SystemError) in
                    try Kernel.poll(items, timeout: timeout.map { UInt64(clamping: $0) })
                }
            } catch {
                isRefused = true
            }
        }
        // More than the host can wait for at once.
        if isRefused {
            handle.park(nanoseconds: min(nanoseconds ?? .max, Self.blindNanoseconds))
            return true
        }
        // After a signal the readiness is unknown.
        guard let readyCount else { return false }
        if items.count > count, items[count].isReady { handle.clearWakeDescriptor() }
        return readyCount > 0 && items.prefix(count).contains { $0.isReady }
    }
}
