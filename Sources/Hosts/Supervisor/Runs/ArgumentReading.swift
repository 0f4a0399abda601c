import WasmInterpreter
import WasmdWasmiot

/// Makes arguments of a query's texts.
enum ArgumentReading {
    /// What is given to a function's parameters.
    ///
    /// If the query has all parameters of the endpoint, they are taken by name, else all by position;
    /// what is too much is dropped. A parameter whose schema is `string` is a text for two parameters
    /// of the function, address and count of bytes, if the function has as many as that takes; else
    /// it is a number, as any.
    ///
    /// - Parameter given: names are unique.
    static func arguments(
        _ given: [RunEntry.Text], _ parameters: [EndpointParameter], _ type: FunctionType
    ) throws(RunFault) -> [GuestArgument] {
        let parameters = parameters.filter { $0.place == "query" }
        let texts = ordered(given, parameters)
        let wantedCount = type.parameters.count
        let textCount = parameters.count { $0.type == "string" }
        let hasTexts = textCount > 0 && parameters.count + textCount == wantedCount
        var arguments: [GuestArgument] = []
        var place = 0
        for (index, text) in texts.enumerated() where place < wantedCount {
            let schema = index < parameters.count ? parameters[index].type : nil
            if hasTexts, schema == "string", place + 1 < wantedCount,
                type.parameters[place] == .i32, type.parameters[place + 1] == .i32
            {
                arguments.append(.text(Array(text.utf8)))
                place += 2
            } else {
                arguments.append(
                    .value(
                        try value(
                            text, type.parameters[place], isBoolean: schema == "boolean", type)))
                place += 1
            }
        }
        return arguments
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

    /// A value that a function has returned, as text: floats have a fraction always.
    static func text(_ value: Value, isBoolean: Bool) -> String {
        switch value {
        case .i32(let number): isBoolean ? (number == 0 ? "false" : "true") : "\(number)"
        case .i64(let number): isBoolean ? (number == 0 ? "false" : "true") : "\(number)"
        case .f32(let number): text(Double(number))
        case .f64(let number): text(number)
        case .v128(let low, let high): "\"0x\(hexadecimal(high))\(hexadecimal(low))\""
        case .function, .extern, .exception, .any: "null"
        }
    }

    /// Values as one text: `null` is nothing, several are an array of JSON.
    static func text(_ values: [String]) -> String {
        guard let first = values.first else { return "null" }
        return values.count == 1 ? first : "[" + values.joined(separator: ", ") + "]"
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
