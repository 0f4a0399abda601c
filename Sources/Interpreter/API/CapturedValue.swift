// Invariants: as for `BacktraceCapture`; a frame has the slots that the translation of its function
// numbered: parameters from 0 on, the header after them, then the other locals.

import WasmDecoder
import WasmMachine

/// The value of a local when its function trapped.
public enum CapturedValue: Hashable, Sendable {
    case i32(UInt32)
    case i64(UInt64)
    /// The bits of a float.
    case f32(UInt32)
    case f64(UInt64)
    case v128(low: UInt64, high: UInt64)
    /// A reference; only whether it is null is recorded.
    case reference(isNull: Bool)

    init(_ type: ValueType, _ slots: UnsafePointer<UInt64>) {
        let low = UInt32(truncatingIfNeeded: slots[0])
        switch type {
        case .i32: self = .i32(low)
        case .i64: self = .i64(slots[0])
        case .f32: self = .f32(low)
        case .f64: self = .f64(slots[0])
        case .v128: self = .v128(low: slots[0], high: slots[1])
        default: self = .reference(isNull: slots[0] == 0)
        }
    }
}

extension CapturedValue: CustomStringConvertible {
    public var description: String {
        switch self {
        case .i32(let bits): "\(Int32(bitPattern: bits))"
        case .i64(let bits): "\(Int64(bitPattern: bits))"
        case .f32(let bits): "\(Float(bitPattern: bits))"
        case .f64(let bits): "\(Double(bitPattern: bits))"
        case .v128(let low, let high): "0x" + Value.hex(high) + Value.hex(low)
        case .reference(let isNull): isNull ? "null" : "reference"
        }
    }
}

extension Module {
    /// The values of a function's parameters and locals in its frame, at most `limit`.
    func locals(
        ofDefined function: Int, in frame: StackPointer, limit: Int
    ) -> [CapturedValue] {
        let index = FunctionIndex(truncatingIfNeeded: function + parsed.importedFunctionCount)
        guard let type = parsed.functionType(at: index), let body = parsed.body(of: index) else {
            return []
        }
        var values: [CapturedValue] = []
        var slot = 0
        func add(_ type: ValueType) {
            guard values.count < limit else { return }
            values.append(CapturedValue(type, frame + slot))
            slot += type.slotCount
        }
        for parameter in type.parameters { add(parameter) }
        slot = code.headerIndex(of: function) + 2
        var reader = parsed.reader(of: body)
        var total: UInt32 = 0
        do throws(DecodingError) {
            for _ in 0..<(try reader.localGroupCount()) {
                let (count, type) = try reader.localGroup(total: &total)
                for _ in 0..<min(Int(count), limit) { add(type) }
            }
        } catch {
            // A translated body was decoded before, so this cannot fail.
        }
        return values
    }
}
