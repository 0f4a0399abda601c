import WasmInterpreter

/// Values on the command line: arguments of `--invoke` and its results.
enum ValueText {
    /// Why a word is not a value of a type.
    enum Failure: Error, Equatable {
        case malformed
        case outOfRange
        /// A vector with this number of lanes was given another number of them.
        case laneCount(Int)
        /// Values of this type cannot be written down.
        case unsupported

        var reason: String {
            switch self {
            case .malformed: ""
            case .outOfRange: "out of range"
            case .laneCount(let count): "it has \(count) lanes"
            case .unsupported: "values of this type cannot be given on the command line"
            }
        }
    }

    /// How values of a type are written, in one line; nil if they cannot be.
    static func form(of type: ValueType) -> String? {
        switch type {
        case .i32: "An i32 is a number from -2147483648 to 4294967295, also 0x7f or 1_000."
        case .i64: "An i64 is a number from -2^63 to 2^64 - 1, also 0x7f or 1_000."
        case .f32, .f64: "An \(type) is a number such as 1.5, -2e10, 0x1p-3, inf or nan."
        case .v128:
            "A v128 is 0x and up to 32 hexadecimal digits, or lanes such as i32x4:1,2,3,4 "
                + "or f64x2:0.5,1."
        default:
            type.reference?.isNullable == true ? "The only \(type) that can be given is null." : nil
        }
    }

    /// Reads a value as the text format writes it: decimal or hexadecimal, `_` between digits, a
    /// sign; for floats also `inf`, `nan` and `nan:0x...`; for references `null`.
    ///
    /// Integers may be given signed or unsigned: `-1` and `4294967295` are the same i32.
    static func parse(_ text: String, as type: ValueType) throws(Failure) -> Value {
        switch type {
        case .i32: return .i32(bits: UInt32(truncatingIfNeeded: try integer(text, bits: 32)))
        case .i64: return .i64(bits: try integer(text, bits: 64))
        case .f32: return .f32(try float(text))
        case .f64: return .f64(try float(text))
        case .v128: return try vector(text)
        default: return try reference(text, type)
        }
    }

    /// The value as `parse` reads it back; functions and host values by a name.
    static func text(of value: Value) -> String {
        switch value {
        case .i32(let value): "\(value)"
        case .i64(let value): "\(value)"
        case .f32(let value): floatText(value)
        case .f64(let value): floatText(value)
        case .v128(let low, let high):
            "0x" + String(high, radix: 16).zeroPadded + String(low, radix: 16).zeroPadded
        case .function(nil), .extern(nil), .exception(nil), .any(nil): "null"
        case .function(.some(let function)): "funcref \(function.type)"
        case .extern(.some(let reference)): "externref \(printable(reference.description))"
        case .exception(.some(let exception)): "exnref \(printable(exception.description))"
        case .any(.some(let reference)):
            switch reference.kind {
            case .i31(let value): "i31 \(value)"
            case .structure: "structref of \(counted(reference.count, "field"))"
            case .array: "arrayref of \(counted(reference.count, "element"))"
            case .extern(let reference): "anyref \(printable(reference.description))"
            }
        }
    }

    // MARK: Integers

    private static func integer(_ text: String, bits: UInt64) throws(Failure) -> UInt64 {
        let (isNegative, digits) = sign(of: text)
        let value = try magnitude(digits)
        let half: UInt64 = 1 << (bits - 1)
        if isNegative {
            guard value <= half else { throw .outOfRange }
            return 0 &- value
        }
        guard value <= half &- 1 &+ half else { throw .outOfRange }
        return value
    }

    private static func sign(of text: String) -> (isNegative: Bool, rest: Substring) {
        switch text.utf8.first {
        case UInt8(ascii: "-"): (true, text.dropFirst())
        case UInt8(ascii: "+"): (false, text.dropFirst())
        default: (false, text[...])
        }
    }

    private static func magnitude(_ text: Substring) throws(Failure) -> UInt64 {
        let isHexadecimal = text.hasPrefix("0x") || text.hasPrefix("0X")
        let radix: UInt64 = isHexadecimal ? 16 : 10
        var value: UInt64 = 0
        var previousIsDigit = false
        for byte in (isHexadecimal ? text.dropFirst(2) : text).utf8 {
            if byte == UInt8(ascii: "_"), previousIsDigit {
                previousIsDigit = false
                continue
            }
            guard let digit = hexadecimalDigit(byte), UInt64(digit) < radix else {
                throw .malformed
            }
            let (shifted, overflow) = value.multipliedReportingOverflow(by: radix)
            let (sum, carry) = shifted.addingReportingOverflow(UInt64(digit))
            guard !overflow, !carry else { throw .outOfRange }
            value = sum
            previousIsDigit = true
        }
        guard previousIsDigit else { throw .malformed }
        return value
    }

    private static func hexadecimalDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    // MARK: Floats

    private static func float<Number: CommandLineFloat>(
        _ text: String
    ) throws(Failure) -> Number {
        let (isNegative, rest) = sign(of: text)
        let magnitude: Number
        switch rest {
        case "inf", "infinity": magnitude = .infinity
        case "nan": magnitude = Number.nan(payload: Number.canonicalPayload)
        default:
            if rest.hasPrefix("nan:0x") {
                let payload = try Self.magnitude(rest.dropFirst(4))
                guard payload > 0, payload < 1 << Number.significandBitCount else {
                    throw .outOfRange
                }
                magnitude = Number.nan(payload: payload)
            } else {
                magnitude = try finite(rest)
            }
        }
        return isNegative ? -magnitude : magnitude
    }

    private static func finite<Number: CommandLineFloat>(
        _ text: Substring
    ) throws(Failure) -> Number {
        // Refuses first what the library's conversion accepts besides numbers (a sign, `nan(...)`).
        let digits = text.utf8.filter { $0 != UInt8(ascii: "_") }
        let isHexadecimal = digits.starts(with: [UInt8(ascii: "0"), UInt8(ascii: "x")])
        guard let first = digits.first,
            hexadecimalDigit(first).map({ $0 < 10 }) == true
                || first == UInt8(ascii: "."),
            digits.allSatisfy({ isFloatCharacter($0, isHexadecimal) }),
            let number = Number(String(decoding: digits, as: UTF8.self))
        else { throw .malformed }
        guard number.isFinite else { throw .outOfRange }
        return number
    }

    private static func isFloatCharacter(_ byte: UInt8, _ isHexadecimal: Bool) -> Bool {
        switch byte {
        case UInt8(ascii: "."), UInt8(ascii: "+"), UInt8(ascii: "-"): true
        case UInt8(ascii: "x"), UInt8(ascii: "p"), UInt8(ascii: "P"): isHexadecimal
        case UInt8(ascii: "e"), UInt8(ascii: "E"): true
        default: hexadecimalDigit(byte).map { $0 < 10 || isHexadecimal } ?? false
        }
    }

    private static func floatText<Number: CommandLineFloat>(_ value: Number) -> String {
        let sign = value.sign == .minus ? "-" : ""
        guard value.isNaN else { return value.isFinite ? "\(value)" : sign + "inf" }
        let payload = value.nanPayload
        if payload == Number.canonicalPayload { return sign + "nan" }
        return sign + "nan:" + hexadecimal(payload)
    }

    // MARK: Vectors and references

    /// `0x` and up to 32 digits, or the name of a shape with its lanes: `i32x4:1,2,3,4`.
    private static func vector(_ text: String) throws(Failure) -> Value {
        guard text.hasPrefix("0x") else { return try lanes(text) }
        let digits = Array(text.utf8.dropFirst(2).filter { $0 != UInt8(ascii: "_") })
        guard !digits.isEmpty else { throw .malformed }
        guard digits.count <= 32 else { throw .outOfRange }
        var low: UInt64 = 0
        var high: UInt64 = 0
        for byte in digits {
            guard let digit = hexadecimalDigit(byte) else { throw .malformed }
            high = high << 4 | low >> 60
            low = low << 4 | UInt64(digit)
        }
        return .v128(low: low, high: high)
    }

    private static func lanes(_ text: String) throws(Failure) -> Value {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, let (bits, isFloat) = shapes[String(parts[0])] else {
            throw .malformed
        }
        let words = parts[1].split(separator: ",", omittingEmptySubsequences: false)
        guard words.count == 128 / bits else { throw .laneCount(128 / bits) }
        var halves: [UInt64] = [0, 0]
        for (index, word) in words.enumerated() {
            let word = String(word)
            let value: UInt64
            if !isFloat {
                value = try integer(word, bits: UInt64(bits))
            } else if bits == 32 {
                value = UInt64((try float(word) as Float).bitPattern)
            } else {
                value = (try float(word) as Double).bitPattern
            }
            let mask: UInt64 = bits == 64 ? .max : 1 << UInt64(bits) - 1
            halves[index * bits / 64] |= (value & mask) << UInt64(index * bits % 64)
        }
        return .v128(low: halves[0], high: halves[1])
    }

    /// Bits of a lane, and whether it is a float.
    private static let shapes: [String: (bits: Int, isFloat: Bool)] = [
        "i8x16": (8, false), "i16x8": (16, false), "i32x4": (32, false), "i64x2": (64, false),
        "f32x4": (32, true), "f64x2": (64, true),
    ]

    private static func reference(_ text: String, _ type: ValueType) throws(Failure) -> Value {
        guard let reference = type.reference, reference.isNullable, text == "null" else {
            throw .unsupported
        }
        switch reference.heapType {
        case .extern, .noextern: return .extern(nil)
        case .exn, .noexn: return .exception(nil)
        case .any, .eq, .i31, .struct, .array, .none: return .any(nil)
        default: return .function(nil)
        }
    }
}

/// What this file needs of the two float types.
private protocol CommandLineFloat: BinaryFloatingPoint, LosslessStringConvertible {
    /// The fraction bits of a NaN, at most `significandBitCount` of them.
    static func nan(payload: UInt64) -> Self
    var nanPayload: UInt64 { get }
    /// Only the first fraction bit set: the NaN of arithmetic.
    static var canonicalPayload: UInt64 { get }
}

extension Float: CommandLineFloat {
    fileprivate static func nan(payload: UInt64) -> Float {
        Float(bitPattern: 0x7f80_0000 | UInt32(truncatingIfNeeded: payload) & 0x7f_ffff)
    }
    fileprivate var nanPayload: UInt64 { UInt64(bitPattern & 0x7f_ffff) }
    fileprivate static var canonicalPayload: UInt64 { 0x40_0000 }
}

extension Double: CommandLineFloat {
    fileprivate static func nan(payload: UInt64) -> Double {
        Double(bitPattern: 0x7ff0_0000_0000_0000 | payload & 0xf_ffff_ffff_ffff)
    }
    fileprivate var nanPayload: UInt64 { bitPattern & 0xf_ffff_ffff_ffff }
    fileprivate static var canonicalPayload: UInt64 { 0x8_0000_0000_0000 }
}

extension String {
    /// Sixteen digits.
    fileprivate var zeroPadded: String { String(repeating: "0", count: 16 - utf8.count) + self }
}
