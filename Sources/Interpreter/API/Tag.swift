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
        self.init(store: store, storage: store.makeTag(store.hold(type).id))
    }

    /// The types of its exceptions' values, as the parameters of a function type.
    public var type: FunctionType { store.signature(storage.typeID).type }

    /// Its name in an instance of the store, from the name section or an export; nil if there is
    /// none. Searches all tags of the store's instances.
    public var name: String? {
        for instance in store.instances {
            guard let index = instance.tags.firstIndex(where: { $0 === storage }) else { continue }
            if let name = TagStorage.name(ofTag: index, in: instance.module) { return name }
        }
        return nil
    }
}

extension Tag: Hashable {
    public static func == (a: Tag, b: Tag) -> Bool { a.storage === b.storage }
    public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(storage)) }
}

/// A tag; compared by identity, not by its types.
final class TagStorage {
    let typeID: TypeID
    /// Slots that the values of its exceptions take.
    let slotCount: Int
    /// The module that defines it, and its index there; nil for a tag of the host.
    private let definition: (module: Module, index: Int)?

    init(typeID: TypeID, slotCount: Int, definition: (module: Module, index: Int)?) {
        self.typeID = typeID
        self.slotCount = slotCount
        self.definition = definition
    }

    /// Its name in the module that defines it, from the name section or an export.
    var name: String? { definition.flatMap { Self.name(ofTag: $0.index, in: $0.module) } }

    static func name(ofTag index: Int, in module: Module) -> String? {
        if let name = module.names?.tags[UInt32(truncatingIfNeeded: index)] {
            return name.description
        }
        let export = module.exports.first { $0.kind == .tag && Int($0.index) == index }
        return export?.name.description
    }
}
