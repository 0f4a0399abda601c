import WasmInterpreter
import WasmText

extension Value {
    /// The value of a script's argument.
    init(_ value: ScriptValue) throws(CommandFailure) {
        switch value {
        case .i32(let bits): self = .i32(bits: bits)
        case .i64(let bits): self = .i64(bits: bits)
        case .f32(let bits): self = .f32(Float(bitPattern: bits))
        case .f64(let bits): self = .f64(Double(bitPattern: bits))
        case .v128(let low, let high): self = .v128(low: low, high: high)
        case .refNull(.func), .refNull(.nofunc): self = .function(nil)
        case .refNull(.extern), .refNull(.noextern): self = .extern(nil)
        case .refNull(.exn), .refNull(.noexn): self = .exception(nil)
        case .refNull: self = .any(nil)
        case .refExtern(let number): self = .extern(ExternReference(handle: UInt64(number)))
        case .refHost(let number):
            let reference = ExternReference(handle: UInt64(number))
            self = .any(AnyReference(internalizing: reference))
        }
    }
}

extension ResultPattern {
    /// Whether a result matches the script's.
    func matches(_ value: Value) -> Bool {
        switch (self, value) {
        case (.i32(let bits), .i32(let value)): bits == UInt32(bitPattern: value)
        case (.i64(let bits), .i64(let value)): bits == UInt64(bitPattern: value)
        case (.f32(let pattern), .f32(let value)):
            pattern.matches(UInt64(value.bitPattern), width: 32)
        case (.f64(let pattern), .f64(let value)): pattern.matches(value.bitPattern, width: 64)
        case (.v128(let shape, let lanes), .v128(let low, let high)):
            lanes.count == shape.laneCount
                && lanes.indices.allSatisfy { index in
                    lanes[index].matches(shape.lane(index, low, high), width: shape.laneBits)
                }
        case (.null, .function(nil)), (.null, .extern(nil)), (.null, .any(nil)),
            (.null, .exception(nil)):
            true
        case (.anyReference, .function(_?)), (.anyReference, .extern(_?)),
            (.anyReference, .any(_?)), (.anyReference, .exception(_?)):
            true
        case (.reference(.func), .function(_?)), (.reference(.extern), .extern(_?)): true
        case (.reference(.exn), .exception(_?)): true
        case (.refExtern(let number), .extern(let reference?)):
            reference.handle == UInt64(number)
        case (.reference(let type), .any(let reference?)): reference.kind.isBelow(type)
        case (.refHost(let number), .any(let reference?)):
            reference.kind == .extern(ExternReference(handle: UInt64(number)))
        case (.either(let patterns), _): patterns.contains { $0.matches(value) }
        default: false
        }
    }
}

extension AnyReference.Kind {
    /// Whether references of this kind are of an abstract heap type.
    fileprivate func isBelow(_ type: HeapType) -> Bool {
        switch self {
        case .i31: type == .i31 || type == .eq || type == .any
        case .structure: type == .struct || type == .eq || type == .any
        case .array: type == .array || type == .eq || type == .any
        case .extern: type == .any
        }
    }
}

extension NumberPattern {
    /// Whether the number of `width` bits in `bits` matches; other bits of `bits` are 0.
    fileprivate func matches(_ bits: UInt64, width: Int) -> Bool {
        // The exponent and the highest bit of the payload.
        let quiet: UInt64 = width == 32 ? 0x7fc0_0000 : 0x7ff8_0000_0000_0000
        let sign: UInt64 = 1 << (UInt64(width) - 1)
        return switch self {
        case .bits(let expected): bits == expected
        case .canonicalNaN: bits & ~sign == quiet
        case .arithmeticNaN: bits & quiet == quiet
        }
    }
}

extension VectorShape {
    /// A lane of a vector, in the low bits.
    func lane(_ index: Int, _ low: UInt64, _ high: UInt64) -> UInt64 {
        let bit = index * laneBits
        let half = bit < 64 ? low : high
        return laneBits == 64 ? half : half >> UInt64(bit & 63) & (1 << UInt64(laneBits) - 1)
    }
}
