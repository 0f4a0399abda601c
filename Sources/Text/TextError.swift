/// Why a text is not a module, and where.
public struct TextError: Error, Hashable, Sendable {
    public enum Reason: Hashable, Sendable {
        case malformedUTF8
        /// A control character, or a character outside of ASCII, where only strings and comments
        /// may have it.
        case unexpectedCharacter
        case unclosedComment
        case unclosedString
        case unclosedAnnotation
        case emptyAnnotationName
        case malformedEscape
        case malformedInteger
        case malformedFloat
        /// The number is well-formed but not a value of its type.
        case constantOutOfRange
    }

    public let reason: Reason
    /// The offending bytes of the text.
    public let range: Range<Int>

    init(_ reason: Reason, _ range: Range<Int>) {
        self.reason = reason
        self.range = range
    }

    init(_ reason: Reason, at offset: Int) {
        self.init(reason, offset..<offset &+ 1)
    }

    /// Line and column of the error in the text it was found in, both counted from 1; columns count
    /// bytes. A line ends with LF, CR or both. Cost: proportional to the offset.
    public func position(in text: [UInt8]) -> (line: Int, column: Int) {
        var line = 1
        var start = 0
        let end = min(range.lowerBound, text.count)
        for index in 0..<end {
            let isBreak =
                text[index] == 0x0a
                || (text[index] == 0x0d && (index + 1 == text.count || text[index + 1] != 0x0a))
            if isBreak {
                line += 1
                start = index + 1
            }
        }
        return (line, end - start + 1)
    }
}
