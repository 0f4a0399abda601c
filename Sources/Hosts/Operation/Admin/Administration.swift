import WasmdDigests
import WasmdDocuments
import WasmdEventLoop
import WasmdGuests
import WasmdStorage

/// What the admin interface sees and changes.
public struct Administration: Sendable {
    public var version: String
    /// Seconds since 1970 when the process started.
    public var startTime: Double
    public var runs: GuestRuns
    public var cache: ModuleCache
    public var store: RecordStore
    /// The store's folder, as it was given.
    public var folder: [UInt8]
    public var modules: any ModuleDirectory
    public var readiness: Readiness
    /// The listeners: for each its name, address and connections.
    public var listeners: @Sendable () -> [Listener] = { [] }
    /// What other hosts say about themselves in the status.
    public var services: @Sendable () -> [Document.Member] = { [] }
    /// Limits, tenants and tokens: `SettingsReport.document`.
    public var settings: @Sendable () -> Document = { .object([]) }
    /// Reads the configuration again; nil without one. Returns what was changed, or throws what is
    /// wrong.
    public var reload: (@Sendable (EventLoop) async throws -> Document)?
    /// Ends the server, as a signal does.
    public var shutDown: @Sendable () -> Void = {}

    public struct Listener: Sendable {
        public var name: String
        public var address: String
        public var connections: Int

        public init(name: String, address: String, connections: Int) {
            self.name = name
            self.address = address
            self.connections = connections
        }
    }

    public init(
        version: String, startTime: Double, runs: GuestRuns, cache: ModuleCache,
        store: RecordStore, folder: [UInt8], modules: any ModuleDirectory,
        readiness: Readiness
    ) {
        self.version = version
        self.startTime = startTime
        self.runs = runs
        self.cache = cache
        self.store = store
        self.folder = folder
        self.modules = modules
        self.readiness = readiness
    }
}

/// The modules of a server, as the admin interface lists and finds them.
public protocol ModuleDirectory: Sendable {
    /// What is known of modules, in the order of their names.
    ///
    /// - Parameter after: the name at which the page before ended.
    /// - Returns: the page, and the name at which the next one begins, if there is more.
    func page(
        after: String?, limit: Int, on loop: EventLoop
    ) async throws -> (items: [Document], next: String?)

    /// The module with a name; nil if there is none.
    func digest(of name: String, on loop: EventLoop) async throws -> SHA256.Digest?
}

extension Administration {
    /// The modules that a word of an operator means: the name of a stored module, the beginning of
    /// the SHA-256 of one that is compiled, or the name that such a module gives itself.
    func digests(
        _ word: String, on loop: EventLoop
    ) async throws -> Set<SHA256.Digest> {
        if let digest = try await modules.digest(of: word, on: loop) { return [digest] }
        let isPrefix = word.utf8.count >= 6
        return Set(
            cache.modules.filter { module in
                module.scope.name.utf8.elementsEqual(word.utf8)
                    || (isPrefix && module.digest.description.utf8.starts(with: word.utf8))
            }.map(\.digest))
    }
}
