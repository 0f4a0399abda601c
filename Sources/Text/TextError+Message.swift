extension TextError: CustomStringConvertible {
    /// The reason in the words of the official test suite, where it has any. The offending token
    /// is not part of it: see ``explanation(in:)``.
    public var message: String {
        switch reason {
        case .foreignFormat(let format): format.message
        case .malformedUTF8: "malformed UTF-8 encoding"
        case .unexpectedCharacter: "illegal character"
        case .unclosedComment: "unclosed comment"
        case .unclosedString: "unclosed string"
        case .unclosedAnnotation: "unclosed annotation"
        case .emptyAnnotationName: "empty annotation id"
        case .emptyIdentifier: "empty identifier"
        case .malformedEscape: "malformed escape in a string"
        case .unclosedParenthesis: "unclosed parenthesis"
        case .malformedInteger, .malformedFloat: "malformed number"
        case .constantOutOfRange: "constant out of range"
        case .alignmentNotPowerOfTwo: "alignment must be a power of two"
        case .malformedLaneIndex: "malformed lane index"
        case .expected(let expectation): "unexpected token: expected \(expectation.rawValue)"
        case .unknownInstruction: "unknown operator"
        case .unknownCommand: "unknown command"
        case .importAfterDefinition: "import after the definition of a function, table or other"
        case .multipleStarts: "multiple start sections"
        case .inlineTypeMismatch: "inline function type is not the type that is named before it"
        case .unknownIdentifier(let space): "unknown \(space.description)"
        case .duplicateIdentifier(let space): "duplicate \(space.rawValue)"
        case .labelMismatch: "mismatching label"
        case .unknownType: "unknown type"
        case .misplacedAnnotation: "misplaced annotation"
        case .duplicateAnnotation: "duplicate annotation"
        case .malformedAnnotation(let problem): "annotation: \(problem.rawValue)"
        case .nestingTooDeep: "nesting too deep"
        case .textTooLarge: "text too large (at most \(TextLimits.bytes) bytes)"
        case .unsupportedProposal:
            "the proposal custom-descriptors is not supported"
        }
    }

    /// `3:6: unknown operator`: line and column, or `bytes 10..<14: unknown operator` if they are
    /// not known.
    public var description: String {
        guard let line, let column else {
            return "bytes \(range.lowerBound)..<\(range.upperBound): \(message)"
        }
        return "\(line):\(column): \(message)"
    }

    /// The message with the offending token, and what was probably meant instead:
    ///
    ///     unknown operator: i32.ad. Did you mean 'i32.add'?
    ///
    /// - Parameter text: the text that the error was found in.
    public func explanation(in text: [UInt8]) -> String {
        let token = place.excerpt(of: text, atMost: 40)
        let explanation =
            switch (reason, token) {
            case (.expected(let expectation), ""):
                "unexpected end of the text: expected \(expectation.rawValue)"
            case (.expected(let expectation), _):
                "unexpected token \(token): expected \(expectation.rawValue)"
            case (_, ""), (.foreignFormat, _): message
            default: "\(message): \(token)"
            }
        return explanation + (suggestion(for: token).map { ". Did you mean '\($0)'?" } ?? "")
    }

    /// The explanation with its place and the line it is about; see ``TextPlace/rendered(_:in:path:)``.
    public func rendered(in text: [UInt8], path: String) -> String {
        place.rendered(explanation(in: text), in: text, path: path)
    }
}

extension TextError.IndexSpace: CustomStringConvertible {
    /// What messages call it.
    public var description: String {
        switch self {
        case .function: "function"
        case .elementSegment: "element segment"
        case .dataSegment: "data segment"
        default: rawValue
        }
    }
}
