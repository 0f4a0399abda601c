extension TextError: CustomStringConvertible {
    /// The reason in the words of the official test suite, where it has any. The offending token
    /// is not part of it: see ``rendered(in:path:)``.
    public var message: String {
        switch reason {
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

    /// `bytes 10..<14: unknown operator`
    public var description: String {
        "bytes \(range.lowerBound)..<\(range.upperBound): \(message)"
    }

    /// The error with its place and the line it is in:
    ///
    ///     math.wat:3:6: unknown operator: i32.ad
    ///       (i32.ad (local.get 0) (local.get 1))
    ///        ^^^^^^
    ///
    /// Long lines are cut around the error; control characters are not shown. Cost: proportional
    /// to the position of the error.
    public func rendered(in text: [UInt8], path: String) -> String {
        let (line, column) = position(in: text)
        let token = Self.readable(text[clamped(range, to: text, atMost: 40)])
        let suffix = token.isEmpty ? "" : ": \(token)"
        var result = "\(path):\(line):\(column): \(message)\(suffix)"
        let excerpt = excerpt(of: text)
        if !excerpt.line.isEmpty { result += "\n  \(excerpt.line)\n  \(excerpt.carets)" }
        return result
    }

    /// The part of a range that is in the text and not too long; characters stay whole.
    private func clamped(_ range: Range<Int>, to text: [UInt8], atMost limit: Int) -> Range<Int> {
        let start = min(max(range.lowerBound, 0), text.count)
        var end = min(max(range.upperBound, start), text.count, start + limit)
        while end < text.count, text[end] & 0xc0 == 0x80 { end += 1 }
        return start..<end
    }

    /// What is shown of a line before the error and behind its start.
    private static var shownBefore: Int { 60 }
    private static var shownBehind: Int { 40 }

    private func excerpt(of text: [UInt8]) -> (line: String, carets: String) {
        let error = clamped(range, to: text, atMost: text.count)
        var start = error.lowerBound
        while start > 0, text[start - 1] != 0x0a, text[start - 1] != 0x0d,
            error.lowerBound - start < Self.shownBefore || text[start] & 0xc0 == 0x80
        { start -= 1 }
        var end = error.lowerBound
        while end < text.count, text[end] != 0x0a, text[end] != 0x0d,
            end - error.lowerBound < Self.shownBehind || text[end] & 0xc0 == 0x80
        { end += 1 }
        let isCutBefore = start > 0 && text[start - 1] != 0x0a && text[start - 1] != 0x0d
        let isCutBehind = end < text.count && text[end] != 0x0a && text[end] != 0x0d
        // Indentation says nothing where it stands alone.
        if !isCutBefore {
            while start < error.lowerBound, text[start] == 0x20 || text[start] == 0x09 {
                start += 1
            }
        }
        let before = (isCutBefore ? "..." : "") + Self.readable(text[start..<error.lowerBound])
        let behind = Self.readable(text[error.lowerBound..<end]) + (isCutBehind ? "..." : "")
        let marked = Self.readable(text[error.lowerBound..<min(end, error.upperBound)])
        let carets =
            String(repeating: " ", count: before.unicodeScalars.count)
            + String(repeating: "^", count: max(1, marked.unicodeScalars.count))
        return (before + behind, carets)
    }

    /// Text with nothing in it that a terminal would obey; one character for each of the text's.
    private static func readable(_ bytes: ArraySlice<UInt8>) -> String {
        var result = String.UnicodeScalarView()
        for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control: result.append(scalar == "\t" ? " " : "\u{fffd}")
            case .format, .lineSeparator, .paragraphSeparator: result.append("\u{fffd}")
            default: result.append(scalar)
            }
        }
        return String(result)
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
