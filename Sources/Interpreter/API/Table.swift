// Invariant: elements of the table's array are read and written only below its count.

/// A table of references in a store.
///
/// Specification: 4.2.7 (table instances).
public struct Table {
    public let store: Store
    let storage: TableStorage

    init(store: Store, storage: TableStorage) {
        self.store = store
        self.storage = storage
    }

    /// Makes a table of the type's minimum size, filled with `value` or with null.
    ///
    /// - Parameters:
    ///   - store: its store.
    ///   - type: its element type in canonical form.
    ///   - value: the value of all elements; nil for null.
    /// - Throws: `CreationError` if the store's limits or the system do not allow it, or the
    ///   elements cannot have this value (or null, if none is given).
    public init(
        store: Store, type: TableType, filledWith value: Value? = nil
    ) throws(CreationError) {
        var fill: UInt64 = 0
        let element = ValueType(type.element)
        guard store.holdsType(of: element) else {
            throw .value(index: 0, .typeMismatch(expected: element))
        }
        if let value {
            fill = try store.slots(of: [value], as: [element])[0].low
        } else if !type.element.isNullable {
            throw .value(index: 0, .typeMismatch(expected: element))
        }
        let storage: TableStorage
        do throws(ResourceError) {
            storage = try store.makeTable(type)
        } catch {
            throw .resource(error)
        }
        let count = Int(truncatingIfNeeded: storage.count)
        if fill != 0 { storage.record.pointee.elements.update(repeating: fill, count: count) }
        self.init(store: store, storage: storage)
    }

    /// The declared type in canonical form; its minimum is the initial size.
    public var type: TableType { storage.type }
    /// The current size in elements.
    public var size: UInt64 { storage.count }

    /// The element at `index`.
    ///
    /// - Throws: `AccessError.outOfBounds`
    public func get(at index: UInt64) throws(AccessError) -> Value {
        guard index < storage.count else { throw .outOfBounds(index: index) }
        let slot = storage.record.pointee.elements[Int(truncatingIfNeeded: index)]
        return store.value(slot, 0, as: ValueType(type.element))
    }

    /// Replaces the element at `index`.
    ///
    /// - Throws: `AccessError.outOfBounds`, or `.value` if it is not of the element type.
    public func set(_ value: Value, at index: UInt64) throws(AccessError) {
        // Comparing values runs code of the embedder, which may grow and so move the table.
        let slot = try slot(of: value)
        guard index < storage.count else { throw .outOfBounds(index: index) }
        storage.record.pointee.elements[Int(truncatingIfNeeded: index)] = slot
    }

    /// Adds `count` elements that hold `value`.
    ///
    /// - Returns: the previous size, or nil if the table cannot grow that far.
    /// - Throws: `AccessError.value` if the value is not of the element type.
    public func grow(by count: UInt64, filledWith value: Value) throws(AccessError) -> UInt64? {
        let slot = try slot(of: value)
        return store.grow(storage, by: count) { $0.update(repeating: slot, count: $1) }
    }

    @available(*, deprecated, renamed: "get(at:)")
    public func get(_ index: UInt64) throws(AccessError) -> Value { try get(at: index) }

    @available(*, deprecated, renamed: "set(_:at:)")
    public func set(_ index: UInt64, _ value: Value) throws(AccessError) {
        try set(value, at: index)
    }

    private func slot(of value: Value) throws(AccessError) -> UInt64 {
        do throws(ValueError) {
            return try store.slots(of: value, as: ValueType(type.element)).low
        } catch {
            throw .value(error)
        }
    }
}

extension Table: Hashable {
    public static func == (a: Table, b: Table) -> Bool { a.storage === b.storage }
    public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(storage)) }
}
