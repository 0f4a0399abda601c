// Invariant: the expressions were validated, so the operands that an instruction needs are there;
// a missing one counts as zero, nothing is read outside of the stack.

import WasmValidator

/// Computes the initial values of globals and tables, offsets and elements of segments.
///
/// Specification: 3.3.10 (constant expressions).
struct ConstantEvaluator {
    private let instance: InstanceStorage
    private var low: [UInt64] = []
    /// The upper half of v128.
    private var high: UInt64 = 0

    init(_ instance: InstanceStorage) { self.instance = instance }

    /// The value of an expression in slots.
    ///
    /// - Throws: `UnsupportedFeatures` for instructions that cannot run yet.
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
        low.removeAll(keepingCapacity: true)
        high = 0
        while true {
            let opcode = try reader.opcode()
            if opcode == .end { return (low.last ?? 0, high) }
            try step(opcode, &reader)
        }
    }

    private mutating func step(_ opcode: Opcode, _ reader: inout BinaryReader) throws {
        switch opcode {
        case .i32Const: low.append(UInt64(UInt32(bitPattern: try reader.signed32())))
        case .i64Const: low.append(UInt64(bitPattern: try reader.signed64()))
        case .f32Const: low.append(UInt64(try reader.float32Bits()))
        case .f64Const: low.append(try reader.float64Bits())
        case .v128Const:
            let vector = try reader.vector128()
            low.append(vector.low)
            high = vector.high
        case .globalGet:
            let index = Int(try reader.unsigned32())
            guard let cell = instance.globalCell(index) else { return low.append(0) }
            low.append(cell[0])
            if instance.module.parsed.globals[index].value.isVector { high = cell[1] }
        case .refNull:
            _ = try reader.heapType()
            low.append(0)
        case .refFunc: low.append(functionReference(try reader.unsigned32()))
        case .i32Add: binary { UInt64(UInt32(truncatingIfNeeded: $0 &+ $1)) }
        case .i32Sub: binary { UInt64(UInt32(truncatingIfNeeded: $0 &- $1)) }
        case .i32Mul: binary { UInt64(UInt32(truncatingIfNeeded: $0 &* $1)) }
        case .i64Add: binary { $0 &+ $1 }
        case .i64Sub: binary { $0 &- $1 }
        case .i64Mul: binary { $0 &* $1 }
        default: throw UnsupportedFeatures(features: opcode.info.feature)
        }
    }

    private mutating func binary(_ operation: (UInt64, UInt64) -> UInt64) {
        let right = low.popLast() ?? 0
        let left = low.popLast() ?? 0
        low.append(operation(left, right))
    }
}
