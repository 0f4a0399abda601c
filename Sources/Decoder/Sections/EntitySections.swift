/// The sections that fill the index spaces: imports, functions, tables, memories, globals, tags.
///
/// Specification: 5.5.5 to 5.5.9, 5.5.17 (tag section).
extension ModuleDecoder {
    mutating func importSection(_ section: inout BinaryReader) throws(DecodingError) {
        let count = try count(&section, .imports, limit: limits.imports)
        module.imports.reserveCapacity(min(count, section.remaining / 4))
        for _ in 0..<count {
            try checkCancellation(section)
            let moduleName = try name(&section)
            let entityName = try name(&section)
            let type = try externalType(&section)
            module.imports.append(Import(module: moduleName, name: entityName, type: type))
        }
        module.importedFunctionCount = module.functions.count
        module.importedMemoryCount = module.memories.count
        module.importedTagCount = module.tags.count
    }

    /// The type of an import, which also takes its place in the index space.
    private mutating func externalType(
        _ section: inout BinaryReader
    ) throws(DecodingError) -> ExternalType {
        let position = section.offset
        switch ExternalKind(rawValue: try section.byte()) {
        case .function:
            let index = try section.unsigned32()
            module.functions.append(index)
            return .function(index)
        case .table:
            let type = try section.tableType()
            try append(type, at: position)
            return .table(type)
        case .memory:
            let type = try section.memoryType()
            try append(type, at: position)
            return .memory(type)
        case .global:
            let type = try section.globalType()
            if type.isMutable { try section.require(.mutableGlobals, at: position) }
            module.globals.append(type)
            return .global(type)
        case .tag:
            try section.require(.exceptions, at: position)
            let index = try tagType(&section)
            module.tags.append(index)
            return .tag(index)
        case nil:
            throw DecodingError(.malformedImportKind, at: position)
        }
    }

    mutating func functionSection(_ section: inout BinaryReader) throws(DecodingError) {
        let count = try count(
            &section, .functions, limit: limits.functions, present: module.functions.count)
        module.functions.reserveCapacity(module.functions.count + count)
        for _ in 0..<count {
            try checkCancellation(section)
            module.functions.append(try section.unsigned32())
        }
    }

    mutating func tableSection(_ section: inout BinaryReader) throws(DecodingError) {
        let count = try count(
            &section, .tables, limit: limits.tables, present: module.tables.count)
        for _ in 0..<count {
            try checkCancellation(section)
            let position = section.offset
            var definition: TableDefinition
            if section.nextByte == 0x40 {
                try section.require(.functionReferences, at: position)
                try section.skip(1)
                try section.zeroByte()
                definition = TableDefinition(type: try section.tableType())
                definition.initializer = try section.constantExpression()
            } else {
                definition = TableDefinition(type: try section.tableType())
            }
            try append(definition.type, at: position)
            module.tableDefinitions.append(definition)
        }
    }

    mutating func memorySection(_ section: inout BinaryReader) throws(DecodingError) {
        let count = try count(
            &section, .memories, limit: limits.memories, present: module.memories.count)
        for _ in 0..<count {
            let position = section.offset
            try append(try section.memoryType(), at: position)
        }
    }

    private mutating func append(
        _ type: TableType, at position: Int
    ) throws(DecodingError) {
        if !module.tables.isEmpty, !features.contains(.referenceTypes) {
            throw .requires(.referenceTypes, at: position)
        }
        if module.tables.count >= limits.tables {
            throw .exceeds(.tables, limits.tables, at: position)
        }
        module.tables.append(type)
    }

    private mutating func append(
        _ type: MemoryType, at position: Int
    ) throws(DecodingError) {
        if !module.memories.isEmpty, !features.contains(.multiMemory) {
            throw .requires(.multiMemory, at: position)
        }
        if module.memories.count >= limits.memories {
            throw .exceeds(.memories, limits.memories, at: position)
        }
        module.memories.append(type)
    }

    mutating func globalSection(_ section: inout BinaryReader) throws(DecodingError) {
        let count = try count(
            &section, .globals, limit: limits.globals, present: module.globals.count)
        module.globalDefinitions.reserveCapacity(min(count, section.remaining / 4))
        for _ in 0..<count {
            try checkCancellation(section)
            let type = try section.globalType()
            let initializer = try section.constantExpression()
            module.globals.append(type)
            module.globalDefinitions.append(
                GlobalDefinition(type: type, initializer: initializer))
        }
    }

    mutating func tagSection(_ section: inout BinaryReader) throws(DecodingError) {
        let count = try count(&section, .tags, limit: limits.tags, present: module.tags.count)
        for _ in 0..<count {
            try checkCancellation(section)
            module.tags.append(try tagType(&section))
        }
    }

    /// A zero byte (the attribute: exception) and a type index.
    private func tagType(_ section: inout BinaryReader) throws(DecodingError) -> TypeIndex {
        try section.zeroByte()
        return try section.unsigned32()
    }
}
