// Tests, casts and branches on casts.

import WasmMachine
import WasmValidator

/// What a cast accepts, in the form that instructions encode.
private struct CastPattern {
    var target: Instruction.CastTarget
    /// The header of objects of exactly the type.
    var header: UInt32 = 0
    /// How many supertypes the type has.
    var depth = 0
    var passesNull: Bool

    /// Word 1 without destination, and word 2 without branch offset.
    func words(_ slot: Int) -> (CodeWord, CodeWord) {
        (codeWord(0, slot, unsigned: header), codeWord(depth, passesNull ? 1 : 0))
    }
}

extension Translator {
    mutating func casts(_ opcode: Opcode) throws(DecodingError) -> TranslationError? {
        switch opcode {
        case .refTest: test(pattern(try reader.heapType(), nullable: false))
        case .refTestNull: test(pattern(try reader.heapType(), nullable: true))
        case .refCast: cast(pattern(try reader.heapType(), nullable: false))
        case .refCastNull: cast(pattern(try reader.heapType(), nullable: true))
        case .brOnCast, .brOnCastFail:
            let nullable = try reader.castFlags().target
            let label = try reader.unsigned32()
            _ = try reader.heapType()
            let pattern = pattern(try reader.heapType(), nullable: nullable)
            branchOnCast(labelIndex(label), pattern, onFailure: opcode == .brOnCastFail)
        default: return try exceptionInstruction(opcode)
        }
        return nil
    }

    private mutating func pattern(_ type: HeapType, nullable: Bool) -> CastPattern {
        var pattern = CastPattern(target: .none, passesNull: nullable)
        if let index = type.typeIndex {
            let id = typeIDs[Int(index)]
            pattern.depth = registry.ancestors(of: id).count
            switch module.types[Int(index)].composite {
            case .function:
                pattern.target = .function
                pattern.header = id
            case .structure:
                pattern.target = .object
                pattern.header = ObjectKind.structure.header(id)
            case .array:
                pattern.target = .object
                pattern.header = ObjectKind.array.header(id)
            }
            return pattern
        }
        switch type {
        case .any, .func, .extern, .exn: pattern.target = .any
        case .eq: pattern.target = .eq
        case .i31: pattern.target = .i31
        case .struct:
            pattern.target = .kind
            pattern.header = ObjectKind.structure.header(0)
        case .array:
            pattern.target = .kind
            pattern.header = ObjectKind.array.header(0)
        default: break  // the bottom types: nothing but null
        }
        return pattern
    }

    private mutating func test(_ pattern: CastPattern) {
        let before = registers
        var source = operand(pop())
        if source.form == .immediate { moveToSlot(&source) }
        let fromRegister = source.form == .register
        if fromRegister { takeFromRegister(source, .integer) }
        let (word, third) = pattern.words(source.slot)
        pushResult(
            .refTest(pattern.target, fromRegister ? .register : .slot, .toSlot), word: word,
            third: third, .integer, before: before, kind: .castTest)
        last.operator = .castTest(pattern.target)
        last.a = source
    }

    /// `ref.test` before a branch: the branch tests the reference itself.
    mutating func branchOnTest(
        _ test: Emitted, _ target: Instruction.CastTarget, _ negated: Bool
    ) -> (instruction: Int, half: Int) {
        let word = code[test.start + 1] & ~0xffff, third = code[test.start + 2]
        rewind()
        let fromRegister = test.a.form == .register
        if fromRegister { takeFromRegister(test.a, .integer) }
        let start = emit(
            .castBranch(
                target, fromRegister ? .register : .slot, negated ? .onFailure : .onSuccess),
            word: word, third)
        return (start, 2 * (start + 2) + 1)
    }

    /// The reference stays where it is. A cast to a concrete type is a branch on failure to itself.
    private mutating func cast(_ pattern: CastPattern) {
        let entry = pop()
        var source = operand(entry)
        if source.form == .immediate { moveToSlot(&source) }
        let (word, third) = pattern.words(source.slot)
        let form: Instruction.Source = source.form == .register ? .register : .slot
        let instruction: Instruction =
            if let target = Instruction.AbstractTarget(pattern.target) {
                .refCast(target, form)
            } else {
                .castBranch(pattern.target, form, .onFailure)
            }
        emit(instruction, word: word, third)
        repush(entry)
        registers.keepStores()
    }

    /// The reference stays on the stack, whether the branch is taken or not.
    private mutating func branchOnCast(_ label: Int, _ pattern: CastPattern, onFailure: Bool) {
        let entry = pop()
        var source = operand(entry)
        if source.form == .immediate { moveToSlot(&source) }
        repush(entry)
        prepareOperands(of: label)
        let isDirect =
            label != 0 && labels[label].kind != .loop
            && !needsMove(carried(label), to: labels[label].home)
        func branch(_ translator: inout Translator, onFailure: Bool) -> (
            instruction: Int, half: Int
        ) {
            let (word, third) = pattern.words(source.slot)
            let start = translator.emit(
                .castBranch(
                    pattern.target, source.form == .register ? .register : .slot,
                    onFailure ? .onFailure : .onSuccess), word: word, third)
            return (start, 2 * (start + 2) + 1)
        }
        if isDirect {
            let (instruction, half) = branch(&self, onFailure: onFailure)
            connect(label, instruction, half: half)
            registers.keepStores()
        } else {
            skipping {
                branch(&$0, onFailure: !onFailure)
            } taken: {
                $0.branchWithOperands(label)
            }
        }
    }
}
