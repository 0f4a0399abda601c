import WasmDecoder

/// Instructions with their immediates.
extension ModuleParser {
    /// The cursor is after the name; writes opcode and immediates.
    mutating func instruction(_ opcode: Opcode) throws(TextError) {
        let info = opcode.info
        switch opcode {
        case .select: return try select()
        case .refTest: return try cast(.refTest, .refTestNull)
        case .refCast: return try cast(.refCast, .refCastNull)
        default: break
        }
        function.code.opcode(opcode)
        switch info.immediates {
        case .none: break
        case .label: write(try label())
        case .labelTable: try labelTable()
        case .function: write(try index(of: .function))
        case .type: write(try index(of: .type))
        case .tag: write(try index(of: .tag))
        case .local: write(try local())
        case .global: write(try index(of: .global))
        case .table: write(isAtIndex ? try index(of: .table) : 0)
        case .memory: write(isAtIndex ? try index(of: .memory) : 0)
        case .elementSegment: write(try index(of: .elementSegment))
        case .dataSegment:
            write(try index(of: .dataSegment))
            noteDataSegment()
        case .callIndirect: try callIndirect()
        case .memoryArgument: try memoryArgument(info)
        case .memoryArgumentLane: try memoryArgumentAndLane(info)
        case .lane: function.code.byte(try lane())
        case .shuffle: for _ in 0..<16 { function.code.byte(try lane()) }
        case .i32: try integer(32)
        case .i64: try integer(64)
        case .f32: try float(.binary32, bytes: 4)
        case .f64: try float(.binary64, bytes: 8)
        case .v128: try vector()
        case .heapType: function.code.heapType(try heapType())
        case .memoryInit: try memoryInit()
        case .tableInit: try tableInit()
        case .memoryCopy: try pair(.memory)
        case .tableCopy: try pair(.table)
        case .typeField: try typeAndField()
        case .typeCount:
            write(try index(of: .type))
            write(try unsigned32())
        case .typeData:
            write(try index(of: .type))
            write(try index(of: .dataSegment))
            noteDataSegment()
        case .typeElement:
            write(try index(of: .type))
            write(try index(of: .elementSegment))
        case .typeType:
            write(try index(of: .type))
            write(try index(of: .type))
        case .castBranch: try castBranch()
        case .fence: function.code.byte(0)
        case .blockType, .tryTable, .valueTypes:
            // Blocks and `select` are read where their names are.
            throw TextError(.expected(.instruction), tokens[cursor - 1].range)
        }
    }

    private mutating func write(_ index: UInt32) { function.code.index(index) }

    /// Instructions in functions that name data segments need the data count section.
    private mutating func noteDataSegment() {
        if function.index != nil { needsDataCount = true }
    }

    // MARK: Indices

    mutating func label() throws(TextError) -> UInt32 {
        guard token.kind == .identifier else { return try index(of: .label) }
        guard let label = function.label(token.link) else {
            throw TextError(.unknownIdentifier(.label), token.range)
        }
        cursor += 1
        return label
    }

    private mutating func local() throws(TextError) -> UInt32 {
        guard token.kind == .identifier else { return try index(of: .local) }
        guard let local = function.local(token.link) else {
            throw TextError(.unknownIdentifier(.local), token.range)
        }
        cursor += 1
        return local
    }

    /// At least one label; the last is the default.
    private mutating func labelTable() throws(TextError) {
        var labels = [try label()]
        while isAtIndex { labels.append(try label()) }
        function.code.count(labels.count - 1)
        for label in labels { write(label) }
    }

    private mutating func callIndirect() throws(TextError) {
        let table = isAtIndex ? try index(of: .table) : 0
        let type = try typeUse(parameters: .refused)
        write(type)
        write(table)
    }

    /// `memory.init mem? data`; the binary format has them the other way round.
    private mutating func memoryInit() throws(TextError) {
        noteDataSegment()
        let isPair = isAtIndex && tokens[cursor + 1].isIndex
        let memory = isPair ? try index(of: .memory) : 0
        write(try index(of: .dataSegment))
        write(memory)
    }

    private mutating func tableInit() throws(TextError) {
        let isPair = isAtIndex && tokens[cursor + 1].isIndex
        let table = isPair ? try index(of: .table) : 0
        write(try index(of: .elementSegment))
        write(table)
    }

    /// Destination and source, or neither.
    private mutating func pair(_ space: TextError.IndexSpace) throws(TextError) {
        guard isAtIndex else {
            write(0)
            return write(0)
        }
        write(try index(of: space))
        write(try index(of: space))
    }

    private mutating func typeAndField() throws(TextError) {
        let type = try index(of: .type)
        write(type)
        guard token.kind == .identifier else { return write(try index(of: .field)) }
        guard let field = fields[FieldName(type: type, field: token.link)] else {
            throw TextError(.unknownIdentifier(.field), token.range)
        }
        cursor += 1
        write(field)
    }

    // MARK: Types

    /// `(result t*)*`: if it is there at all, even empty, the types are given.
    private mutating func select() throws(TextError) {
        guard opens(.result) else { return function.code.opcode(.select) }
        var count = 0
        var types = ByteWriter()
        while openIfPresent(.result) {
            while token.kind != .close {
                types.valueType(try valueType())
                count += 1
            }
            try expectClose()
        }
        function.code.opcode(.selectTyped)
        function.code.count(count)
        function.code.append(types)
    }

    private mutating func cast(_ opcode: Opcode, _ nullable: Opcode) throws(TextError) {
        let type = try referenceType()
        function.code.opcode(type.isNullable ? nullable : opcode)
        function.code.heapType(type.heapType)
    }

    private mutating func castBranch() throws(TextError) {
        let label = try label()
        let source = try referenceType()
        let target = try referenceType()
        function.code.byte((source.isNullable ? 1 : 0) | (target.isNullable ? 2 : 0))
        write(label)
        function.code.heapType(source.heapType)
        function.code.heapType(target.heapType)
    }

    // MARK: Memory

    /// `mem? offset=N? align=N?`
    private mutating func memoryArgument(_ info: InstructionInfo) throws(TextError) {
        let memory = isAtIndex ? try index(of: .memory) : 0
        try memoryArgument(info, memory)
    }

    /// A number alone is the lane; a number with something after it is the memory.
    private mutating func memoryArgumentAndLane(_ info: InstructionInfo) throws(TextError) {
        let next = cursor + 1
        let hasMemory =
            token.kind == .identifier
            || (token.kind == .number
                && (tokens[next].kind == .number || isOption("offset=", next)
                    || isOption("align=", next)))
        try memoryArgument(info, hasMemory ? try index(of: .memory) : 0)
        function.code.byte(try lane())
    }

    private mutating func memoryArgument(
        _ info: InstructionInfo, _ memory: UInt32
    ) throws(TextError) {
        let offset = try option("offset=") ?? 0
        var alignLog2 = UInt64(info.accessLog2)
        let align = token
        if let value = try option("align=") {
            guard value.nonzeroBitCount == 1 else {
                throw TextError(.alignmentNotPowerOfTwo, align.range)
            }
            alignLog2 = UInt64(value.trailingZeroBitCount)
        }
        function.code.unsigned(memory == 0 ? alignLog2 : alignLog2 | 0x40)
        if memory != 0 { write(memory) }
        function.code.unsigned(offset)
    }

    /// Whether the token at a place starts with `name`.
    private func isOption(_ name: StaticString, _ place: Int) -> Bool {
        let token = tokens[place]
        guard token.kind == .word, token.word == .other else { return false }
        return name.withUTF8Buffer { tokens.bytes[token.range].starts(with: $0) }
    }

    /// The number of `offset=N` or `align=N`, if it is there.
    private mutating func option(_ name: StaticString) throws(TextError) -> UInt64? {
        guard isOption(name, cursor) else { return nil }
        let range = token.range
        let number = range.lowerBound + name.utf8CodeUnitCount..<range.upperBound
        let value = try IntegerReader(bytes: tokens.bytes).unsigned(number, width: 64)
        cursor += 1
        return value
    }

    // MARK: Numbers

    private mutating func lane() throws(TextError) -> UInt8 {
        guard token.kind == .number else { throw unexpected(.integer) }
        do {
            let lane = try numbers.unsigned(tokens.token(cursor), 8)
            cursor += 1
            return UInt8(truncatingIfNeeded: lane)
        } catch {
            throw TextError(.malformedLaneIndex, error.range)
        }
    }

    private mutating func integer(_ width: Int) throws(TextError) {
        guard token.kind == .number else { throw unexpected(.integer) }
        let bits = try numbers.integer(tokens.token(cursor), width)
        cursor += 1
        let value =
            width == 32
            ? Int64(Int32(truncatingIfNeeded: bits)) : Int64(truncatingIfNeeded: bits)
        function.code.signed(value)
    }

    private mutating func float(_ format: FloatFormat, bytes: Int) throws(TextError) {
        guard token.kind == .number || token.kind == .word else { throw unexpected(.number) }
        let bits = try numbers.float(tokens.token(cursor), format)
        cursor += 1
        function.code.littleEndian(bits, count: bytes)
    }

    private mutating func vector() throws(TextError) {
        guard let shape = VectorShape(token.word) else { throw unexpected(.vectorShape) }
        cursor += 1
        var bits = VectorBits()
        for lane in 0..<shape.laneCount {
            if token.kind != .number && token.kind != .word { throw unexpected(.number) }
            bits.set(lane, of: shape, to: try numbers.lane(tokens.token(cursor), of: shape))
            cursor += 1
        }
        function.code.littleEndian(bits.low, count: 8)
        function.code.littleEndian(bits.high, count: 8)
    }
}

extension ModuleToken {
    /// Whether the token could be an index.
    fileprivate var isIndex: Bool { kind == .identifier || kind == .number }
}
