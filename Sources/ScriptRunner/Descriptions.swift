import WasmInterpreter
import WasmText

// Names and values in reports: numbers in decimal, with their bits where those matter.

extension ScriptAction: CustomStringConvertible {
    /// `"add" (i32 1, i32 2)`
    public var description: String {
        switch kind {
        case .get: "get \"\(name)\""
        case .invoke(let arguments):
            "\"\(name)\" (" + arguments.map(\.text).joined(separator: ", ") + ")"
        }
    }
}

extension ScriptValue {
    var text: String {
        switch self {
        case .i32(let bits): "i32 \(Int32(bitPattern: bits))"
        case .i64(let bits): "i64 \(Int64(bitPattern: bits))"
        case .f32(let bits): float32(bits)
        case .f64(let bits): float64(bits)
        case .v128(let low, let high): vector(low, high)
        case .refNull(let type): "null \(type)"
        case .refExtern(let number): "extern \(number)"
        case .refHost(let number): "host \(number)"
        }
    }
}

extension ResultPattern {
    var text: String {
        switch self {
        case .i32(let bits): "i32 \(Int32(bitPattern: bits))"
        case .i64(let bits): "i64 \(Int64(bitPattern: bits))"
        case .f32(.bits(let bits)): float32(UInt32(truncatingIfNeeded: bits))
        case .f32(let pattern): "f32 \(pattern.name)"
        case .f64(.bits(let bits)): float64(bits)
        case .f64(let pattern): "f64 \(pattern.name)"
        case .v128(let shape, let lanes):
            "v128 \(shape) " + lanes.map(\.name).joined(separator: " ")
        case .null: "null"
        case .anyReference: "a reference"
        case .reference(let type): "\(type) reference"
        case .refExtern(let number): "extern \(number)"
        case .refHost(let number): "host \(number)"
        case .either(let patterns): "either " + patterns.map(\.text).joined(separator: " or ")
        }
    }
}

extension NumberPattern {
    fileprivate var name: String {
        switch self {
        case .bits(let bits): "0x" + String(bits, radix: 16)
        case .canonicalNaN: "nan:canonical"
        case .arithmeticNaN: "nan:arithmetic"
        }
    }
}

extension Value {
    var text: String {
        switch self {
        case .i32(let value): "i32 \(value)"
        case .i64(let value): "i64 \(value)"
        case .f32(let value): float32(value.bitPattern)
        case .f64(let value): float64(value.bitPattern)
        case .v128(let low, let high): vector(low, high)
        case .extern(let reference?): "extern \(reference)"
        default: description
        }
    }
}

private func float32(_ bits: UInt32) -> String {
    "f32 \(Float(bitPattern: bits)) (0x\(String(bits, radix: 16)))"
}

private func float64(_ bits: UInt64) -> String {
    "f64 \(Double(bitPattern: bits)) (0x\(String(bits, radix: 16)))"
}

private func vector(_ low: UInt64, _ high: UInt64) -> String {
    "\(Value.v128(low: low, high: high))"
}

func list(_ patterns: [ResultPattern]) -> String { list(patterns.map(\.text)) }
func list(_ values: [Value]) -> String { list(values.map(\.text)) }

private func list(_ texts: [String]) -> String {
    texts.isEmpty ? "no result" : texts.joined(separator: ", ")
}

/// An identifier in the text format.
func identifier(_ name: [UInt8]) -> String { "$" + String(decoding: name, as: UTF8.self) }

/// An error of any layer in one line.
func reason(for error: any Error) -> String {
    switch error {
    case let error as CommandFailure: error.reason
    case let error as Trap: "trap \"\(error.code.message)\""
    case let error as LinkError: "link error: \(error.failures.first?.description ?? "")"
    case let error as TextError: "text error: \(error.message)"
    case ModuleError.malformed(let error): "malformed module: \(error)"
    case ModuleError.invalid(let error): "invalid module: \(error)"
    default: "\(error)"
    }
}
