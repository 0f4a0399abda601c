/// How Swift values of asynchronous functions get into slots and out of them: the one place here
/// that knows the requirements of `WasmValue`.
extension WasmValue {
    static var wasmType: ValueType { numberType.valueType }

    /// Reads the value at `slot` and goes on behind it.
    static func read(_ slots: borrowing CallSlots, at slot: inout Int) -> Self {
        defer { slot += wasmType.slotCount }
        return Self(slot: slots[slot])
    }

    /// Writes the value at `slot` and goes on behind it.
    func write(_ slots: borrowing CallSlots, at slot: inout Int) throws {
        defer { slot += Self.wasmType.slotCount }
        slots[slot] = self.slot
    }
}
