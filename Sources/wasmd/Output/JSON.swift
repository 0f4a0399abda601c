/// A JSON document to be written. Members of objects keep their order, integers are exact.
///
/// Specification: RFC 8259.
enum JSON: Equatable {
    case null
    case boolean(Bool)
    case integer(Int64)
    case unsigned(UInt64)
    case string(String)
    case array([JSON])
    case object([Member])

    struct Member: Equatable {
        let name: String
        let value: JSON

        init(_ name: String, _ value: JSON) {
            self.name = name
            self.value = value
        }
    }

    static func count(_ value: Int) -> JSON { .integer(Int64(value)) }

    /// An object without the members whose value is nil.
    static func object(_ members: (String, JSON?)...) -> JSON {
        .object(members.compactMap { name, value in value.map { Member(name, $0) } })
    }

    static func strings(_ values: [String]) -> JSON { .array(values.map { .string($0) }) }

    /// The document as text, two spaces of indentation a level. Arrays and objects without
    /// arrays and objects inside stand on one line if that is short.
    var text: String { text(indentation: 0) }

    /// The same inside of `indentation` arrays and objects.
    fileprivate func text(indentation: Int) -> String {
        var writer = JSONWriter()
        writer.write(self, indentation: indentation)
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}

/// An object that is written member by member, as `JSON.text` would write all of it, with a line
/// for each member.
struct JSONStream {
    private let output: Output
    private var isEmpty = true

    init(_ output: Output) {
        self.output = output
        output.write("{")
    }

    /// Writes a member; nothing if the value is nil.
    mutating func member(_ name: String, _ value: JSON?) {
        guard let value else { return }
        begin(name)
        output.write(value.text(indentation: 1))
    }

    /// Writes an array of objects with members, one by one.
    mutating func member(_ name: String, objects: some Sequence<JSON>) {
        begin(name)
        output.write("[")
        var isFirst = true
        for object in objects {
            output.write(isFirst ? "\n    " : ",\n    ")
            output.write(object.text(indentation: 2))
            isFirst = false
        }
        output.write(isFirst ? "]" : "\n  ]")
    }

    private mutating func begin(_ name: String) {
        output.write(isEmpty ? "\n  " : ",\n  ")
        isEmpty = false
        output.write(JSON.string(name).text)
        output.write(": ")
    }

    func end() { output.write("\n}\n") }
}

extension JSON: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral {
    init(stringLiteral value: String) { self = .string(value) }
    init(booleanLiteral value: Bool) { self = .boolean(value) }
}

private struct JSONWriter {
    var bytes: [UInt8] = []

    /// Longest array or object that stands on one line.
    private static let lineLimit = 76

    mutating func write(_ value: JSON, indentation: Int) {
        switch value {
        case .null: append("null")
        case .boolean(let value): append(value ? "true" : "false")
        case .integer(let value): append(String(value))
        case .unsigned(let value): append(String(value))
        case .string(let value): write(string: value)
        case .array(let values):
            let parts = values.map { JSON.Member("", $0) }
            write(parts, between: "[", and: "]", named: false, indentation: indentation)
        case .object(let members):
            write(members, between: "{", and: "}", named: true, indentation: indentation)
        }
    }

    private mutating func write(
        _ members: [JSON.Member], between open: String, and close: String, named: Bool,
        indentation: Int
    ) {
        let start = bytes.count
        append(open)
        if members.allSatisfy(\.value.isScalar) {
            for (index, member) in members.enumerated() {
                if index > 0 { append(", ") }
                if named { write(name: member.name) }
                write(member.value, indentation: 0)
            }
            if bytes.count - start + 2 * indentation <= Self.lineLimit {
                append(close)
                return
            }
            bytes.removeSubrange(start...)
            append(open)
        }
        for (index, member) in members.enumerated() {
            append(index > 0 ? ",\n" : "\n")
            append(String(repeating: "  ", count: indentation + 1))
            if named { write(name: member.name) }
            write(member.value, indentation: indentation + 1)
        }
        append("\n" + String(repeating: "  ", count: indentation))
        append(close)
    }

    private mutating func write(name: String) {
        write(string: name)
        append(": ")
    }

    private mutating func write(string: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in string.utf8 {
            switch byte {
            case UInt8(ascii: "\""): append("\\\"")
            case UInt8(ascii: "\\"): append("\\\\")
            case 0x0a: append("\\n")
            case 0x0d: append("\\r")
            case 0x09: append("\\t")
            case 0..<0x20, 0x7f:
                let digits = String(byte, radix: 16)
                append("\\u00" + (digits.utf8.count == 1 ? "0" : "") + digits)
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }
}

extension JSON {
    fileprivate var isScalar: Bool {
        switch self {
        case .array(let values): values.isEmpty
        case .object(let members): members.isEmpty
        default: true
        }
    }
}
