import WasmDecoder

// Loops that end.

extension BodyGenerator {
    /// A loop that branches may go back to: every pass takes a unit of the budget.
    mutating func budgetLoop() {
        guard loopDepth < 2 else { return }
        loopDepth += 1
        defer { loopDepth -= 1 }
        let shapes = program.types.filter { $0.parameters.count < 3 }
        guard let shape = random.element(of: shapes), let type = blockType(shape) else { return }
        values(shape.parameters)
        construct(.loop, type, branch: shape.parameters) { body in
            body.takeBudget()
            if let top = shape.parameters.last, body.random.oneIn(2) { body.operate(top) }
            if body.random.oneIn(2) { body.statement() }
            body.consume(shape.parameters)
            body.statements(body.random.between(1...3))
            body.values(shape.parameters)
            body.condition()
            body.code.opcode(.brIf, 0)
            body.consume(shape.parameters)
            body.values(shape.results)
        }
        consume(shape.results)
    }

    /// How a loop counts.
    private struct Counter {
        var type: ValueType
        var local: Int
        var start: Int64
        var step: Int64
        var passes: Int64
        /// A local that holds the step, if it is not a constant.
        var stepLocal: Int?
        /// A local that holds the end, if it is not a constant.
        var endLocal: Int?
        var end: Int64 { start + step * passes }
    }

    /// A loop over a local of its own, in one of the forms that compilers make.
    mutating func countedLoop() {
        guard loopDepth < 2 else { return }
        loopDepth += 1
        defer { loopDepth -= 1 }
        let type = random.oneIn(4) ? ValueType.i64 : .i32
        var counter = Counter(
            type: type, local: newLocal(type), start: 0,
            step: Int64(random.element(of: [1, 1, 1, 2, 4, -1, -3, 40_000]) ?? 1),
            passes: Int64(random.between(1...5)))
        counter.start =
            random.oneIn(2)
            ? 0 : Int64(random.element(of: [5, -7, 32_760, 65_530, 1_000_000]) ?? 5)
        if counter.step < 0, random.oneIn(2) { counter.start = -counter.step * counter.passes }
        number(type, counter.start)
        code.opcode(.localSet, counter.local)
        if random.oneIn(3) {
            let local = newLocal(type)
            number(type, counter.step)
            code.opcode(.localSet, local)
            counter.stepLocal = local
        }
        if random.oneIn(3) {
            let local = newLocal(type)
            number(type, counter.end)
            code.opcode(.localSet, local)
            counter.endLocal = local
        }
        if random.oneIn(3) { testedFirst(counter) } else { testedLast(counter) }
    }

    mutating func number(_ type: ValueType, _ value: Int64) {
        if type == .i32 { code.i32(Int32(truncatingIfNeeded: value)) } else { code.i64(value) }
    }

    /// `do ... while`, maybe with operands that every pass takes and leaves.
    private mutating func testedLast(_ counter: Counter) {
        let shapes = program.types.filter { $0.parameters == $0.results }
        let shape = random.element(of: shapes) ?? Shape(parameters: [], results: [])
        guard let type = blockType(shape) else { return }
        values(shape.parameters)
        construct(.loop, type, branch: shape.parameters, isTarget: false) { body in
            if let top = shape.parameters.last, body.random.percent(70) { body.operate(top) }
            body.statements(body.random.between(1...3))
            body.step(counter)
            body.isUnfinished(counter)
            body.code.opcode(.brIf, 0)
        }
        consume(shape.results)
    }

    /// `while`: a block around the loop is left when the test fails.
    private mutating func testedFirst(_ counter: Counter) {
        construct(.block, [0x40], branch: []) { body in
            body.construct(.loop, [0x40], branch: [], isTarget: false) { body in
                body.code.opcode(.localGet, counter.local)
                body.end(counter)
                body.code.opcode(counter.type == .i32 ? .i32Eq : .i64Eq)
                body.code.opcode(.brIf, 1)
                body.statements(body.random.between(1...3))
                body.step(counter)
                body.code.opcode(.localGet, counter.local)
                body.code.opcode(.drop)
                body.code.opcode(.br, 0)
            }
        }
    }

    /// Adds the step; often the sum is left for the test by `local.tee`.
    private mutating func step(_ counter: Counter) {
        let is32 = counter.type == .i32
        code.opcode(.localGet, counter.local)
        if let step = counter.stepLocal {
            code.opcode(.localGet, step)
            code.opcode(is32 ? .i32Add : .i64Add)
        } else if random.oneIn(4) {
            number(counter.type, -counter.step)
            code.opcode(is32 ? .i32Sub : .i64Sub)
        } else {
            number(counter.type, counter.step)
            code.opcode(is32 ? .i32Add : .i64Add)
        }
        code.opcode(.localSet, counter.local)
    }

    private mutating func end(_ counter: Counter) {
        if let end = counter.endLocal {
            code.opcode(.localGet, end)
        } else {
            number(counter.type, counter.end)
        }
    }

    /// Leaves whether there are passes left.
    private mutating func isUnfinished(_ counter: Counter) {
        let is32 = counter.type == .i32
        if random.oneIn(2) {
            // The sum again, from the assignment before if nothing is between.
            let ending = BinaryWriter.build { $0.opcode(.localSet, counter.local) }
            if code.bytes.suffix(ending.count).elementsEqual(ending) {
                code.bytes.removeLast(ending.count)
                code.opcode(.localTee, counter.local)
            } else {
                code.opcode(.localGet, counter.local)
            }
        } else {
            code.opcode(.localGet, counter.local)
        }
        if counter.end == 0, random.oneIn(2) {
            if is32, random.oneIn(2) { return }
            code.opcode(is32 ? .i32Eqz : .i64Eqz)
            code.opcode(.i32Eqz)
            return
        }
        end(counter)
        switch random.below(3) {
        case 0: code.opcode(is32 ? .i32Ne : .i64Ne)
        case 1:
            if counter.step > 0 {
                code.opcode(is32 ? .i32LtS : .i64LtS)
            } else {
                code.opcode(is32 ? .i32GtS : .i64GtS)
            }
        default:
            if counter.step > 0 {
                code.opcode(is32 ? .i32GeS : .i64GeS)
            } else {
                code.opcode(is32 ? .i32LeS : .i64LeS)
            }
            code.opcode(.i32Eqz)
        }
    }
}
