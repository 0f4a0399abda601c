import WasmdImages

/// An image as the store of an exchange: what it changes between two commits is one transaction.
public final class ImageStore: ObjectStore {
    private let image: Image

    public init(_ image: Image) { self.image = image }

    public func object(at path: [UInt8]) throws(ImageError) -> ImageObject? {
        try image.read { (view) throws(ImageError) in try view.object(at: path) }
    }

    public func objects(prefix: [UInt8]) throws(ImageError) -> [ImageObject] {
        try image.read { (view) throws(ImageError) in try view.objects(prefix: prefix) }
    }

    public func bytes(of key: ObjectKey) throws(ImageError) -> [UInt8] {
        try image.read { (view) throws(ImageError) in try view.bytes(of: key) }
    }

    public func messages() throws(ImageError) -> [QueuedMessage] {
        try image.read { (view) throws(ImageError) in try view.messages() }
    }

    public func bindings() throws(ImageError) -> [ImageBinding] {
        try image.read { (view) throws(ImageError) in try view.bindings() }
    }

    public func setting(_ name: String) throws(ImageError) -> [UInt8]? {
        try image.read { (view) throws(ImageError) in try view.setting(name) }
    }

    public func settingNames(
        prefix: String, after last: String?, limit: Int
    ) throws(ImageError) -> [String] {
        try image.read { (view) throws(ImageError) in
            try view.settingNames(prefix: prefix, after: last, limit: limit)
        }
    }

    public func revision() throws(ImageError) -> UInt64 {
        try image.read { (view) throws(ImageError) in view.revision }
    }

    public func commit(_ changes: ObjectChanges) throws(ImageError) -> [Int64] {
        try image.write { (transaction) throws(ImageError) in
            if let revision = changes.revision, revision != transaction.revision { throw .changed }
            for path in changes.removedObjects { try transaction.removeObject(path) }
            for object in changes.objects {
                switch object.source {
                case .bytes(let bytes): try transaction.addObject(object.path, object.kind, bytes)
                case .copy(let source):
                    try transaction.copyObject(source, to: object.path, object.kind)
                }
            }
            for (key, bytes) in changes.states { try transaction.setBytes(of: key, bytes) }
            for key in changes.dequeued { try transaction.dequeue(key) }
            for path in changes.removedBindings { try transaction.removeBinding(path) }
            for binding in changes.bindings { try transaction.setBinding(binding) }
            for (name, value) in changes.settings { try transaction.setSetting(name, value) }
            var keys: [Int64] = []
            for message in changes.enqueued {
                keys.append(
                    try transaction.enqueue(
                        target: message.target, sender: message.sender, message.bytes))
            }
            return keys
        }
    }
}
