extension JSONWriter {
    /// The document for people: two spaces of indentation a level. Arrays and objects without
    /// arrays and objects inside stand on one line if that is short.
    ///
    /// - Parameter indentation: how many arrays and objects the text will stand in.
    public static func indented(
        _ document: Document, indentation: Int = 0, options: Options = Options()
    ) -> [UInt8] {
        var writer = JSONWriter(options: options)
        writer.appendIndented(document, indentation)
        return writer.bytes
    }

    /// Longest array or object that stands on one line.
    private static let lineLimit = 76
    /// Deeper documents go on without white space.
    private static let depthLimit = 256

    private mutating func appendIndented(_ value: Document, _ indentation: Int) {
        guard indentation < Self.depthLimit else {
            bytes.append(contentsOf: Self.write(value, options: options))
            return
        }
        switch value {
        case .array(let elements):
            appendIndented(
                elements.map { Document.Member("", $0) }, brackets: ("[", "]"), isNamed: false,
                indentation)
        case .object(let members):
            appendIndented(members, brackets: ("{", "}"), isNamed: true, indentation)
        case .bytes where options.bytes == .array:
            bytes.append(contentsOf: Self.write(value, options: options))
        default: appendScalar(value)
        }
    }

    private mutating func appendIndented(
        _ members: [Document.Member], brackets: (StaticString, StaticString), isNamed: Bool,
        _ indentation: Int
    ) {
        let start = bytes.count
        append(brackets.0)
        if members.allSatisfy(\.value.standsOnOneLine) {
            for (index, member) in members.enumerated() {
                if index > 0 { append(", ") }
                appendIndented(member, isNamed: isNamed, 0)
            }
            if bytes.count - start + 2 * indentation <= Self.lineLimit {
                append(brackets.1)
                return
            }
            bytes.removeSubrange(start...)
            append(brackets.0)
        }
        for (index, member) in members.enumerated() {
            if index > 0 { append(",") }
            appendLine(indentation + 1)
            appendIndented(member, isNamed: isNamed, indentation + 1)
        }
        appendLine(indentation)
        append(brackets.1)
    }

    private mutating func appendIndented(
        _ member: Document.Member, isNamed: Bool, _ indentation: Int
    ) {
        if isNamed {
            appendString(member.name)
            append(": ")
        }
        appendIndented(member.value, indentation)
    }

    private mutating func appendLine(_ indentation: Int) {
        append("\n")
        for _ in 0..<indentation { append("  ") }
    }
}

extension Document {
    fileprivate var standsOnOneLine: Bool {
        switch self {
        case .array(let values): values.isEmpty
        case .object(let members): members.isEmpty
        default: true
        }
    }
}
