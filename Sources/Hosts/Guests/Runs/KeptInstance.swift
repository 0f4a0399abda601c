// Soundness: used on the thread of one loop only: the store and its instance are not `Sendable`.

import WasmInterpreter
import WasmWASI

/// An instance that stays loaded between runs, with its store, its open files and its state: see
/// `RunRequest.kept`.
///
/// ```swift
/// let kept = KeptInstance(guest, limits)
/// request.kept = kept
/// let first = await runs.run(request, on: guests)      // makes the instance
/// let second = await runs.run(request, on: guests)     // continues with its state
/// ```
///
/// Its runs take turns: their module's scope has one place (`RunPlaces(running: 1)`). All of them,
/// and the instance's release, are on the loop of the first.
public final class KeptInstance {
    public let guest: PreparedGuest
    let store: Store
    /// The state to begin with; nil for that of the module.
    private var saved: Snapshot?
    /// Nil before the first run, and after a start that failed.
    public internal(set) var instance: Instance?

    /// - Parameters:
    ///   - limits: memory, objects, stack and tables of the store; those of time and fuel are given
    ///     with each run.
    ///   - saved: the state to begin with, of the guest's module.
    public init(_ guest: PreparedGuest, _ limits: RunLimits, saved: Snapshot? = nil) {
        self.guest = guest
        self.saved = saved
        store = Store(engine: guest.module.engine, limits: limits.storeLimits)
    }

    /// The instance, if it is to be made of a saved state.
    ///
    /// - Throws: `SnapshotError`, `ResourceError`.
    func restored() throws -> Instance? {
        guard let saved else { return nil }
        let restored = try guest.instance(from: saved, in: store)
        self.saved = nil
        return restored
    }

    /// Bytes that the instance takes: memories, tables, objects, stacks, open files.
    public var byteCount: UInt64 { UInt64(clamping: store.account.byteCount) }

    /// How many descriptors the guest has opened and not closed: they are in no snapshot.
    public var openedCount: Int { store.wasiGuest?.openedCount ?? 0 }

    /// What the instance holds now; nil before the first run. Not while a run has its place.
    ///
    /// Cost: see `Instance.snapshot()`.
    public func snapshot() throws(SnapshotError) -> Snapshot? { try instance?.snapshot() }
}
