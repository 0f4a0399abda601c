// One run of one instruction: makes the state that it finds, runs it, and digests what it leaves.

import Synchronization
import WasmMachine

/// An instruction of the table, and what its operands mean.
struct Subject {
    let number: Int
    let base: Int
    let index: Int
    let labels: [String]
    /// Operand tokens, in the order of the choices: see `Family` in `Sources/InstructionSet`.
    let operands: [String]
    let wordCount: Int
    /// The values that operands take.
    let edges: [UInt64]
    let nans: NaNs
    let usesMemory: Bool
    /// The width of a lane in bits, 0 for instructions without vectors.
    let laneWidth: Int

    var name: String { labels.joined(separator: " ") }

    init(_ number: Int, _ family: InstructionFamily) {
        self.number = number
        base = family.base
        index = number - family.base
        let choices = family.choices(at: index)
        labels = choices.map { "\($0.label)" }
        let groups = choices.map { "\($0.fields)" } + ["\(family.fields)"]
        operands = groups.flatMap { $0.split(separator: " ").map { String($0) } }
        wordCount = family.words + choices.reduce(0) { $0 + $1.extraWords }
        let name = labels[0]
        edges = Self.edges(of: name)
        nans = Self.nans(of: name)
        usesMemory = Self.memoryFamilies.contains(family.base)
        let isVector =
            base >= Instruction.Base.vectorUnary && base < Instruction.Base.countBlock
        let widths = [("8x16", 8), ("16x8", 16), ("32x4", 32), ("64x2", 64)]
        laneWidth = isVector ? widths.first { Self.holds(name, $0.0) }?.1 ?? 64 : 0
    }

    /// Where NaNs are compared as such they must be found in memory: all addresses are multiples of
    /// a lane's size there. The other instructions of each family take addresses as they come.
    var alignment: UInt64 {
        switch nans {
        case .exact: .max
        case .f32: ~3
        case .f64: ~7
        }
    }

    private static func holds(_ text: String, _ part: String) -> Bool {
        let text = Array(text.utf8), part = Array(part.utf8)
        guard text.count >= part.count else { return false }
        return (0...(text.count - part.count)).contains { start in
            (0..<part.count).allSatisfy { text[start + $0] == part[$0] }
        }
    }

    /// Conversions end in the type that they take, other operators begin with it.
    private static func edges(of name: String) -> [UInt64] {
        if holds(name, "_i32") || holds(name, "_i64") { return Edges.integers }
        if holds(name, "_f32") { return Edges.floats }
        if holds(name, "_f64") { return Edges.doubles }
        if holds(name, "f32") { return Edges.floats }
        if holds(name, "f64") { return Edges.doubles }
        return Edges.integers
    }

    /// Operators that compute with floats may make any quiet NaN; others keep every bit.
    private static func nans(of name: String) -> NaNs {
        let computes = [
            ".add", ".sub", ".mul", ".div", ".min", ".max", "sqrt", "ceil", "floor", "trunc",
            "nearest", "demote", "promote", "nmadd", "mul+",
        ].contains { holds(name, $0) }
        guard computes else { return .exact }
        if name.hasPrefix("f32") { return .f32 }
        if name.hasPrefix("f64") { return .f64 }
        return .exact
    }

    private static let memoryFamilies: [Int] = [
        Instruction.Base.load, Instruction.Base.loadScaled, Instruction.Base.store,
        Instruction.Base.storeScaled, Instruction.Base.storeRegister,
        Instruction.Base.storeFloatRegister, Instruction.Base.move, Instruction.Base.loadFar,
        Instruction.Base.storeFar, Instruction.Base.loadTwo, Instruction.Base.loadBranch,
        Instruction.Base.loadCompareBranch, Instruction.Base.atomicLoad,
        Instruction.Base.atomicStore, Instruction.Base.atomicModify,
        Instruction.Base.atomicCompareExchange, Instruction.Base.atomicNotify,
        Instruction.Base.atomicWait, Instruction.Base.vectorLoad, Instruction.Base.vectorStore,
        Instruction.Base.vectorLoadFar, Instruction.Base.vectorStoreFar,
        Instruction.Base.vectorBinaryLoad, Instruction.Base.vectorCompareLoad,
        Instruction.Base.vectorBinaryStore, Instruction.Base.vectorUpdate,
        Instruction.Base.vectorMultiplyAddLoad, Instruction.Base.vectorMultiplyUpdate,
        Instruction.Base.vectorMultiplyLoads, Instruction.Base.vectorBinaryExtend,
    ]
}

struct Trial {
    let subject: Subject
    let run: Int
    var random: Random
    /// The slots that operands name: fields 0 to 3 of word 1, and 4 to 7 of word 2.
    var slots: [Int] = []
    var accumulators = Accumulators()
    var context = 0
    var codeWords: Int

    var at: CodePointer { Stage.code + Landing.instruction }

    init(_ subject: Subject, run: Int) {
        self.subject = subject
        self.run = run
        codeWords = subject.wordCount
        random = Random(UInt64(subject.number) &* 4099 &+ UInt64(run) &+ 1)
    }

    // MARK: The state before

    mutating func prepare() {
        Script.choice = run
        Script.log = Digest()
        // Sources and destination apart, in pairs, or all in one place.
        let sharing = run % 4 == 2 ? 1 : run % 4 == 3 ? 3 : 0
        slots = (0..<8).map { 8 + 4 * ($0 >> sharing) }
        for slot in -64..<128 { Stage.frame[slot] = word() }
        resetMemories()
        resetContexts()
        Objects.reset(&random, hasCell: run % 8 < 6)
        accumulate(random.of(subject.edges))
        for word in 0..<32 { at[word] = 0 }
        at[0] = Instruction(subject.number).handler
        for (position, operand) in subject.operands.enumerated() { place(operand, position) }
        adjust()
        Landing.write(at: Landing.instruction + codeWords)
    }

    private mutating func resetMemories() {
        Stage.memories[0] = MemoryRecord(base: Stage.memory0, byteCount: 256)
        Stage.memories[1] = MemoryRecord(base: Stage.memory1, byteCount: 192)
        for word in -4..<36 {
            Stage.memory0.storeBytes(of: random.next(), toByteOffset: 8 * word, as: UInt64.self)
        }
        for word in -4..<28 {
            Stage.memory1.storeBytes(of: random.next(), toByteOffset: 8 * word, as: UInt64.self)
        }
        // Values among them, of the kind that the instruction takes.
        for offset in 0..<32 where random.below(2) == 0 {
            Stage.memory0.storeBytes(of: word(), toByteOffset: 8 * offset, as: UInt64.self)
        }
        Stage.tables[0] = TableRecord(elements: Stage.elements, count: 8)
        Stage.tables[1] = TableRecord(elements: Stage.elements + 16, count: 4)
        for index in 0..<32 {
            let function = [7, 0, 1, 2, 3, 4, 7, 0][index % 8]
            Stage.elements[index] = function == 7 ? 0 : Stage.number(Stage.functions + function)
        }
    }

    private mutating func resetContexts() {
        for index in 0..<2 {
            let cx = Stage.context(index)
            func set(_ offset: Int, _ value: UInt64) {
                cx.storeBytes(of: value, toByteOffset: offset, as: UInt64.self)
            }
            set(ContextOffset.stackLimit, Stage.number(Stage.frame + 1000))
            set(ContextOffset.budget, index == 0 ? [100, 1, 100, 0][run / 2 % 4] : 77)
            set(ContextOffset.memory0, Stage.number(Stage.memories + index))
            set(ContextOffset.table0, Stage.number(Stage.tables + index))
            for cell in stride(from: Cell.integer, to: Cell.end, by: 8) {
                set(cell, random.of(subject.edges))
            }
        }
        for cell in 0..<4 { Stage.importedCells[cell] = random.of(subject.edges) }
        Stage.counter[0] = random.next()
        Stage.entries[0] = Stage.number(Stage.code + Landing.callee)
        Stage.exchange.pointee = MachineExchange(
            top: Stage.frame, stopWord: Stage.stopWord, upcalls: Upcalls.shared)
        // Whoever looks whether the guest is to stop finds a bit in half of the runs.
        Stage.stopWord.pointee.store(
            run / 4 % 2 == 1 ? StopBits.all : 0, ordering: .relaxed)
    }

    /// What does not change between runs.
    static func prepareStage() {
        Landing.writeAll()
        Objects.defineTypes()
        for index in 0..<2 {
            Stage.memoryPointers[index] = Stage.number(Stage.memories + index)
            Stage.tablePointers[index] = Stage.number(Stage.tables + index)
        }
        for index in 0..<2 {
            let cx = Stage.context(index)
            func set(_ offset: Int, _ value: UInt64) {
                cx.storeBytes(of: value, toByteOffset: offset, as: UInt64.self)
            }
            set(ContextOffset.memories, Stage.number(Stage.memoryPointers))
            set(ContextOffset.tables, Stage.number(Stage.tablePointers))
            set(ContextOffset.exchange, Stage.number(Stage.exchange))
            set(ContextOffset.heap, Stage.number(Stage.heap))
            for function in 0..<Cell.importedFunctionCount {
                set(Cell.importedFunctions + 8 * function, Stage.number(Stage.functions + function))
            }
            for global in 0..<2 {
                set(
                    Cell.importedGlobals + 8 * global,
                    Stage.number(Stage.importedCells + 2 * global))
            }
        }
        // Of this instance, of the other one, of the host, and two of other types.
        let owners: [ContextPointer?] = [
            Stage.context(0), Stage.context(1), nil, Stage.context(0), Stage.context(0),
        ]
        for (index, type) in ([7, 7, 7, 9, 8] as [UInt32]).enumerated() {
            Stage.functions[index] = FunctionRecord(
                code: Stage.code + Landing.callee, context: owners[index], typeID: type,
                headerIndex: 2, parameterSlots: 2, resultSlots: 1, functionIndex: UInt32(index))
        }
    }

    // MARK: Operands

    mutating func accumulate(_ value: UInt64) {
        accumulators = Accumulators(
            r: value, f: Double(bitPattern: value),
            g: Float(bitPattern: UInt32(truncatingIfNeeded: value)))
    }

    /// Eight bytes of values: of a vector's lanes, or one.
    mutating func word() -> UInt64 {
        switch subject.laneWidth {
        case 8, 16:
            // Two lanes more or less at a limit, among random ones.
            let limits: [UInt64] = [0, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 1]
            let limit = random.of(limits) &<< UInt64(8 * random.below(7))
            return random.below(3) == 0
                ? limit | random.of(limits) &<< UInt64(16 * random.below(4))
                : random.next() ^ limit
        case 32: return random.of(subject.edges) & 0xffff_ffff | random.of(subject.edges) &<< 32
        default: return random.of(subject.edges)
        }
    }

    /// A value for the operand at `position`: the first two of an instruction take every pair.
    private mutating func value(_ position: Int) -> UInt64 {
        if subject.usesMemory { return address() }
        if subject.laneWidth != 0 && random.below(4) != 0 { return word() }
        let edges = subject.edges
        switch position {
        case 0: return edges[run % edges.count]
        case 1: return edges[run / edges.count % edges.count]
        default: return random.of(edges)
        }
    }

    mutating func address() -> UInt64 {
        let address =
            switch random.below(4) {
            case 0: random.of(Edges.addresses)
            case 1: UInt64(random.below(8)) &* 8
            default: UInt64(random.below(260))
            }
        return address & subject.alignment
    }

    /// Operands of vector instructions with addresses that are values: those in word 2, of which
    /// the second may be an address, and what is stored.
    private mutating func isVectorInMemory(_ operand: Int) -> Bool {
        guard subject.usesMemory && subject.laneWidth != 0 else { return false }
        if subject.base == Instruction.Base.vectorMultiplyUpdate { return operand == 4 }
        return operand == 4 || operand == 0 || operand == 5 && random.below(3) == 0
    }

    private mutating func immediate(_ position: Int) -> UInt64 {
        subject.usesMemory ? random.of(Edges.offsets) & subject.alignment : value(position)
    }

    private mutating func place(_ operand: String, _ position: Int) {
        let characters = Array(operand.utf8)
        let digit = characters.count > 1 ? Int(characters[1]) - 48 : -1
        switch characters[0] {
        case UInt8(ascii: "s"):
            set(digit, slots[digit])
            if isVectorInMemory(digit) { return }
            Stage.frame[slots[digit]] = value(position)
        case UInt8(ascii: "r"): accumulate(value(position))
        case UInt8(ascii: "i") where digit >= 0:
            set(digit, Int(truncatingIfNeeded: immediate(position)))
        case UInt8(ascii: "n"): set(digit, Int(truncatingIfNeeded: immediate(position)))
        case UInt8(ascii: "i"): setHalf(12, Int(truncatingIfNeeded: immediate(position)))
        case UInt8(ascii: "u") where digit == 4, UInt8(ascii: "h") where digit == 4:
            setHalf(16, Int(truncatingIfNeeded: immediate(position)))
        case UInt8(ascii: "u") where digit >= 0, UInt8(ascii: "h"):
            setHalf(20, Int(truncatingIfNeeded: immediate(position)))
        case UInt8(ascii: "u"): setHalf(12, Int(truncatingIfNeeded: immediate(position)))
        case UInt8(ascii: "w"): at[2] = immediate(position)
        case UInt8(ascii: "v"):
            at[2] = word()
            at[3] = word()
        case UInt8(ascii: "b") where digit == 1: set(3, Landing.back - Landing.instruction)
        case UInt8(ascii: "b"):
            let target = run % 2 == 0 ? Landing.forward : Landing.back
            setHalf(digit == 2 ? 20 : 12, 8 * (target - Landing.instruction))
        default: break
        }
    }

    /// Writes a 16-bit field.
    func set(_ field: Int, _ value: Int) {
        UnsafeMutableRawPointer(at).storeBytes(
            of: UInt16(truncatingIfNeeded: value), toByteOffset: 8 + 2 * field, as: UInt16.self)
    }

    /// Writes 32 bits at a byte of the instruction.
    func setHalf(_ offset: Int, _ value: Int) {
        UnsafeMutableRawPointer(at).storeBytes(
            of: UInt32(truncatingIfNeeded: value), toByteOffset: offset, as: UInt32.self)
    }

    // MARK: The state afterwards

    func execute() {
        Machine.run(
            code: at, stack: Stage.frame, context: Stage.context(context),
            accumulators: accumulators)
    }

    func digest(into digest: inout Digest) {
        let exchange = Stage.exchange.pointee, nans = subject.nans
        digest.add(exchange.exitCode)
        digest.add(Self.number(exchange.code))
        digest.add(Self.number(exchange.stack))
        digest.add(Self.number(exchange.context))
        digest.add(UInt64(bitPattern: exchange.budget))
        digest.add(exchange.accumulators.r)
        digest.add(nans.normalized(exchange.accumulators.f.bitPattern))
        digest.add(nans.normalized(UInt64(exchange.accumulators.g.bitPattern)))
        digest.add(Script.log.value)
        let crossReturn = Stage.number(Machine.crossReturnCode)
        for slot in -64..<128 {
            let word = Stage.frame[slot]
            digest.add(word == crossReturn ? 0x6372_6f73_7321 : nans.normalized(word))
        }
        for index in 0..<2 {
            digest.add(UInt64(Stage.memories[index].byteCount))
            digest.add(UInt64(Stage.tables[index].count))
            let cx = Stage.context(index)
            digest.add(cx.load(fromByteOffset: ContextOffset.budget, as: UInt64.self))
            for cell in stride(from: Cell.integer, to: Cell.end, by: 8) {
                digest.add(nans.normalized(cx.load(fromByteOffset: cell, as: UInt64.self)))
            }
        }
        for cell in 0..<4 { digest.add(nans.normalized(Stage.importedCells[cell])) }
        for word in -4..<36 {
            digest.add(
                nans.normalized(Stage.memory0.load(fromByteOffset: 8 * word, as: UInt64.self)))
        }
        for word in -4..<28 {
            digest.add(
                nans.normalized(Stage.memory1.load(fromByteOffset: 8 * word, as: UInt64.self)))
        }
        // Large fills and copies: what they wrote far away.
        for word in 0..<32 {
            digest.add(Stage.memory0.load(fromByteOffset: 65_400 + 8 * word, as: UInt64.self))
        }
        for index in 0..<32 { digest.add(Stage.elements[index]) }
        for offset in stride(from: 0, to: Objects.end, by: 8) {
            digest.add(
                nans.normalized(Stage.objects.load(fromByteOffset: offset, as: UInt64.self)))
        }
        digest.add(Stage.counter[0])
        digest.add(
            Stage.heap.load(
                fromByteOffset: HeapOffset.freeList(Objects.sizeClass), as: UInt64.self))
    }

    private static func number(_ pointer: UnsafeMutableRawPointer?) -> UInt64 {
        UInt64(UInt(bitPattern: pointer))
    }
    private static func number(_ pointer: UnsafeMutablePointer<UInt64>?) -> UInt64 {
        UInt64(UInt(bitPattern: pointer))
    }
}
