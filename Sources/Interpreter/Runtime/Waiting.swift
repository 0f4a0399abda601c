// `memory.atomic.wait` and `memory.atomic.notify`. The address was checked by the handler: it is
// aligned, and in bounds of a memory that never shrinks.
//
// Invariant: a place where a guest waits in the middle of an instruction is that of an atomic wait,
// with the frame that contains the instruction's slots.

import Synchronization
import WasmMachine
import WasmValidator

/// Wakes threads; 0 for a memory that no other thread can use.
func runtimeNotify(
    _ cx: ContextPointer, _ memory: Int, _ address: UInt64, _ count: UInt64
) -> UInt64 {
    guard let shared = ContextView(cx).instance.memories[memory].shared else { return 0 }
    return UInt64(shared.notify(at: address, count: UInt32(truncatingIfNeeded: count)))
}

/// Waits until the address is notified, and returns the guest's result: 0, 1 or 2; or in the upper
/// half the code of the trap that stops the guest, or `suspended`.
func runtimeWait(
    _ cx: ContextPointer, _ memory: Int, _ address: UInt64, _ is64: Bool, _ expected: UInt64,
    _ timeout: UInt64
) -> UInt64 {
    let context = ContextView(cx)
    guard let shared = context.instance.memories[memory].shared else {
        return UInt64(TrapCode.expectedSharedMemory.rawValue) << 32
    }
    let place = shared.base + Int(truncatingIfNeeded: address)
    guard let store = context.exchange.pointee.unretainedStore else { return 0 }
    return store._withUnsafeGuaranteedRef { store in
        let execution = store.suspendable
        let cell = execution?.wakeCell ?? store.ownCell
        cell.reset()
        let isQueued = shared.enqueue(cell, at: address) {
            is64
                ? place.assumingMemoryBound(to: Atomic<UInt64>.self).pointee
                    .load(ordering: .sequentiallyConsistent) == expected
                : place.assumingMemoryBound(to: Atomic<UInt32>.self).pointee
                    .load(ordering: .sequentiallyConsistent)
                    == UInt32(truncatingIfNeeded: expected)
        }
        guard isQueued else { return SharedMemory.WaitResult.notEqual.rawValue }
        let wait = AtomicWait(memory: shared, address: address, timeout: Int64(bitPattern: timeout))
        if let execution {
            execution.atomicWait = wait
            execution.state = .waiting(.wait(wait.value))
            return suspended << 32
        }
        return store.wait(wait)
    }
}

/// Whether another thread has grown a shared memory of the instance since the machine looked.
func runtimeMemoriesGrew(_ cx: ContextPointer) -> Bool {
    var grew = false
    for memory in ContextView(cx).instance.memories where memory.refresh() { grew = true }
    return grew
}

/// A guest in the queue of an address.
struct AtomicWait {
    let memory: SharedMemory
    let address: UInt64
    /// Only the end: the queue wakes the guest's cell.
    let value: Wait

    /// - Parameter timeout: nanoseconds; negative for no limit.
    init(memory: SharedMemory, address: UInt64, timeout: Int64) {
        self.memory = memory
        self.address = address
        var value = Wait()
        if timeout >= 0 { value.end = .now.advanced(by: .nanoseconds(timeout)) }
        self.value = value
    }

    /// The guest's result if the wait is over; nil if it continues.
    func result(_ cell: WakeCell) -> SharedMemory.WaitResult? {
        // In this order: a notification after this point wakes the guest again.
        cell.reset()
        guard memory.isWaiting(cell, at: address) else { return .woken }
        guard let end = value.end, ContinuousClock.now >= end else { return nil }
        // A guest that is no longer in the queue was notified at the last moment: it was woken.
        return memory.dequeue(cell, at: address) ? .timedOut : .woken
    }
}

extension Store {
    /// The cell of the thread, for guests that wait without being suspended.
    var ownCell: WakeCell {
        if let threadCell { return threadCell }
        let cell = WakeCell(thread: interruptHandle)
        threadCell = cell
        return cell
    }

    /// Parks the thread, whose cell is in the queue. Returns the same as `runtimeWait`.
    fileprivate func wait(_ wait: AtomicWait) -> UInt64 {
        let cell = ownCell
        while true {
            if let result = wait.result(cell) { return result.rawValue }
            if let code = park(wait.value, cell) {
                _ = wait.memory.dequeue(cell, at: wait.address)
                return UInt64(code.rawValue) << 32
            }
        }
    }

    /// Checks whether an execution's wait is over, and if so, puts the result where the instruction
    /// puts it and continues after it. Returns false if the guest still waits.
    func finish(
        _ wait: AtomicWait, of execution: Execution, _ accumulators: inout Accumulators
    ) throws -> Bool {
        if let code = stopRequest() { throw failure(code) }
        guard let place = execution.place else { throw SuspensionError.notSuspended }
        guard let result = wait.result(execution.wakeCell) else {
            execution.state = .waiting(.wait(wait.value))
            return false
        }
        execution.atomicWait = nil
        accumulators.r = result.rawValue
        let next = place.finishAtomicWait(result.rawValue)
        execution.place = next
        exchange.pointee.place = next
        return true
    }
}

extension GuestPlace {
    /// Puts the result of the `memory.atomic.wait` at this place where it belongs; returns where
    /// the guest continues.
    func finishAtomicWait(_ result: UInt64) -> GuestPlace {
        let field = UnsafeRawPointer(code).load(fromByteOffset: 8, as: UInt16.self)
        stack[Int(field)] = result
        return GuestPlace(code: code + 4, stack: stack, context: context)
    }
}
