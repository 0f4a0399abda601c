// Soundness: rules are entries of an `InstructionRule.Table`, which are never freed.

import WasmDecoder

extension FunctionValidator {
    /// Validates one instruction whose opcode was just read: frequent ones are here, those with
    /// fixed types in the table, the rest in `otherInstruction`.
    @inline(__always)
    mutating func instruction(_ opcode: Opcode) throws(Stop) {
        switch opcode {
        case .localGet: try localGet()
        case .localSet: try localSet()
        case .localTee: try localTee()
        case .i32Const:
            do { _ = try reader.signed32() } catch { throw malformed(error) }
            operands.push(.i32)
        case .end: try end()
        case .brIf: try brIf()
        case .br: try br()
        case .block: try block()
        case .loop: try loop()
        case .if: try ifBlock()
        case .else: try elseBlock()
        case .call: try call()
        case .globalGet: try globalGet()
        case .globalSet: try globalSet()
        case .drop: _ = try popAny()
        case .select: try select()
        case .return:
            try pop(results(of: frames.base))
            markUnreachable()
        case .unreachable: markUnreachable()
        default:
            let rule = rules[opcode]
            if rule.pointee.isFixed {
                try fixedInstruction(opcode, rule)
            } else {
                try otherInstruction(opcode)
            }
        }
    }

    /// An instruction whose types its opcode fixes, but for the address type of its memory.
    @inline(__always)
    private mutating func fixedInstruction(
        _ opcode: Opcode, _ rule: UnsafePointer<InstructionRule>
    ) throws(Stop) {
        required |= rule.pointee.features
        var address = ValueType.i32
        switch rule.pointee.immediates {
        case .none: break
        case .memoryArgument: address = try memoryArgument(rule)
        default: address = try immediates(rule)
        }
        if address.word == ValueType.i32.word, rule.pointee.operandCount <= 2,
            operands.apply(rule)
        {
            return
        }
        try generalFixedInstruction(opcode, address)
    }

    /// The same with subtypes, unreachable code, three operands or an address of type i64.
    @inline(never)
    private mutating func generalFixedInstruction(
        _ opcode: Opcode, _ address: ValueType
    ) throws(Stop) {
        guard let signature = opcode.info.signature else { return }
        var position = Int(signature.operandCount)
        let accessesMemory = opcode.info.accessesMemory
        while position > 0 {
            position -= 1
            let type = signature.operand(at: position)
            try pop(position == 0 && accessesMemory ? address : type)
        }
        if let result = signature.result { operands.push(result) }
    }

    /// Immediates of instructions with fixed types; returns the address type of the memory.
    private mutating func immediates(
        _ rule: UnsafePointer<InstructionRule>
    ) throws(Stop) -> ValueType {
        switch rule.pointee.immediates {
        case .i64, .f32, .f64, .fence:
            do { try skipImmediate(rule) } catch { throw malformed(error) }
        case .v128: _ = try vector128()
        case .lane: try lane(of: rule)
        case .memoryArgumentLane:
            let address = try memoryArgument(rule)
            try lane(of: rule)
            return address
        case .shuffle:
            let lanes = try vector128()
            if (lanes.low | lanes.high) & 0xe0e0_e0e0_e0e0_e0e0 != 0 {
                throw fail(.invalidLaneIndex)
            }
        case .dataSegment: try dataSegment()
        case .elementSegment: _ = try elementSegment()
        default: break
        }
        return .i32
    }

    /// Reads an immediate of which only the form matters.
    private mutating func skipImmediate(
        _ rule: UnsafePointer<InstructionRule>
    ) throws(DecodingError) {
        switch rule.pointee.immediates {
        case .i64: _ = try reader.signed64()
        case .f32: _ = try reader.float32Bits()
        case .f64: _ = try reader.float64Bits()
        default: try reader.zeroByte()
        }
    }

    private mutating func vector128() throws(Stop) -> (low: UInt64, high: UInt64) {
        do {
            let vector = try reader.vector128()
            return (vector.low, vector.high)
        } catch {
            throw malformed(error)
        }
    }

    private mutating func lane(of rule: UnsafePointer<InstructionRule>) throws(Stop) {
        let lane: UInt8
        do { lane = try reader.byte() } catch { throw malformed(error) }
        if lane >= rule.pointee.laneCount { throw fail(.invalidLaneIndex) }
    }

    /// The rest: instructions whose types depend on immediates or on operands.
    @inline(never)
    private mutating func otherInstruction(_ opcode: Opcode) throws(Stop) {
        required |= rules[opcode].pointee.features
        switch opcode {
        case .brTable: try brTable()
        case .selectTyped: try selectTyped()
        case .callIndirect: try callIndirect()
        case .callRef: try callRef()
        case .returnCall: try returnCall()
        case .returnCallIndirect: try returnCallIndirect()
        case .returnCallRef: try returnCallRef()
        case .memorySize, .memoryGrow, .memoryFill, .memoryCopy, .memoryInit:
            try memoryInstruction(opcode)
        case .tableGet, .tableSet, .tableSize, .tableGrow, .tableFill, .tableCopy, .tableInit:
            try tableInstruction(opcode)
        case .throw, .throwRef, .tryTable, .try, .catch, .catchAll, .rethrow, .delegate:
            try exceptionInstruction(opcode)
        case .refNull, .refIsNull, .refFunc, .refAsNonNull, .brOnNull, .brOnNonNull,
            .refTest, .refTestNull, .refCast, .refCastNull, .brOnCast, .brOnCastFail,
            .anyConvertExtern, .externConvertAny:
            try referenceInstruction(opcode)
        case .structNew, .structNewDefault, .structGet, .structGetS, .structGetU, .structSet:
            try structureInstruction(opcode)
        case .arrayNew, .arrayNewDefault, .arrayNewFixed, .arrayNewData, .arrayNewElem,
            .arrayGet, .arrayGetS, .arrayGetU, .arraySet, .arrayFill, .arrayCopy,
            .arrayInitData, .arrayInitElem:
            try arrayInstruction(opcode)
        case .i64Add128, .i64Sub128: try wideArithmetic(operandCount: 4)
        case .i64MulWideS, .i64MulWideU: try wideArithmetic(operandCount: 2)
        default: throw malformed(DecodingError(.illegalOpcode, at: startOffset))
        }
    }

    /// Two halves of 128 bits as result.
    private mutating func wideArithmetic(operandCount: Int) throws(Stop) {
        for _ in 0..<operandCount { try pop(.i64) }
        operands.push(.i64)
        operands.push(.i64)
    }
}

extension InstructionInfo {
    /// Whether the first operand is an address.
    fileprivate var accessesMemory: Bool {
        immediates == .memoryArgument || immediates == .memoryArgumentLane
    }
}
