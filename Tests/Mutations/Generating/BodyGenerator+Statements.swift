import WasmDecoder

// Code that leaves the operand stack as it is.

extension BodyGenerator {
    mutating func statements(_ count: Int) {
        for _ in 0..<count { statement() }
    }

    mutating func statement() {
        guard remaining > 0, depth < 12 else { return }
        remaining -= 1
        depth += 1
        defer { depth -= 1 }
        let weights = [22, 9, 10, 7, 5, 5, 5, 5, 4, 4, 6, 3, 6, 2, 2, 2, 6, 2, 2, 8, 6, 6, 6]
        switch random.weighted(weights) {
        case 0: assign()
        case 1: increment()
        case 2: store()
        case 3: conditional()
        case 4: blockLeftEarly()
        case 5: countedLoop()
        case 6: budgetLoop()
        case 7: callAndConsume()
        case 8:
            value(ProgramGenerator.numberType(&random), random.below(4))
            code.opcode(.drop)
        case 9:
            guard let global = random.element(of: program.plainGlobals) else { return }
            value(program.globals[global], random.below(4))
            code.opcode(.globalSet, global)
        case 10: branchIf()
        case 11: branchTable()
        case 12: multipleValues()
        case 13: bulkOperation()
        case 14: reference()
        case 15: returnEarly()
        case 16: if let local = random.element(of: addressLocals) { assignAddress(local) }
        case 17: wideArithmetic()
        case 18: growOrSize()
        case 19: incrementAndBranch()
        case 20: tableStatement()
        case 21: objectStatement()
        default: exceptionStatement()
        }
    }

    // MARK: Locals

    private mutating func assign() {
        guard let local = random.element(of: assignable) else { return }
        value(locals[local], random.below(4))
        code.opcode(.localSet, local)
    }

    /// Additions to locals in place, alone and in pairs, and copies before them.
    private mutating func increment() {
        let type = random.oneIn(3) ? ValueType.i64 : .i32
        guard let local = anyAssignable(type) else { return assign() }
        if random.oneIn(3), let copy = anyAssignable(type) {
            code.opcode(.localGet, local)
            code.opcode(.localSet, copy)
        }
        for _ in 0..<random.between(1...2) {
            let target = random.oneIn(2) ? local : anyAssignable(type) ?? local
            let isFirst = random.percent(80)
            if isFirst { code.opcode(.localGet, target) }
            if random.oneIn(3), let other = anyLocal(type) {
                code.opcode(.localGet, other)
            } else {
                constant(type)
            }
            if !isFirst { code.opcode(.localGet, target) }
            code.opcode(type == .i32 ? .i32Add : .i64Add)
            let isTee = random.oneIn(4)
            code.opcode(isTee ? .localTee : .localSet, target)
            if isTee { code.opcode(.drop) }
        }
    }

    // MARK: Control

    /// The end of a loop that counts: an addition in place, a comparison, a branch.
    mutating func incrementAndBranch() {
        let type = random.oneIn(3) ? ValueType.i64 : .i32
        guard let local = anyAssignable(type), let label = anyTarget(where: { $0.types.isEmpty })
        else { return increment() }
        code.opcode(.localGet, local)
        leaf(type)
        code.opcode(type == .i32 ? .i32Add : .i64Add)
        if random.oneIn(2) {
            code.opcode(.localTee, local)
        } else {
            code.opcode(.localSet, local)
            code.opcode(.localGet, local)
        }
        leaf(type)
        code.opcode(random.element(of: Self.comparisons[type] ?? []) ?? .nop)
        if random.oneIn(4) { code.opcode(.i32Eqz) }
        code.opcode(.brIf, branchDepth(label))
    }

    private mutating func conditional() {
        condition()
        construct(.if, [0x40], branch: []) { body in
            body.statements(body.random.between(1...3))
            if body.random.oneIn(3) {
                body.code.opcode(.else)
                body.statements(body.random.between(1...3))
            }
        }
    }

    private mutating func blockLeftEarly() {
        construct(.block, [0x40], branch: []) { body in
            body.statements(body.random.between(1...3))
            if body.random.oneIn(2) {
                body.condition()
                body.code.opcode(.brIf, 0)
            }
            body.statements(body.random.between(0...2))
            if body.random.oneIn(4) {
                body.code.opcode(.br, 0)
                body.deadCode([])
            }
        }
    }

    /// Leaves for a label with its operands, or consumes them.
    private mutating func branchIf() {
        guard let label = anyTarget() else { return }
        let types = labels[label].types
        values(types)
        condition()
        code.opcode(.brIf, branchDepth(label))
        consume(types)
    }

    private mutating func branchTable() {
        guard let first = anyTarget() else { return }
        let types = labels[first].types
        // In an if, so that what follows can be reached.
        condition()
        construct(.if, [0x40], branch: []) { body in
            let same = body.labels.indices.filter {
                body.labels[$0].isTarget && body.labels[$0].types == types
            }
            body.values(types)
            body.value(.i32, 2)
            if body.random.percent(80) {
                body.code.i32(7)
                body.code.opcode(.i32And)
            }
            body.code.opcode(.brTable)
            let count = body.random.below(6)
            body.code.unsigned(count)
            for _ in 0...count {
                let label = body.random.element(of: same) ?? first
                body.code.unsigned(body.branchDepth(label))
            }
            body.deadCode([])
        }
    }

    private mutating func returnEarly() {
        condition()
        construct(.if, [0x40], branch: []) { body in
            let results = body.shape.results
            if body.random.oneIn(20) { return body.code.opcode(.unreachable) }
            let same = body.program.functions.indices.filter {
                body.program.types[body.program.functions[$0]].results == results
            }
            if body.program.hasTailCalls, body.random.oneIn(2),
                let function = body.random.element(of: same)
            {
                body.values(body.program.types[body.program.functions[function]].parameters)
                body.tailCall(function)
            } else {
                body.values(results)
                body.code.opcode(.return)
            }
            body.deadCode([])
        }
    }

    /// A block, loop or if with parameters and results.
    private mutating func multipleValues() {
        guard let shape = random.element(of: program.types), let type = blockType(shape) else {
            return
        }
        values(shape.parameters)
        if random.oneIn(3) {
            condition()
            let hasElse = shape.parameters != shape.results || random.oneIn(2)
            construct(.if, type, branch: shape.results) { body in
                body.transform(shape)
                if hasElse {
                    body.code.opcode(.else)
                    body.transform(shape)
                }
            }
        } else if loopDepth < 2, random.oneIn(4) {
            // Branches to it would not end: only the code behind can.
            construct(.loop, type, branch: shape.parameters, isTarget: false) { body in
                body.transform(shape)
            }
        } else {
            construct(.block, type, branch: shape.results) { body in body.transform(shape) }
        }
        consume(shape.results)
    }

    /// Makes results of parameters on the operand stack.
    private mutating func transform(_ shape: Shape) {
        if shape.results.starts(with: shape.parameters), random.percent(60) {
            statements(random.below(3))
            values(Array(shape.results.dropFirst(shape.parameters.count)))
        } else {
            if let top = shape.parameters.last, random.oneIn(2) { operate(top) }
            if random.oneIn(3) { statement() }
            consume(shape.parameters)
            statements(random.below(2))
            values(shape.results)
        }
        guard labels[labels.count - 1].types == shape.results,
            labels[labels.count - 1].isTarget, random.oneIn(3)
        else { return }
        condition()
        code.opcode(.brIf, 0)
        if let top = shape.results.last, top.isNumber, random.oneIn(2) { operate(top) }
    }

    // MARK: Calls

    mutating func call(_ function: Int) {
        let type = program.functions[function]
        values(program.types[type].parameters)
        if let element = program.elements.firstIndex(of: function), random.oneIn(3) {
            let table = elementIndex(element, type: type)
            code.opcode(.callIndirect, type)
            code.byte(table)
        } else if program.hasReferences, program.elements.contains(function), random.oneIn(3) {
            typedReference(function, type: type)
            code.opcode(.callRef, type)
        } else {
            code.opcode(.call, function)
        }
    }

    /// The arguments are there.
    private mutating func tailCall(_ function: Int) {
        let type = program.functions[function]
        if let element = program.elements.firstIndex(of: function), random.oneIn(2) {
            let table = elementIndex(element, type: type)
            code.opcode(.returnCallIndirect, type)
            code.byte(table)
        } else if program.hasReferences, program.elements.contains(function), random.oneIn(2) {
            typedReference(function, type: type)
            code.opcode(.returnCallRef, type)
        } else {
            code.opcode(.returnCall, function)
        }
    }

    /// Leaves the index of an element with a function of this type, as far as one knows, and
    /// answers in which table.
    private mutating func elementIndex(_ element: Int, type: Int) -> UInt8 {
        let isFar = program.hasSecondTable && element < 4 && random.oneIn(2)
        if isFar, random.oneIn(2) {
            code.i64(Int64(element))
            return 1
        }
        let base = isFar ? 0 : program.elementBase
        switch random.weighted([10, 5, 2]) {
        case 0: code.i32(Int32(truncatingIfNeeded: base + element))
        case 1:
            let same = program.elements.prefix(isFar ? 4 : 16).indices.filter {
                program.functions[program.elements[$0]] == type
            }
            code.i32(Int32(truncatingIfNeeded: base + element))
            code.i32(Int32(truncatingIfNeeded: base + (random.element(of: same) ?? element)))
            condition()
            code.opcode(.select)
        default:
            value(.i32, 2)
            code.i32(15)
            code.opcode(.i32And)
        }
        if isFar { code.opcode(.i64ExtendI32U) }
        return isFar ? 1 : 0
    }

    private mutating func callAndConsume() {
        let function = random.below(program.functions.count)
        call(function)
        consume(program.types[program.functions[function]].results)
    }
}
