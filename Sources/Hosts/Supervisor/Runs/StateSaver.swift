import Synchronization
import WasmInterpreter
import WasmSystem
import WasmdDocuments
import WasmdEventLoop
import WasmdGuests
import WasmdStorage

/// Whether an instance's state is to be saved. Used on the instance's home only.
final class StateSaver {
    /// A save is on its way, and will have what runs have changed until it begins.
    var isScheduled = false
    /// Saves since unused blobs were removed last.
    var count = 0
    /// Why the state could not be saved, if that was noted.
    var failure: String?
}

extension Supervisor {
    /// How long after a run its state is saved; with the time that this takes, it is within a
    /// second.
    private static let delay = Duration.milliseconds(300)
    /// Blobs that nothing references are removed after as many saves of one instance.
    private static let collectionInterval = 32

    /// Saves the state of an instance a little later, in a task of its home.
    func scheduleSave(_ module: DeployedModule, on home: EventLoop) {
        guard options.state == .interval, !module.saving.isScheduled, module.saving.failure == nil
        else { return }
        module.saving.isScheduled = true
        home.spawn(priority: .background) { [self] in
            defer { module.saving.isScheduled = false }
            guard (try? await home.sleep(for: Self.delay)) != nil else { return }
            await save(module, on: home)
        }
    }

    /// Saves the state of an instance now: between two of its runs. Returns when it is durable.
    func save(_ module: DeployedModule, on home: EventLoop) async {
        do {
            guard let snapshot = try await snapshot(module, on: home) else { return }
            let bytes = try await home.blocking { snapshot.encoded() }
            let stored = try await StoredBytes.write(bytes, store, on: home)
            guard !module.isRetired else { return }
            var transaction = Transaction()
            try Self.put(stored, of: module, in: &transaction)
            _ = try await store.commit(transaction)
            withExtendedLifetime(stored) {}
            try await collect(module, on: home)
        } catch {
            note(error, module)
        }
    }

    private func snapshot(
        _ module: DeployedModule, on home: EventLoop
    ) async throws -> WasmInterpreter.Snapshot? {
        let place = try await runs.queue.enter(module: module.scope, on: home)
        module.saving.isScheduled = false
        let snapshot = Result { try module.kept?.snapshot() }
        place.giveBack()
        return try snapshot.get()
    }

    /// Adds the state to a transaction. It depends on the deployment: a state of one that was
    /// replaced meanwhile is not stored.
    static func put(
        _ stored: StoredBytes, of module: DeployedModule, in transaction: inout Transaction
    ) throws {
        transaction.put(
            RecordKey.state(module), try BSON.write(.object(stored.members)), blobs: stored.blobs)
        transaction.require(
            RecordKey.deployment(module.deployment),
            .version(module.version.load(ordering: .relaxed)))
    }

    /// Removes blobs of earlier states, now and then.
    func collect(_ module: DeployedModule, on home: EventLoop) async throws {
        module.saving.count += 1
        guard module.saving.count >= Self.collectionInterval else { return }
        module.saving.count = 0
        let blobs = store.blobs
        _ = try await home.blocking { try blobs.collectGarbage() }
    }

    /// Notes once that the state of an instance cannot be saved.
    func note(_ error: any Error, _ module: DeployedModule) {
        guard !module.isRetired, module.saving.failure == nil else { return }
        if case LoopError.cancelled = error { return }
        if let refusal = error as? RunRefusal, refusal.limit == nil { return }
        if case StorageError.conflict = error { return }
        if error is SnapshotError { module.saving.failure = "\(error)" }
        publish([
            ModuleLine(
                time: SystemClock.realtime.now, level: .error,
                bytes: Array("the state of the module cannot be saved: \(error)".utf8), run: "",
                deployment: module.deployment, module: module.name, function: "")
        ])
    }
}
