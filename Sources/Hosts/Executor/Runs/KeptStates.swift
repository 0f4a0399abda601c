import Synchronization
import WasmInterpreter
import WasmdGuests

/// What modules whose memory is kept have between two calls.
///
/// Each call still gets an instance and limits of its own: it begins with the state that the call
/// before left, and leaves its own if it succeeds. A call that fails changes nothing. Calls of one
/// module run one after the other. The state ends with the process, and with each change of the
/// module.
final class KeptStates: Sendable {
    private let states = Mutex<[ModuleID: KeptState]>([:])
    private let budget: KeptBudget
    /// Calls of one module that wait for the one that runs.
    private static let waitingLimit = 1024

    /// - Parameter byteLimit: bytes of the memories of all states.
    init(byteLimit: Int) { budget = KeptBudget(byteLimit) }

    /// The state of a module, which is made for its first call.
    func state(of id: ModuleID) -> KeptState {
        states.withLock { states in
            if let known = states[id] { return known }
            let places = RunPlaces(running: 1, waiting: Self.waitingLimit)
            let made = KeptState(RunScope(.module, id.description, places: places), budget)
            states[id] = made
            return made
        }
    }

    /// Forgets the state of a module that was changed or removed.
    func forget(_ id: ModuleID) {
        _ = states.withLock { $0.removeValue(forKey: id) }
    }

    /// Bytes of the memories of all states.
    var byteCount: Int { budget.byteCount }
}

/// Bytes that states take, and may take.
private final class KeptBudget: Sendable {
    let limit: Int
    private let used = Atomic(0)

    init(_ limit: Int) { self.limit = limit }

    var byteCount: Int { used.load(ordering: .relaxed) }

    /// Returns whether there was room.
    func change(from old: Int, to new: Int) -> Bool {
        let before = used.add(new - old, ordering: .relaxed).oldValue
        if new <= old || before + (new - old) <= limit { return true }
        used.subtract(new - old, ordering: .relaxed)
        return false
    }
}

/// The state of one module. Its scope has one place, and what `restore` and `save` do happens in
/// it.
final class KeptState: Sendable {
    let scope: RunScope
    private let budget: KeptBudget
    private struct Contents: Sendable {
        var snapshot: Snapshot?
        var module: CachedModule?
        var byteCount = 0
    }
    private let contents = Mutex(Contents())

    /// The states of all modules take as many bytes as they may.
    struct Full: Error, CustomStringConvertible {
        let limit: Int
        var description: String { "kept memories take \(limit) bytes, the limit" }
    }

    fileprivate init(_ scope: RunScope, _ budget: KeptBudget) {
        self.scope = scope
        self.budget = budget
    }

    deinit {
        let count = contents.withLock { $0.byteCount }
        _ = budget.change(from: count, to: 0)
    }

    /// The compiled module that the state belongs to. The first call names it: a snapshot can only
    /// be restored in instances of the very module.
    func module(orElse module: () async throws -> CachedModule) async throws -> CachedModule {
        if let known = contents.withLock({ $0.module }) { return known }
        let made = try await module()
        return contents.withLock { contents in
            if let known = contents.module { return known }
            contents.module = made
            return made
        }
    }

    /// Gives an instance the memory that the last call left.
    func restore(_ instance: Instance) throws {
        // A module that was changed while the call waited begins anew.
        guard let snapshot = contents.withLock({ $0.snapshot }),
            snapshot.module === instance.module
        else { return }
        try instance.restore(snapshot)
    }

    /// Keeps what the memory of an instance holds after a call.
    ///
    /// - Throws: `SnapshotError`, `Full`
    func save(_ instance: Instance) throws {
        let snapshot = try instance.snapshot()
        // An object takes a few words more than its fields.
        let count = snapshot.memoryByteCount + snapshot.objectCount * 64
        let before = contents.withLock { $0.byteCount }
        guard budget.change(from: before, to: count) else { throw Full(limit: budget.limit) }
        contents.withLock { contents in
            contents.snapshot = snapshot
            contents.byteCount = count
        }
    }
}
