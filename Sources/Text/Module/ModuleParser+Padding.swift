import WasmDecoder

/// Annotations of wasmd's own: `(@wasmd.padding ...)`, `(@wasmd.names ...)`, `(@wasmd.offsets ...)`.
///
/// They say how the module that a text was printed from is encoded. Those that were made for a text
/// that has changed mean nothing.
extension ModuleParser {
    /// Those that are before a field or at the end of the module.
    mutating func encodingAnnotations() throws(TextError) {
        if hasNoAnnotations { return }
        for annotation in takeAnnotations(.padding) { try sectionPadding(annotation) }
        for annotation in takeAnnotations(.offsets) { try offsetChecks(annotation) }
    }

    /// The padding of a function, which is before its closing parenthesis.
    mutating func functionPadding() throws(TextError) -> Padding? {
        if hasNoAnnotations { return nil }
        let found = takeAnnotations(.padding)
        guard let annotation = found.first else { return nil }
        if found.count > 1 { throw TextError(.duplicateAnnotation, found[1].range) }
        var content = lexer(annotation)
        return try padding(&content, try content.next(), annotation)
    }

    /// `section padding`, `name padding` or `custom N size:N? name:N?`.
    private mutating func sectionPadding(_ annotation: Annotation) throws(TextError) {
        var content = lexer(annotation)
        let token = try content.next()
        let malformed = TextError(.malformedAnnotation(.malformedSection), token.range)
        guard token.kind == .word else { throw malformed }
        if tokens.bytes[token.range].elementsEqual("name".utf8) {
            if sections.namePadding != nil {
                throw TextError(.duplicateAnnotation, annotation.range)
            }
            let padding = try padding(&content, try content.next(), annotation)
            sections.namePadding = padding
        } else if tokens.bytes[token.range].elementsEqual("custom".utf8) {
            try customPadding(&content, annotation)
        } else {
            guard case .keyword(let keyword) = word(token), let kind = keyword.section else {
                throw malformed
            }
            let padding = try padding(&content, try content.next(), annotation)
            if !sections.setPadding(padding, kind) {
                throw TextError(.duplicateAnnotation, annotation.range)
            }
        }
    }

    private mutating func customPadding(
        _ content: inout Lexer, _ annotation: Annotation
    ) throws(TextError) {
        let malformed = TextError(.malformedAnnotation(.malformedPadding), annotation.range)
        let ordinal = try content.next()
        guard ordinal.kind == .number, let number = decimal(ordinal.range) else { throw malformed }
        var widths = CustomPadding()
        var token = try content.next()
        while token.kind != .end {
            if let size = width(token, after: "size:") {
                widths.size = size
            } else if let name = width(token, after: "name:") {
                widths.name = name
            } else {
                throw malformed
            }
            token = try content.next()
        }
        sections.customPaddings[number] = widths
    }

    // MARK: What is padded

    /// `size:N? check? (gap | gap:width | gap:-width | gap/count "bytes"*)*`
    private func padding(
        _ content: inout Lexer, _ first: Token, _ annotation: Annotation
    ) throws(TextError) -> Padding {
        let malformed = TextError(.malformedAnnotation(.malformedPadding), annotation.range)
        var padding = Padding()
        var token = first
        if let size = width(token, after: "size:") {
            padding.sizeWidth = size
            token = try content.next()
        }
        if token.kind == .end { return padding }
        guard token.kind == .number,
            let check = try? numbers.unsigned(token, 32)
        else { throw malformed }
        padding.check = UInt32(truncatingIfNeeded: check)
        var position = 0
        token = try content.next()
        while token.kind != .end {
            guard token.kind == .number, let item = item(token.range) else { throw malformed }
            token = try content.next()
            position += item.gap
            if position > TextLimits.bytes { throw malformed }
            var change = item.change
            if case .replacement(let count, _) = change {
                var bytes: [UInt8] = []
                while token.kind == .string {
                    try content.appendString(token, to: &bytes)
                    token = try content.next()
                }
                change = .replacement(count: count, bytes: bytes)
            }
            padding.edits.append(Padding.Edit(position: position, change: change))
        }
        return padding
    }

    /// `gap`, `gap:width`, `gap:-width` or `gap/count`.
    private func item(_ range: Range<Int>) -> (gap: Int, change: Padding.Edit.Change)? {
        let mark = range.first { !(0x30...0x39 ~= tokens.bytes[$0]) } ?? range.upperBound
        guard let gap = decimal(range.lowerBound..<mark) else { return nil }
        if mark == range.upperBound { return (gap, .padding(width: 5, isNegative: false)) }
        switch tokens.bytes[mark] {
        case 0x3a:
            let isNegative = mark + 1 < range.upperBound && tokens.bytes[mark + 1] == 0x2d
            let start = isNegative ? mark + 2 : mark + 1
            guard let width = decimal(start..<range.upperBound), width <= Padding.widthLimit else {
                return nil
            }
            return (gap, .padding(width: width, isNegative: isNegative))
        case 0x2f:
            return decimal(mark + 1..<range.upperBound).map {
                (gap, .replacement(count: $0, bytes: []))
            }
        default: return nil
        }
    }

    /// The number of `size:N` and others, up to five bytes.
    private func width(_ token: Token, after word: StaticString) -> Int? {
        guard token.kind == .word,
            word.withUTF8Buffer({ tokens.bytes[token.range].starts(with: $0) }),
            let width = decimal(token.start + word.utf8CodeUnitCount..<token.end),
            1...5 ~= width
        else { return nil }
        return width
    }

    /// Up to nine digits.
    private func decimal(_ range: Range<Int>) -> Int? {
        guard 1...9 ~= range.count else { return nil }
        var value = 0
        for byte in tokens.bytes[range] {
            guard 0x30...0x39 ~= byte else { return nil }
            value = value * 10 + Int(byte - 0x30)
        }
        return value
    }

    // MARK: Names and offsets

    /// `(after section)`: where the name section goes.
    mutating func placeOfNames(_ annotation: Annotation) throws(TextError) {
        var content = lexer(annotation)
        guard try content.next().kind == .open else {
            throw TextError(.malformedAnnotation(.malformedPlacement), annotation.range)
        }
        let placement = try placement(&content)
        try expectEnd(&content)
        if !sections.reserveNames(at: placement) {
            throw TextError(.duplicateAnnotation, annotation.range)
        }
    }

    /// `code:0x... sections:0x... start:N`.
    private mutating func offsetChecks(_ annotation: Annotation) throws(TextError) {
        var content = lexer(annotation)
        var checks = OffsetChecks()
        func number(after word: StaticString) throws(TextError) -> UInt32 {
            let token = try content.next()
            let start = token.start + word.utf8CodeUnitCount
            guard token.kind == .word,
                word.withUTF8Buffer({ tokens.bytes[token.range].starts(with: $0) }),
                let value = try? IntegerReader(bytes: tokens.bytes)
                    .unsigned(start..<token.end, width: 32)
            else { throw TextError(.malformedAnnotation(.malformedPadding), annotation.range) }
            return UInt32(truncatingIfNeeded: value)
        }
        checks.code = try number(after: "code:")
        checks.sections = try number(after: "sections:")
        checks.start = try number(after: "start:")
        try expectEnd(&content)
        sections.offsetChecks = checks
    }
}
