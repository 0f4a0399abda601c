/// A value as JSON, BSON, TOML and forms carry it. Members of objects keep their order, integers of
/// 64 bits are exact, and what only BSON or TOML knows keeps its type.
///
/// Values are compared by their bytes: two strings that only Unicode normalisation makes equal
/// differ here, and a NaN is equal to a NaN with the same bits.
public enum Document: Sendable {
    case null
    case boolean(Bool)
    /// An integer that a reader made from text, or BSON's `int64`.
    case integer(Int64)
    /// BSON's `int32`.
    case integer32(Int32)
    /// An integer above `Int64.max`.
    case unsigned(UInt64)
    case double(Double)
    case string(String)
    /// BSON's binary of subtype 0; an array of small integers that a JSON reader was asked to pack.
    case bytes([UInt8])
    /// A date, a time or both, as TOML knows them.
    case dateTime(DateTime)
    /// A value of a type that only BSON knows, with its bytes.
    case foreign(ForeignValue)
    case array([Document])
    /// Names may repeat if the reader was told to keep such members.
    case object([Member])

    /// A name and its value.
    public struct Member: Sendable, Equatable {
        public var name: String
        public var value: Document

        public init(_ name: String, _ value: Document) {
            self.name = name
            self.value = value
        }

        public static func == (left: Member, right: Member) -> Bool {
            left.name.hasSameBytes(as: right.name) && left.value == right.value
        }
    }

    /// A BSON value as it stands in its document: the byte of its type, and its bytes without the
    /// name.
    public struct ForeignValue: Sendable, Equatable {
        public var type: UInt8
        public var payload: [UInt8]

        public init(type: UInt8, payload: [UInt8]) {
            self.type = type
            self.payload = payload
        }
    }
}

extension Document: Equatable {
    public static func == (left: Document, right: Document) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.boolean(let left), .boolean(let right)): left == right
        case (.integer(let left), .integer(let right)): left == right
        case (.integer32(let left), .integer32(let right)): left == right
        case (.unsigned(let left), .unsigned(let right)): left == right
        case (.double(let left), .double(let right)): left.bitPattern == right.bitPattern
        case (.string(let left), .string(let right)): left.hasSameBytes(as: right)
        case (.bytes(let left), .bytes(let right)): left == right
        case (.dateTime(let left), .dateTime(let right)): left == right
        case (.foreign(let left), .foreign(let right)): left == right
        case (.array(let left), .array(let right)): left == right
        case (.object(let left), .object(let right)): left == right
        default: false
        }
    }
}

extension Document: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral {
    public init(stringLiteral value: String) { self = .string(value) }
    public init(booleanLiteral value: Bool) { self = .boolean(value) }
}

extension Document {
    /// The value of the last member with this name, compared by bytes; nil if there is none or this
    /// is no object. Takes time in proportion to the number of members.
    public subscript(name: String) -> Document? {
        guard case .object(let members) = self else { return nil }
        return members.last { $0.name.hasSameBytes(as: name) }?.value
    }

    /// The element at the index; nil if there is none or this is no array.
    public subscript(index: Int) -> Document? {
        guard case .array(let elements) = self, elements.indices.contains(index) else { return nil }
        return elements[index]
    }

    /// The integer, of whatever width; nil for other values and for integers above `Int64.max`.
    public var integerValue: Int64? {
        switch self {
        case .integer(let value): value
        case .integer32(let value): Int64(value)
        case .unsigned(let value): Int64(exactly: value)
        default: nil
        }
    }

    /// The number as a double, rounded if it is a large integer; nil for other values.
    public var doubleValue: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .integer32(let value): Double(value)
        case .unsigned(let value): Double(value)
        case .double(let value): value
        default: nil
        }
    }

    /// The string; nil for other values.
    public var stringValue: String? {
        if case .string(let value) = self { value } else { nil }
    }

    /// The elements; nil for other values.
    public var arrayValue: [Document]? {
        if case .array(let value) = self { value } else { nil }
    }

    /// The members in order; nil for other values.
    public var objectValue: [Member]? {
        if case .object(let value) = self { value } else { nil }
    }
}

extension String {
    /// Whether both strings are the same bytes. `==` also takes those for equal that are the same
    /// after normalisation.
    func hasSameBytes(as other: String) -> Bool {
        let left = utf8.span
        let right = other.utf8.span
        guard left.count == right.count else { return false }
        for index in left.indices where left[index] != right[index] { return false }
        return true
    }
}

/// A name that is hashed and compared by its bytes. (Strings that normalisation makes equal have
/// one hash: a sender could make any number of them.)
struct ByteName: Hashable {
    let text: String

    static func == (left: ByteName, right: ByteName) -> Bool {
        left.text.hasSameBytes(as: right.text)
    }

    func hash(into hasher: inout Hasher) {
        let bytes = text.utf8.span
        var word: UInt64 = 0
        for index in bytes.indices {
            word = word << 8 | UInt64(bytes[index])
            if index & 7 == 7 {
                hasher.combine(word)
                word = 0
            }
        }
        hasher.combine(word)
        hasher.combine(bytes.count)
    }
}
