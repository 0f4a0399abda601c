import WasmdImages

/// Objects that are kept in memory only.
public final class MemoryStore: ObjectStore {
    private struct Object {
        var path: [UInt8]
        var kind: ObjectKind
        var bytes: [UInt8]
    }

    private var byKey: [ObjectKey: Object] = [:]
    private var keys: [[UInt8]: ObjectKey] = [:]
    private var queue: [QueuedMessage] = []
    private var bound: [[UInt8]: ImageBinding] = [:]
    private var values: [[UInt8]: [UInt8]] = [:]
    private var lastKey: Int64 = 0
    /// How many commits there were.
    public private(set) var commitCount = 0
    /// Thrown by the next commit, which has no effect then.
    public var failure: ImageError?

    public init() {}

    public func object(at path: [UInt8]) -> ImageObject? {
        guard let key = keys[path], let object = byKey[key] else { return nil }
        return ImageObject(
            path: path, key: key, kind: object.kind, byteCount: object.bytes.count)
    }

    public func objects(prefix: [UInt8]) -> [ImageObject] {
        keys.keys.filter { $0.starts(with: prefix) }
            .sorted { $0.lexicographicallyPrecedes($1) }.compactMap { object(at: $0) }
    }

    public func bytes(of key: ObjectKey) throws(ImageError) -> [UInt8] {
        guard let object = byKey[key] else { throw .noObject(path: []) }
        return object.bytes
    }

    public func messages() -> [QueuedMessage] { queue }

    public func bindings() -> [ImageBinding] {
        bound.values.sorted { $0.path.lexicographicallyPrecedes($1.path) }
    }

    public func setting(_ name: String) -> [UInt8]? { values[Array(name.utf8)] }

    public func settingNames(prefix: String, after last: String?, limit: Int) -> [String] {
        values.keys.filter { name in
            name.starts(with: prefix.utf8)
                && (last.map { $0.utf8.lexicographicallyPrecedes(name) } ?? true)
        }
        .sorted { $0.lexicographicallyPrecedes($1) }.prefix(limit)
        .map { String(decoding: $0, as: UTF8.self) }
    }

    public func commit(_ changes: ObjectChanges) throws(ImageError) -> [Int64] {
        if let failure {
            self.failure = nil
            throw failure
        }
        for object in changes.objects where keys[object.path] != nil {
            throw .objectExists(path: object.path)
        }
        for path in changes.removedObjects where keys[path] == nil {
            throw .noObject(path: path)
        }
        commitCount += 1
        for path in changes.removedObjects {
            if let key = keys.removeValue(forKey: path) { byKey[key] = nil }
        }
        for object in changes.objects {
            let bytes =
                switch object.source {
                case .bytes(let bytes): bytes
                case .copy(let key): byKey[key]?.bytes ?? []
                }
            lastKey += 1
            let key = ObjectKey(rawValue: lastKey)
            keys[object.path] = key
            byKey[key] = Object(path: object.path, kind: object.kind, bytes: bytes)
        }
        for (key, bytes) in changes.states { byKey[key]?.bytes = bytes }
        let dequeued = Set(changes.dequeued)
        queue.removeAll { dequeued.contains($0.key) }
        for path in changes.removedBindings { bound[path] = nil }
        for binding in changes.bindings { bound[binding.path] = binding }
        for (name, value) in changes.settings { values[Array(name.utf8)] = value }
        return changes.enqueued.map { message in
            lastKey += 1
            queue.append(
                QueuedMessage(
                    key: lastKey, target: message.target, sender: message.sender,
                    bytes: message.bytes))
            return lastKey
        }
    }
}
