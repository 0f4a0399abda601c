import WasmInterpreter
import WasmdDocuments

/// Numbers of guests in JSON.
///
/// | type | in JSON |
/// |---|---|
/// | i32, i64 | an integer, signed or unsigned, or a text with its decimal digits |
/// | f32, f64 | a number, or one of the texts `NaN`, `Infinity`, `-Infinity` |
/// | v128 | a text: `0x` and 32 hexadecimal digits, the first is the most significant |
/// | externref, funcref | null |
enum NumberReading {
    /// The value of a type; nil if the document is none.
    ///
    /// - Parameter wraps: the rules of *wess*: integers that do not fit in 32 bits keep their lower
    ///   half, those above `Int64.max` are no i64, texts are no numbers, and there are no vectors.
    static func value(
        _ document: Document, _ type: ParameterType, wraps: Bool = false
    ) -> Value? {
        switch type {
        case .i32:
            guard let bits = integer(document, allowsText: !wraps) else { return nil }
            switch bits {
            case .signed(let value):
                if let exact = Int32(exactly: value) { return .i32(exact) }
                if let exact = UInt32(exactly: value) { return .i32(bits: exact) }
                return wraps ? .i32(Int32(truncatingIfNeeded: value)) : nil
            case .unsigned(let value):
                return wraps ? .i32(Int32(truncatingIfNeeded: value)) : nil
            }
        case .i64:
            switch integer(document, allowsText: !wraps) {
            case .signed(let value)?: return .i64(value)
            case .unsigned(let value)?: return wraps ? nil : .i64(bits: value)
            case nil: return nil
            }
        case .f32: return real(document, allowsText: !wraps).map { .f32(Float($0)) }
        case .f64: return real(document, allowsText: !wraps).map { .f64($0) }
        case .v128: return wraps ? nil : vector(document)
        case .externref: return document == .null ? .extern(nil) : nil
        case .funcref: return document == .null ? .function(nil) : nil
        case .string, .bytes: return nil
        }
    }

    /// What a value is in JSON.
    static func document(_ value: Value) -> Document {
        switch value {
        case .i32(let value): .integer(Int64(value))
        case .i64(let value): .integer(value)
        case .f32(let value): document(Double(value))
        case .f64(let value): document(value)
        case .v128(let low, let high): .string("0x" + digits(high) + digits(low))
        case .function, .extern, .exception, .any: .null
        }
    }

    private static func document(_ value: Double) -> Document {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Infinity" : "Infinity" }
        return .double(value)
    }

    private static func digits(_ word: UInt64) -> String {
        let text = String(word, radix: 16)
        return String(repeating: "0", count: 16 - text.utf8.count) + text
    }

    private enum Integer {
        case signed(Int64)
        /// Above `Int64.max`.
        case unsigned(UInt64)
    }

    private static func integer(_ document: Document, allowsText: Bool) -> Integer? {
        switch document {
        case .integer(let value): return .signed(value)
        case .integer32(let value): return .signed(Int64(value))
        case .unsigned(let value): return .unsigned(value)
        case .string(let text) where allowsText:
            if let value = Int64(text) { return .signed(value) }
            return UInt64(text).map { .unsigned($0) }
        default: return nil
        }
    }

    private static func real(_ document: Document, allowsText: Bool) -> Double? {
        if let value = document.doubleValue { return value }
        guard allowsText else { return nil }
        switch document.stringValue {
        case "NaN": return .nan
        case "Infinity": return .infinity
        case "-Infinity": return -.infinity
        default: return nil
        }
    }

    private static func vector(_ document: Document) -> Value? {
        guard let text = document.stringValue, text.utf8.count == 34, text.hasPrefix("0x") else {
            return nil
        }
        let digits = text.dropFirst(2)
        let middle = digits.index(digits.startIndex, offsetBy: 16)
        guard digits.utf8.allSatisfy({ $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "-") }),
            let high = UInt64(digits[..<middle], radix: 16),
            let low = UInt64(digits[middle...], radix: 16)
        else { return nil }
        return .v128(low: low, high: high)
    }
}
