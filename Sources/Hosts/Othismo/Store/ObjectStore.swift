import WasmdImages

/// Where an exchange keeps its objects and the messages that wait: an image, or memory in tests.
///
/// An exchange reads what was committed, and commits all changes of some deliveries at once.
public protocol ObjectStore: AnyObject {
    /// The object at a path, compared byte by byte; nil if there is none.
    func object(at path: [UInt8]) throws(ImageError) -> ImageObject?
    /// Objects whose path begins with `prefix`, in the order of their bytes.
    func objects(prefix: [UInt8]) throws(ImageError) -> [ImageObject]
    func bytes(of key: ObjectKey) throws(ImageError) -> [UInt8]
    /// The messages that wait, in the order of their delivery.
    func messages() throws(ImageError) -> [QueuedMessage]
    func bindings() throws(ImageError) -> [ImageBinding]
    /// A blob or another value of the host; nil if there is none.
    func setting(_ name: String) throws(ImageError) -> [UInt8]?
    /// Names of such values that begin with `prefix` and are after `last`, in the order of their
    /// bytes, at most `limit`.
    func settingNames(
        prefix: String, after last: String?, limit: Int
    ) throws(ImageError) -> [String]

    /// A number that changes when another program has changed the store.
    func revision() throws(ImageError) -> UInt64

    /// Makes all changes or none, durably.
    ///
    /// - Throws: also `ImageError.changed` if `changes.revision` is not that of the store now.
    /// - Returns: the keys of `changes.enqueued`, in order.
    func commit(_ changes: ObjectChanges) throws(ImageError) -> [Int64]
}

extension ObjectStore {
    /// That of a store which no other program changes.
    public func revision() throws(ImageError) -> UInt64 { 0 }
}

/// What some deliveries changed.
public struct ObjectChanges: Sendable {
    /// What an object begins with.
    public enum Source: Sendable, Hashable {
        case bytes([UInt8])
        /// A copy of another object.
        case copy(ObjectKey)
    }

    public struct NewObject: Sendable, Hashable {
        public var path: [UInt8]
        public var kind: ObjectKind
        public var source: Source

        public init(path: [UInt8], kind: ObjectKind, source: Source) {
            self.path = path
            self.kind = kind
            self.source = source
        }
    }

    public struct NewMessage: Sendable, Hashable {
        public var target: [UInt8]
        public var sender: [UInt8]?
        public var bytes: [UInt8]

        public init(target: [UInt8], sender: [UInt8]?, bytes: [UInt8]) {
            self.target = target
            self.sender = sender
            self.bytes = bytes
        }
    }

    public var objects: [NewObject] = []
    public var states: [(key: ObjectKey, bytes: [UInt8])] = []
    public var removedObjects: [[UInt8]] = []
    public var enqueued: [NewMessage] = []
    public var dequeued: [Int64] = []
    public var bindings: [ImageBinding] = []
    public var removedBindings: [[UInt8]] = []
    public var settings: [(name: String, value: [UInt8]?)] = []
    /// The revision of the store that the changes are based on; nil for any.
    public var revision: UInt64?

    public init() {}

    public var isEmpty: Bool {
        objects.isEmpty && states.isEmpty && removedObjects.isEmpty && enqueued.isEmpty
            && dequeued.isEmpty && bindings.isEmpty && removedBindings.isEmpty && settings.isEmpty
    }
}
