import Synchronization
import WasmInterpreter
import WasmWASI
import WasmdDigests
import WasmdDocuments
import WasmdEventLoop
import WasmdGuests
import WasmdHTTP
import WasmdWasmiot

/// A deployment of this device: its node, and the modules that were fetched for it.
public final class Deployment: Sendable {
    public let node: DeploymentNode
    let modules: [DeployedModule]
    /// Why runs of its modules will fail, found when it was deployed: modules that are not valid,
    /// imports that the device has not. Not kept over a restart.
    public let warnings: [String]
    let size: NodeSize
    /// Of the record; 0 before there is one.
    private let record = Atomic<UInt64>(0)

    public var id: String { node.deployment }

    /// The version of the record: the later of two deployments with the same id has the higher one.
    var version: UInt64 { record.load(ordering: .relaxed) }

    init(
        _ node: DeploymentNode, _ modules: [DeployedModule], _ size: NodeSize,
        warnings: [String] = []
    ) {
        self.node = node
        self.size = size
        self.modules = modules
        self.warnings = warnings
    }

    func module(_ name: String) -> DeployedModule? {
        modules.first { $0.name.utf8.elementsEqual(name.utf8) }
    }

    /// Notes the version of the record.
    func stored(as version: UInt64) {
        record.store(version, ordering: .relaxed)
        for module in modules { module.version.store(version, ordering: .relaxed) }
    }

    /// Releases the instances when their runs have ended.
    func retire(_ instances: KeptInstances) {
        for module in modules { module.retire(instances) }
    }
}

/// What nodes of deployments are counted by: all are in memory, and every function is in the
/// description of the device.
struct NodeSize: Sendable {
    /// Bytes as BSON; in memory it is some times as much.
    private(set) var byteCount = 0
    private(set) var functionCount = 0

    static var none: NodeSize { NodeSize() }

    private init() {}

    /// - Throws: `BSONError` if the node cannot be stored.
    init(_ node: DeploymentNode) throws(BSONError) {
        byteCount = try BSON.write(node.document).count
        functionCount = node.endpoints.entries.reduce(0) { $0 + $1.value.entries.count }
    }

    static func += (left: inout NodeSize, right: NodeSize) {
        left.byteCount += right.byteCount
        left.functionCount += right.functionCount
    }

    static func -= (left: inout NodeSize, right: NodeSize) {
        left.byteCount -= right.byteCount
        left.functionCount -= right.functionCount
    }

    /// What there is too much of; nil if all has room.
    func excess(_ options: Supervisor.Options) -> String? {
        if byteCount > options.nodeTotalLimit {
            return "the nodes of all deployments may take \(options.nodeTotalLimit) bytes"
        }
        if functionCount > options.functionLimit {
            return "all deployments together may have \(options.functionLimit) functions"
        }
        return nil
    }
}

/// A stored file: the contents of a deployment mount.
struct StoredFile: Sendable, Equatable {
    var name: String
    var digest: SHA256.Digest
    var size: Int
}

/// A module of a deployment with its instance.
///
/// All runs of an instance are on one loop, its home: that of the first.
@safe final class DeployedModule: @unchecked Sendable {
    // Soundness: `kept`, `cached`, `hold`, `isReleasing` and `saving` are used on the home's thread
    // only.

    let deployment: String
    let name: String
    /// Of the binary, which is a blob.
    let digest: SHA256.Digest
    let files: [StoredFile]
    /// Names of files that are fetched, come with requests, or are results.
    let mountPaths: Set<[UInt8]>
    /// What the module sees as `.`.
    let folder: MemoryFolder
    /// Gives the instance to one run at a time.
    let scope: RunScope
    let streams: ModuleStreams
    /// Of the deployment's record: states are stored only beside this one.
    let version = Atomic<UInt64>(0)
    private let place = Mutex<EventLoop?>(nil)
    private let retired = Atomic(false)
    /// Where the instance has moved to.
    private let target = Mutex<URL?>(nil)

    var kept: KeptInstance?
    var cached: CachedModule?
    /// Whether data files are in the folder.
    var hasFiles = false
    /// Set while the instance is held for a move: see `Supervisor.hold`.
    var hold: InstanceHold?
    /// Whether a release of the hold is being stored: nothing else ends it meanwhile.
    var isReleasing = false
    let saving = StateSaver()

    init(
        _ node: DeploymentNode, _ name: String, _ digest: SHA256.Digest, _ files: [StoredFile],
        _ options: Supervisor.Options
    ) {
        deployment = node.deployment
        var paths = Set(files.map { Array($0.name.utf8) })
        for function in node.mounts[name]?.entries ?? [] {
            // Files of deployment mounts that were not fetched are the module's own.
            for stage in [MountStage.execution, .output] {
                for mount in function.value[stage] { paths.insert(Array(mount.path.utf8)) }
            }
        }
        mountPaths = paths
        self.name = name
        self.digest = digest
        self.files = files
        folder = MemoryFolder(byteLimit: options.folderLimit)
        scope = RunScope(
            .module, "\(node.deployment)/\(name)",
            places: RunPlaces(running: 1, waiting: options.waitingRuns))
        streams = ModuleStreams()
    }

    /// The loop of the instance; `loop` if it has none yet.
    func home(_ loop: EventLoop) -> EventLoop {
        place.withLock { place in
            if let known = place { return known }
            place = loop
            return loop
        }
    }

    /// The loop of the instance, if it has one yet.
    var home: EventLoop? { place.withLock { $0 } }

    /// Where runs are forwarded to, since the instance has moved; nil if it has not.
    var movedTo: URL? {
        get { target.withLock { $0 } }
        set { target.withLock { $0 = newValue } }
    }

    /// Whether the deployment was replaced or removed: nothing of the instance is stored any more.
    var isRetired: Bool { retired.load(ordering: .relaxed) }

    func retire(_ instances: KeptInstances) {
        retired.store(true, ordering: .relaxed)
        guard let loop = home else { return }
        // The instance is released where it ran; a run that goes on keeps what it uses.
        loop.spawn { [self] in
            endHold()
            kept = nil
            cached = nil
            instances.remove(self)
        }
    }
}
