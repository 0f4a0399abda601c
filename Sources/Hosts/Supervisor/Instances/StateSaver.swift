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
    /// Saves that are scheduled or on their way to the disk: without them a restart would go back.
    var unfinished = 0
    /// Saves since unused blobs were removed last.
    var count = 0
    /// Why the state could not be saved, if that was noted.
    var failure: String?
    /// The number of the state that was taken last, and of the newest that was given to the store. The
    /// first is higher also after an instance was released, so that runs see it which loaded it.
    var taken: UInt64 = 0
    var given: UInt64 = 0
    /// Whether the stored state is the newest, whatever `Options.state` says: the instance was
    /// evicted or came from another device.
    var isStored = false
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
        module.saving.unfinished += 1
        home.spawn(priority: .background) { [self] in
            defer {
                module.saving.isScheduled = false
                module.saving.unfinished -= 1
            }
            guard (try? await home.sleep(for: Self.delay)) != nil else { return }
            await save(module, on: home)
        }
    }

    /// Saves the state of an instance now: between two of its runs. Returns when it is durable.
    ///
    /// - Parameter time: how long it waits for the end of a run; nil for no limit.
    func save(
        _ module: DeployedModule, waitingAtMost time: Duration? = nil, on home: EventLoop
    ) async {
        do {
            let place = try await runs.queue.enter(
                module: module.scope, waitingAtMost: time, on: home)
            module.saving.isScheduled = false
            let taken = Result { () throws(StateFault) in try module.takeState(isMoving: false) }
            module.saving.taken += 1
            let number = module.saving.taken
            place.giveBack()
            guard let taken = try taken.get() else { return }
            try await store(taken, number, of: module, on: home)
        } catch {
            note(error, module)
        }
    }

    /// Makes a state durable. A newer one that was given to the store meanwhile stays.
    ///
    /// - Throws: `StateFault`, `StorageError`.
    func store(
        _ taken: TakenState, _ number: UInt64, of module: DeployedModule, on home: EventLoop
    ) async throws {
        let bytes = try await home.blocking { try taken.encoded() }
        try await store(bytes, number, of: module, on: home)
    }

    func store(
        _ bytes: [UInt8], _ number: UInt64, of module: DeployedModule, on home: EventLoop
    ) async throws {
        let stored = try await StoredBytes.write(bytes, store, on: home)
        guard !module.isRetired, number > module.saving.given else { return }
        module.saving.given = number
        var transaction = Transaction()
        try Self.put(stored, of: module, in: &transaction)
        _ = try await store.commit(transaction)
        counters.saves.add(1, ordering: .relaxed)
        withExtendedLifetime(stored) {}
        try await collect(module, on: home)
    }

    /// Adds the state to a transaction. It depends on the deployment: a state of one that was
    /// replaced meanwhile is not stored.
    static func put(
        _ stored: StoredBytes, of module: DeployedModule, in transaction: inout Transaction
    ) throws {
        transaction.put(
            RecordKey.state(module), try BSON.write(.object(stored.members)), blobs: stored.blobs)
        require(module, in: &transaction)
    }

    /// Makes a transaction depend on the deployment of a module.
    static func require(_ module: DeployedModule, in transaction: inout Transaction) {
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
        if error is StateFault { module.saving.failure = "\(error)" }
        publish([
            ModuleLine(
                time: SystemClock.realtime.now, level: .error,
                bytes: Array("the state of the module is not saved: \(error)".utf8), run: "",
                deployment: module.deployment, module: module.name, function: "")
        ])
    }
}
