// Invariant: the expressions were validated, so the operands that an instruction needs are there; a
// missing one counts as zero, nothing is read outside of the stack. The operands are the last of
// the store's `temporaries`, so that a collection finds them; those from `base` on are of this
// expression.

import WasmMachine
import WasmValidator

/// Computes the initial values of globals and tables, offsets and elements of segments.
///
/// Specification: 3.3.10 (constant expressions).
struct ConstantEvaluator {
    private let instance: InstanceStorage
    private let store: Store
    private typealias Slots = (low: UInt64, high: UInt64)
    private var base = 0
    private var steps = 0

    init(_ instance: InstanceStorage) {
        self.instance = instance
        store = instance.store
    }

    /// The value of an expression in slots.
    ///
    /// - Throws: `Trap` if an object has no room; `GuestStop` if the guest that is being made must
    ///   stop.
    mutating func evaluate(_ expression: ConstantExpression) throws -> (low: UInt64, high: UInt64) {
        var reader = reader(expression.range)
        return try evaluate(&reader)
    }

    /// Writes the references of a segment to `target`, which has room for them.
    mutating func evaluate(
        _ segment: ElementSegment, into target: UnsafeMutablePointer<UInt64>
    ) throws {
        switch segment.items {
        case .functions(let range, let count):
            var reader = reader(range)
            for index in 0..<count {
                try step()
                target[index] = functionReference(try reader.unsigned32())
            }
        case .expressions(let range, let count):
            var reader = reader(range)
            for index in 0..<count { target[index] = try evaluate(&reader).low }
        }
    }

    /// Instructions that use one unit of budget, which is checked after them.
    private static let stepsPerUnit = 64
    private static let stepsAtOnce = 1024

    private mutating func step() throws(GuestStop) {
        steps += 1
        guard steps == Self.stepsAtOnce else { return }
        steps = 0
        let units = UInt64(Self.stepsAtOnce / Self.stepsPerUnit)
        if let code = store.stopRequest() ?? store.charge(units) { throw GuestStop(code: code) }
    }

    private func reader(_ range: ByteRange) -> BinaryReader {
        let parsed = instance.module.parsed
        return BinaryReader(parsed.bytes, range: range, features: parsed.features)
    }

    private func functionReference(_ index: UInt32) -> UInt64 {
        UInt64(UInt(bitPattern: instance.functionRecord(Int(index))))
    }

    private mutating func evaluate(
        _ reader: inout BinaryReader
    ) throws -> (low: UInt64, high: UInt64) {
        base = store.temporaries.count
        defer { store.temporaries.removeSubrange(base...) }
        while true {
            try step()
            let opcode = try reader.opcode()
            if opcode == .end { return pop() }
            try step(opcode, &reader)
        }
    }

    private func step(_ opcode: Opcode, _ reader: inout BinaryReader) throws {
        switch opcode {
        case .i32Const: push(UInt64(UInt32(bitPattern: try reader.signed32())))
        case .i64Const: push(UInt64(bitPattern: try reader.signed64()))
        case .f32Const: push(UInt64(try reader.float32Bits()))
        case .f64Const: push(try reader.float64Bits())
        case .v128Const:
            let vector = try reader.vector128()
            push(vector.low, vector.high)
        case .globalGet:
            let index = Int(try reader.unsigned32())
            guard let cell = instance.globalCell(index) else { return push(0) }
            push(cell[0], instance.module.parsed.globals[index].value.isVector ? cell[1] : 0)
        case .refNull:
            _ = try reader.heapType()
            push(0)
        case .refFunc: push(functionReference(try reader.unsigned32()))
        case .i32Add: binary { UInt64(UInt32(truncatingIfNeeded: $0 &+ $1)) }
        case .i32Sub: binary { UInt64(UInt32(truncatingIfNeeded: $0 &- $1)) }
        case .i32Mul: binary { UInt64(UInt32(truncatingIfNeeded: $0 &* $1)) }
        case .i64Add: binary { $0 &+ $1 }
        case .i64Sub: binary { $0 &- $1 }
        case .i64Mul: binary { $0 &* $1 }
        case .refI31: push(I31.slot(UInt32(truncatingIfNeeded: pop().low)))
        case .anyConvertExtern, .externConvertAny: break
        case .structNew, .structNewDefault:
            try makeStructure(type: try reader.unsigned32(), isDefault: opcode == .structNewDefault)
        case .arrayNew, .arrayNewDefault, .arrayNewFixed:
            let type = try reader.unsigned32()
            let fixed = opcode == .arrayNewFixed ? Int(try reader.unsigned32()) : nil
            try makeArray(type, fixed: fixed, isDefault: opcode == .arrayNewDefault)
        // Not constant: validation has refused the module.
        default: throw Trap(.unreachable)
        }
    }

    private func push(_ low: UInt64, _ high: UInt64 = 0) { store.temporaries.append((low, high)) }

    private func pop() -> Slots {
        store.temporaries.count > base ? store.temporaries.removeLast() : (0, 0)
    }

    private func binary(_ operation: (UInt64, UInt64) -> UInt64) {
        let right = pop().low
        let left = pop().low
        push(operation(left, right))
    }

    // MARK: Objects

    /// A cell for an object; operands on the stack stay alive meanwhile. A few bytes of a module
    /// can demand gigabytes, again and again, so a stop is checked before each large object.
    private func allocate(_ byteCount: Int) throws(GuestStop) -> UnsafeMutableRawPointer {
        if byteCount >= Int(bulkChargeLimit) { try store.checkStop() }
        return try store.allocate(
            byteCount, top: store.exchange.pointee.top, isInterruptible: true)
    }

    private func typeID(_ type: TypeIndex) -> TypeID { instance.module.valid.typeIDs[Int(type)] }

    private func makeStructure(type: TypeIndex, isDefault: Bool) throws {
        guard case .structure(let types) = instance.module.parsed.types[Int(type)].composite
        else { return push(0) }
        let layout = StructureLayout(types)
        let cell = try allocate(layout.byteCount)
        cell.initializeMemory(as: UInt8.self, repeating: 0, count: layout.byteCount)
        cell.storeBytes(of: ObjectKind.structure.header(typeID(type)), as: UInt32.self)
        if !isDefault {
            for field in layout.fields.reversed() {
                let value = pop()
                field.storage.store(value.low, value.high, at: cell + field.offset)
            }
        }
        push(UInt64(UInt(bitPattern: cell)))
    }

    /// The operands are `fixed` elements; else a value, unless `isDefault`, and the length.
    private func makeArray(_ type: TypeIndex, fixed: Int?, isDefault: Bool) throws {
        guard case .array(let element) = instance.module.parsed.types[Int(type)].composite
        else { return push(0) }
        let storage = FieldStorage(element.storage)
        let count = fixed ?? Int(UInt32(truncatingIfNeeded: pop().low))
        let byteCount = ArrayLayout.elementsOffset + count * storage.byteCount
        let cell = try allocate(byteCount)
        // Without its header it is no object: elements that are missing are never read.
        let elements = cell + ArrayLayout.elementsOffset
        if fixed != nil {
            for index in (0..<count).reversed() {
                let value = pop()
                storage.store(value.low, value.high, at: elements + index * storage.byteCount)
            }
        } else {
            let value: Slots = isDefault ? (0, 0) : pop()
            do throws(GuestStop) {
                try store.inPieces(count * storage.byteCount) {
                    storage.fill(
                        elements + $0.lowerBound, $0.count >> storage.byteCountLog2, value)
                }
            } catch {
                store.heap.giveBack(cell, byteCount)
                throw error
            }
        }
        cell.storeBytes(of: ObjectKind.array.header(typeID(type)), as: UInt32.self)
        cell.storeBytes(
            of: UInt32(truncatingIfNeeded: count), toByteOffset: ArrayLayout.lengthOffset,
            as: UInt32.self)
        push(UInt64(UInt(bitPattern: cell)))
    }
}
