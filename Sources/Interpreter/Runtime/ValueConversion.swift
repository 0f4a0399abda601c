// Invariant: a slot of a function reference type holds the address of a record of this store or 0;
// values are checked against their type before their bits go to a slot.

import WasmMachine
import WasmValidator

/// Values of the host as slots, and back.
extension Store {
    /// The slots of a value.
    ///
    /// - Throws: `ValueError` if it is not of the type, or refers to something of another store.
    func slots(
        of value: Value, as type: ValueType
    ) throws(ValueError) -> (low: UInt64, high: UInt64) {
        switch value {
        case .i32(let value) where type == .i32: return (UInt64(UInt32(bitPattern: value)), 0)
        case .i64(let value) where type == .i64: return (UInt64(bitPattern: value), 0)
        case .f32(let value) where type == .f32: return (UInt64(value.bitPattern), 0)
        case .f64(let value) where type == .f64: return (value.bitPattern, 0)
        case .v128(let low, let high) where type == .v128: return (low, high)
        case .function(let function):
            return (try slot(of: function, as: type), 0)
        case .extern(let reference):
            return (try slot(of: reference, as: type), 0)
        case .exception(let exception):
            return (try slot(of: exception, as: type), 0)
        case .any(let reference):
            return (try slot(of: reference, as: type), 0)
        default: throw .typeMismatch(expected: type)
        }
    }

    private func slot(of function: Function?, as type: ValueType) throws(ValueError) -> UInt64 {
        guard let function else { return try null(.nofunc, type) }
        guard function.store === self else { throw .foreignStore }
        let actual = ValueType.ref(.index(function.record.pointee.typeID), nullable: false)
        guard engine.types.matches(actual, type) else { throw .typeMismatch(expected: type) }
        return UInt64(UInt(bitPattern: function.record))
    }

    private func slot(
        of reference: ExternReference?, as type: ValueType
    ) throws(ValueError) -> UInt64 {
        guard let reference else { return try null(.noextern, type) }
        guard engine.types.matches(.ref(.extern, nullable: false), type) else {
            throw .typeMismatch(expected: type)
        }
        return try slot(of: reference)
    }

    private func slot(
        of reference: AnyReference?, as type: ValueType
    ) throws(ValueError) -> UInt64 {
        guard let reference else { return try null(.none, type) }
        guard engine.types.matches(.ref(reference.heapType, nullable: false), type) else {
            throw .typeMismatch(expected: type)
        }
        return try slot(of: reference)
    }

    private func slot(
        of exception: Exception?, as type: ValueType
    ) throws(ValueError) -> UInt64 {
        guard let exception else { return try null(.noexn, type) }
        guard exception.store === self else { throw .foreignStore }
        guard engine.types.matches(.ref(.exn, nullable: false), type) else {
            throw .typeMismatch(expected: type)
        }
        return exception.reference
    }

    private func null(_ bottom: HeapType, _ type: ValueType) throws(ValueError) -> UInt64 {
        guard engine.types.matches(.ref(bottom, nullable: true), type) else {
            throw .typeMismatch(expected: type)
        }
        return 0
    }

    /// The value in a slot, or in two for v128.
    func value(_ low: UInt64, _ high: UInt64, as type: ValueType) -> Value {
        switch type {
        case .i32: return .i32(Int32(truncatingIfNeeded: low))
        case .i64: return .i64(Int64(bitPattern: low))
        case .f32: return .f32(Float(bitPattern: UInt32(truncatingIfNeeded: low)))
        case .f64: return .f64(Double(bitPattern: low))
        case .v128: return .v128(low: low, high: high)
        default:
            switch type.reference.map({ engine.types.top(of: $0.heapType) }) {
            case .extern: return .extern(externReference(slot: low))
            case .any: return .any(anyReference(slot: low))
            case .exn: return .exception(low == 0 ? nil : Exception(store: self, reference: low))
            default: break
            }
            guard low & 7 == 0,
                let record = UnsafeMutablePointer<FunctionRecord>(
                    bitPattern: UInt(truncatingIfNeeded: low))
            else { return .function(nil) }
            return .function(Function(store: self, record: record))
        }
    }
}

// MARK: Slots that the host wrote

extension Store {
    /// Makes sure that slots which the host wrote as bits, or did not write, hold values of the
    /// result types: guests trust the types, also for addresses.
    @inline(never)
    func checkResults(
        of type: FunctionType, in slots: UnsafeMutablePointer<UInt64>
    ) throws(CallError) {
        var slot = slots
        for (index, type) in type.results.enumerated() {
            if type == .i32 || type == .f32 {
                slot[0] &= 0xffff_ffff
            } else if type.isReference, !isReference(slot[0], of: type) {
                throw .result(index: index, .typeMismatch(expected: type))
            }
            slot += type.slotCount
        }
    }

    /// The same for arguments.
    @inline(never)
    func checkArguments(
        of type: FunctionType, in slots: UnsafeMutablePointer<UInt64>
    ) throws(CallError) {
        var slot = slots
        for (index, type) in type.parameters.enumerated() {
            if type == .i32 || type == .f32 {
                slot[0] &= 0xffff_ffff
            } else if type.isReference, !isReference(slot[0], of: type) {
                throw .argument(index: index, .typeMismatch(expected: type))
            }
            slot += type.slotCount
        }
    }

    /// Whether the bits of a slot are a value of a reference type.
    func isReference(_ slot: UInt64, of type: ValueType) -> Bool {
        guard slot != 0 else { return type.isDefaultable }
        guard let expected = type.reference else { return false }
        let actual: HeapType
        switch engine.types.top(of: expected.heapType) {
        case .func:
            guard let record = functionRecord(at: slot) else { return false }
            actual = .index(record.pointee.typeID)
        case .exn:
            guard slot & 7 == 0, heap.space.isObject(slot),
                heap.space.kind(ofObject: slot) == ObjectKind.slots.rawValue
            else { return false }
            actual = .exn
        case let top:
            guard let reference = anyReference(slot: slot), slot & 1 == 0 || slot >> 32 == 0,
                slot & 7 != 0
                    || heap.space.kind(ofObject: slot) != ObjectKind.slots.rawValue
            else { return false }
            actual = top == .extern ? .extern : reference.heapType
        }
        return engine.types.matches(.ref(actual, nullable: false), type)
    }

    /// The function at an address, if there is one of this store.
    private func functionRecord(at slot: UInt64) -> UnsafeMutablePointer<FunctionRecord>? {
        guard slot & 7 == 0,
            let record = UnsafeMutablePointer<FunctionRecord>(
                bitPattern: UInt(truncatingIfNeeded: slot)),
            isHostFunction(record) || instances.contains(where: { $0.owns(record) })
        else { return nil }
        return record
    }
}

// MARK: Lists of values

extension Store {
    /// Writes the arguments of a call.
    ///
    /// - Throws: `CallError` if they are not what the function takes.
    func write(
        arguments: [Value], of signature: Signature, to slots: UnsafeMutablePointer<UInt64>
    ) throws(CallError) {
        let types = signature.type.parameters
        guard arguments.count == types.count else {
            throw .argumentCount(expected: types.count, given: arguments.count)
        }
        if let (index, error) = write(arguments, as: types, to: slots) {
            throw .argument(index: index, error)
        }
    }

    /// Writes the results of a host function.
    ///
    /// - Throws: `CallError` if they are not of these types.
    func write(
        results: [Value], of types: [ValueType], to slots: UnsafeMutablePointer<UInt64>
    ) throws(CallError) {
        guard results.count == types.count else {
            throw .resultCount(expected: types.count, given: results.count)
        }
        if let (index, error) = write(results, as: types, to: slots) {
            throw .result(index: index, error)
        }
    }

    /// Returns the first value that does not fit, and why; nil if all do.
    private func write(
        _ values: [Value], as types: [ValueType], to slots: UnsafeMutablePointer<UInt64>
    ) -> (index: Int, error: ValueError)? {
        var slot = 0
        for (index, type) in types.enumerated() {
            do throws(ValueError) {
                let (low, high) = try self.slots(of: values[index], as: type)
                slots[slot] = low
                if type.isVector { slots[slot + 1] = high }
            } catch {
                return (index, error)
            }
            slot += type.slotCount
        }
        return nil
    }

    /// The values of these types in consecutive slots.
    func values(of types: [ValueType], in slots: UnsafeMutablePointer<UInt64>) -> [Value] {
        // The most frequent case needs no array that grows.
        if types.count == 1 {
            return [value(slots[0], types[0].isVector ? slots[1] : 0, as: types[0])]
        }
        var values: [Value] = []
        values.reserveCapacity(types.count)
        var slot = 0
        for type in types {
            values.append(value(slots[slot], type.isVector ? slots[slot + 1] : 0, as: type))
            slot += type.slotCount
        }
        return values
    }
}
