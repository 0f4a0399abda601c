import Synchronization
import WasmInterpreter
import WasmSystem
import WasmdDocuments
import WasmdEventLoop
import WasmdGuests
import WasmdHTTP
import WasmdHTTPClient
import WasmdStorage
import WasmdWasmiot

/// Runs functions of modules that an orchestrator of *wasmiot* deploys to this device.
///
/// A module of a deployment is one instance, which stays loaded and keeps its state between calls. A
/// deployment is durable when `deploy` returns, a run's entry when the run is answered, and the state
/// of an instance after `Options.state`. All functions are called from tasks of a loop.
public final class Supervisor: Sendable {
    public let options: Options
    public let runs: GuestRuns
    public let history: History
    /// What modules print, and how their runs end.
    public let lines: Feed<ModuleLine>
    let store: RecordStore
    let cache: ModuleCache
    let skills: Skills
    let machine: Machine
    let logs: LogSender
    let instances: KeptInstances
    let counters = Counters()
    /// Runs that have begun and are not in the history yet.
    let pending = PendingRuns()
    private let tools = Mutex<[ObjectIdentifier: LoopTools]>([:])
    private let state: Mutex<State>

    private struct State {
        var deployments: [Name: Deployment] = [:]
        /// In the order in which they were made; for lists, and for the newest of a name.
        var order: [Name] = []
        /// Of all deployments, and of those that are being fetched.
        var nodes = NodeSize.none
        var reserved = NodeSize.none
        var orchestrator: URL?
        /// The device's name, and how often it has changed.
        var name = ""
        var nameVersion = 0
        /// Whether the local network is being asked whether the name is free.
        var isNaming = false
        /// Origins of the configuration.
        var cors = CORSPolicy()
    }

    /// Reads what is stored: may wait for the disk, so not on a loop.
    ///
    /// - Throws: `StorageError`. Records that cannot be read are passed over: see `damage`.
    public init(_ store: RecordStore, _ options: Options = Options()) throws {
        var options = options
        if options.name.isEmpty {
            options.name = String(decoding: CurrentProcess.hostName, as: UTF8.self)
        }
        self.options = options
        self.store = store
        var settings = ModuleCache.Options()
        settings.moduleByteLimit = options.moduleLimit
        cache = ModuleCache(settings)
        runs = options.sharedRuns ?? GuestRuns(options.runs)
        instances = KeptInstances(
            byteLimit: options.instanceMemory, countLimit: options.instanceCount)
        lines = Feed(capacity: 10_000, byteLimit: 8 << 20)
        skills = Skills(options.skills)
        machine = options.machine ?? Machine()
        logs = LogSender(device: options.name)
        var damage: [String] = []
        history = try History(store, limit: options.historyLimit, &damage)
        var state = State()
        state.name = options.name
        for deployment in try DeploymentRecords.load(store, options, &damage) {
            state.deployments[Name(deployment.id)] = deployment
            state.order.append(Name(deployment.id))
            state.nodes += deployment.size
            history.keepCounts(of: deployment.id)
        }
        state.orchestrator = try OrchestratorRecord.load(store)
        if let url = state.orchestrator { logs.setTarget(url) }
        self.state = Mutex(state)
        self.damage = damage
    }

    /// What could not be read when the supervisor was made, one line for each record.
    public let damage: [String]

    /// Whether event streams end, since the server is about to.
    var isStopping: Bool { options.isStopping() }

    /// Forgets compiled modules that were not used for long; to be called about every minute.
    public func trim() { cache.trim() }

    // MARK: Deployments

    /// Present deployments, the oldest first.
    public var deployments: [Deployment] {
        state.withLock { state in state.order.compactMap { state.deployments[$0] } }
    }

    public func deployment(_ id: String) -> Deployment? {
        state.withLock { $0.deployments[Name(id)] }
    }

    var deploymentCount: Int { state.withLock { $0.deployments.count } }

    /// Takes room for a deployment, which may replace one with its id.
    func reserve(_ size: NodeSize, for id: String) throws(SupervisorError) {
        let reason = state.withLock { state -> String? in
            var total = state.nodes
            total += state.reserved
            total += size
            if let known = state.deployments[Name(id)] { total -= known.size }
            if let reason = total.excess(options) { return reason }
            state.reserved += size
            return nil
        }
        if let reason { throw .tooMany(reason) }
    }

    func release(_ size: NodeSize) { state.withLock { $0.reserved -= size } }

    /// Puts a deployment that was stored in the place of one with the same id, whose instances end with
    /// their last run.
    func put(_ deployment: Deployment) {
        let name = Name(deployment.id)
        let key = RecordKey.deployment(deployment.id)
        let leaving = state.withLock { state -> Deployment? in
            // Of several at the same time the one whose record is there stays, whichever comes here
            // last: what runs is what a restart finds.
            guard store.version(key) == deployment.version else { return deployment }
            let replaced = state.deployments.updateValue(deployment, forKey: name)
            state.nodes += deployment.size
            if let replaced { state.nodes -= replaced.size }
            if replaced != nil { state.order.removeAll { $0 == name } }
            state.order.append(name)
            history.forgetOutputs(of: deployment.id)
            history.keepCounts(of: deployment.id)
            return replaced
        }
        leaving?.retire(instances)
    }

    /// Removes a deployment; durable when the function returns. Its history stays, and so does one that
    /// is deployed in its place at the same time.
    ///
    /// - Throws: `SupervisorError.noDeployment`, `.storage`.
    public func delete(_ id: String) async throws {
        guard let deployment = deployment(id) else { throw SupervisorError.noDeployment }
        var transaction = Transaction()
        DeploymentRecords.remove(deployment, from: &transaction, store)
        let counts = history.countsWithoutEntries(of: id)
        for name in counts { transaction.delete(RecordKey.count(name.description)) }
        do throws(StorageError) {
            try await store.commit(transaction)
        } catch .conflict(_, nil) {
            // Another request has removed it.
            throw SupervisorError.noDeployment
        } catch .conflict {
            // One in its place was stored, which has removed it; `put` follows.
            return
        } catch {
            throw SupervisorError.storage(error)
        }
        state.withLock { state in
            guard state.deployments[Name(id)] === deployment else { return }
            state.deployments[Name(id)] = nil
            state.nodes -= deployment.size
            state.order.removeAll { $0 == Name(id) }
            history.forgetOutputs(of: id)
            history.forgetCounts(counts, of: id)
        }
        deployment.retire(instances)
    }

    // MARK: Pages of browsers

    /// Sets the origins whose pages may read what devices tell, beside those of loopback.
    public func setOrigins(_ cors: CORSPolicy) { state.withLock { $0.cors = cors } }

    /// Pages that may read descriptions, health, history and output files: those of the original's
    /// web page ask devices themselves.
    var cors: CORSPolicy {
        var loopback = CORSPolicy()
        loopback.allowsLoopback = true
        return loopback.union(state.withLock { $0.cors })
    }

    // MARK: The name

    /// The device's name: that of the options, or another one that `rename` was told.
    public var name: String { state.withLock { $0.name } }

    /// Registrations wait, for at most three seconds, until `endNaming` or `rename`: so that no
    /// orchestrator learns a name that another device of the network has.
    public func beginNaming() { state.withLock { $0.isNaming = true } }

    /// The name is free, or nobody can be asked.
    public func endNaming() { state.withLock { $0.isNaming = false } }

    /// Another host of the network has the name: the device registers with this one from now on.
    public func rename(_ name: String) {
        state.withLock { state in
            guard state.name != name else { return }
            state.name = name
            state.nameVersion += 1
        }
        logs.setDevice(name)
    }

    var isNaming: Bool { state.withLock { $0.isNaming } }
    var nameVersion: Int { state.withLock { $0.nameVersion } }

    // MARK: The orchestrator

    /// The orchestrator that has registered itself, or that the host has named; nil for none.
    public var orchestrator: URL? { state.withLock { $0.orchestrator } }

    /// Sets the orchestrator; durable when the function returns. Log lines go to it from now on.
    ///
    /// - Throws: `SupervisorError.storage`.
    public func setOrchestrator(_ url: URL) async throws {
        if orchestrator != url {
            do throws(StorageError) {
                try await OrchestratorRecord.store(url, in: store)
            } catch {
                throw SupervisorError.storage(error)
            }
            state.withLock { $0.orchestrator = url }
        }
        logs.setTarget(url)
    }

    // MARK: Loops

    /// What the supervisor has once for each loop.
    @safe final class LoopTools: @unchecked Sendable {
        // Soundness: used on its loop's thread only.
        let guests: GuestLoop
        let client: HTTPClient

        init(_ loop: EventLoop, _ options: HTTPClientOptions) throws {
            guests = try GuestLoop(loop)
            client = HTTPClient(options, on: loop)
        }
    }

    /// The tools of the loop that the caller runs on.
    func tools(_ loop: EventLoop) throws -> LoopTools {
        try tools.withLock { known in
            if let made = known[ObjectIdentifier(loop)] { return made }
            var client = HTTPClientOptions()
            client.resolver = options.resolver
            client.responseTimeout = options.callTime
            let made = try LoopTools(loop, client)
            known[ObjectIdentifier(loop)] = made
            return made
        }
    }
}

extension Supervisor {
    /// What has happened, for metrics.
    final class Counters: Sendable {
        let succeeded = Atomic<UInt64>(0)
        let failed = Atomic<UInt64>(0)
        let saves = Atomic<UInt64>(0)
        let evictions = Atomic<UInt64>(0)
        let moves = Atomic<UInt64>(0)
    }

    /// Numbers for metrics.
    public struct Statistics: Sendable {
        public var deployments: Int
        /// Loaded instances, and their bytes.
        public var instances: Int
        public var instanceBytes: UInt64
        /// Entries of the history.
        public var history: Int
        /// Runs that have not ended.
        public var pending: Int
        /// Runs that have ended.
        public var succeeded: UInt64
        public var failed: UInt64
        /// States of instances that were saved, instances that were released because there were too
        /// many, and those that moved to another device.
        public var saves: UInt64
        public var evictions: UInt64
        public var moves: UInt64
    }

    public var statistics: Statistics {
        let kept = instances.totals
        return Statistics(
            deployments: deploymentCount, instances: kept.count, instanceBytes: kept.byteCount,
            history: history.count, pending: pending.count,
            succeeded: counters.succeeded.load(ordering: .relaxed),
            failed: counters.failed.load(ordering: .relaxed),
            saves: counters.saves.load(ordering: .relaxed),
            evictions: counters.evictions.load(ordering: .relaxed),
            moves: counters.moves.load(ordering: .relaxed))
    }

    /// When the state of an instance is saved.
    public enum StateSaving: String, Sendable, CaseIterable {
        /// Within a second after a run.
        case interval
        /// Before the run is answered.
        case always
        /// Never: instances begin anew after a restart.
        case never
    }

    public struct Options: Sendable {
        /// The device's name; that of the machine if it is empty.
        public var name = ""
        /// Bytes of a module.
        public var moduleLimit = 64 << 20
        /// Bytes of a data file, and of all files of a request.
        public var fileLimit = 64 << 20
        /// Bytes of all files of a module's folder.
        public var folderLimit = 256 << 20
        public var deploymentLimit = 1000
        /// Modules of a deployment.
        public var moduleCountLimit = 100
        /// Runs that wait for one instance, and the bytes of a node.
        public var waitingRuns = 1024
        public var nodeLimit = 4 << 20
        /// Bytes of all nodes as they are stored, and functions of all deployments.
        public var nodeTotalLimit = 64 << 20
        public var functionLimit = 10_000
        /// Entries of the history that are kept; at least 1,000.
        public var historyLimit = 2000
        public var state = StateSaving.interval
        /// How long fetching a file, and a call of the next endpoint, may take.
        public var fetchTime = Duration.seconds(30)
        public var callTime = Duration.seconds(30)
        /// Limits of each run.
        public var limits = RunLimits()
        public var runs = GuestRuns.Options()
        /// Used in place of one that is made of `runs`: so that several hosts share their places.
        public var sharedRuns: GuestRuns?
        /// Bytes of all loaded instances, and their number: beyond it those that were used least
        /// recently are saved and released.
        public var instanceMemory: UInt64 = 1 << 30
        public var instanceCount = 1000
        public var skills = SkillOptions()
        /// Members of the device description that replace those that were found out.
        public var description: Document?
        /// What the machine is; nil to find it out when the supervisor is made. A process that
        /// restricts itself makes it before.
        public var machine: Machine?
        /// Finds names of orchestrators and other devices.
        public var resolver: Resolver?
        /// Says when event streams end, since the server is about to.
        public var isStopping: @Sendable () -> Bool = { false }
        /// Whether statuses are what HTTP says, also where clients of *wasmiot* know others.
        public var usesRightStatuses = false

        public init() {}
    }
}
