// Operands that are more than values: places in the frame, records, code, objects.

import WasmMachine

extension Trial {
    private func isOf(_ base: Int) -> Bool { subject.base == base }

    /// Replaces operands that `place` gave a value without a meaning.
    mutating func adjust() {
        adjustControl()
        adjustCalls()
        adjustData()
        adjustMemory()
        adjustObjects()
        adjustVectors()
    }

    private mutating func pick(_ values: Int...) -> Int { values[random.below(values.count)] }

    private func slot(_ operand: Int) -> UnsafeMutablePointer<UInt64> {
        Stage.frame + slots[operand]
    }

    /// Writes the header of a frame.
    private func header(_ slot: Int, _ code: Int, _ stack: StackPointer) {
        Stage.frame[slot] = Stage.number(Stage.code + code)
        Stage.frame[slot + 1] = Stage.number(stack)
    }

    // MARK: Control

    private mutating func adjustControl() {
        if isOf(Instruction.Base.branchTable) {
            let targets = [Landing.forward, Landing.second, Landing.back, Landing.third]
            setHalf(12, run % 4)
            for index in 0..<6 {
                setHalf(16 + 4 * index, 8 * (targets[index % 4] - Landing.instruction))
            }
            let value = UInt64(run / 4 % 8)
            slot(1)[0] = value == 7 ? 0xffff_ffff : value
            accumulate(slot(1)[0])
            if subject.labels[1].utf8.count == 2 { set(0, pick(0, 1, -1, -4)) }
            codeWords = 8
        } else if isOf(Instruction.Base.charge) {
            setHalf(12, pick(0, 1, 99, 100, 101, -1))
        } else if isOf(Instruction.Base.returnNone) || isOf(Instruction.Base.returnValue)
            || isOf(Instruction.Base.returnConstant)
        {
            set(0, 40)
            header(40, Landing.caller, Stage.frame - 24)
        } else if isOf(Instruction.Base.halt) {
            codeWords = 2
        }
    }

    // MARK: Calls

    private mutating func adjustCalls() {
        let function = run / 4 % Cell.importedFunctionCount
        let reference = Stage.number(Stage.functions + function)
        // The callee's frame, and its header.
        func place() {
            set(4, run % 16 == 15 ? 2000 : 16 + 8 * (run % 3))
            set(5, 2)
        }
        // The header of this frame, which a tail call takes over; now and then another instance
        // has called.
        func replace() {
            set(4, 16)
            set(5, 2)
            set(6, 40)
            set(7, 2)
            header(40, Landing.caller, Stage.frame - 24)
            if run % 3 == 0 { Stage.frame[40] = Stage.number(Machine.crossReturnCode) }
        }
        func tableOperands() {
            let index = UInt64(run / 4 % 10)
            slot(1)[0] = index == 9 ? 0xffff_ffff : index
            accumulate(slot(1)[0])
            setHalf(12, 7)
        }
        switch subject.base {
        case Instruction.Base.call:
            place()
            at[1] = Stage.number(Stage.entries)
        case Instruction.Base.callImport:
            place()
            setHalf(12, Cell.importedFunctions + 8 * function)
        case Instruction.Base.callIndirect:
            place()
            tableOperands()
        case Instruction.Base.callIndirectFar:
            place()
            tableOperands()
            setHalf(20, run / 2 % 2)
        case Instruction.Base.callReference:
            place()
            slot(1)[0] = run % 5 == 0 ? 0 : reference
        case Instruction.Base.returnCall:
            replace()
            at[1] = Stage.number(Stage.entries)
        case Instruction.Base.returnCallImport:
            replace()
            setHalf(12, Cell.importedFunctions + 8 * function)
        case Instruction.Base.returnCallIndirect:
            tableOperands()
            replace()
            at[3] = UInt64(run / 2 % 2)
        case Instruction.Base.returnCallReference:
            replace()
            slot(1)[0] = run % 5 == 0 ? 0 : reference
        case Instruction.Base.crossReturn:
            // The frame is the link area, of a call from the other instance or from this one.
            context = 1
            header(0, Landing.caller, Stage.frame - 24)
            Stage.frame[2] = Stage.number(Stage.context(run % 2))
            Stage.frame[3] = 2 | UInt64(run % 3) &<< 32
        case Instruction.Base.translateStub: at[1] = UInt64(run % 7)
        case Instruction.Base.throwException: setHalf(12, run % 9)
        case Instruction.Base.throwReference: slot(1)[0] = UInt64(run % 3) &* 8
        case Instruction.Base.functionReference: setHalf(12, run % 5)
        case Instruction.Base.countBlock: at[1] = Stage.number(Stage.counter)
        case Instruction.Base.observeCall: set(0, run % 2)
        default: break
        }
    }

    // MARK: Slots, globals, tables

    private mutating func adjustData() {
        let imported = Cell.importedGlobals + 8 * (run % 2)
        let own = Cell.own + 8 * (run % 4)
        switch subject.base {
        case Instruction.Base.copyRange: setHalf(12, run % 17)
        case Instruction.Base.zero: setHalf(12, 1 + run % 16)
        case Instruction.Base.globalGet, Instruction.Base.globalSet,
            Instruction.Base.globalSetFloat:
            setHalf(12, subject.labels[1] == "own" ? own : imported)
        case Instruction.Base.vectorGlobalGet, Instruction.Base.vectorGlobalSet:
            setHalf(12, subject.labels[1] == "own" ? Cell.own + 16 * (run % 2) : imported)
        case Instruction.Base.globalAdd: set(1, own)
        case Instruction.Base.globalSetSum: set(0, own)
        case Instruction.Base.tableGet, Instruction.Base.tableSet,
            Instruction.Base.tableSize:
            set(2, run % 2)
            let index = UInt64(pick(0, 1, 3, 4, 7, 8, 0xffff_ffff, -1).magnitude)
            slot(subject.base == Instruction.Base.tableGet ? 1 : 0)[0] = index
        case Instruction.Base.tableGrow: set(3, run % 4)
        default: break
        }
    }

    // MARK: Memory

    private mutating func adjustMemory() {
        switch subject.base {
        case Instruction.Base.store, Instruction.Base.storeScaled,
            Instruction.Base.storeFar:
            if run % 2 == 0 && sharesNoSlot { slot(0)[0] = random.of(Edges.integers) }
        case Instruction.Base.storeRegister:
            accumulate(random.of(Edges.integers))
        case Instruction.Base.storeFloatRegister:
            // An address in the accumulator is one of the integer's.
            let address = accumulators.r
            accumulate(random.of(subject.edges))
            accumulators.r = address
        case Instruction.Base.memorySizeFar:
            set(2, run % 2)
            set(3, pick(0, 16))
        case Instruction.Base.memoryGrow:
            set(2, run % 2)
            set(3, run / 2 % 2)
        case Instruction.Base.memorySize:
            if run % 2 == 0 { Stage.memories[0].byteCount = UInt(run) << 14 }
        case Instruction.Base.memoryCopy, Instruction.Base.memoryFill: adjustBulk()
        case Instruction.Base.bulk: set(3, run % 7)
        case Instruction.Base.dropSegment: set(0, run % 2)
        default: break
        }
        if isOf(Instruction.Base.storeFar) || isOf(Instruction.Base.loadFar)
            || isOf(Instruction.Base.vectorLoadFar)
            || isOf(Instruction.Base.vectorStoreFar)
        {
            set(2, run % 2)
            at[2] = random.below(4) == 0 ? random.next() : UInt64(random.below(40))
            if run % 8 == 5 { slot(1)[0] = random.next() }
        }
        let isAtomic =
            subject.base >= Instruction.Base.atomicLoad
            && subject.base < Instruction.Base.atomicFence
        if isAtomic {
            at[2] = random.below(4) == 0 ? random.next() : UInt64(8 * random.below(8))
            at[3] = UInt64(run % 2)
            for operand in 1..<4 {
                if random.below(2) == 0 && sharesNoSlot {
                    slot(operand)[0] = random.of(Edges.integers)
                }
            }
            if random.below(8) != 0 { slot(1)[0] = UInt64(8 * random.below(33)) }
            if isOf(Instruction.Base.atomicWait) { at[3] |= (run / 2 % 2 == 0 ? 4 : 8) &<< 32 }
            if isOf(Instruction.Base.atomicCompareExchange) && run % 4 == 1 && sharesNoSlot {
                // The value that is there.
                slot(1)[0] = UInt64(8 * random.below(20))
                at[2] = 0
                let base = run % 2 == 0 ? Stage.memory0 : Stage.memory1
                slot(2)[0] = base.load(
                    fromByteOffset: Int(truncatingIfNeeded: slot(1)[0]), as: UInt64.self)
            }
        }
    }

    private var sharesNoSlot: Bool { slots[0] != slots[1] }

    private mutating func adjustBulk() {
        slot(0)[0] = UInt64(random.below(260))
        slot(1)[0] = UInt64(random.below(260))
        slot(2)[0] = UInt64(
            pick(0, 1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 200, -1) & 0xffff_ffff)
        if run % 32 == 0 {
            // From 64 KiB on the runtime does it.
            Stage.memories[0].byteCount = 140_000
            slot(2)[0] = UInt64(pick(65_535, 65_536, 70_000))
        }
    }

    // MARK: Objects

    /// Puts a reference where operand form `form` has it: S for slot 1, R for the accumulator.
    private mutating func refer(_ form: String, _ reference: UInt64) {
        if form.utf8.first == UInt8(ascii: "R") {
            accumulators.r = reference
        } else {
            slot(1)[0] = reference
        }
    }

    private mutating func adjustObjects() {
        let structures = [
            0, Objects.reference(Objects.structure), Objects.reference(Objects.extended),
        ]
        let structure = structures[run % 8 == 0 ? 0 : 1 + run % 2]
        let array = run % 8 == 0 ? 0 : Objects.reference(Objects.array)
        let index = UInt64(pick(0, 1, 5, 11, 12, 0x7fff_ffff, 0xffff_ffff))
        switch subject.base {
        case Instruction.Base.structGet, Instruction.Base.structSet,
            Instruction.Base.structSetFloat:
            setHalf(12, 8 * (1 + run % 14))
            refer(subject.labels[1], structure)
        case Instruction.Base.structGetVector, Instruction.Base.structSetVector:
            setHalf(12, 8 * (1 + run % 13))
            slot(1)[0] = structure
        case Instruction.Base.arrayGet, Instruction.Base.arraySet,
            Instruction.Base.arraySetFloat:
            let form = Array(subject.labels[1].utf8)
            if form[1] == UInt8(ascii: "R") { accumulators.r = index } else { slot(2)[0] = index }
            refer(subject.labels[1], array)
        case Instruction.Base.arrayGetVector, Instruction.Base.arraySetVector:
            slot(2)[0] = index
            slot(1)[0] = array
        case Instruction.Base.arrayLength: refer(subject.labels[1], array)
        case Instruction.Base.structNew, Instruction.Base.structNewDefault: adjustNew()
        case Instruction.Base.i31Get:
            refer(subject.labels[1], run % 8 == 0 ? 0 : random.of(Edges.integers) | 1)
        case Instruction.Base.refTest, Instruction.Base.refCast,
            Instruction.Base.castBranch:
            adjustCast()
        default: break
        }
    }

    private mutating func adjustNew() {
        set(1, 50)
        setHalf(12, 3)
        set(4, HeapOffset.freeList(Objects.sizeClass))
        set(7, Objects.sizeClass)
        if isOf(Instruction.Base.structNewDefault) {
            set(5, 2 + run % 10)
            set(6, 0)
            return
        }
        let whole = run % 3, partial = run / 3 % 4
        set(5, whole)
        set(6, partial)
        var offset = 8
        for field in 0..<(whole + partial) {
            let size = field < whole ? 3 : (run / 12 + field) % 3
            at[3 + field] =
                UInt64(8 + 4 * field) | UInt64(size) &<< 16 | UInt64(offset) &<< 32
            offset += 8
        }
        codeWords = 3 + whole + partial
    }

    private mutating func adjustCast() {
        set(4, run / 8 % 4)
        set(5, run / 2 % 2)
        switch subject.labels[1] {
        case "object":
            setHalf(12, pick(3, 5, 6, 7))
            refer(
                subject.labels[2],
                [
                    0, 9, 2, Objects.reference(Objects.structure),
                    Objects.reference(Objects.extended),
                ][run % 5])
        case "function":
            setHalf(12, pick(3, 7, 8, 9))
            refer(
                subject.labels[2], run % 6 == 0 ? 0 : Stage.number(Stage.functions + run % 6 - 1))
        default:
            setHalf(12, pick(0, 1) << 28)
            refer(
                subject.labels[2],
                [
                    0, 9, 2, 4, Objects.reference(Objects.structure),
                    Objects.reference(Objects.array),
                ][run % 6])
        }
        // By 0 bytes: a cast, which traps.
        let searches = subject.labels[1] == "object" || subject.labels[1] == "function"
        if isOf(Instruction.Base.castBranch) && searches && subject.labels[3] == "on_cast_fail"
            && run % 4 == 1
        {
            setHalf(20, 0)
        }
    }

    // MARK: Vectors

    private mutating func adjustVectors() {
        // Byte offsets from slot 0 of the frame.
        func place() -> Int { 64 + random.below(128) }
        switch subject.base {
        case Instruction.Base.vectorExtract: setHalf(12, place())
        case Instruction.Base.vectorHalf:
            setHalf(12, place())
            at[2] = UInt64(place())
        case Instruction.Base.vectorShuffle8, Instruction.Base.vectorShuffle16,
            Instruction.Base.vectorShuffle32:
            for word in 2..<subject.wordCount {
                at[word] = UInt64(place()) | UInt64(place()) &<< 32
            }
        case Instruction.Base.vectorWindow: set(3, 1 + run % 63)
        case Instruction.Base.vectorReplace, Instruction.Base.vectorReplaceFloat:
            at[2] = pick(0, 1) == 0 ? 0xffff_ffff : 0xff00
            at[3] = random.next()
        default: break
        }
    }
}
