// Invariant: `cell` lives as long as the store and has two slots if the type is v128, else one.

/// A global variable in a store.
///
/// Specification: 4.2.9 (global instances).
public struct Global {
    public let store: Store
    /// In canonical form: type indices are numbers of the engine's registry.
    public let type: GlobalType
    let cell: UnsafeMutablePointer<UInt64>

    init(store: Store, type: GlobalType, cell: UnsafeMutablePointer<UInt64>) {
        self.store = store
        self.type = type
        self.cell = cell
    }

    /// Makes a global that holds `value`.
    ///
    /// - Throws: `ValueError` if the value is not of the type.
    public init(store: Store, type: GlobalType, value: Value) throws(ValueError) {
        guard store.holdsType(of: type.value) else {
            throw .typeMismatch(expected: type.value)
        }
        let slots = try store.slots(of: value, as: type.value)
        self.init(store: store, type: type, cell: store.makeGlobalCell(type.value))
        write(slots)
    }

    /// The current value.
    public var value: Value {
        store.value(cell[0], type.value.isVector ? cell[1] : 0, as: type.value)
    }

    /// Replaces the value.
    ///
    /// - Throws: `AccessError.immutable`, or `.value` if it is not of the type.
    public func set(_ value: Value) throws(AccessError) {
        guard type.isMutable else { throw .immutable }
        do throws(ValueError) {
            write(try store.slots(of: value, as: type.value))
        } catch {
            throw .value(error)
        }
    }

    private func write(_ slots: (low: UInt64, high: UInt64)) {
        cell[0] = slots.low
        if type.value.isVector { cell[1] = slots.high }
    }
}

extension Global: Hashable {
    public static func == (a: Global, b: Global) -> Bool { a.cell == b.cell }
    public func hash(into hasher: inout Hasher) { hasher.combine(cell) }
}
