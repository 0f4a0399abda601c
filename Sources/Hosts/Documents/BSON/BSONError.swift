/// Why bytes are no BSON document, or a value cannot be one, and at which byte.
///
/// Specification: BSON 1.1 (bsonspec.org).
public struct BSONError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Reason: Sendable, Equatable {
        /// A length is smaller than what it counts, or reaches beyond what holds it.
        case malformedLength(Int32)
        /// A document, name or value is cut off or does not end with its zero byte.
        case missingEnd
        case unknownType(UInt8)
        case malformedBoolean(UInt8)
        case malformedUTF8
        case trailingBytes
        case duplicateName(String)
        case depth(Int)
        case values(Int)
        case bytes(Int)
        /// Only objects are documents.
        case notAnObject
        /// A name with a zero byte cannot be written.
        case zeroInName(String)
        /// An integer above `Int64.max` cannot be written.
        case unsignedBeyondInt64(UInt64)
        /// A document above 2,147,483,647 bytes cannot be written.
        case tooLarge
    }

    public var reason: Reason
    /// Bytes from the start of the document, read or written.
    public var offset: Int

    public var description: String {
        let text =
            switch reason {
            case .malformedLength(let length): "the length \(length) does not fit"
            case .missingEnd: "cut off, or no zero byte at the end"
            case .unknownType(let type): "unknown type 0x" + String(type, radix: 16)
            case .malformedBoolean(let byte): "\(byte) is no boolean"
            case .malformedUTF8: "malformed UTF-8"
            case .trailingBytes: "bytes after the end of the document"
            case .duplicateName(let name): "the name \"\(name)\" stands twice in one document"
            case .depth(let limit): "more than \(limit) nested documents"
            case .values(let limit): "more than \(limit) values"
            case .bytes(let limit): "more than \(limit) bytes"
            case .notAnObject: "only an object is a document"
            case .zeroInName(let name): "the name \"\(name)\" has a zero byte"
            case .unsignedBeyondInt64(let value): "\(value) does not fit 64 bits with a sign"
            case .tooLarge: "the document is larger than 2 GiB"
            }
        return "offset \(offset): \(text)"
    }
}

/// How much a BSON reader takes.
public struct BSONOptions: Sendable, Equatable {
    /// Nested documents and arrays, 1…256.
    public var depth = 128
    public var values = 4 << 20
    public var bytes = 64 << 20
    /// Whether members are kept whose name repeats. Otherwise they are an error.
    public var keepsDuplicates = false

    public init() {}
}
