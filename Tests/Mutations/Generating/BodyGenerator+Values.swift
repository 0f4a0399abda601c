import WasmDecoder

// Code that leaves one operand.

extension BodyGenerator {
    mutating func values(_ types: [ValueType]) {
        for (index, type) in types.enumerated() {
            if index > 0, random.oneIn(15) { statement() }
            value(type, random.below(4))
        }
    }

    /// Leaves a value of a type; `depth` limits how deep it nests.
    mutating func value(_ type: ValueType, _ depth: Int) {
        guard depth > 0, remaining > 0 else { return leaf(type) }
        if random.oneIn(18) { statement() }
        switch random.weighted([12, 52, 8, 5, 4, 5, 4, 7, 3]) {
        case 0: leaf(type)
        case 1: computed(type, depth)
        case 2: loaded(type, depth)
        case 3: selected(type, depth)
        case 4: fromBlock(type, depth)
        case 5: fromIf(type, depth)
        case 6: fromCall(type, depth)
        case 7:
            value(type, depth - 1)
            if let local = anyAssignable(type) { code.opcode(.localTee, local) }
        default: keptByBranch(type, depth)
        }
    }

    /// A local, constant or global.
    mutating func leaf(_ type: ValueType) {
        remaining -= 1
        if random.percent(66), let local = anyLocal(type) {
            code.opcode(.localGet, local)
        } else if type == .funcref {
            functionReference()
        } else if random.oneIn(6), let global = anyGlobal(type) {
            code.opcode(.globalGet, global)
        } else {
            constant(type)
        }
    }

    /// A value that is often simple, as right operands are.
    private mutating func rightValue(_ type: ValueType, _ depth: Int) {
        switch random.below(10) {
        case 0...3: constant(type)
        case 4...6: leaf(type)
        default: value(type, depth - 1)
        }
    }

    private mutating func pair(_ type: ValueType, _ depth: Int) {
        if random.oneIn(5) {
            rightValue(type, depth)
            value(type, depth - 1)
        } else {
            value(type, depth - 1)
            if random.oneIn(20) { statement() }
            rightValue(type, depth)
        }
    }

    private mutating func computed(_ type: ValueType, _ depth: Int) {
        remaining -= 1
        if program.hasVectors || program.hasAtomics, random.oneIn(8), fromTable(type, depth) {
            return
        }
        switch type {
        case .i32:
            if program.hasObjects, random.oneIn(12) { return objectTest(depth) }
            integer(depth)
        case .i64: long(depth)
        case .f32, .f64: float(type, depth)
        case .anyref: object(depth)
        default: if !fromTable(type, depth) { leaf(type) }
        }
    }

    // MARK: Integers

    private mutating func integer(_ depth: Int) {
        switch random.weighted([30, 18, 8, 5, 5, 5, 5, 4]) {
        case 0:
            pair(.i32, depth)
            operatorWithoutTraps(.i32)
        case 1: comparison(depth)
        case 2:
            value(.i32, depth - 1)
            code.opcode(
                random.element(of: [
                    .i32Eqz, .i32Eqz, .i32Clz, .i32Ctz, .i32Popcnt, .i32Extend8S, .i32Extend16S,
                ]) ?? .nop)
        case 3: converted(.i32, depth)
        case 4: division(.i32, depth)
        case 5:
            // A field of bits.
            value(.i32, depth - 1)
            code.i32(Int32(random.below(40)))
            code.opcode(.i32ShrU)
            code.i32(random.element(of: [1, 3, 255, 0x7fff, 0xffff, 0x1_0000, -1]) ?? 1)
            code.opcode(.i32And)
        case 6: combined(.i32, depth)
        default:
            let type = random.element(of: [ValueType.i32, .i64]) ?? .i32
            value(type, depth - 1)
            code.opcode(type == .i32 ? .i32Eqz : .i64Eqz)
        }
    }

    private mutating func long(_ depth: Int) {
        switch random.weighted([30, 8, 8, 5, 5]) {
        case 0:
            pair(.i64, depth)
            operatorWithoutTraps(.i64)
        case 1:
            value(.i64, depth - 1)
            code.opcode(
                random.element(of: [
                    .i64Clz, .i64Ctz, .i64Popcnt, .i64Extend8S, .i64Extend16S, .i64Extend32S,
                ]) ?? .nop)
        case 2: converted(.i64, depth)
        case 3: division(.i64, depth)
        default: combined(.i64, depth)
        }
    }

    private mutating func operatorWithoutTraps(_ type: ValueType) {
        let operators = type == .i32 ? Snippets.integerOperators : Snippets.longOperators
        // Additions and subtractions are what most is fused with.
        let index = random.weighted([28, 12, 9, 9, 4, 4, 9, 4, 6, 2, 2])
        code.opcode(operators[index])
    }

    /// Products and shifted numbers in a sum.
    private mutating func combined(_ type: ValueType, _ depth: Int) {
        let is32 = type == .i32
        let isFirst = random.oneIn(2)
        if !isFirst { rightValue(type, depth) }
        if random.oneIn(2) {
            value(type, depth - 1)
            if is32 {
                code.i32(Int32(random.between(0...4)))
                code.opcode(.i32Shl)
            } else {
                code.i64(Int64(random.between(0...4)))
                code.opcode(.i64Shl)
            }
        } else {
            leaf(type)
            rightValue(type, depth)
            code.opcode(is32 ? .i32Mul : .i64Mul)
        }
        if isFirst { rightValue(type, depth) }
        if random.oneIn(3) {
            code.opcode(is32 ? .i32Sub : .i64Sub)
        } else {
            code.opcode(is32 ? .i32Add : .i64Add)
        }
    }

    private mutating func division(_ type: ValueType, _ depth: Int) {
        let is32 = type == .i32
        value(type, depth - 1)
        rightValue(type, depth)
        if random.percent(92) {
            if is32 {
                code.i32(random.oneIn(3) ? 7 : 1)
                code.opcode(.i32Or)
            } else {
                code.i64(random.oneIn(3) ? 7 : 1)
                code.opcode(.i64Or)
            }
        }
        let operators: [Opcode] =
            is32
            ? [.i32DivU, .i32RemU, .i32RemS, .i32DivS] : [.i64DivU, .i64RemU, .i64RemS, .i64DivS]
        code.opcode(operators[random.weighted([4, 4, 4, 1])])
    }

    static let comparisons: [ValueType: [Opcode]] = [
        .i32: [
            .i32Eq, .i32Ne, .i32LtS, .i32LtU, .i32GtS, .i32GtU, .i32LeS, .i32LeU, .i32GeS, .i32GeU,
        ],
        .i64: [
            .i64Eq, .i64Ne, .i64LtS, .i64LtU, .i64GtS, .i64GtU, .i64LeS, .i64LeU, .i64GeS, .i64GeU,
        ],
        .f32: [.f32Eq, .f32Ne, .f32Lt, .f32Gt, .f32Le, .f32Ge],
        .f64: [.f64Eq, .f64Ne, .f64Lt, .f64Gt, .f64Le, .f64Ge],
    ]

    mutating func comparison(_ depth: Int) {
        let type = ProgramGenerator.numberType(&random)
        pair(type, depth)
        code.opcode(random.element(of: Self.comparisons[type] ?? []) ?? .nop)
    }

    /// An i32 that branches and the like test.
    mutating func condition() {
        remaining -= 1
        switch random.weighted([45, 12, 12, 12, 10]) {
        case 0: comparison(2)
        case 1:
            value(.i32, 2)
            code.opcode(.i32Eqz)
        case 2:
            value(.i32, 1)
            rightValue(.i32, 1)
            code.opcode(.i32And)
        case 3: loaded(.i32, 1)
        default: value(.i32, 2)
        }
        if random.oneIn(5) { code.opcode(.i32Eqz) }
        if random.oneIn(8), let local = anyAssignable(.i32) {
            if random.oneIn(2) {
                code.opcode(.localTee, local)
            } else {
                code.opcode(.localSet, local)
                code.opcode(.localGet, local)
            }
        }
    }

    // MARK: Floats

    private mutating func float(_ type: ValueType, _ depth: Int) {
        let isSmall = type == .f32
        switch random.weighted([30, 12, 10, 6, 3]) {
        case 0:
            pair(type, depth)
            let operators = isSmall ? Snippets.floatOperators : Snippets.doubleOperators
            code.opcode(operators[random.weighted([6, 5, 6, 4, 3, 3])])
        case 1:
            value(type, depth - 1)
            let operators: [Opcode] =
                isSmall
                ? [.f32Abs, .f32Neg, .f32Ceil, .f32Floor, .f32Trunc, .f32Nearest, .f32Sqrt]
                : [.f64Abs, .f64Neg, .f64Ceil, .f64Floor, .f64Trunc, .f64Nearest, .f64Sqrt]
            code.opcode(random.element(of: operators) ?? .nop)
        case 2: converted(type, depth)
        case 3:
            // Products in sums and differences, which are rounded twice.
            let isFirst = random.oneIn(2)
            if !isFirst { rightValue(type, depth) }
            leaf(type)
            leaf(type)
            code.opcode(isSmall ? .f32Mul : .f64Mul)
            if isFirst { rightValue(type, depth) }
            if random.oneIn(2) {
                code.opcode(isSmall ? .f32Add : .f64Add)
            } else {
                code.opcode(isSmall ? .f32Sub : .f64Sub)
            }
        default:
            // The sign of the second operand would show the sign of a NaN.
            switch random.below(3) {
            case 0:
                rightValue(type, depth)
                withoutNaN(type, depth)
            case 1:
                value(type, depth - 1)
                constant(type)
            default:
                let local = finiteLocal(type)
                rightValue(type, depth)
                code.opcode(.localGet, local)
            }
            code.opcode(isSmall ? .f32Copysign : .f64Copysign)
        }
    }

    /// A float whose bits may be looked at: NaN is replaced by one certain NaN.
    mutating func withoutNaN(_ type: ValueType, _ depth: Int) {
        let isSmall = type == .f32
        if random.oneIn(3) {
            value(.i32, depth - 1)
            code.opcode(isSmall ? .f32ConvertI32S : .f64ConvertI32S)
            return
        }
        let local = scratchLocal(type)
        value(type, depth - 1)
        code.opcode(.localTee, local)
        if isSmall { code.f32(bits: 0x7fc0_0000) } else { code.f64(bits: 0x7ff8 << 48) }
        code.opcode(.localGet, local)
        code.opcode(.localGet, local)
        code.opcode(isSmall ? .f32Eq : .f64Eq)
        code.opcode(.select)
        remaining -= 4
    }

    // MARK: Conversions

    private static let conversions: [(from: ValueType, to: ValueType, opcode: Opcode)] = [
        (.i64, .i32, .i32WrapI64), (.i64, .i32, .i32WrapI64),
        (.f32, .i32, .i32TruncSatF32S), (.f32, .i32, .i32TruncSatF32U),
        (.f64, .i32, .i32TruncSatF64S), (.f64, .i32, .i32TruncSatF64U),
        (.f32, .i32, .i32ReinterpretF32), (.f32, .i32, .i32ReinterpretF32),
        (.i32, .i64, .i64ExtendI32S), (.i32, .i64, .i64ExtendI32U),
        (.i32, .i64, .i64ExtendI32U), (.f64, .i64, .i64ReinterpretF64),
        (.f32, .i64, .i64TruncSatF32S), (.f32, .i64, .i64TruncSatF32U),
        (.f64, .i64, .i64TruncSatF64S), (.f64, .i64, .i64TruncSatF64U),
        (.i32, .f32, .f32ConvertI32S), (.i32, .f32, .f32ConvertI32U),
        (.i64, .f32, .f32ConvertI64S), (.i64, .f32, .f32ConvertI64U),
        (.f64, .f32, .f32DemoteF64), (.i32, .f32, .f32ReinterpretI32),
        (.i32, .f64, .f64ConvertI32S), (.i32, .f64, .f64ConvertI32U),
        (.i64, .f64, .f64ConvertI64S), (.i64, .f64, .f64ConvertI64U),
        (.f32, .f64, .f64PromoteF32), (.i64, .f64, .f64ReinterpretI64),
        (.f32, .i32, .i32TruncF32S), (.f32, .i32, .i32TruncF32U), (.f64, .i32, .i32TruncF64S),
        (.f64, .i32, .i32TruncF64U), (.f32, .i64, .i64TruncF32S), (.f32, .i64, .i64TruncF32U),
        (.f64, .i64, .i64TruncF64S), (.f64, .i64, .i64TruncF64U),
    ]

    private mutating func converted(_ type: ValueType, _ depth: Int) {
        let choices = Self.conversions.filter { $0.to == type }
        guard let choice = random.element(of: choices) else { return leaf(type) }
        switch choice.opcode {
        case .i32ReinterpretF32, .i64ReinterpretF64: withoutNaN(choice.from, depth)
        case .i32TruncF32S, .i32TruncF32U, .i32TruncF64S, .i32TruncF64U, .i64TruncF32S,
            .i64TruncF32U, .i64TruncF64S, .i64TruncF64U:
            inRange(choice.from, depth)
        default: value(choice.from, depth - 1)
        }
        code.opcode(choice.opcode)
    }

    /// A float that is most likely a small number.
    private mutating func inRange(_ type: ValueType, _ depth: Int) {
        if random.oneIn(10) { return value(type, depth - 1) }
        let isSmall = type == .f32
        value(.i32, depth - 1)
        code.i32(0xffff)
        code.opcode(.i32And)
        code.opcode(isSmall ? .f32ConvertI32U : .f64ConvertI32U)
        guard random.oneIn(2) else { return }
        let local = finiteLocal(type)
        code.opcode(.localSet, local)
        code.opcode(.localGet, local)
    }

    // MARK: Control

    private mutating func selected(_ type: ValueType, _ depth: Int) {
        value(type, depth - 1)
        rightValue(type, depth)
        condition()
        if type.isReference || random.oneIn(6) {
            code.opcode(.selectTyped)
            code.bytes.append(contentsOf: [1, ProgramGenerator.encoded(type)])
        } else {
            code.opcode(.select)
        }
    }

    private mutating func fromBlock(_ type: ValueType, _ depth: Int) {
        construct(.block, [ProgramGenerator.encoded(type)], branch: [type]) { body in
            body.statements(body.random.below(3))
            body.value(type, depth - 1)
            if body.random.oneIn(4) {
                body.code.opcode(.br, 0)
                body.deadCode([type])
            }
        }
    }

    private mutating func fromIf(_ type: ValueType, _ depth: Int) {
        condition()
        construct(.if, [ProgramGenerator.encoded(type)], branch: [type]) { body in
            body.statements(body.random.below(2))
            body.value(type, depth - 1)
            body.code.opcode(.else)
            body.statements(body.random.below(2))
            body.value(type, depth - 1)
        }
    }

    private mutating func fromCall(_ type: ValueType, _ depth: Int) {
        let found = program.functions.indices.filter {
            program.types[program.functions[$0]].results == [type]
        }
        guard let function = random.element(of: found) else { return leaf(type) }
        call(function)
    }

    /// A value that a branch may carry away.
    private mutating func keptByBranch(_ type: ValueType, _ depth: Int) {
        value(type, depth - 1)
        guard let label = anyTarget(where: { $0.types == [type] }) else { return }
        condition()
        code.opcode(.brIf, branchDepth(label))
    }

    /// Computes with the operand on top.
    mutating func operate(_ type: ValueType) {
        guard type.isNumber else { return }
        rightValue(type, 1)
        switch type {
        case .i32, .i64: operatorWithoutTraps(type)
        case .f32: code.opcode(random.oneIn(2) ? .f32Add : .f32Mul)
        default: code.opcode(random.oneIn(2) ? .f64Sub : .f64Mul)
        }
    }
}
