// `memory.atomic.wait` and `memory.atomic.notify`. The address was checked by the handler: it is
// aligned, and in bounds of a memory that never shrinks.

import WasmValidator

/// Wakes threads; 0 for a memory that no other thread can know.
@inline(never)
func runtimeNotify(
    _ cx: ContextPointer, _ memory: Int, _ address: UInt64, _ count: UInt64
) -> UInt64 {
    guard let shared = ContextView(cx).instance.memories[memory].shared else { return 0 }
    return UInt64(shared.notify(at: address, count: UInt32(truncatingIfNeeded: count)))
}

/// Waits until the address is notified, and answers what the guest gets: 0, 1 or 2; or in the upper
/// half the code of the trap that stops the guest.
@inline(never)
func runtimeWait(
    _ cx: ContextPointer, _ memory: Int, _ address: UInt64, _ is64: Bool, _ expected: UInt64,
    _ timeout: UInt64
) -> UInt64 {
    let context = ContextView(cx)
    guard let shared = context.instance.memories[memory].shared else {
        return UInt64(TrapCode.expectedSharedMemory.rawValue) << 32
    }
    let place = shared.base + Int(truncatingIfNeeded: address)
    guard let store = context.execution.pointee.unretainedStore else { return 0 }
    return store._withUnsafeGuaranteedRef { store in
        let isQueued = shared.enqueue(store.interruptHandle, at: address) {
            is64
                ? UInt64.load(place) == expected
                : UInt64(UInt32.load(place)) == expected & 0xffff_ffff
        }
        guard isQueued else { return SharedMemory.WaitResult.notEqual.rawValue }
        return store.wait(shared, at: address, timeout: Int64(bitPattern: timeout))
    }
}

/// Whether another thread has grown a shared memory of the instance since the machine looked.
@inline(never)
func runtimeMemoriesGrew(_ cx: ContextPointer) -> Bool {
    var grew = false
    for memory in ContextView(cx).instance.memories where memory.refresh() { grew = true }
    return grew
}

extension Store {
    /// Parks the thread, which is in the queue at `address`.
    ///
    /// - Parameter timeout: nanoseconds; negative for no limit.
    fileprivate func wait(_ memory: SharedMemory, at address: UInt64, timeout: Int64) -> UInt64 {
        let clock = ContinuousClock()
        let end = timeout < 0 ? nil : clock.now.advanced(by: .nanoseconds(timeout))
        while !interruptHandle.isNotified {
            let now = clock.now
            if let code = stopRequest() {
                _ = memory.dequeue(interruptHandle, at: address)
                return UInt64(code.rawValue) << 32
            }
            if let end, now >= end {
                // Who was notified at the last moment was woken.
                let isOver = memory.dequeue(interruptHandle, at: address)
                return (isOver ? SharedMemory.WaitResult.timedOut : .woken).rawValue
            }
            let next = [end, deadline].compactMap(\.self).min()
            interruptHandle.park(nanoseconds: next.map { nanoseconds(from: now, to: $0) })
        }
        return SharedMemory.WaitResult.woken.rawValue
    }

    private func nanoseconds(
        from start: ContinuousClock.Instant, to end: ContinuousClock.Instant
    ) -> Int64 {
        let (seconds, attoseconds) = start.duration(to: end).components
        // A year is as good as any longer time: the loop looks again.
        guard seconds < 31_536_000 else { return 31_536_000_000_000_000 }
        return max(0, seconds) * 1_000_000_000 + max(0, attoseconds / 1_000_000_000) + 1
    }
}
