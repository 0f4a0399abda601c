// Invariant: the expressions were validated, so the operands that an instruction needs are there;
// a missing one counts as zero, nothing is read outside of the stack.

import WasmValidator

/// Computes the initial values of globals and tables, offsets and elements of segments.
///
/// Specification: 3.3.10 (constant expressions).
struct ConstantEvaluator {
    private let instance: InstanceStorage
    private typealias Slots = (low: UInt64, high: UInt64)
    private var stack: [Slots] = []

    init(_ instance: InstanceStorage) { self.instance = instance }

    /// The value of an expression in slots.
    ///
    /// - Throws: `Trap` if an object has no room, or the store's deadline is over.
    func evaluate(_ expression: ConstantExpression) throws -> (low: UInt64, high: UInt64) {
        var reader = reader(expression.range)
        var evaluator = self
        return try evaluator.evaluate(&reader)
    }

    /// Writes the references of a segment to `target`, which has room for them.
    func evaluate(
        _ segment: ElementSegment, into target: UnsafeMutablePointer<UInt64>?
    ) throws {
        guard let target else { return }
        switch segment.items {
        case .functions(let range, let count):
            var reader = reader(range)
            for index in 0..<count {
                target[index] = functionReference(try reader.unsigned32())
            }
        case .expressions(let range, let count):
            var reader = reader(range)
            var evaluator = self
            for index in 0..<count { target[index] = try evaluator.evaluate(&reader).low }
        }
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
        stack.removeAll(keepingCapacity: true)
        while true {
            let opcode = try reader.opcode()
            if opcode == .end { return pop() }
            try step(opcode, &reader)
        }
    }

    private mutating func step(_ opcode: Opcode, _ reader: inout BinaryReader) throws {
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

    private mutating func push(_ low: UInt64, _ high: UInt64 = 0) { stack.append((low, high)) }

    private mutating func pop() -> Slots { stack.popLast() ?? (0, 0) }

    private mutating func binary(_ operation: (UInt64, UInt64) -> UInt64) {
        let right = pop().low
        let left = pop().low
        push(operation(left, right))
    }

    // MARK: Objects

    /// A cell for an object; operands on the stack stay alive meanwhile. A few bytes of a module
    /// ask for gigabytes, again and again: before each large object is the time to stop.
    private func allocate(_ byteCount: Int) throws -> UnsafeMutableRawPointer {
        let store = instance.store
        if byteCount >= 1 << 16, let code = store.stopRequest() { throw Trap(code) }
        let cell = store.keeping(stack) {
            store.allocate(byteCount, top: store.execution.pointee.top)
        }
        guard let cell else { throw Trap(store.heap.refusal) }
        return cell
    }

    private func typeID(_ type: TypeIndex) -> TypeID { instance.module.valid.typeIDs[Int(type)] }

    private mutating func makeStructure(type: TypeIndex, isDefault: Bool) throws {
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
    private mutating func makeArray(_ type: TypeIndex, fixed: Int?, isDefault: Bool) throws {
        guard case .array(let element) = instance.module.parsed.types[Int(type)].composite
        else { return push(0) }
        let storage = FieldStorage(element.storage)
        let count = fixed ?? Int(UInt32(truncatingIfNeeded: pop().low))
        let cell = try allocate(ArrayLayout.elementsOffset + count * storage.byteCount)
        cell.storeBytes(of: ObjectKind.array.header(typeID(type)), as: UInt32.self)
        cell.storeBytes(
            of: UInt32(truncatingIfNeeded: count), toByteOffset: ArrayLayout.lengthOffset,
            as: UInt32.self)
        let elements = cell + ArrayLayout.elementsOffset
        if fixed != nil {
            for index in (0..<count).reversed() {
                let value = pop()
                storage.store(value.low, value.high, at: elements + index * storage.byteCount)
            }
        } else {
            storage.fill(elements, count, isDefault ? (0, 0) : pop())
        }
        push(UInt64(UInt(bitPattern: cell)))
    }
}
