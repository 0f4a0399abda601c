import WasmDecoder

/// Instructions: the name, and the immediates as the text format writes them (6.5).
extension ModulePrinter {
    /// Prints an instruction whose opcode was just read; afterwards the reader is after it.
    mutating func instruction(
        _ opcode: Opcode, _ reader: inout BinaryReader
    ) throws(DecodingError) {
        let info = opcode.info
        switch opcode {
        // The table tells these apart by names that are none.
        case .refTest, .refTestNull:
            out.write("ref.test ")
            return write(ReferenceType(try reader.heapType(), nullable: opcode == .refTestNull))
        case .refCast, .refCastNull:
            out.write("ref.cast ")
            return write(ReferenceType(try reader.heapType(), nullable: opcode == .refCastNull))
        default: out.write(info.name)
        }
        try immediates(info, &reader)
    }

    mutating func immediates(
        _ info: InstructionInfo, _ reader: inout BinaryReader
    ) throws(DecodingError) {
        switch info.immediates {
        case .none: break
        case .local: reference(try reader.unsigned32(), locals)
        case .global: reference(try reader.unsigned32(), names.globals)
        case .function: reference(try reader.unsigned32(), names.functions)
        case .i32:
            out.space()
            out.number(Int64(try reader.signed32()))
        case .i64:
            out.space()
            out.number(try reader.signed64())
        case .f32:
            out.space()
            out.float32(bits: try reader.float32Bits())
        case .f64:
            out.space()
            out.float64(bits: try reader.float64Bits())
        case .memoryArgument: try memoryArgument(info, &reader)
        case .memoryArgumentLane:
            try memoryArgument(info, &reader)
            try lane(&reader)
        case .lane: try lane(&reader)
        case .label: reference(label: try reader.unsigned32())
        case .labelTable: try labelTable(&reader)
        case .blockType: write(try reader.blockType())
        case .tryTable: try tryTable(&reader)
        case .callIndirect:
            let type = try reader.unsigned32()
            let table = try reader.tableIndexOfCall()
            if table != 0 { reference(table, names.tables) }
            typeUse(type)
        case .type: reference(try reader.unsigned32(), names.types)
        case .table: indexUnlessZero(try reader.unsigned32(), names.tables)
        case .memory: indexUnlessZero(try reader.memoryIndex(), names.memories)
        case .tag: reference(try reader.unsigned32(), names.tags)
        case .dataSegment:
            namesDataSegments = true
            reference(try reader.unsigned32(), names.dataSegments)
        case .elementSegment: reference(try reader.unsigned32(), names.elementSegments)
        case .shuffle: try lanes(&reader)
        case .v128: try vector(&reader)
        case .valueTypes: try resultTypes(&reader)
        case .heapType:
            out.space()
            write(try reader.heapType())
        case .memoryInit:
            namesDataSegments = true
            let segment = try reader.unsigned32()
            indexUnlessZero(try reader.memoryIndex(), names.memories)
            reference(segment, names.dataSegments)
        case .tableInit:
            let segment = try reader.unsigned32()
            indexUnlessZero(try reader.unsigned32(), names.tables)
            reference(segment, names.elementSegments)
        case .memoryCopy:
            indices(try reader.memoryIndex(), try reader.memoryIndex(), names.memories)
        case .tableCopy:
            indices(try reader.unsigned32(), try reader.unsigned32(), names.tables)
        case .typeField:
            let type = try reader.unsigned32()
            reference(type, names.types)
            reference(try reader.unsigned32(), names.fields(of: type))
        case .typeCount:
            reference(try reader.unsigned32(), names.types)
            out.space()
            out.number(try reader.unsigned32())
        case .typeData:
            namesDataSegments = true
            reference(try reader.unsigned32(), names.types)
            reference(try reader.unsigned32(), names.dataSegments)
        case .typeElement:
            reference(try reader.unsigned32(), names.types)
            reference(try reader.unsigned32(), names.elementSegments)
        case .typeType:
            reference(try reader.unsigned32(), names.types)
            reference(try reader.unsigned32(), names.types)
        case .castBranch:
            let isNullable = try reader.castFlags()
            reference(label: try reader.unsigned32())
            out.space()
            write(ReferenceType(try reader.heapType(), nullable: isNullable.source))
            out.space()
            write(ReferenceType(try reader.heapType(), nullable: isNullable.target))
        case .fence: try reader.zeroByte()
        }
    }

    // MARK: Indices

    /// Memory and table 0 need not be said.
    private mutating func indexUnlessZero(_ index: UInt32, _ identifiers: Identifiers) {
        if index != 0 { reference(index, identifiers) }
    }

    /// Destination and source: both or none are said.
    private mutating func indices(_ first: UInt32, _ second: UInt32, _ identifiers: Identifiers) {
        if first == 0, second == 0 { return }
        reference(first, identifiers)
        reference(second, identifiers)
    }

    // MARK: Memory and vectors

    /// Offset 0 and the natural alignment need not be said.
    private mutating func memoryArgument(
        _ info: InstructionInfo, _ reader: inout BinaryReader
    ) throws(DecodingError) {
        let argument = try reader.memoryArgument()
        indexUnlessZero(argument.memory, names.memories)
        if argument.offset != 0 {
            out.write(" offset=")
            out.number(argument.offset)
        }
        if argument.alignLog2 != UInt32(info.accessLog2) {
            out.write(" align=")
            out.number(UInt64(1) << UInt64(argument.alignLog2 & 63))
        }
    }

    private mutating func lane(_ reader: inout BinaryReader) throws(DecodingError) {
        out.space()
        out.number(UInt32(try reader.byte()))
    }

    private mutating func lanes(_ reader: inout BinaryReader) throws(DecodingError) {
        for _ in 0..<16 { try lane(&reader) }
    }

    private mutating func vector(_ reader: inout BinaryReader) throws(DecodingError) {
        out.write(" i32x4")
        for _ in 0..<4 {
            out.space()
            out.hexadecimal(UInt64(try reader.float32Bits()), digits: 8)
        }
    }

    // MARK: Control

    private mutating func resultTypes(_ reader: inout BinaryReader) throws(DecodingError) {
        out.write(" (result")
        for _ in 0..<(try reader.count()) {
            out.space()
            write(try reader.valueType())
        }
        out.byte(0x29)
    }

    mutating func write(_ type: BlockType) {
        switch type {
        case .empty: break
        case .value(let type):
            out.write(" (result ")
            write(type)
            out.byte(0x29)
        case .type(let index): typeUse(index)
        }
    }

    private mutating func tryTable(_ reader: inout BinaryReader) throws(DecodingError) {
        write(try reader.blockType())
        for _ in 0..<(try reader.catchClauseCount()) {
            let clause = try reader.catchClause()
            switch clause.kind {
            case .catch: out.write(" (catch")
            case .catchRef: out.write(" (catch_ref")
            case .catchAll: out.write(" (catch_all")
            case .catchAllRef: out.write(" (catch_all_ref")
            }
            if clause.hasTag { reference(clause.tag, names.tags) }
            reference(label: clause.label)
            out.byte(0x29)
        }
    }

    private mutating func labelTable(_ reader: inout BinaryReader) throws(DecodingError) {
        for _ in 0...(try reader.labelCount()) { reference(label: try reader.unsigned32()) }
    }

    /// A label: the identifier, if nothing further inside has the same; else the index, and for
    /// readers how many blocks are around the one that it means.
    private mutating func reference(label: UInt32) {
        out.space()
        if let identifier = labels.identifier(label) { return out.write(identifier) }
        out.number(label)
        if let depth = labels.depth(label) {
            out.write(" (;@")
            out.number(UInt64(depth))
            out.write(";)")
        }
    }
}
