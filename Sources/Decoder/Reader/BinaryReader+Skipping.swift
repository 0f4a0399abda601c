extension BinaryReader {
    /// Reads the immediates of an instruction, whose opcode was just read, and forgets them.
    ///
    /// Everything that makes them malformed is found; nothing is looked up.
    public mutating func skipImmediates(of opcode: Opcode) throws(DecodingError) {
        switch OpcodePage.entry(opcode).immediates {
        case .none: break
        case .blockType: _ = try blockType()
        case .label, .function, .type, .local, .global, .table, .dataSegment, .elementSegment, .tag:
            _ = try unsigned32()
        case .labelTable: try skipLabels()
        case .callIndirect:
            _ = try unsigned32()
            _ = try tableIndexOfCall()
        case .memory: _ = try memoryIndex()
        case .memoryArgument: _ = try memoryArgument()
        case .memoryArgumentLane:
            _ = try memoryArgument()
            _ = try byte()
        case .lane: _ = try byte()
        case .shuffle, .v128: _ = try vector128()
        case .i32: _ = try signed32()
        case .i64: _ = try signed64()
        case .f32: _ = try float32Bits()
        case .f64: _ = try float64Bits()
        case .valueTypes: try skipValueTypes()
        case .heapType: _ = try heapType()
        case .memoryInit:
            _ = try unsigned32()
            _ = try memoryIndex()
        case .memoryCopy:
            _ = try memoryIndex()
            _ = try memoryIndex()
        case .tableInit, .tableCopy, .typeField, .typeCount, .typeData, .typeElement, .typeType:
            _ = try unsigned32()
            _ = try unsigned32()
        case .castBranch:
            _ = try castFlags()
            _ = try unsigned32()
            _ = try heapType()
            _ = try heapType()
        case .tryTable: try skipTryTable()
        case .fence: try zeroByte()
        }
    }

    private mutating func skipLabels() throws(DecodingError) {
        var labels = try labelCount() + 1
        while labels > 0 {
            _ = try unsigned32()
            labels -= 1
        }
    }

    private mutating func skipValueTypes() throws(DecodingError) {
        var types = try count()
        while types > 0 {
            _ = try valueType()
            types -= 1
        }
    }

    private mutating func skipTryTable() throws(DecodingError) {
        _ = try blockType()
        var clauses = try catchClauseCount()
        while clauses > 0 {
            _ = try catchClause()
            clauses -= 1
        }
    }
}
