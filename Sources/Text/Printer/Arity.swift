import WasmDecoder

/// How many values an instruction takes from the operand stack and how many it leaves there.
struct Arity {
    var operands: Int
    var results: Int

    init(_ operands: Int, _ results: Int) {
        self.operands = operands
        self.results = results
    }
}

/// What the types of a module say about arities. Unknown indices count as no operands and results:
/// the printer then folds less, but says nothing wrong.
struct ArityTable {
    /// Functions as they are; structures as if they were the function that makes them.
    private let types: [Arity]
    private let functions: [TypeIndex]
    private let tags: [TypeIndex]

    init(_ module: ParsedModule) {
        types = module.types.map {
            switch $0.composite {
            case .function(let type): Arity(type.parameters.count, type.results.count)
            case .structure(let fields): Arity(fields.count, 1)
            case .array: Arity(0, 0)
            }
        }
        functions = module.functions
        tags = module.tags
    }

    func type(_ index: TypeIndex) -> Arity {
        index < types.count ? types[Int(index)] : Arity(0, 0)
    }

    func block(_ type: BlockType) -> Arity {
        switch type {
        case .empty: Arity(0, 0)
        case .value: Arity(0, 1)
        case .type(let index): self.type(index)
        }
    }

    private func function(_ index: FunctionIndex) -> Arity {
        index < functions.count ? type(functions[Int(index)]) : Arity(0, 0)
    }

    private func tag(_ index: UInt32) -> Arity {
        index < tags.count ? type(tags[Int(index)]) : Arity(0, 0)
    }

    /// The arity of an instruction that is not the beginning or end of a block or a part of one;
    /// reads its immediates. `label` tells how many values a branch takes along.
    func arity(
        of opcode: Opcode, _ reader: inout BinaryReader, label: (UInt32) -> Int
    ) throws(DecodingError) -> Arity {
        let info = opcode.info
        if let signature = info.signature {
            try reader.skipImmediates(of: opcode)
            return Arity(Int(signature.operandCount), signature.result == nil ? 0 : 1)
        }
        switch opcode {
        case .throw: return Arity(tag(try reader.unsigned32()).operands, 0)
        case .br: return Arity(label(try reader.unsigned32()), 0)
        case .brIf:
            let values = label(try reader.unsigned32())
            return Arity(values + 1, values)
        case .brTable: return try branchTable(&reader, label)
        case .return: return Arity(label(.max), 0)
        case .call: return function(try reader.unsigned32())
        case .returnCall: return Arity(function(try reader.unsigned32()).operands, 0)
        case .callIndirect, .returnCallIndirect, .callRef, .returnCallRef:
            let type = type(try reader.unsigned32())
            if info.immediates == .callIndirect { _ = try reader.tableIndexOfCall() }
            let returns = opcode == .callIndirect || opcode == .callRef
            return Arity(type.operands + 1, returns ? type.results : 0)
        case .brOnNull:
            let values = label(try reader.unsigned32())
            return Arity(values + 1, values + 1)
        case .brOnNonNull:
            let values = label(try reader.unsigned32())
            return Arity(values, max(0, values - 1))
        case .brOnCast, .brOnCastFail:
            _ = try reader.castFlags()
            let values = label(try reader.unsigned32())
            _ = try reader.heapType()
            _ = try reader.heapType()
            return Arity(values, values)
        case .structNew: return Arity(type(try reader.unsigned32()).operands, 1)
        case .arrayNewFixed:
            _ = try reader.unsigned32()
            return Arity(Int(try reader.unsigned32()), 1)
        default:
            try reader.skipImmediates(of: opcode)
            return Self.fixed(opcode)
        }
    }

    private func branchTable(
        _ reader: inout BinaryReader, _ label: (UInt32) -> Int
    ) throws(DecodingError) -> Arity {
        for _ in 0..<(try reader.labelCount()) { _ = try reader.unsigned32() }
        return Arity(label(try reader.unsigned32()) + 1, 0)
    }

    /// Instructions whose operands or results have types that the opcode does not fix.
    private static func fixed(_ opcode: Opcode) -> Arity {
        switch opcode {
        case .localGet, .globalGet, .memorySize, .tableSize, .refNull, .refFunc,
            .structNewDefault:
            Arity(0, 1)
        case .drop, .localSet, .globalSet, .throwRef:
            Arity(1, 0)
        case .localTee, .memoryGrow, .tableGet, .refIsNull, .refAsNonNull, .structGet, .structGetS,
            .structGetU, .arrayNewDefault, .refTest, .refTestNull, .refCast, .refCastNull,
            .anyConvertExtern, .externConvertAny:
            Arity(1, 1)
        case .tableSet, .structSet: Arity(2, 0)
        case .tableGrow, .arrayNew, .arrayNewData, .arrayNewElem, .arrayGet, .arrayGetS, .arrayGetU:
            Arity(2, 1)
        case .i64MulWideS, .i64MulWideU: Arity(2, 2)
        case .select, .selectTyped: Arity(3, 1)
        case .memoryInit, .memoryCopy, .memoryFill, .tableInit, .tableCopy, .tableFill, .arraySet:
            Arity(3, 0)
        case .arrayFill, .arrayInitData, .arrayInitElem: Arity(4, 0)
        case .i64Add128, .i64Sub128: Arity(4, 2)
        case .arrayCopy: Arity(5, 0)
        default: Arity(0, 0)
        }
    }
}
