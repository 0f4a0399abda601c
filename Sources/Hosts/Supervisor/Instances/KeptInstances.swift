import Synchronization
import WasmInterpreter
import WasmSystem
import WasmdEventLoop
import WasmdGuests

/// The instances that are loaded, with what they take: those that were used least recently are saved
/// and released when there are too many.
final class KeptInstances: Sendable {
    private struct Entry: Sendable {
        let module: DeployedModule
        var byteCount: UInt64
        /// Nanoseconds on the monotonic clock.
        var used: UInt64
        var isLeaving = false
    }

    private struct State: Sendable {
        var entries: [ObjectIdentifier: Entry] = [:]
        var byteCount: UInt64 = 0
    }

    private let byteLimit: UInt64
    private let countLimit: Int
    private let state = Mutex(State())

    init(byteLimit: UInt64, countLimit: Int) {
        self.byteLimit = byteLimit
        self.countLimit = max(countLimit, 1)
    }

    /// How many there are, and the bytes that they took when they were used last.
    var totals: (count: Int, byteCount: UInt64) {
        state.withLock { ($0.entries.count, $0.byteCount) }
    }

    /// Notes that an instance was used.
    ///
    /// - Returns: instances that are to be released, the least recently used first: never this one.
    ///   They count until `remove` or `stay`.
    func use(_ module: DeployedModule, byteCount: UInt64) -> [DeployedModule] {
        let now = SystemClock.monotonic.now
        return state.withLock { state in
            let old = state.entries[ObjectIdentifier(module)]?.byteCount ?? 0
            state.entries[ObjectIdentifier(module)] = Entry(
                module: module, byteCount: byteCount, used: now)
            state.byteCount = state.byteCount - min(state.byteCount, old) + byteCount
            guard isFull(state.entries.count, state.byteCount) else { return [] }
            return Self.leaving(&state, besides: module) { isFull($0, $1) }
        }
    }

    private func isFull(_ count: Int, _ byteCount: UInt64) -> Bool {
        byteCount > byteLimit || count > countLimit
    }

    private static func leaving(
        _ state: inout State, besides module: DeployedModule, _ isFull: (Int, UInt64) -> Bool
    ) -> [DeployedModule] {
        var count = state.entries.count
        var byteCount = state.byteCount
        for entry in state.entries.values where entry.isLeaving {
            count -= 1
            byteCount -= min(byteCount, entry.byteCount)
        }
        var modules: [DeployedModule] = []
        let candidates = state.entries.filter { !$0.value.isLeaving && $0.value.module !== module }
        for (id, entry) in candidates.sorted(by: { $0.value.used < $1.value.used }) {
            guard isFull(count, byteCount) else { break }
            count -= 1
            byteCount -= min(byteCount, entry.byteCount)
            state.entries[id]?.isLeaving = true
            modules.append(entry.module)
        }
        return modules
    }

    /// The instance was released.
    func remove(_ module: DeployedModule) {
        state.withLock { state in
            guard let entry = state.entries.removeValue(forKey: ObjectIdentifier(module)) else {
                return
            }
            state.byteCount -= min(state.byteCount, entry.byteCount)
        }
    }

    /// The instance cannot be released now.
    func stay(_ module: DeployedModule) {
        state.withLock { $0.entries[ObjectIdentifier(module)]?.isLeaving = false }
    }
}

extension Supervisor {
    /// Notes that an instance was used, in a task of its home that has the instance's place; others
    /// may have to go.
    func used(_ module: DeployedModule, _ kept: KeptInstance) {
        guard !module.isRetired else { return }
        for other in instances.use(module, byteCount: kept.byteCount) {
            other.home?.spawn(priority: .background) { [self] in await evict(other) }
        }
    }

    /// Saves the state of an instance and releases it, between two of its runs. One that cannot be
    /// saved stays.
    private func evict(_ module: DeployedModule) async {
        guard let home = module.home, !module.isRetired else { return instances.remove(module) }
        guard let place = try? runs.queue.tryEnter(module: module.scope) else {
            return instances.stay(module)
        }
        let hold = InstanceHold(place)
        defer { hold.end() }
        do {
            if let taken = try module.takeState(isMoving: true) {
                module.saving.taken += 1
                try await store(taken, module.saving.taken, of: module, on: home)
                module.saving.isStored = true
            }
            module.saving.taken += 1
            module.kept = nil
            module.cached = nil
            instances.remove(module)
            counters.evictions.add(1, ordering: .relaxed)
        } catch {
            // As long as it takes no more memory, it may stay; it is tried again after others.
            instances.stay(module)
            note(error, module)
        }
    }
}
