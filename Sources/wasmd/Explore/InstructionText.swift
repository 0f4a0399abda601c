import WasmDecoder

/// A wasm instruction as a line of text.
struct InstructionLine: Equatable {
    /// Byte offset in the file.
    let offset: Int
    /// How many blocks it is in.
    let depth: Int
    let text: String
}

/// Converts the body of a function to lines: names and immediates as the text format writes them.
struct InstructionText {
    private var reader: BinaryReader
    private var depth = 0
    private(set) var lines: [InstructionLine] = []

    /// All instructions of a body; those after a malformed one are missing.
    static func lines(of body: ByteRange, in module: ParsedModule) -> [InstructionLine] {
        var text = InstructionText(
            reader: BinaryReader(module.bytes, range: body, features: module.features))
        do throws(DecodingError) {
            try text.readAll()
        } catch {
            text.add("malformed: \(error.message)", at: error.offset)
        }
        return text.lines
    }

    private init(reader: BinaryReader) { self.reader = reader }

    private mutating func readAll() throws(DecodingError) {
        let start = reader.offset
        var groups: [String] = []
        try reader.forEachLocalGroup { count, type in
            groups.append(count == 1 ? "\(type)" : "\(type) x \(count)")
        }
        if !groups.isEmpty { add("local " + groups.joined(separator: ", "), at: start) }
        while !reader.isAtEnd { try readInstruction() }
    }

    private mutating func readInstruction() throws(DecodingError) {
        let offset = reader.offset
        let opcode = try reader.opcode()
        let name = opcode.info.name.description
        let operands = try immediates(opcode.info.immediates)
        switch opcode {
        case .end, .else, .catch, .catchAll, .delegate: depth = max(0, depth - 1)
        default: break
        }
        add(operands.isEmpty ? name : "\(name) \(operands)", at: offset)
        switch opcode {
        case .block, .loop, .if, .else, .tryTable, .try, .catch, .catchAll: depth += 1
        default: break
        }
    }

    private mutating func add(_ text: String, at offset: Int) {
        lines.append(InstructionLine(offset: offset, depth: depth, text: text))
    }

    private mutating func immediates(_ kind: Immediates) throws(DecodingError) -> String {
        switch kind {
        case .none: return ""
        case .blockType: return Self.text(try reader.blockType())
        case .label, .function, .type, .local, .global, .table, .dataSegment, .elementSegment, .tag:
            return "\(try reader.unsigned32())"
        case .memory: return Self.index(try reader.memoryIndex())
        case .fence:
            try reader.zeroByte()
            return ""
        case .labelTable: return try labels()
        case .callIndirect:
            let type = try reader.unsigned32()
            return Self.index(try reader.tableIndexOfCall(), prefix: true) + "(type \(type))"
        case .memoryArgument: return Self.text(try reader.memoryArgument())
        case .memoryArgumentLane:
            let argument = Self.text(try reader.memoryArgument())
            return [argument, "\(try reader.byte())"].filter { !$0.isEmpty }.joined(separator: " ")
        case .lane: return "\(try reader.byte())"
        case .shuffle:
            var lanes: [String] = []
            for _ in 0..<16 { lanes.append("\(try reader.byte())") }
            return lanes.joined(separator: " ")
        default: return try rarerImmediates(kind)
        }
    }

    private mutating func rarerImmediates(_ kind: Immediates) throws(DecodingError) -> String {
        switch kind {
        case .i32: return "\(try reader.signed32())"
        case .i64: return "\(try reader.signed64())"
        case .f32: return "\(Float(bitPattern: try reader.float32Bits()))"
        case .f64: return "\(Double(bitPattern: try reader.float64Bits()))"
        case .v128:
            let (low, high) = try reader.vector128()
            return "i64x2 \(hexadecimal(low)) \(hexadecimal(high))"
        case .valueTypes:
            var types: [String] = []
            for _ in 0..<(try reader.count()) { types.append("\(try reader.valueType())") }
            return "(result " + types.joined(separator: " ") + ")"
        case .heapType: return "\(try reader.heapType())"
        case .memoryInit, .memoryCopy, .tableInit, .tableCopy, .typeField, .typeCount, .typeData,
            .typeElement, .typeType:
            let first = try reader.unsigned32()
            return "\(first) \(try reader.unsigned32())"
        case .castBranch:
            let flags = try reader.castFlags()
            let label = try reader.unsigned32()
            let source = ReferenceType(try reader.heapType(), nullable: flags.source)
            let target = ReferenceType(try reader.heapType(), nullable: flags.target)
            return "\(label) \(source) \(target)"
        case .tryTable: return try tryTable()
        default: return ""
        }
    }

    private mutating func labels() throws(DecodingError) -> String {
        var labels: [String] = []
        for _ in 0..<(try reader.labelCount()) { labels.append("\(try reader.unsigned32())") }
        labels.append("\(try reader.unsigned32())")
        return labels.joined(separator: " ")
    }

    private mutating func tryTable() throws(DecodingError) -> String {
        var words = [Self.text(try reader.blockType())].filter { !$0.isEmpty }
        for _ in 0..<(try reader.catchClauseCount()) {
            let clause = try reader.catchClause()
            let tag = clause.hasTag ? " \(clause.tag)" : ""
            words.append("(\(Self.text(clause.kind))\(tag) \(clause.label))")
        }
        return words.joined(separator: " ")
    }

    private static func text(_ kind: CatchClause.Kind) -> String {
        switch kind {
        case .catch: "catch"
        case .catchRef: "catch_ref"
        case .catchAll: "catch_all"
        case .catchAllRef: "catch_all_ref"
        }
    }

    private static func text(_ type: BlockType) -> String {
        switch type {
        case .empty: ""
        case .value(let type): "(result \(type))"
        case .type(let index): "(type \(index))"
        }
    }

    private static func text(_ argument: MemoryArgument) -> String {
        var words: [String] = []
        if argument.memory != 0 { words.append("\(argument.memory)") }
        if argument.offset != 0 { words.append("offset=\(argument.offset)") }
        return words.joined(separator: " ")
    }

    /// Index 0 is the default and is not written.
    private static func index(_ index: UInt32, prefix: Bool = false) -> String {
        index == 0 ? "" : "\(index)" + (prefix ? " " : "")
    }
}
