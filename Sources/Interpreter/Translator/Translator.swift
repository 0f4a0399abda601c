// Invariant: `entries` are those of the `CodeTable` that requests the translation: as many as the
// module defines functions, never moved. Their addresses become part of the code.

import Synchronization
import WasmMachine
import WasmValidator

/// Why a function has no register code.
enum TranslationError: Error {
    /// The frame needs more than 65,535 slots, or the code more than 2^27 words.
    case tooLarge
    /// The caller that waits for the code must stop. A later translation works.
    case stopped(TrapCode)
    /// Cannot happen in a validated body.
    case malformed(DecodingError)
    /// An instruction that this version cannot run.
    case unsupported(Opcode)
    /// The total that the program uses would exceed `StoreLimits.totalBytes`.
    case noRoom
}

/// Register code of one function.
struct TranslatedCode {
    var words: [CodeWord]
    /// Index of the first word that runs.
    var entry: Int
    /// The exceptions that the code catches; nil if it catches none.
    var handlers: CatchTable?
    /// The counters in the code, whose addresses are still to be filled in.
    var blocks: [BlockProbe]
    /// Slots of a frame.
    var slotCount: Int

    /// Words before the body: a `charge` and a `zero` instruction.
    static let prologueWords = 4
}

/// Translates the body of a validated function to register code, in one pass.
///
/// The operand stack of WebAssembly becomes a model (`stack`): an operand is in its home slot, or
/// is a local or a constant, which takes no code until it is used. Operators write their home slot
/// *and* the accumulator, so that no value ever needs saving; when the next instruction takes the
/// value from the accumulator, the operator becomes the variant that does not store. See
/// `docs/interpreter.md`.
///
/// All work is linear in the size of the body: aliases of a local are linked lists, flushing
/// continues where it ended last, lists of values (results of a call, operands of a branch) are on
/// the model as one run and move as one range, locals that the body cannot name are not written
/// out.
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
        /// The place (`word`) of what the `br_table` with offsets at word `table` runs on its way
        /// here.
        var stub = (table: -1, word: 0)
        /// Locals that are assigned on entry (`if`, `try`) ...
        var assignedAtEntry = AssignedLocals()
        /// ... and on every branch to the end, if there is one.
        var assignedAtEnd: AssignedLocals?
    }

    /// Locals of one group that were not entered into the lists at first, by index.
    struct FarLocals {
        var first: Int
        var end: Int
        var slot: Int
        var valueClass: ValueClass
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

    /// The caller that waits for the code.
    var client = TranslationClient()

    // The function.
    var reader: BinaryReader
    var shape = FunctionShape()
    /// Includes imported functions.
    var functionIndex = 0
    /// Its position in `ParsedModule.bodies`.
    private var body = 0
    /// By number, which is the index except in functions of very many locals: see `farLocals`.
    var localSlots: [Int32] = []
    var localClasses: [ValueClass] = []
    /// The topmost entry for each local, or -1, by number.
    var aliases: [Int32] = []
    /// Locals whose number is their index.
    var writtenLocals = 0
    /// Locals after them: a few bytes can declare 50,000, of which the body can name few. These get
    /// the next numbers when they are first named.
    var farLocals: [FarLocals] = []
    var farNumbers: [Int: Int] = [:]
    var parameterCount = 0
    /// Home slot of the first operand.
    var operandBase = 0

    /// Layouts of the structure types that instructions named so far.
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
    /// Entries below this index are not locals.
    var flushed = 0
    var labels: [Label] = []
    var handlers = CatchTable()
    var isUnreachable = false
    var assigned = AssignedLocals()
    /// Slots that must be zero on entry.
    var zeroSlots = SlotRange()
    /// Why the instruction being translated is refused.
    var pending: TranslationError?

    /// Counters so far, and whether the next instruction begins a block.
    var blocks: [BlockProbe] = []
    var beginsBlock = false

    /// Notes (code word, file offset) of every instruction, for disassembly and backtraces.
    var recordsPositions = false
    var positions: [(word: Int, offset: Int)] = []
    /// Code after this word is not needed.
    var lastWord = Int.max
    /// Whether the code up to `lastWord` is final: later instructions change only the last few
    /// words.
    var isPastLastWord: Bool { code.count - 64 > lastWord }

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
        // `finish` fills in these two instructions, if they are needed.
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
            if isUnreachable { try skipUnreachable() }
            if recordsPositions { positions.append((code.count, reader.offset)) }
            if countsBlocks { probeBlock() }
            try step()
            if code.count - lastCharge >= Self.chargedWords { chargeStretch() }
            if reader.offset >= checkpoint { try check() }
        }
        try check()
        return finish()
    }

    /// Bytes of the body between two checks of the limits and of the client; translating them takes
    /// some tenths of a millisecond at most.
    static let bytesBetweenChecks = 4096
    /// Where the next check is due.
    var checkpoint = 0

    mutating func check() throws(TranslationError) {
        checkpoint = reader.offset + Self.bytesBetweenChecks
        guard code.count < Self.codeLimit, labels.count <= Self.labelLimit,
            highestSlot < Self.slotLimit
        else { throw .tooLarge }
        if isPastLastWord { throw .stopped(.interrupted) }
        if let stop = client.stop { throw .stopped(stop) }
    }

    /// Slot numbers have 16 bits; a callee's header and a link area still fit after these.
    static let slotLimit = 65_500
    /// Branch offsets have 32 bits.
    static let codeLimit = 1 << 27

    /// Constructs that may be open at once.
    static let labelLimit = 250_000
    /// Code of this many words is charged its own budget, one unit for every `wordsPerUnit`, so
    /// that a unit never pays for more than a few instructions, however long each of them takes.
    static let chargedWords = 4096
    static let wordsPerUnit = 16

    /// Where the code starts that no budget was charged for yet.
    var lastCharge = 0

    /// The instruction that was just emitted takes as long as this many words of others.
    mutating func noteWork(_ words: Int) { lastCharge -= words }

    mutating func chargeStretch() {
        let units = UInt32(truncatingIfNeeded: (code.count - lastCharge) / Self.wordsPerUnit)
        emit(.charge, word: codeWord(0, 0, unsigned: units))
        lastCharge = code.count
    }

    /// One more than the largest slot that was given out.
    var highestSlot = 0

    private mutating func begin(_ definedFunction: Int) throws(DecodingError) {
        let body = module.bodies[definedFunction]
        self.body = definedFunction
        checkpoint = body.start + Self.bytesBetweenChecks
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
        flushed = 0
        isUnreachable = false
        zeroSlots = SlotRange()
        bindLabel()
        try declareLocals(bodySize: body.count)
        highestSlot = operandBase
        aliases.removeAll(keepingCapacity: true)
        aliases.append(contentsOf: repeatElement(-1, count: localSlots.count))
        assigned = AssignedLocals(parameterCount: parameterCount)
        // Locals beyond the tracked ones are zeroed whether they are read or not.
        let tracked =
            parameterCount + (options.contains(.zeroedLocals) ? 0 : AssignedLocals.capacity)
        let first =
            localSlots.count > tracked ? Int(localSlots[tracked]) : farLocals.first?.slot
        if let first { zeroSlots.add(first, operandBase - first) }
    }

    /// Assigns slots to parameters and locals, and determines where operands begin.
    private mutating func declareLocals(bodySize: Int) throws(DecodingError) {
        localSlots.removeAll(keepingCapacity: true)
        localClasses.removeAll(keepingCapacity: true)
        farLocals.removeAll(keepingCapacity: true)
        farNumbers.removeAll(keepingCapacity: true)
        var slot = 0
        for index in shape.parameters {
            let valueClass = shapes.classes[index]
            localSlots.append(Int32(truncatingIfNeeded: slot))
            localClasses.append(valueClass)
            slot += valueClass.slotCount
        }
        parameterCount = localSlots.count
        slot = shape.headerIndex + 2
        // As many as are tracked, or as the body can name if each of its bytes names one.
        let most = parameterCount + max(bodySize, AssignedLocals.capacity)
        var index = parameterCount
        var total: UInt32 = 0
        for _ in 0..<(try reader.localGroupCount()) {
            let (count, type) = try reader.localGroup(total: &total)
            let valueClass = ValueClass(type)
            let size = valueClass.slotCount
            let end = index + Int(count)
            while index < end, localSlots.count < most {
                localSlots.append(Int32(truncatingIfNeeded: slot))
                localClasses.append(valueClass)
                slot += size
                index += 1
            }
            guard index < end else { continue }
            farLocals.append(
                FarLocals(first: index, end: end, slot: slot, valueClass: valueClass))
            slot += (end - index) * size
            index = end
        }
        writtenLocals = localSlots.count
        operandBase = slot
    }

    private mutating func finish() -> TranslatedCode {
        let handlers = handlers.isEmpty ? nil : handlers
        var entry = TranslatedCode.prologueWords
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

    /// Skips to the `else` or `end` that makes code reachable again.
    private mutating func skipUnreachable() throws(TranslationError) {
        var depth = 0
        while true {
            if reader.offset >= checkpoint { try check() }
            let start = reader.offset
            do throws(DecodingError) {
                let opcode = try reader.opcode()
                switch opcode {
                case .block, .loop, .if, .tryTable, .try: depth += 1
                case .else where depth == 0, .catch where depth == 0, .catchAll where depth == 0,
                    .end where depth == 0, .delegate where depth == 0:
                    reader.offset = start
                    return
                case .end, .delegate: depth -= 1
                default: break
                }
                try reader.skipImmediates(of: opcode)
            } catch {
                throw .malformed(error)
            }
        }
    }
}

/// Which of the first locals after the parameters are certainly assigned.
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
