/// Writes the JSON of profiles piece by piece, without white space; only `FirefoxProfile` uses it.
///
/// Columns of a profile may have millions of numbers, which are written without a tree of values.
/// `WasmdDocuments` has the general writer, but belongs to the daemon, on which the engine must not
/// depend.
///
/// Specification: RFC 8259.
struct JSONText {
    private var bytes: [UInt8] = []
    /// Whether a value precedes in the same object or array.
    private var needsComma = false

    var text: String { String(decoding: bytes, as: UTF8.self) }

    // MARK: Values

    mutating func object(_ members: (inout JSONText) -> Void) { enclose("{", "}", members) }
    mutating func array(_ elements: (inout JSONText) -> Void) { enclose("[", "]", elements) }

    private mutating func enclose(
        _ open: String, _ close: String, _ content: (inout JSONText) -> Void
    ) {
        literal(open)
        needsComma = false
        content(&self)
        literal(close)
        needsComma = true
    }

    mutating func literal(_ text: String) { bytes.append(contentsOf: text.utf8) }
    mutating func number(_ value: Int) { literal(String(value)) }

    /// Nanoseconds as a number of milliseconds, exactly.
    mutating func milliseconds(_ nanoseconds: UInt64) {
        literal(String(nanoseconds / 1_000_000))
        var fraction = nanoseconds % 1_000_000
        guard fraction > 0 else { return }
        var digits = 6
        while fraction % 10 == 0 {
            fraction /= 10
            digits -= 1
        }
        let text = String(fraction)
        literal(".\(String(repeating: "0", count: digits - text.utf8.count))\(text)")
    }

    mutating func string(_ value: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in value.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case 0..<0x20, 0x7f:
                literal("\\u00\(String(byte >> 4, radix: 16))\(String(byte & 15, radix: 16))")
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    // MARK: Members and elements

    mutating func member(_ name: String, _ value: (inout JSONText) -> Void) {
        element {
            $0.string(name)
            $0.literal(":")
            value(&$0)
        }
    }

    mutating func element(_ value: (inout JSONText) -> Void) {
        if needsComma { literal(",") }
        value(&self)
        needsComma = true
    }

    /// A member that is an array of numbers, or null where there is none.
    mutating func column(_ name: String, _ count: Int, _ value: (Int) -> Int?) {
        member(name) { json in
            json.array { json in
                for row in 0..<count {
                    let value = value(row)
                    json.element { $0.literal(value.map(String.init) ?? "null") }
                }
            }
        }
    }

    /// An object that is a table: a column for each name, and its length.
    mutating func table(
        _ count: Int, _ columns: [String], _ value: (_ column: String, _ row: Int) -> Int?
    ) {
        object { json in
            json.member("length") { $0.number(count) }
            for name in columns { json.column(name, count) { value(name, $0) } }
        }
    }
}
