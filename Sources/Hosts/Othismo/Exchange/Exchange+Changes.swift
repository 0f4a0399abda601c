import WasmdImages

/// Changes between two batches that no message asks for.
extension Exchange {
    /// Commits changes of the command line or of the admin interface, such as an imported module.
    public func apply(_ changes: ObjectChanges) throws(ImageError) {
        _ = try store.commit(changes)
        for path in changes.removedObjects { live[path] = nil }
        try namespace.reload()
    }

    /// Makes the next commit change the store, whatever is delivered until then: it shows whether the
    /// store can be written.
    ///
    /// - Parameter value: another one than the last time.
    public func probe(_ value: [UInt8]) { namespace.set(Self.probeName, value) }

    private static let probeName = "wasmd:probe"

    /// Removes an object, a link, a folder or a mount, with the blobs of an object of blobs.
    ///
    /// - Throws: `ImageError.noObject`, `.objectLinked` and others.
    public func remove(_ path: [UInt8]) throws(ImageError) {
        try apply(try Self.removal(of: path, from: store))
    }

    /// What removes something from a store.
    public static func removal(
        of path: [UInt8], from store: any ObjectStore
    ) throws(ImageError) -> ObjectChanges {
        var changes = ObjectChanges()
        guard let binding = try store.bindings().first(where: { $0.path == path }) else {
            changes.removedObjects = [path]
            return changes
        }
        changes.removedBindings = [path]
        guard NativeKind(instance: binding) == .blobs else { return changes }
        for name in try store.settingNames(
            prefix: BlobEntry.prefix(path), after: nil, limit: .max)
        {
            if let entry = try store.setting(name).flatMap(BlobEntry.init) {
                for index in 0..<entry.pieceCount {
                    changes.settings.append((BlobEntry.piece(entry.id, index), nil))
                }
            }
            changes.settings.append((name, nil))
        }
        return changes
    }

    /// Imports a module of the host, such as `othismo.blobs`, under a name.
    ///
    /// - Throws: `objectExists` and others.
    public static func importNative(
        _ kind: NativeKind, named path: [UInt8], _ store: any ObjectStore
    ) throws(ImageError) -> ObjectChanges {
        let namespace = try Namespace(store)
        guard try !namespace.isTaken(path) else { throw .objectExists(path: path) }
        var changes = ObjectChanges()
        changes.bindings = [kind.module(named: path)]
        return changes
    }
}
