/// BSON documents, read so that writing them gives the same bytes again.
///
///     let document = try BSON.read(bytes)          // an object
///     let same = try BSON.write(document)
///
/// | BSON | `Document` |
/// |---|---|
/// | double, string, document, array, boolean, null | the same |
/// | binary of subtype 0 | `bytes` |
/// | int32, int64 | `integer32`, `integer` |
/// | all else | `foreign`, with lengths checked |
/// | an array whose names are not 0, 1, 2 … | `foreign`, checked as a document |
///
/// All else is: other binaries, object ids, dates, regular expressions, code, symbols, timestamps,
/// decimal128, min and max key, undefined, pointers.
///
/// Writing takes `unsigned` up to `Int64.max` as int64, and a `dateTime` as a string.
///
/// Time is linear in the bytes.
///
/// Specification: BSON 1.1 (bsonspec.org).
public enum BSON {
    /// Reads one document, which takes all bytes.
    public static func read(
        _ bytes: [UInt8], options: BSONOptions = BSONOptions()
    ) throws(BSONError) -> Document {
        var reader = BSONReader(bytes: bytes, options: options)
        return try reader.read()
    }

    /// Writes an object.
    public static func write(_ document: Document) throws(BSONError) -> [UInt8] {
        guard case .object(let members) = document else {
            throw BSONError(reason: .notAnObject, offset: 0)
        }
        var writer = BSONWriter()
        try writer.write(members, depth: 0)
        return writer.bytes
    }

    /// The length that a document begins with; nil if there are fewer than four bytes or the number
    /// is less than the smallest document's, 5.
    public static func length(of bytes: some Collection<UInt8>) -> Int? {
        length(of: bytes, smallest: 5)
    }

    static func length(of bytes: some Collection<UInt8>, smallest: UInt32) -> Int? {
        guard bytes.count >= 4 else { return nil }
        var length: UInt32 = 0
        for (index, byte) in bytes.prefix(4).enumerated() {
            length |= UInt32(truncatingIfNeeded: byte) << (8 * UInt32(truncatingIfNeeded: index))
        }
        return length >= smallest && length <= UInt32(bitPattern: Int32.max) ? Int(length) : nil
    }
}

/// The bytes of the types, as far as they are needed.
enum BSONType {
    static let double: UInt8 = 0x01
    static let string: UInt8 = 0x02
    static let document: UInt8 = 0x03
    static let array: UInt8 = 0x04
    static let binary: UInt8 = 0x05
    static let undefined: UInt8 = 0x06
    static let objectID: UInt8 = 0x07
    static let boolean: UInt8 = 0x08
    static let date: UInt8 = 0x09
    static let null: UInt8 = 0x0a
    static let regularExpression: UInt8 = 0x0b
    static let pointer: UInt8 = 0x0c
    static let code: UInt8 = 0x0d
    static let symbol: UInt8 = 0x0e
    static let codeWithScope: UInt8 = 0x0f
    static let int32: UInt8 = 0x10
    static let timestamp: UInt8 = 0x11
    static let int64: UInt8 = 0x12
    static let decimal128: UInt8 = 0x13
    static let maxKey: UInt8 = 0x7f
    static let minKey: UInt8 = 0xff
}
