import WasmInterpreter
import WasmdWasmiot

/// Why a run failed before or after the guest ran; the texts are those that clients know.
enum RunFault: Error, Sendable {
    case noFunction(String)
    case integer(String)
    case real(String)
    case argumentCount(given: Int, expected: Int)
    case signature(String)
    case unexpectedFile(String)
    case filesMissing([String])
    case fileMissing(String)
    case outputCount(String)
    case outputMissing(String)
    case module(String)
    case guest(String)
    case next(String)
    case server(String)
}

extension RunFault: CustomStringConvertible {
    /// As Python writes a string.
    private static func quoted(_ text: String) -> String {
        let quote = text.utf8.contains(UInt8(ascii: "'")) && !text.utf8.contains(0x22) ? "\"" : "'"
        var result = quote
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x0a: result += "\\n"
            case 0x0d: result += "\\r"
            case 0x09: result += "\\t"
            case 0x5c: result += "\\\\"
            case 0x27 where quote == "'": result += "\\'"
            case 0..<0x20, 0x7f:
                let digits = String(scalar.value, radix: 16)
                result += "\\x" + (digits.utf8.count < 2 ? "0" : "") + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + quote
    }

    var description: String {
        switch self {
        case .noFunction(let name): Self.quoted(name)
        case .integer(let text):
            "invalid literal for int() with base 10: \(Self.quoted(text))"
        case .real(let text): "could not convert string to float: \(Self.quoted(text))"
        case .argumentCount(let given, let expected):
            "too few parameters provided: given \(given), expected \(expected)"
        case .signature(let type):
            "the function is \(type): only numbers can be given by a query"
        case .unexpectedFile(let name): "Unexpected input file \"\(name)\""
        case .filesMissing(let names):
            "required input files not found:  {"
                + names.map(Self.quoted).joined(separator: ", ") + "}"
        case .fileMissing(let name): "Missing input file \"\(name)\""
        case .outputCount(let type):
            "One and only one output file expected for media type \"\(type)\""
        case .outputMissing(let name): "the function did not write its output file \"\(name)\""
        case .module(let text), .guest(let text), .next(let text), .server(let text): text
        }
    }
}

/// Makes arguments of a query's texts.
enum ArgumentReading {
    /// The values of a function's parameters.
    ///
    /// If the query has all parameters of the endpoint, they are taken by name, else all by position;
    /// what is too much is dropped.
    ///
    /// - Parameter given: names are unique.
    static func values(
        _ given: [RunEntry.Text], _ parameters: [EndpointParameter], _ type: FunctionType
    ) throws(RunFault) -> [Value] {
        let texts = ordered(given, parameters.filter { $0.place == "query" })
        var values: [Value] = []
        for (index, wanted) in type.parameters.enumerated() where index < texts.count {
            let schema = index < parameters.count ? parameters[index].type : nil
            values.append(try value(texts[index], wanted, isBoolean: schema == "boolean", type))
        }
        return values
    }

    private static func ordered(
        _ given: [RunEntry.Text], _ parameters: [EndpointParameter]
    ) -> [String] {
        var texts: [String] = []
        for parameter in parameters {
            let found = given.first { $0.name.utf8.elementsEqual(parameter.name.utf8) }
            guard let found else { return given.map(\.text) }
            texts.append(found.text)
        }
        // A function that takes more than the endpoint says gets the rest in their order.
        let rest = given.filter { text in
            !parameters.contains { $0.name.utf8.elementsEqual(text.name.utf8) }
        }
        return texts + rest.map(\.text)
    }

    private static func value(
        _ text: String, _ wanted: ValueType, isBoolean: Bool, _ type: FunctionType
    ) throws(RunFault) -> Value {
        switch wanted {
        case .i32: .i32(bits: UInt32(truncatingIfNeeded: try integer(text, isBoolean)))
        case .i64: .i64(bits: try integer(text, isBoolean))
        case .f32: .f32(Float(try real(text)))
        case .f64: .f64(try real(text))
        default: throw .signature("\(type)")
        }
    }

    /// The most digits that are read; the original has the same limit.
    private static let digitLimit = 4300

    /// An integer in decimal, modulo 2^64. As the original reads it: white space around it and
    /// single underscores between digits are passed over.
    static func integer(_ text: String, _ isBoolean: Bool = false) throws(RunFault) -> UInt64 {
        if isBoolean {
            if text == "true" { return 1 }
            if text == "false" { return 0 }
        }
        var digits = trimmed(text)
        var isNegative = false
        if let sign = digits.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") {
            isNegative = sign == UInt8(ascii: "-")
            digits.removeFirst()
        }
        guard !digits.isEmpty, digits.count <= digitLimit else { throw .integer(text) }
        var value: UInt64 = 0
        var wasDigit = false
        for byte in digits {
            if byte == UInt8(ascii: "_"), wasDigit {
                wasDigit = false
                continue
            }
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else {
                throw .integer(text)
            }
            value = value &* 10 &+ UInt64(byte - UInt8(ascii: "0"))
            wasDigit = true
        }
        guard wasDigit else { throw .integer(text) }
        return isNegative ? 0 &- value : value
    }

    static func real(_ text: String) throws(RunFault) -> Double {
        let bytes = trimmed(text)
        let word = String(decoding: bytes, as: UTF8.self)
        switch word.lowercased() {
        case "nan", "+nan", "-nan": return .nan
        case "inf", "infinity", "+inf", "+infinity": return .infinity
        case "-inf", "-infinity": return -.infinity
        default: break
        }
        // Swift also reads hexadecimal numbers.
        guard bytes.count <= digitLimit,
            bytes.allSatisfy({ byte in
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                    || "+-.eE".utf8.contains(byte)
            }), let value = Double(word)
        else { throw .real(text) }
        return value
    }

    private static func trimmed(_ text: String) -> ArraySlice<UInt8> {
        func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0d).contains(byte) }
        var bytes = Array(text.utf8)[...]
        while let first = bytes.first, isSpace(first) { bytes.removeFirst() }
        while let last = bytes.last, isSpace(last) { bytes.removeLast() }
        return bytes
    }

    /// What a function has returned, as text: floats have a fraction always, `null` is nothing.
    static func text(_ values: [Value], isBoolean: Bool) -> String {
        let texts = values.map { value in
            switch value {
            case .i32(let number): isBoolean ? (number == 0 ? "false" : "true") : "\(number)"
            case .i64(let number): isBoolean ? (number == 0 ? "false" : "true") : "\(number)"
            case .f32(let number): text(Double(number))
            case .f64(let number): text(number)
            case .v128(let low, let high): "\"0x\(hexadecimal(high))\(hexadecimal(low))\""
            case .function, .extern, .exception, .any: "null"
            }
        }
        guard let first = texts.first else { return "null" }
        return texts.count == 1 ? first : "[" + texts.joined(separator: ", ") + "]"
    }

    /// As Python prints it.
    private static func text(_ number: Double) -> String {
        if number.isNaN { return "NaN" }
        if number.isInfinite { return number < 0 ? "-Infinity" : "Infinity" }
        return "\(number)"
    }

    private static func hexadecimal(_ word: UInt64) -> String {
        let digits = String(word, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }
}
