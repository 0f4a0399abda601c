/// Why a text is no JSON document, or none that is taken, and where.
///
/// Specification: RFC 8259.
public struct JSONError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Reason: Sendable, Equatable {
        /// The text ended inside the document.
        case unexpectedEnd
        /// A byte that cannot stand here.
        case unexpectedByte(UInt8)
        /// A value, name, comma, colon or bracket was expected.
        case expected(String)
        case malformedNumber
        /// A number whose nearest double is infinite.
        case numberOutOfRange
        /// A control character in a string must be escaped.
        case controlCharacter(UInt8)
        case malformedEscape
        /// `\ud800`…`\udfff` without its other half.
        case loneSurrogate
        case malformedUTF8
        case duplicateName(String)
        /// More after the document.
        case trailingBytes
        case limit(JSONLimits.Name, Int)
    }

    public var reason: Reason
    public var place: DocumentPlace

    public init(reason: Reason, place: DocumentPlace) {
        self.reason = reason
        self.place = place
    }

    public var description: String { "\(place): \(text)" }

    private var text: String {
        switch reason {
        case .unexpectedEnd: "the document is cut off"
        case .unexpectedByte(let byte): "unexpected byte 0x" + String(byte, radix: 16)
        case .expected(let what): "expected \(what)"
        case .malformedNumber: "malformed number"
        case .numberOutOfRange: "the number does not fit a double"
        case .controlCharacter(let byte):
            "control character 0x\(String(byte, radix: 16)) in a string: write it as an escape"
        case .malformedEscape: "malformed escape in a string"
        case .loneSurrogate: "half of a surrogate pair"
        case .malformedUTF8: "malformed UTF-8"
        case .duplicateName(let name): "the name \"\(name)\" stands twice in one object"
        case .trailingBytes: "bytes after the end of the document"
        case .limit(let name, let value): "more than \(value) \(name.rawValue)"
        }
    }
}

/// How much a reader takes.
public struct JSONLimits: Sendable, Equatable {
    public enum Name: String, Sendable {
        case depth = "nested arrays and objects"
        case values
        case bytes
        case stringBytes = "bytes in a string"
        case numberBytes = "bytes in a number"
    }

    /// Nested arrays and objects, 1…512.
    public var depth = 128
    /// Values and members; elements that are packed as bytes do not count.
    public var values = 4 << 20
    /// Length of the text.
    public var bytes = 1 << 30
    /// Length of a string as it is written, which is also what is read in one step.
    public var stringBytes = 64 << 20
    /// Length of a number as it is written.
    public var numberBytes = 1024

    public init() {}
}

/// What a JSON reader does where the specification leaves a choice.
public struct JSONOptions: Sendable, Equatable {
    public enum Duplicates: Sendable {
        /// A name that repeats in an object is an error.
        case refuse
        /// All members are kept, and `JSONReader.duplicates` lists the first 16.
        case keep
    }

    public var limits = JSONLimits()
    public var duplicates = Duplicates.refuse
    /// Arrays of at least one element, all integers from 0 to 255, become `Document.bytes`, which
    /// takes one byte each instead of 24.
    public var packsBytes = false

    public init() {}
}
