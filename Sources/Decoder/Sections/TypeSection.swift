/// Specification: 5.5.4 (type section), 5.3.9 to 5.3.13 (its types).
extension ModuleDecoder {
    mutating func typeSection(_ section: inout BinaryReader) throws(DecodingError) {
        let groups = try count(&section, .types, limit: limits.types)
        module.types.reserveCapacity(min(groups, section.remaining / 3))
        module.recursionGroupEnds.reserveCapacity(min(groups, section.remaining / 2))
        for _ in 0..<groups {
            try checkCancellation(section)
            try recursionGroup(&section)
        }
    }

    private mutating func recursionGroup(_ section: inout BinaryReader) throws(DecodingError) {
        let first = module.types.count
        let position = section.offset
        if section.nextByte == TypeForm.recursive {
            try section.require(.garbageCollection, at: position)
            try section.skip(1)
            let members = try count(
                &section, .recursionGroupTypes, limit: limits.recursionGroupTypes)
            if members > limits.types - first { throw .exceeds(.types, limits.types, at: position) }
            for _ in 0..<members {
                try checkCancellation(section)
                module.types.append(try subType(&section))
            }
        } else {
            if first >= limits.types { throw .exceeds(.types, limits.types, at: position) }
            module.types.append(try subType(&section))
        }
        module.recursionGroupEnds.append(module.types.count)
    }

    private func subType(_ section: inout BinaryReader) throws(DecodingError) -> SubType {
        let position = section.offset
        let form = section.nextByte
        guard form == TypeForm.sub || form == TypeForm.subFinal else {
            return SubType(try compositeType(&section))
        }
        try section.require(.garbageCollection, at: position)
        try section.skip(1)
        var supertypes: [TypeIndex] = []
        for _ in 0..<(try section.count()) { supertypes.append(try section.unsigned32()) }
        return SubType(
            final: form == TypeForm.subFinal, supertypes: supertypes,
            try compositeType(&section))
    }

    private func compositeType(
        _ section: inout BinaryReader
    ) throws(DecodingError) -> CompositeType {
        let position = section.offset
        switch try section.byte() {
        case TypeForm.function:
            return .function(try functionType(&section))
        case TypeForm.structure:
            try section.require(.garbageCollection, at: position)
            return .structure(try fields(&section))
        case TypeForm.array:
            try section.require(.garbageCollection, at: position)
            return .array(try section.fieldType())
        case 0x80...:
            // The forms are signed integers of seven bits.
            throw DecodingError(.integerRepresentationTooLong, at: position)
        default:
            throw DecodingError(.malformedDefinitionType, at: position)
        }
    }

    private func functionType(
        _ section: inout BinaryReader
    ) throws(DecodingError) -> FunctionType {
        let parameters = try valueTypes(&section, .parameters, limit: limits.parameters)
        let position = section.offset
        let results = try valueTypes(&section, .results, limit: limits.results)
        if results.count > 1 { try section.require(.multiValue, at: position) }
        return FunctionType(parameters: parameters, results: results)
    }

    private func valueTypes(
        _ section: inout BinaryReader, _ kind: DecodingLimits.Kind, limit: Int
    ) throws(DecodingError) -> [ValueType] {
        let count = try count(&section, kind, limit: limit)
        var types: [ValueType] = []
        types.reserveCapacity(count)
        for _ in 0..<count { types.append(try section.valueType()) }
        return types
    }

    private func fields(_ section: inout BinaryReader) throws(DecodingError) -> [FieldType] {
        let count = try count(&section, .fields, limit: limits.fields)
        var fields: [FieldType] = []
        fields.reserveCapacity(min(count, section.remaining / 2))
        for _ in 0..<count { fields.append(try section.fieldType()) }
        return fields
    }
}

/// The bytes that introduce type definitions.
private enum TypeForm {
    static let recursive: UInt8 = 0x4e
    static let subFinal: UInt8 = 0x4f
    static let sub: UInt8 = 0x50
    static let array: UInt8 = 0x5e
    static let structure: UInt8 = 0x5f
    static let function: UInt8 = 0x60
}
