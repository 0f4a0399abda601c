import Synchronization
import WasmSystem
import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPClient
import WasmdStorage
import WasmdWasmiot

/// Wasmiot's orchestrator: the registry of modules, devices, deployments and their execution.
///
/// All functions are called from tasks of a loop.
public final class Orchestrator: Sendable {
    public struct Options: Sendable {
        /// Bytes of a module.
        public var moduleLimit = 64 << 20
        /// Bytes of a request with its files.
        public var bodyLimit = 128 << 20
        /// Statuses as they should be, and not as existing clients know them.
        public var usesRightStatuses = false
        /// Pages of browsers that may use the server.
        public var cors: CORSPolicy = {
            var policy = CORSPolicy()
            policy.allowsLoopback = true
            return policy
        }()

        public init() {}
    }

    public let options: Options
    public let registry: ModuleRegistry
    let store: WasmdStorage.Store

    /// Reads all documents; blocks the thread.
    ///
    /// - Throws: `StorageError`
    public init(_ store: WasmdStorage.Store, _ options: Options = Options()) throws {
        self.options = options
        self.store = store
        registry = try ModuleRegistry(store, moduleLimit: options.moduleLimit)
    }
}
