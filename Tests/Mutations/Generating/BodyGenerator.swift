import WasmDecoder

/// Makes the body of one function: statements, which leave the operand stack as it is, and values,
/// which add one operand. Statements stand between the operands of values too, so that locals
/// change while older operands still stand for their old values.
struct BodyGenerator {
    /// A construct around the code being made.
    struct Label {
        /// What a branch to it carries.
        var types: [ValueType]
        /// Whether branches to it are fine: not for loops that count with a local.
        var isTarget: Bool
    }

    var program: ProgramGenerator
    let shape: Shape
    var random: RandomNumbers
    var code = BinaryWriter()
    /// Parameters, then locals.
    var locals: [ValueType]
    /// Locals that any statement may assign.
    var assignable: [Int]
    /// i32 locals that hold small numbers: addresses.
    var addressLocals: [Int] = []
    /// Locals that only tests for NaN use.
    private var scratchLocals: [ValueType: Int] = [:]
    private var finiteLocals: [ValueType: Int] = [:]
    var labels: [Label] = []
    /// About how many more instructions there should be.
    var remaining: Int
    private var isLarge = false
    var loopDepth = 0
    /// How deep statements are nested.
    var depth = 0

    init(_ program: ProgramGenerator, function: Int) {
        self.program = program
        shape = program.types[program.functions[function]]
        random = program.random
        locals = shape.parameters
        assignable = Array(locals.indices)
        remaining = 0
        remaining = random.between(10...160)
        if random.oneIn(25) { remaining *= 20 }
        if random.oneIn(1000) { remaining = 60_000 }
        isLarge = remaining > 160
        // More locals than the translator follows one by one.
        if random.oneIn(40) {
            for _ in 0..<random.between(100...300) {
                assignable.append(newLocal(ProgramGenerator.numberType(&random)))
            }
        }
        for _ in 0..<random.between(1...7) {
            assignable.append(newLocal(ProgramGenerator.numberType(&random)))
        }
        if program.hasVectors {
            for _ in 0..<3 { assignable.append(newLocal(.v128)) }
        }
        if program.hasObjects {
            for _ in 0..<3 { assignable.append(newLocal(.anyref)) }
        }
        if !program.tags.isEmpty { assignable.append(newLocal(.exnref)) }
        if program.hasReferences { assignable.append(newLocal(.funcref)) }
        for _ in 0..<random.between(1...3) { addressLocals.append(newLocal(.i32)) }
    }

    mutating func newLocal(_ type: ValueType) -> Int {
        locals.append(type)
        return locals.count - 1
    }

    /// Locals and instructions.
    mutating func body() -> [UInt8] {
        labels = [Label(types: shape.results, isTarget: true)]
        takeBudget()
        for local in addressLocals where random.percent(80) { assignAddress(local) }
        statements(random.between(2...14))
        if isLarge {
            let rest = remaining
            // Without other loops, long stretches of code have none.
            if random.oneIn(2) { loopDepth = 2 }
            // One loop around much of it, so that branches back are long.
            if random.oneIn(3) {
                construct(.loop, [0x40], branch: []) { body in
                    body.takeBudget()
                    while body.remaining > rest / 4 { body.statement() }
                    body.incrementAndBranch()
                }
            }
            while remaining > 50 { statement() }
        }
        values(shape.results)
        code.opcode(.end)
        return BinaryWriter.build { writer in
            let own = locals.dropFirst(shape.parameters.count)
            writer.vector(own.map { [1, ProgramGenerator.encoded($0)] })
            writer.bytes.append(contentsOf: code.bytes)
        }
    }

    /// Returns if the budget is used up, else takes one unit.
    mutating func takeBudget() {
        code.opcode(.globalGet, program.budgetGlobal)
        code.opcode(.i32Eqz)
        code.opcode(.if)
        code.byte(0x40)
        for type in shape.results { constant(type) }
        code.opcode(.return)
        code.opcode(.end)
        code.opcode(.globalGet, program.budgetGlobal)
        code.i32(1)
        code.opcode(.i32Sub)
        code.opcode(.globalSet, program.budgetGlobal)
    }

    // MARK: Labels

    /// The immediate of a branch to the label with this index.
    func branchDepth(_ label: Int) -> Int { labels.count - 1 - label }

    /// A label that branches may go to.
    mutating func anyTarget(where test: (Label) -> Bool = { _ in true }) -> Int? {
        let found = labels.indices.filter { labels[$0].isTarget && test(labels[$0]) }
        return random.element(of: found)
    }

    /// Writes the immediate of a block with this shape; nil if there is no type for it.
    func blockType(_ shape: Shape) -> [UInt8]? {
        if shape.parameters.isEmpty, shape.results.isEmpty { return [0x40] }
        if shape.parameters.isEmpty, shape.results.count == 1 {
            return [ProgramGenerator.encoded(shape.results[0])]
        }
        return program.types.firstIndex(of: shape).map { index in
            BinaryWriter.build { $0.signed(Int64(index)) }
        }
    }

    /// A construct whose code `content` makes.
    mutating func construct(
        _ opcode: Opcode, _ type: [UInt8], branch types: [ValueType], isTarget: Bool = true,
        _ content: (inout BodyGenerator) -> Void
    ) {
        code.opcode(opcode)
        code.bytes.append(contentsOf: type)
        labels.append(Label(types: types, isTarget: isTarget))
        depth += 1
        content(&self)
        depth -= 1
        labels.removeLast()
        code.opcode(.end)
    }

    /// Instructions at the end of a construct that is left before; any operands may be missing.
    mutating func deadCode(_ results: [ValueType]) {
        guard random.oneIn(3) else { return }
        if random.oneIn(2) { statement() }
        values(Array(results.suffix(random.below(results.count + 1))))
    }

    // MARK: Locals

    mutating func anyLocal(_ type: ValueType) -> Int? {
        random.element(of: locals.indices.filter { locals[$0] == type })
    }

    mutating func anyAssignable(_ type: ValueType) -> Int? {
        random.element(of: assignable.filter { locals[$0] == type })
    }

    mutating func anyGlobal(_ type: ValueType) -> Int? {
        random.element(of: program.plainGlobals.filter { program.globals[$0] == type })
    }

    /// Takes operands of these types, the last on top.
    mutating func consume(_ types: [ValueType]) {
        for type in types.reversed() {
            if type.isNumber, random.oneIn(4) { operate(type) }
            switch random.weighted([10, 4, 3]) {
            case 0:
                if let local = anyAssignable(type) {
                    code.opcode(.localSet, local)
                } else {
                    code.opcode(.drop)
                }
            case 1: code.opcode(.drop)
            default:
                if let global = anyGlobal(type) {
                    code.opcode(.globalSet, global)
                } else {
                    code.opcode(.drop)
                }
            }
        }
    }

    // MARK: Constants

    mutating func constant(_ type: ValueType) {
        remaining -= 1
        switch type {
        case .i32: code.i32(Int32(truncatingIfNeeded: integerConstant()))
        case .i64: code.i64(integerConstant())
        case .f32:
            code.f32(
                bits: random.oneIn(3)
                    ? random.element(of: InterestingValues.float32Bits) ?? 0
                    : Float(random.between(-40...40)).bitPattern)
        case .f64:
            code.f64(
                bits: random.oneIn(3)
                    ? random.element(of: InterestingValues.float64Bits) ?? 0
                    : (Double(random.between(-400...400)) / 8).bitPattern)
        case .v128:
            code.opcode(.v128Const)
            for _ in 0..<16 {
                code.byte(random.oneIn(2) ? random.byte() : random.element(of: [0, 1, 0xff]) ?? 0)
            }
        default:
            code.opcode(.refNull)
            code.byte(ProgramGenerator.encoded(type))
        }
    }

    private mutating func integerConstant() -> Int64 {
        switch random.weighted([45, 18, 20, 12]) {
        case 0: Int64(random.between(-9...33))
        case 1:
            Int64(
                random.element(of: [
                    32_766, 32_767, 32_768, 32_769, 65_535, 65_536, 65_537, -32_767, -32_768,
                    -32_769, -65_535, -65_536, 100_000,
                ]) ?? 0)
        case 2: Int64(bitPattern: random.element(of: InterestingValues.words) ?? 0)
        default: Int64(bitPattern: random.next()) >> Int64(random.below(64))
        }
    }

    /// A local of a float type that never holds NaN, with a new value now and then.
    mutating func finiteLocal(_ type: ValueType) -> Int {
        let local = finiteLocals[type] ?? newLocal(type)
        finiteLocals[type] = local
        if random.oneIn(2) {
            withoutNaN(type, 1)
            code.opcode(.localSet, local)
        }
        return local
    }

    /// A local that tests of this float type for NaN may use.
    mutating func scratchLocal(_ type: ValueType) -> Int {
        if let known = scratchLocals[type] { return known }
        let local = newLocal(type)
        scratchLocals[type] = local
        return local
    }
}
