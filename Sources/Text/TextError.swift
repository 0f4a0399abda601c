import WasmDecoder

/// Why a text is not a module or script, and where.
public struct TextError: Error, Hashable, Sendable {
    public enum Reason: Hashable, Sendable {
        /// The text is not UTF-8, begins with a byte order mark, or is no text.
        case foreignFormat(FileFormat)
        // Characters and tokens
        case malformedUTF8
        /// A control character, or a character outside of ASCII, where only strings and comments
        /// may have it.
        case unexpectedCharacter
        case unclosedComment
        case unclosedString
        case unclosedAnnotation
        case emptyAnnotationName
        case emptyIdentifier
        case malformedEscape
        case unclosedParenthesis
        // Numbers
        case malformedInteger
        case malformedFloat
        /// The number is well-formed but not a value of its type.
        case constantOutOfRange
        case alignmentNotPowerOfTwo
        case malformedLaneIndex
        // Grammar
        /// Something else should be here.
        case expected(Expectation)
        case unknownInstruction
        case unknownCommand
        case importAfterDefinition
        case multipleStarts
        /// `(type x)` is followed by parameters and results that are not those of the type.
        case inlineTypeMismatch
        // Identifiers
        case unknownIdentifier(IndexSpace)
        case duplicateIdentifier(IndexSpace)
        /// The identifier after `end` or `else` is not that of the block.
        case labelMismatch
        /// The type index is that of no type, where its parameters have to be known.
        case unknownType
        // Annotations
        case misplacedAnnotation
        case duplicateAnnotation
        case malformedAnnotation(AnnotationProblem)
        // Limits
        /// See ``TextLimits``.
        case nestingTooDeep
        case textTooLarge
        /// The syntax belongs to a proposal that wasmd does not have.
        case unsupportedProposal
    }

    /// What should be where something else was found.
    public enum Expectation: String, Hashable, Sendable, CaseIterable {
        case openingParenthesis = "'('"
        case closingParenthesis = "')'"
        case module = "'(module'"
        case moduleField = "a module field"
        case endOfText = "the end of the text"
        case identifier = "an identifier"
        case index = "an index"
        case string = "a string"
        case name = "a string of well-formed UTF-8"
        case integer = "an integer"
        case number = "a number"
        case vectorShape = "the shape of a vector"
        case valueType = "a value type"
        case referenceType = "a reference type"
        case heapType = "a heap type"
        case compositeType = "'(func', '(struct' or '(array'"
        case typeDefinition = "'(type'"
        case externalType = "the type of an import or export"
        case instruction = "an instruction"
        case end = "'end'"
        case foldedInstruction = "an instruction in parentheses"
        case thenClause = "'(then'"
        case doClause = "'(do'"
        case catchClause = "a catch clause"
        case pageSize = "a page size that is a power of two"
        case command = "a command"
        case action = "'(invoke' or '(get'"
        case value = "a constant"
        case resultPattern = "the pattern of a result"
    }

    /// The kinds of things that identifiers name.
    public enum IndexSpace: String, Hashable, Sendable, CaseIterable {
        case function = "func"
        case table, memory, global, tag, type, local, label, field
        case elementSegment = "elem"
        case dataSegment = "data"
    }

    /// What is wrong with an annotation that has a meaning.
    public enum AnnotationProblem: String, Hashable, Sendable, CaseIterable {
        case missingName = "missing section name"
        case malformedName = "malformed UTF-8 encoding"
        case malformedPlacement = "malformed placement"
        case malformedSection = "malformed section kind"
        case unexpectedToken = "unexpected token"
        case malformedHint = "a branch hint is \"\\00\" or \"\\01\""
        case invalidTarget = "invalid target"
        case outsideOfFunction = "not in a function"
        case malformedPadding = "malformed padding"
    }

    public let reason: Reason
    /// The offending bytes of the text.
    public let range: Range<Int>
    /// Line and column of the start, both counted from 1; columns count bytes. Nil in errors of
    /// scripts, see ``position(in:)``.
    public private(set) var line: Int?
    public private(set) var column: Int?

    init(_ reason: Reason, _ range: Range<Int>) {
        self.reason = reason
        self.range = range
    }

    init(_ reason: Reason, at offset: Int) {
        self.init(reason, offset..<offset &+ 1)
    }

    /// Whether the error is about an annotation that stands for a custom section, and the module
    /// would be fine without it.
    public var isAboutAnnotation: Bool {
        switch reason {
        case .misplacedAnnotation, .duplicateAnnotation, .malformedAnnotation: true
        default: false
        }
    }

    /// The error with its line and column in the text.
    func located(in text: [UInt8]) -> TextError {
        var error = self
        (error.line, error.column) = position(in: text)
        return error
    }

    public var place: TextPlace { TextPlace(range) }

    /// Line and column of the error in the text it was found in; see ``TextPlace/position(in:)``.
    public func position(in text: [UInt8]) -> (line: Int, column: Int) { place.position(in: text) }
}
