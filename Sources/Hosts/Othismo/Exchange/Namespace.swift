import WasmdImages

/// What paths mean: objects that were committed and ones that are not yet, links, mounts, and the
/// objects of the host.
struct Namespace {
    enum Target {
        case console
        /// The namespace itself, at `/othismo`.
        case service
        /// An object of the program that runs the exchange, such as `/server`.
        case endpoint([UInt8])
        case object(ImageObject)
        /// An object that is not committed yet.
        case new(ObjectChanges.NewObject)
        /// An object of the host in the image, such as `othismo.blobs`.
        case native(ImageBinding)
        case nothing

        /// The object's own path; nil if it has none.
        var path: [UInt8]? {
            switch self {
            case .object(let object): object.path
            case .new(let object): object.path
            case .endpoint(let path): path
            case .native(let binding): binding.path
            case .console: Namespace.root
            case .service: Namespace.service
            case .nothing: nil
            }
        }
    }

    static let root: [UInt8] = Array("/".utf8)
    static let service: [UInt8] = Array("/othismo".utf8)

    let store: any ObjectStore
    var endpoints: Set<[UInt8]> = [] { didSet { known.targets = [:] } }
    private(set) var newObjects: [[UInt8]: ObjectChanges.NewObject] = [:]
    private var bindings: [[UInt8]: ImageBinding] = [:]
    private(set) var newBindings: [ImageBinding] = []
    private let known = Known()

    /// What paths were found to mean, until something is added or another program changes the
    /// store.
    private final class Known {
        var targets: [[UInt8]: Target] = [:]
        static let limit = 10_000
        /// Longer paths are looked up each time.
        static let longestPath = 1024
    }
    /// Values of the host that are not committed yet; nil removes one. By the bytes of their names.
    private var newSettings: [[UInt8]: [UInt8]?] = [:]
    /// Advances when a path may have another meaning than before.
    private(set) var version = 0
    /// Whether it could not be read completely.
    private(set) var isStale = false

    init(_ store: any ObjectStore) throws(ImageError) {
        self.store = store
        try reload()
    }

    /// Forgets what is not committed.
    mutating func reload() throws(ImageError) {
        known.targets = [:]
        newObjects = [:]
        newBindings = []
        newSettings = [:]
        version += 1
        bindings = [:]
        isStale = true
        for binding in try store.bindings() { bindings[binding.path] = binding }
        isStale = false
    }

    /// What was new is committed.
    mutating func committed() {
        newSettings = [:]
        if newObjects.isEmpty, newBindings.isEmpty { return }
        known.targets = [:]
        newObjects = [:]
        newBindings = []
    }

    mutating func add(_ object: ObjectChanges.NewObject) {
        known.targets = [:]
        version += 1
        newObjects[object.path] = object
    }

    mutating func add(_ binding: ImageBinding) {
        known.targets = [:]
        version += 1
        bindings[binding.path] = binding
        newBindings.append(binding)
    }

    var allBindings: some Collection<ImageBinding> { bindings.values }

    // MARK: Values of the host

    /// For the next commit.
    var settingChanges: [(name: String, value: [UInt8]?)] {
        newSettings.map { (String(decoding: $0.key, as: UTF8.self), $0.value) }
    }

    func setting(_ name: String) throws(ImageError) -> [UInt8]? {
        if let new = newSettings[Array(name.utf8)] { return new }
        return try store.setting(name)
    }

    mutating func set(_ name: String, _ value: [UInt8]?) {
        newSettings.updateValue(value, forKey: Array(name.utf8))
    }

    /// Names of values that begin with `prefix`, in the order of their bytes.
    func settingNames(
        prefix: String, after last: String?, limit: Int
    ) throws(ImageError) -> [String] {
        // As many more as there are removed.
        let names = try store.settingNames(
            prefix: prefix, after: last, limit: max(limit, limit &+ newSettings.count))
        var all = Set(names.map { Array($0.utf8) })
        for (name, value) in newSettings {
            if value == nil {
                all.remove(name)
            } else if name.starts(with: prefix.utf8),
                last.map({ $0.utf8.lexicographicallyPrecedes(name) }) ?? true
            {
                all.insert(name)
            }
        }
        return all.sorted { $0.lexicographicallyPrecedes($1) }.prefix(limit)
            .map { String(decoding: $0, as: UTF8.self) }
    }

    // MARK: Lookups

    /// Links are followed this often.
    private static let mostLinks = 16

    /// What a message to this path reaches. Paths mean the same with and without a slash at their
    /// start; one that is not the beginning of anything is nothing. An object's size may be that of
    /// an earlier moment.
    func resolve(_ path: [UInt8]) throws(ImageError) -> Target {
        if let target = known.targets[path] { return target }
        let target = try find(path)
        if path.count <= Known.longestPath {
            if known.targets.count >= Known.limit { known.targets = [:] }
            known.targets[path] = target
        }
        return target
    }

    private func find(_ path: [UInt8]) throws(ImageError) -> Target {
        var path = path
        for _ in 0..<Self.mostLinks {
            if let found = try exact(path) { return found }
            guard let (binding, rest) = binding(above: path) else { return .nothing }
            switch binding.kind {
            case .symbolicLink: path = binding.target + rest
            case .mount:
                // A mounted instance gets what is sent below it, unless there is an object there.
                if !rest.isEmpty, let found = try exact(binding.target + rest) { return found }
                if self.binding(above: binding.target + rest) != nil {
                    path = binding.target + rest
                } else {
                    path = binding.target
                }
            case .native: return .native(binding)
            case .folder: return .nothing
            }
        }
        return .nothing
    }

    private func exact(_ path: [UInt8]) throws(ImageError) -> Target? {
        if path == Self.root || path.isEmpty { return .console }
        for path in [path, Self.otherForm(path)] {
            if path == Self.service { return .service }
            if endpoints.contains(path) { return .endpoint(path) }
            if let object = newObjects[path] { return .new(object) }
            if let object = try store.object(at: path) { return .object(object) }
        }
        return nil
    }

    private static func otherForm(_ path: [UInt8]) -> [UInt8] {
        path.first == UInt8(ascii: "/") ? Array(path.dropFirst()) : root + path
    }

    /// The longest binding that the path begins with, and what follows it.
    private func binding(above path: [UInt8]) -> (ImageBinding, rest: [UInt8])? {
        if bindings.isEmpty { return nil }
        let path = path.first == UInt8(ascii: "/") ? path : Self.root + path
        var end = path.count
        while end > 1 {
            let prefix = Array(path[..<end])
            if let binding = bindings[prefix] ?? bindings[Array(prefix.dropFirst())],
                binding.kind != .folder
            {
                return (binding, Array(path[end...]))
            }
            end = path[..<end].lastIndex(of: UInt8(ascii: "/")) ?? 0
        }
        return nil
    }

    /// Whether something has this very path.
    func isTaken(_ path: [UInt8]) throws(ImageError) -> Bool {
        if try exact(path) != nil { return true }
        return bindings[path] != nil || bindings[Self.otherForm(path)] != nil
    }

    /// All paths that begin with `prefix`, in the order of their bytes.
    func paths(prefix: [UInt8]) throws(ImageError) -> [[UInt8]] {
        var paths = Set(try store.objects(prefix: prefix).map(\.path))
        for path in newObjects.keys where path.starts(with: prefix) { paths.insert(path) }
        for path in bindings.keys where path.starts(with: prefix) { paths.insert(path) }
        return paths.sorted { $0.lexicographicallyPrecedes($1) }
    }
}
