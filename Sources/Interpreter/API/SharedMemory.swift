// Invariants: `base` is the start of the memory's reservation while this object exists; the first
// `byteCount` bytes are accessible. Size and queues are changed only under the lock. Plain accesses
// of guests may race, as the specification allows; they are accesses to raw bytes.

import Synchronization
import WasmValidator

/// A linear memory that stores of several threads use at the same time.
///
///     let limits = Limits(minimum: 1, maximum: 16)
///     let memory = try SharedMemory(MemoryType(limits: limits, shared: true))
///     // on each thread
///     let store = Store(engine: engine)
///     linker.define("env", "memory", memory)
///
/// Specification: threads proposal, shared memories.
public final class SharedMemory: Sendable {
    /// The declared type; its minimum is the initial size.
    public let type: MemoryType
    nonisolated(unsafe) let base: UnsafeMutableRawPointer
    private let currentByteCount: Atomic<UInt>
    private let state: Mutex<State>

    private struct State {
        /// The bytes themselves.
        let origin: MemoryStorage
        /// Waiting guests by address, the longest waiting first.
        var waiters: [UInt64: [WakeCell]] = [:]
    }

    /// Allocates a shared memory of zeros.
    ///
    /// - Parameters:
    ///   - type: its limits; `shared` is ignored.
    ///   - limit: the most bytes that it may grow to; default 4 GiB.
    ///   - account: charged for its bytes; nil for the account of the first store that uses it.
    /// - Throws: `ResourceError` if its minimum is above the limit or the system refuses.
    public init(
        _ type: MemoryType, limit: UInt64 = 1 << 32, account: ResourceAccount? = nil
    ) throws(ResourceError) {
        var type = type
        type.isShared = true
        self.type = type
        let origin = try MemoryStorage(type, limit: limit, account: account)
        base = origin.record.pointee.base
        currentByteCount = Atomic(origin.record.pointee.byteCount)
        state = Mutex(State(origin: origin))
    }

    /// The type with the current size as its minimum, for import matching.
    var currentType: MemoryType {
        var current = type
        current.limits.minimum = UInt64(byteCount) >> UInt64(type.pageSizeLog2)
        return current
    }

    /// The current size in bytes.
    public var byteCount: Int { Int(bitPattern: currentByteCount.load(ordering: .acquiring)) }

    /// Adds pages of zeros; returns the previous size in pages, or nil if it cannot grow that far.
    public func grow(by pages: UInt64) -> UInt64? {
        state.withLock { state in
            let old = state.origin.grow(by: pages)
            currentByteCount.store(
                state.origin.record.pointee.byteCount, ordering: .releasing)
            return old
        }
    }

    /// Charges the bytes to an account, unless they are charged to one already.
    ///
    /// - Throws: `ResourceError` if they do not fit.
    func charge(to account: ResourceAccount) throws(ResourceError) {
        let failure = state.withLock { state -> ResourceError? in
            do throws(ResourceError) {
                try state.origin.charge(to: account)
                return nil
            } catch {
                return error
            }
        }
        if let failure { throw failure }
    }

    // MARK: Waiting

    /// How a wait ended; raw values are the guest's results.
    enum WaitResult: UInt64 {
        case woken = 0
        case notEqual = 1
        case timedOut = 2
    }

    /// Puts a guest into the queue at `address`, if `isEqual` still holds.
    func enqueue(_ waiter: WakeCell, at address: UInt64, if isEqual: () -> Bool) -> Bool {
        state.withLock { state in
            guard isEqual() else { return false }
            state.waiters[address, default: []].append(waiter)
            return true
        }
    }

    /// Whether a guest is still in the queue: it was not notified.
    func isWaiting(_ waiter: WakeCell, at address: UInt64) -> Bool {
        state.withLock { $0.waiters[address]?.contains { $0 === waiter } ?? false }
    }

    /// Removes a guest from the queue; false if it was notified before.
    func dequeue(_ waiter: WakeCell, at address: UInt64) -> Bool {
        state.withLock { state in
            guard let index = state.waiters[address]?.firstIndex(where: { $0 === waiter }) else {
                return false
            }
            state.waiters[address]?.remove(at: index)
            if state.waiters[address]?.isEmpty == true { state.waiters[address] = nil }
            return true
        }
    }

    /// Wakes up to `count` guests that wait at `address`, a byte offset; returns their number.
    ///
    /// Specification: threads proposal, `memory.atomic.notify`.
    @discardableResult
    public func notify(at address: UInt64, count: UInt32) -> UInt32 {
        state.withLock { state in
            guard var queue = state.waiters[address] else { return 0 }
            let woken = min(queue.count, Int(count))
            for waiter in queue.prefix(woken) { waiter.wake() }
            queue.removeFirst(woken)
            state.waiters[address] = queue.isEmpty ? nil : queue
            return UInt32(truncatingIfNeeded: woken)
        }
    }
}
