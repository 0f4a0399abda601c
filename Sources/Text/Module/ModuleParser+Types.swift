import WasmDecoder

/// A function type as it is in the text.
struct InlineFunctionType {
    /// Parameters and results as the binary format has them, each a vector.
    var encoding: [UInt8]
    var parameterCount: UInt32
    /// The result, if it is the only thing in the type.
    var singleResult: ValueType?
    /// Whether nothing was written at all.
    var isEmpty: Bool
}

/// Types.
///
/// Specification: 6.4 (types).
extension ModuleParser {
    /// The second pass: all `type` and `rec` fields.
    mutating func typeDefinitions(until end: Int) throws(TextError) {
        while cursor < end {
            let close = Int(token.link)
            cursor += 1
            if keywordIfPresent(.type) {
                cursor -= 2
                let head = cursor + 1
                var content = ByteWriter()
                try typeDefinition(isAlone: true, to: &content)
                sections.add(.type) { $0.append(content) }
                places?.note(.type, upTo: sections.size(.type), head)
            } else if keywordIfPresent(.rec) {
                let head = cursor - 1
                try recursionGroup()
                try expectClose()
                places?.note(.type, upTo: sections.size(.type), head)
            }
            cursor = close + 1
        }
    }

    /// The cursor is after `(rec`. A group of one is written as a type alone, which is the same.
    private mutating func recursionGroup() throws(TextError) {
        var count = 0
        var content = ByteWriter()
        let isAlone = token.kind == .open && tokens[Int(token.link) + 1].kind == .close
        while token.kind == .open {
            try typeDefinition(isAlone: isAlone, to: &content)
            count += 1
        }
        sections.add(.type) { section in
            if !isAlone {
                section.byte(0x4e)
                section.count(count)
            }
            section.append(content)
        }
    }

    /// `(type $id? subtype)`.
    private mutating func typeDefinition(
        isAlone: Bool, to content: inout ByteWriter
    ) throws(TextError) {
        cursor += 2
        let index = UInt32(truncatingIfNeeded: types.count)
        if let name = try entityName() { names.types.append(.init(index: index, name: name)) }
        try subtype(index, isAlone: isAlone, to: &content)
        try expectClose()
    }

    private mutating func subtype(
        _ index: UInt32, isAlone: Bool, to content: inout ByteWriter
    ) throws(TextError) {
        guard openIfPresent(.sub) else {
            return try compositeType(index, isPlain: isAlone, to: &content)
        }
        let isFinal = keywordIfPresent(.final)
        var supertypes: [UInt32] = []
        while isAtIndex { supertypes.append(try self.index(of: .type)) }
        let isPlain = isFinal && supertypes.isEmpty
        if !isPlain {
            content.byte(isFinal ? 0x4f : 0x50)
            content.count(supertypes.count)
            for supertype in supertypes { content.index(supertype) }
        }
        try compositeType(index, isPlain: isAlone && isPlain, to: &content)
        try expectClose()
    }

    private mutating func compositeType(
        _ index: UInt32, isPlain: Bool, to content: inout ByteWriter
    ) throws(TextError) {
        if openIfPresent(.func) {
            let type = try inlineFunctionType(parameters: .ignored)
            content.byte(0x60)
            content.append(type.encoding)
            types.append(
                types.key(type.encoding), parameterCount: type.parameterCount, isPlain: isPlain)
        } else if openIfPresent(.struct) {
            content.byte(0x5f)
            try structureFields(index, to: &content)
            types.append(nil, parameterCount: 0, isPlain: false)
        } else if openIfPresent(.array) {
            content.byte(0x5e)
            try fieldType(to: &content)
            types.append(nil, parameterCount: 0, isPlain: false)
        } else {
            if token.kind == .open { cursor += 1 }
            throw unexpected(.compositeType)
        }
        try expectClose()
    }

    private mutating func structureFields(
        _ type: UInt32, to content: inout ByteWriter
    ) throws(TextError) {
        var list = ByteWriter()
        var count: UInt32 = 0
        while openIfPresent(.field) {
            let token = token
            let identifier = identifierIfPresent()
            if let identifier {
                let key = FieldName(type: type, field: identifier)
                if fields.updateValue(count, forKey: key) != nil {
                    throw TextError(.duplicateIdentifier(.field), token.range)
                }
            }
            if let name = try nameAnnotation() ?? identifier {
                names.fields.append(.init(outer: type, index: count, name: name))
            }
            if identifier != nil {
                try fieldType(to: &list)
                count += 1
            } else {
                while self.token.kind != .close {
                    try fieldType(to: &list)
                    count += 1
                }
            }
            try expectClose()
        }
        content.index(count)
        content.append(list)
    }

    private mutating func fieldType(to content: inout ByteWriter) throws(TextError) {
        let isMutable = openIfPresent(.mut)
        if keywordIfPresent(.i8) {
            content.byte(0x78)
        } else if keywordIfPresent(.i16) {
            content.byte(0x77)
        } else {
            content.valueType(try valueType())
        }
        content.byte(isMutable ? 1 : 0)
        if isMutable { try expectClose() }
    }

    // MARK: Value types

    mutating func valueType() throws(TextError) -> ValueType {
        if case .keyword(let keyword) = token.word, let type = keyword.numericType {
            cursor += 1
            return type
        }
        return ValueType(try referenceType(orElse: .valueType))
    }

    /// Whether a reference type could follow.
    var isAtReferenceType: Bool {
        if case .keyword(let keyword) = token.word { return keyword.referencedType != nil }
        return opens(.ref)
    }

    mutating func referenceType(
        orElse expectation: TextError.Expectation = .referenceType
    ) throws(TextError) -> ReferenceType {
        if case .keyword(let keyword) = token.word, let type = keyword.referencedType {
            cursor += 1
            return ReferenceType(type, nullable: true)
        }
        guard openIfPresent(.ref) else { throw unexpected(expectation) }
        let isNullable = keywordIfPresent(.null)
        let type = try heapType()
        try expectClose()
        return ReferenceType(type, nullable: isNullable)
    }

    mutating func heapType() throws(TextError) -> HeapType {
        if case .keyword(let keyword) = token.word, let type = keyword.heapType {
            cursor += 1
            return type
        }
        guard isAtIndex else { throw unexpected(.heapType) }
        // Larger indices than a heap type can hold are those of no type.
        return .index(min(try index(of: .type), 1 << 29 - 1))
    }

    // MARK: Function types

    /// What becomes of the identifiers of parameters.
    enum ParameterNames {
        /// They are allowed and mean nothing: in types.
        case ignored
        /// They name locals: in functions.
        case recorded
        /// They only go into the name section: in imported functions.
        case imported
        /// They may not be there: in blocks and `call_indirect`.
        case refused
    }

    /// `(param ...)* (result ...)*`
    mutating func inlineFunctionType(
        parameters mode: ParameterNames
    ) throws(TextError) -> InlineFunctionType {
        let start = cursor
        var parameters = ByteWriter()
        var parameterCount: UInt32 = 0
        while openIfPresent(.param) {
            if mode != .refused, try nameParameter(parameterCount, mode) {
                parameters.valueType(try valueType())
                parameterCount += 1
            } else {
                while token.kind != .close {
                    parameters.valueType(try valueType())
                    parameterCount += 1
                }
            }
            try expectClose()
        }
        var results = ByteWriter()
        var resultCount: UInt32 = 0
        var last: ValueType?
        while openIfPresent(.result) {
            while token.kind != .close {
                let type = try valueType()
                results.valueType(type)
                resultCount += 1
                last = type
            }
            try expectClose()
        }
        var encoding = ByteWriter()
        encoding.index(parameterCount)
        encoding.append(parameters)
        encoding.index(resultCount)
        encoding.append(results)
        return InlineFunctionType(
            encoding: encoding.bytes, parameterCount: parameterCount,
            singleResult: parameterCount == 0 && resultCount == 1 ? last : nil,
            isEmpty: cursor == start)
    }

    /// Reads the identifier of a parameter; false if it has none and so may be several.
    private mutating func nameParameter(
        _ index: UInt32, _ mode: ParameterNames
    ) throws(TextError) -> Bool {
        let token = cursor
        let identifier = identifierIfPresent()
        let name = try nameAnnotation() ?? identifier
        if mode == .recorded {
            try nameLocal(index, identifier: identifier, name: name, at: token)
        } else if mode == .imported, let name {
            names.locals.append(.init(outer: defined.functions, index: index, name: name))
        }
        return identifier != nil
    }

    /// `(type x)? (param ...)* (result ...)*`: the index of the type, which is added if there is
    /// none like it.
    mutating func typeUse(parameters mode: ParameterNames) throws(TextError) -> UInt32 {
        guard let explicit = try explicitType() else {
            return typeIndex(of: try inlineFunctionType(parameters: mode))
        }
        try checkInlineType(of: explicit, parameters: mode)
        return explicit
    }

    /// `(type x)`, if it is there.
    mutating func explicitType() throws(TextError) -> UInt32? {
        guard openIfPresent(.type) else { return nil }
        let index = try index(of: .type)
        try expectClose()
        return index
    }

    /// Reads what may follow `(type x)` and compares it with that type.
    mutating func checkInlineType(
        of index: UInt32, parameters mode: ParameterNames
    ) throws(TextError) {
        let start = cursor
        let type = try inlineFunctionType(parameters: mode)
        if type.isEmpty { return }
        let range = Int(tokens[start].start)..<Int(tokens[cursor - 1].end)
        guard Int(index) < types.count else { throw TextError(.unknownType, range) }
        if types.key(at: index) != types.key(type.encoding) {
            throw TextError(.inlineTypeMismatch, range)
        }
    }

    /// The first type that is this one; if there is none, it is added after all others.
    mutating func typeIndex(of type: InlineFunctionType) -> UInt32 {
        let key = types.key(type.encoding)
        if let index = types.firstIndex(of: key) { return index }
        sections.add(.type) { section in
            section.byte(0x60)
            section.append(type.encoding)
        }
        types.append(key, parameterCount: type.parameterCount, isPlain: true)
        return UInt32(truncatingIfNeeded: types.count - 1)
    }
}
