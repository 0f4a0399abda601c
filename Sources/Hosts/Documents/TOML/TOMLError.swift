/// Why a text is no TOML document, and where.
public struct TOMLError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Reason: Sendable, Equatable {
        /// What was expected and is not there.
        case expected(String)
        case unexpectedEnd
        case malformedUTF8
        /// A control character, or a CR without LF.
        case controlCharacter(UInt8)
        case malformedEscape
        case malformedNumber
        case integerOutOfRange
        case malformedDate
        /// A key or table that is there already, or a table that cannot be added to.
        case redefinition(String)
        case depth(Int)
        case bytes(Int)
    }

    public var reason: Reason
    public var place: DocumentPlace

    public init(reason: Reason, place: DocumentPlace) {
        self.reason = reason
        self.place = place
    }

    public var description: String { "\(place): \(text)" }

    /// Without the place.
    public var text: String {
        switch reason {
        case .expected(let what): "expected \(what)"
        case .unexpectedEnd: "the document is cut off"
        case .malformedUTF8: "malformed UTF-8"
        case .controlCharacter(let byte): "control character 0x" + String(byte, radix: 16)
        case .malformedEscape: "malformed escape in a string"
        case .malformedNumber: "malformed value"
        case .integerOutOfRange: "the integer does not fit 64 bits"
        case .malformedDate: "no such date or time"
        case .redefinition(let key): "\"\(key)\" is defined already"
        case .depth(let limit): "more than \(limit) nested tables and arrays"
        case .bytes(let limit): "more than \(limit) bytes"
        }
    }
}
