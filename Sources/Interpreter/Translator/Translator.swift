// Invariant: `entries` are those of the `CodeTable` that asks for the translation: as many as the module
// defines functions, never moved. Their addresses become part of the code.

import Synchronization
import WasmValidator

/// Why a function has no register code.
enum TranslationError: Error {
    /// The frame needs more than 65,535 slots, or the code more than 2^27 words.
    case tooLarge
    /// Cannot happen in a validated body.
    case malformed(DecodingError)
    /// An instruction that this version cannot run.
    case unsupported(Opcode)
    /// All that the program takes together would exceed `StoreLimits.totalBytes`.
    case noRoom
}

/// Register code of one function.
struct TranslatedCode {
    var words: [CodeWord]
    /// Index of the first word that runs.
    var entry: Int
    /// What the code catches; nil if nothing.
    var handlers: CatchTable?
    /// The counters in the code, whose addresses are still to be filled in.
    var blocks: [BlockProbe]
    /// Slots of a frame.
    var slotCount: Int
}

/// Translates the body of a validated function to register code, in one pass.
///
/// The operand stack of WebAssembly becomes a model (`stack`): an operand is in its home slot, or
/// stands for a local or a constant that costs nothing until it is used. Operators write their home
/// slot *and* the accumulator, so that no value ever needs saving; when the next instruction takes
/// the value from the accumulator, the store is patched away. See `docs/interpreter.md`.
///
/// All work is linear in the size of the body: aliases of a local are linked lists, flushing
/// remembers how far it came, results of more than two values move as one range.
struct Translator {
    /// A construct that branches can name.
    struct Label {
        enum Kind {
            case function
            case block
            case loop
            case `if`
            case tryTable
            /// The body of a legacy `try`, then its catch bodies.
            case `try`
            case `catch`
        }
        var kind: Kind
        /// Operands below it.
        var height: Int
        /// Home slot of its first parameter or result.
        var home: Int
        var parameters: Range<Int>
        var results: Range<Int>
        /// A loop's start in the code.
        var start = 0
        /// The most recent forward branch to its end, an index into `fixups`, or -1.
        var fixup = -1
        /// The branch of an `if` to its else part: an index into `fixups`, or -1.
        var elseFixup = -1
        /// The region of handlers that its code belongs to.
        var region = CatchTable.none
        /// The most recent clause of handlers that leads here, or -1.
        var clause = -1
        /// Legacy `try`: its own region, and the clause and the exception's slot of a catch body.
        var ownRegion = CatchTable.none
        var caught = (clause: -1, slot: -1)
        /// Locals that are assigned on entry (`if`, `try`) ...
        var assignedAtEntry = AssignedLocals()
        /// ... and on every branch to the end, if there is one.
        var assignedAtEnd: AssignedLocals?
    }

    /// A branch whose offset is not known yet: the next one of the same label, the instruction, and
    /// where its offset goes (code word times two, plus one for the upper half).
    struct Fixup {
        var next: Int
        var instruction: Int
        var half: Int
    }

    let module: ParsedModule
    let typeIDs: [TypeID]
    let registry: TypeRegistry
    let shapes: FunctionShapes
    let layout: ContextLayout
    let options: CodeOptions
    /// Entries of the module's defined functions.
    let entries: UnsafeMutablePointer<Atomic<UInt>>

    // The function.
    var reader: BinaryReader
    var shape = FunctionShape()
    /// Imports counted.
    var functionIndex = 0
    var localSlots: [Int32] = []
    var localClasses: [ValueClass] = []
    /// The topmost entry that stands for a local, or -1, by local.
    var aliases: [Int32] = []
    var parameterCount = 0
    /// Home slot of the first operand.
    var operandBase = 0

    /// Layouts of structure types that instructions named so far.
    var structureLayouts: [TypeIndex: StructureLayout] = [:]

    // Code.
    var code: [CodeWord] = []
    var last = Emitted()
    var previous = Emitted()
    var registers = Registers()
    /// See `MemoryInstructions`.
    var addressRegisters = Registers()
    var fixups: [Fixup] = []

    // The model of the operand stack.
    var stack: [Entry] = []
    /// Entries below this index stand for no local.
    var flushed = 0
    /// Entries below this index are in their homes: moving a thousand operands there again and again
    /// costs nothing.
    var settled = 0
    var labels: [Label] = []
    var handlers = CatchTable()
    var isUnreachable = false
    var assigned = AssignedLocals()
    /// Slots that must be zero on entry.
    var zeroSlots = SlotRange()
    /// Where the `br_table` being translated goes, by label: see `branchTable`.
    var tableStubs: [Int: Int] = [:]

    /// Why the instruction being translated is refused.
    var pending: TranslationError?

    /// Counters so far; whether the next instruction begins a block.
    var blocks: [BlockProbe] = []
    var beginsBlock = false

    /// Notes (code word, file offset) of every instruction, for disassembly and backtraces.
    var recordsPositions = false
    var positions: [(word: Int, offset: Int)] = []

    init(
        _ module: ValidModule, layout: ContextLayout, shapes: FunctionShapes, options: CodeOptions,
        entries: UnsafeMutablePointer<Atomic<UInt>>
    ) {
        self.module = module.parsed
        typeIDs = module.typeIDs
        registry = module.types
        self.shapes = shapes
        self.layout = layout
        self.options = options
        self.entries = entries
        reader = BinaryReader(
            module.parsed.bytes, range: ByteRange(start: 0, end: 0),
            features: module.parsed.features)
    }

    /// The register code of a function the module defines.
    mutating func translate(_ definedFunction: Int) throws(TranslationError) -> TranslatedCode {
        do throws(DecodingError) {
            try begin(definedFunction)
        } catch {
            throw .malformed(error)
        }
        guard operandBase < Self.slotLimit, module.memories.count <= Int(Int16.max),
            module.tables.count <= Int(Int16.max)
        else { throw .tooLarge }
        // Two instructions that `finish` fills in, if they are needed.
        emit(.charge, word: 0)
        emit(.zero, word: 0)
        lastCharge = code.count
        labels.append(
            Label(
                kind: .function, height: 0, home: operandBase, parameters: 0..<0,
                results: shape.results))
        probeCall(isReturn: false)
        beginsBlock = true
        let countsBlocks = options.contains(.blockProbes)
        while !labels.isEmpty {
            if isUnreachable {
                do throws(DecodingError) { try skipUnreachable() } catch { throw .malformed(error) }
            }
            if recordsPositions { positions.append((code.count, reader.offset)) }
            if countsBlocks { probeBlock() }
            try step()
            if code.count - lastCharge >= Self.chargedWords { chargeStretch() }
            guard code.count < Self.codeLimit, labels.count <= Self.labelLimit else {
                throw .tooLarge
            }
        }
        guard highestSlot < Self.slotLimit else { throw .tooLarge }
        return finish()
    }

    /// Slot numbers have 16 bits; a callee's header and a link area still fit behind.
    static let slotLimit = 65_500
    /// Branch offsets have 32 bits.
    static let codeLimit = 1 << 27

    /// Constructs that may be open at once.
    static let labelLimit = 250_000
    /// Words of code that use budget of their own: for every 256 one unit, so that a unit never stands
    /// for more than some microseconds.
    static let chargedWords = 4096

    /// Where the code stands that no budget was charged for yet.
    var lastCharge = 0

    mutating func chargeStretch() {
        let units = UInt32(truncatingIfNeeded: (code.count - lastCharge) / 256)
        emit(.charge, word: codeWord(0, 0, unsigned: units))
        lastCharge = code.count
    }

    /// One more than the largest slot that was given out.
    var highestSlot = 0

    private mutating func begin(_ definedFunction: Int) throws(DecodingError) {
        let body = module.bodies[definedFunction]
        reader = BinaryReader(module.bytes, range: body, features: module.features)
        functionIndex = module.importedFunctionCount + definedFunction
        shape = shapes[module.functions[functionIndex]]
        code.removeAll(keepingCapacity: true)
        fixups.removeAll(keepingCapacity: true)
        stack.removeAll(keepingCapacity: true)
        labels.removeAll(keepingCapacity: true)
        positions.removeAll(keepingCapacity: true)
        blocks.removeAll(keepingCapacity: true)
        handlers = CatchTable()
        localSlots.removeAll(keepingCapacity: true)
        localClasses.removeAll(keepingCapacity: true)
        flushed = 0
        settled = 0
        isUnreachable = false
        zeroSlots = SlotRange()
        bindLabel()
        var slot = 0
        func add(_ count: Int, _ valueClass: ValueClass, _ translator: inout Translator) {
            let size = valueClass.slotCount
            let first = slot
            translator.localSlots.append(
                contentsOf: (0..<count).lazy.map { Int32(truncatingIfNeeded: first + $0 * size) })
            translator.localClasses.append(contentsOf: repeatElement(valueClass, count: count))
            slot += count * size
        }
        for index in shape.parameters { add(1, shapes.classes[index], &self) }
        parameterCount = localSlots.count
        slot = shape.headerIndex + 2
        var total: UInt32 = 0
        for _ in 0..<(try reader.localGroupCount()) {
            let (count, type) = try reader.localGroup(total: &total)
            add(Int(count), ValueClass(type), &self)
        }
        operandBase = slot
        highestSlot = slot
        aliases.removeAll(keepingCapacity: true)
        aliases.append(contentsOf: repeatElement(-1, count: localSlots.count))
        assigned = AssignedLocals(parameterCount: parameterCount)
        // Locals beyond those that are tracked are zeroed whether they are read or not.
        let tracked = parameterCount + AssignedLocals.capacity
        if localSlots.count > tracked {
            zeroSlots.add(Int(localSlots[tracked]), operandBase - Int(localSlots[tracked]))
        }
    }

    private mutating func finish() -> TranslatedCode {
        let handlers = handlers.isEmpty ? nil : handlers
        var entry = 4
        if !zeroSlots.isEmpty {
            entry = 2
            let count = UInt32(truncatingIfNeeded: zeroSlots.upper - zeroSlots.lower)
            code[3] = codeWord(zeroSlots.lower, 0, unsigned: count)
            if count >= Self.chargedWords {
                entry = 0
                code[1] = codeWord(0, 0, unsigned: count / 256)
            }
        }
        return TranslatedCode(
            words: code, entry: entry, handlers: handlers, blocks: blocks,
            slotCount: highestSlot)
    }

    /// Reads on to the `else` or `end` that makes code reachable again.
    private mutating func skipUnreachable() throws(DecodingError) {
        var depth = 0
        while true {
            let start = reader.offset
            let opcode = try reader.opcode()
            switch opcode {
            case .block, .loop, .if, .tryTable, .try: depth += 1
            case .else where depth == 0, .catch where depth == 0, .catchAll where depth == 0:
                reader.offset = start
                return
            case .end, .delegate:
                if depth == 0 {
                    reader.offset = start
                    return
                }
                depth -= 1
            default: break
            }
            try reader.skipImmediates(of: opcode)
        }
    }
}

/// Which of the first locals behind the parameters were surely assigned.
struct AssignedLocals: Equatable {
    static let capacity = 128
    private var low: UInt64 = 0
    private var high: UInt64 = 0
    private var parameterCount = 0

    init(parameterCount: Int = 0) { self.parameterCount = parameterCount }

    func contains(_ local: Int) -> Bool {
        let index = local - parameterCount
        if index < 0 || index >= Self.capacity { return true }
        return (index < 64 ? low &>> UInt64(index) : high &>> UInt64(index - 64)) & 1 != 0
    }

    mutating func insert(_ local: Int) {
        let index = local - parameterCount
        if index < 0 || index >= Self.capacity { return }
        if index < 64 { low |= 1 &<< UInt64(index) } else { high |= 1 &<< UInt64(index - 64) }
    }

    mutating func formIntersection(_ other: AssignedLocals) {
        low &= other.low
        high &= other.high
    }
}

/// A range of slots that grows to cover what is added.
struct SlotRange {
    private(set) var lower = Int.max
    private(set) var upper = 0

    var isEmpty: Bool { upper == 0 }

    mutating func add(_ slot: Int, _ count: Int) {
        lower = min(lower, slot)
        upper = max(upper, slot + count)
    }
}
