// Invariants: those of `FaultingInstruction`. References are read as the casts that refused them
// read them: neither null nor tagged, they are addresses of objects or function records.

import WasmMachine
import WasmValidator

extension TrapDetail {
    /// The values of the instruction at which the guest of `store` has just trapped; nil if they
    /// add nothing to the code.
    init?(_ code: TrapCode, of store: Store) {
        guard code.hasDetail, let place = store.exchange.pointee.place,
            let found = FaultingInstruction(at: place, store.exchange.pointee.accumulators),
            let detail = found.detail(code, store)
        else { return nil }
        self = detail
    }
}

extension TrapCode {
    /// Whether values are part of the reason.
    fileprivate var hasDetail: Bool {
        switch self {
        case .outOfBoundsMemoryAccess, .outOfBoundsTableAccess, .undefinedElement,
            .uninitializedElement, .indirectCallTypeMismatch, .integerOverflow,
            .invalidConversionToInteger, .outOfBoundsArrayAccess, .castFailure, .unalignedAtomic:
            true
        default: false
        }
    }
}

extension FaultingInstruction {
    fileprivate func detail(_ code: TrapCode, _ store: Store) -> TrapDetail? {
        switch code {
        case .outOfBoundsMemoryAccess: return memoryDetail
        case .unalignedAtomic:
            return memoryAccesses.first.map {
                .unalignedAccess(
                    memory: $0.memory, address: $0.address, byteCount: $0.byteCount)
            }
        case .outOfBoundsTableAccess: return tableDetail
        case .undefinedElement, .uninitializedElement, .indirectCallTypeMismatch:
            return callDetail(code, store.engine.types)
        case .integerOverflow, .invalidConversionToInteger: return conversionDetail
        case .outOfBoundsArrayAccess: return arrayDetail
        case .castFailure: return castDetail(store.engine.types)
        default: return nil
        }
    }

    // MARK: Memories

    private var memoryDetail: TrapDetail? {
        for access in memoryAccesses {
            let size = context.memory(access.memory).pointee.byteCount
            guard !fits(access.address, access.byteCount, in: size) else { continue }
            return .memoryAccess(
                memory: access.memory, address: access.address, byteCount: access.byteCount,
                memoryByteCount: UInt64(size))
        }
        return segmentDetail
    }

    /// `memory.init`, `array.new_data` and `array.init_data`: the memory or array has the bytes,
    /// but the segment has not.
    private var segmentDetail: TrapDetail? {
        let segment: Int, offset: UInt64, byteCount: UInt64
        if family == Instruction.Base.bulk {
            guard BulkOperation(rawValue: field(3)) == .memoryInit else { return nil }
            (segment, offset, byteCount) = (Int(upperHalf(2)), slot(1), slot(2))
        } else {
            guard let aggregate, aggregate.usesSegment else { return nil }
            let size = UInt64(
                FieldStorage(rawValue: UInt8(truncatingIfNeeded: word(3)))?.byteCount ?? 1)
            (segment, offset, byteCount) = (
                Int(upperHalf(2)), aggregate.offset, aggregate.count &* size
            )
        }
        let instance = context.instance
        let segments = instance.module.parsed.dataSegments
        guard segments.indices.contains(segment) else { return nil }
        let isDropped = instance.isDataDropped[segment]
        return .dataSegment(
            segment: segment, offset: offset, byteCount: byteCount,
            segmentByteCount: isDropped ? 0 : UInt64(segments[segment].content.count))
    }

    // MARK: Tables

    private var tableDetail: TrapDetail? {
        switch family {
        case Instruction.Base.tableGet: return tableAccess(field(2), slot(1), 1)
        case Instruction.Base.tableSet: return tableAccess(field(2), slot(0), 1)
        case Instruction.Base.bulk:
            let first = Int(UInt32(truncatingIfNeeded: word(2))), second = Int(upperHalf(2))
            let target = tableAccess(first, slot(0), slot(2))
            switch BulkOperation(rawValue: field(3)) {
            case .tableFill: return target
            case .tableCopy: return tableAccess(second, slot(1), slot(2)) ?? target
            case .tableInit: return target ?? elementDetail(second, slot(1), slot(2))
            default: return nil
            }
        default:
            guard let aggregate, aggregate.usesSegment else { return nil }
            return elementDetail(Int(upperHalf(2)), aggregate.offset, aggregate.count)
        }
    }

    /// Nil if the elements are in the table.
    private func tableAccess(_ table: Int, _ index: UInt64, _ count: UInt64) -> TrapDetail? {
        let size = context.table(table).pointee.count
        guard !fits(index, count, in: size) else { return nil }
        return .tableAccess(table: table, index: index, count: count, tableCount: UInt64(size))
    }

    private func elementDetail(_ segment: Int, _ offset: UInt64, _ count: UInt64) -> TrapDetail? {
        let instance = context.instance
        let segments = instance.module.parsed.elementSegments
        guard segments.indices.contains(segment) else { return nil }
        var size = UInt64(segments[segment].count)
        if case .dropped = instance.elementStates[segment] { size = 0 }
        return .elementSegment(segment: segment, offset: offset, count: count, segmentCount: size)
    }

    // MARK: Calls

    private func callDetail(_ code: TrapCode, _ types: TypeRegistry) -> TrapDetail? {
        let table: Int, index: UInt64
        switch family {
        case Instruction.Base.callIndirect: (table, index) = (0, value(tokens(1).first ?? "r"))
        case Instruction.Base.callIndirectFar: (table, index) = (Int(upperHalf(2)), slot(1))
        case Instruction.Base.returnCallIndirect:
            (table, index) = (Int(truncatingIfNeeded: word(3)), slot(1))
        default: return nil
        }
        let record = context.table(table).pointee
        guard index < UInt64(record.count) else {
            return .tableAccess(
                table: table, index: index, count: 1, tableCount: UInt64(record.count))
        }
        let expected = types.text(functionType: upperHalf(1))
        let element = record.elements[Int(truncatingIfNeeded: index)]
        guard
            let function = UnsafePointer<FunctionRecord>(
                bitPattern: UInt(truncatingIfNeeded: element))
        else { return .nullElement(table: table, index: index, expected: expected) }
        return .functionType(
            table: table, index: index, expected: expected,
            found: types.text(functionType: function.pointee.typeID))
    }

    // MARK: Numbers

    /// A division that overflows always has the same operands, so there is no detail for it.
    private var conversionDetail: TrapDetail? {
        guard family == Instruction.Base.truncate else { return nil }
        let isDouble = name.endOfLast("_f64") != nil
        let isRegister = tokens(1).first == "r"
        let operand = isRegister ? accumulators : Accumulators(result: slot(1))
        let value = isDouble ? operand.f : Double(operand.g)
        return .conversion(value: value, type: name.hasPrefix("i64") ? .i64 : .i32)
    }

    // MARK: Objects

    /// The operands of an operation on whole arrays.
    private struct AggregateOperands {
        let operation: AggregateOperation
        let slots: StackPointer
        let usesSegment: Bool
        /// The offset in the segment.
        let offset: UInt64
        let count: UInt64
    }

    private var aggregate: AggregateOperands? {
        guard family == Instruction.Base.aggregate,
            let operation = AggregateOperation(rawValue: field(2))
        else { return nil }
        let slots = slots(from: 1)
        func operand(_ index: Int) -> UInt64 { UInt64(UInt32(truncatingIfNeeded: slots[index])) }
        switch operation {
        case .arrayNewData, .arrayNewElements:
            return AggregateOperands(
                operation: operation, slots: slots, usesSegment: true, offset: operand(0),
                count: operand(1))
        case .arrayInitData, .arrayInitElements:
            return AggregateOperands(
                operation: operation, slots: slots, usesSegment: true, offset: operand(2),
                count: operand(3))
        case .arrayFill:
            let isVector =
                FieldStorage(rawValue: UInt8(truncatingIfNeeded: word(3))) == .v128
            return AggregateOperands(
                operation: operation, slots: slots, usesSegment: false, offset: 0,
                count: operand(isVector ? 4 : 3))
        case .arrayCopy:
            return AggregateOperands(
                operation: operation, slots: slots, usesSegment: false, offset: 0,
                count: operand(4))
        default: return nil
        }
    }

    private var arrayDetail: TrapDetail? {
        if let aggregate {
            let slots = aggregate.slots
            let index = { UInt64(UInt32(truncatingIfNeeded: slots[$0])) }
            return arrayAccess(slots[0], index(1), aggregate.count)
                ?? (aggregate.operation == .arrayCopy
                    ? arrayAccess(slots[2], index(3), aggregate.count) : nil)
        }
        let operands: [Substring]
        switch family {
        case Instruction.Base.arrayGetVector: operands = ["s1", "s2"]
        case Instruction.Base.arraySetVector: operands = ["s1", "s2"]
        default: operands = tokens(1)
        }
        guard operands.count >= 2 else { return nil }
        return arrayAccess(
            value(operands[0]), UInt64(UInt32(truncatingIfNeeded: value(operands[1]))), 1)
    }

    /// Nil if the elements are in the array.
    private func arrayAccess(_ array: UInt64, _ index: UInt64, _ count: UInt64) -> TrapDetail? {
        guard let array = UnsafeRawPointer(bitPattern: UInt(truncatingIfNeeded: array)) else {
            return nil
        }
        let length = array.load(fromByteOffset: ArrayLayout.lengthOffset, as: UInt32.self)
        guard !fits(index, count, in: UInt(length)) else { return nil }
        return .arrayAccess(index: index, count: count, arrayCount: UInt64(length))
    }

    private func castDetail(_ types: TypeRegistry) -> TrapDetail? {
        guard choices.count > 2 else { return nil }
        let target = "\(choices[1].label)"
        let header = upperHalf(1)
        func reference(_ type: HeapType) -> String {
            types.text(ValueType.ref(type, nullable: field(5) != 0))
        }
        let expected: String
        switch target {
        case "object", "function": expected = reference(.index(header & ObjectKind.typeMask))
        case "any": expected = "a reference that is not null"
        case "none": expected = field(5) != 0 ? "null" : "no value"
        case "eq": expected = reference(.eq)
        case "i31": expected = reference(.i31)
        default:
            let isArray = header &>> ObjectKind.shift == ObjectKind.array.rawValue
            expected = reference(isArray ? .array : .struct)
        }
        let found = Self.text(of: value(tokens(2).first ?? "r"), target, types)
        return .cast(expected: expected, found: found)
    }

    /// A description of the reference that a cast to `target` refused.
    private static func text(
        of reference: UInt64, _ target: String, _ types: TypeRegistry
    ) -> String {
        if reference == 0 { return "null" }
        if reference & 1 != 0 { return "i31 \(I31.signed(reference))" }
        guard reference & 7 == 0,
            let place = UnsafeRawPointer(bitPattern: UInt(truncatingIfNeeded: reference))
        else { return "a value of the host" }
        switch target {
        case "function":
            let record = place.assumingMemoryBound(to: FunctionRecord.self)
            return types.text(.ref(.index(record.pointee.typeID), nullable: false))
        case "none", "any": return "a reference"
        default:
            let id = place.load(as: UInt32.self) & ObjectKind.typeMask
            return types.text(.ref(.index(id), nullable: false))
        }
    }
}

extension TypeRegistry {
    /// `(i32) -> (f32)`
    fileprivate func text(functionType id: TypeID) -> String {
        definition(id).composite.functionType.map { text($0) } ?? "a function"
    }
}
