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

    /// What exceptions with this tag carry, as the parameters of a function type.
    public var type: FunctionType { store.signature(storage.typeID).type }

    /// What an instance of the store calls it, in the name section or as an export; nil if none
    /// does. Takes as long as looking at all tags of the store's instances.
    public var name: String? {
        for instance in store.instances {
            guard let index = instance.tags.firstIndex(where: { $0 === storage }) else { continue }
            let module = instance.module
            if let name = module.names?.tags[UInt32(truncatingIfNeeded: index)] {
                return name.description
            }
            let export = module.exports.first { $0.kind == .tag && Int($0.index) == index }
            if let export { return export.name.description }
        }
        return nil
    }
}

extension Tag: Hashable {
    public static func == (a: Tag, b: Tag) -> Bool { a.storage === b.storage }
    public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(storage)) }
}

/// A tag: it is what it is, two with equal types are two.
final class TagStorage {
    let typeID: TypeID
    /// Slots that the values of its exceptions take.
    let slotCount: Int

    init(typeID: TypeID, slotCount: Int) {
        self.typeID = typeID
        self.slotCount = slotCount
    }
}
