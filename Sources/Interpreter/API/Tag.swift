import WasmValidator

/// An exception tag in a store.
///
/// Specification: 4.2.10 (tag instances).
public struct Tag {
    public let store: Store
    let storage: TagStorage

    init(store: Store, storage: TagStorage) {
        self.store = store
        self.storage = storage
    }

    /// Makes a tag whose exceptions carry values of these types.
    public init(store: Store, parameters: [ValueType]) {
        let type = FunctionType(parameters: parameters)
        let id = store.engine.types.register(function: type)
        self.init(store: store, storage: store.makeTag(id))
    }

    /// What exceptions with this tag carry, as the parameters of a function type.
    public var type: FunctionType { store.signature(storage.typeID).type }
}

extension Tag: Hashable {
    public static func == (a: Tag, b: Tag) -> Bool { a.storage === b.storage }
    public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(storage)) }
}

/// A tag: it is what it is, two with equal types are two.
final class TagStorage {
    let typeID: TypeID
    init(typeID: TypeID) { self.typeID = typeID }
}
