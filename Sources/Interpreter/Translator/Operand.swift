import WasmMachine

/// Which accumulator a value uses. Integers and references share one.
enum ValueClass: UInt8 {
    case integer = 0
    case float = 1
    case double = 2
    case vector = 3

    init(_ type: ValueType) {
        switch type {
        case .f32: self = .float
        case .f64: self = .double
        case .v128: self = .vector
        default: self = .integer
        }
    }

    var slotCount: Int { self == .vector ? 2 : 1 }
}

/// An operand on the translator's model of the operand stack, or several at once.
struct Entry {
    enum Kind {
        /// The value is in the entry's home slot.
        case temporary
        /// The value is that of a local, which has not changed since.
        case local
        case constant
        /// Several values, each in its home slot, so that pushing and popping a thousand results of
        /// a call takes no longer than one.
        case run
    }

    var kind: Kind
    var valueClass: ValueClass
    /// The slot that belongs to this place of the operand stack; of a run, to its first value.
    var home: Int32
    /// The home of the next entry.
    private(set) var end: Int32
    /// Local: the next deeper entry for the same local, or -1.
    var nextAlias: Int32 = -1
    /// Local: its index. Constant: its bits, as a slot holds them. Run: where its classes begin in
    /// `FunctionShapes.classes`, and in the upper half their number.
    private(set) var value: UInt64 = 0

    var local: Int { Int(truncatingIfNeeded: value) }

    init(kind: Kind, valueClass: ValueClass, home: Int, value: UInt64 = 0) {
        self.kind = kind
        self.valueClass = valueClass
        self.home = Int32(truncatingIfNeeded: home)
        end = Int32(truncatingIfNeeded: home + valueClass.slotCount)
        self.value = value
    }

    init(run classes: Range<Int>, home: Int, end: Int) {
        kind = .run
        valueClass = .integer
        self.home = Int32(truncatingIfNeeded: home)
        self.end = Int32(truncatingIfNeeded: end)
        value = UInt64(UInt32(truncatingIfNeeded: classes.lowerBound)) | UInt64(classes.count) << 32
    }

    /// Run: how many values.
    var runCount: Int { Int(truncatingIfNeeded: value >> 32) }
    /// Run: their classes.
    var runClasses: Range<Int> {
        let first = Int(UInt32(truncatingIfNeeded: value))
        return first..<(first + runCount)
    }

    /// Run: removes the last `count` values, which are in `slots` slots.
    mutating func shorten(by count: Int, slots: Int) {
        value -= UInt64(count) << 32
        end -= Int32(truncatingIfNeeded: slots)
    }
}

/// How an instruction takes an operand.
struct Operand {
    enum Form {
        case slot
        case register
        case immediate
    }

    var bits: UInt64
    private var compactSlot: Int32
    var form: Form
    /// Nothing else needs the slot once the instruction has run.
    var isTemporary: Bool

    init(form: Form, slot: Int, bits: UInt64 = 0, isTemporary: Bool) {
        self.bits = bits
        compactSlot = Int32(truncatingIfNeeded: slot)
        self.form = form
        self.isTemporary = isTemporary
    }

    /// The slot that has the value (also when the register is used), or the home of a constant.
    var slot: Int {
        get { Int(compactSlot) }
        set { compactSlot = Int32(truncatingIfNeeded: newValue) }
    }

    static let none = Operand(form: .slot, slot: -1, isTemporary: false)
}

// The structures below are copied with every instruction that is emitted, so they are compact.

/// What an accumulator holds.
struct RegisterContent {
    private var compactSlot: Int32
    private var compactProducer: Int32
    /// The instruction that wrote it.
    var instruction: Instruction

    init(slot: Int = -1, producer: Int = -1, instruction: Instruction = Instruction(0)) {
        compactSlot = Int32(truncatingIfNeeded: slot)
        compactProducer = Int32(truncatingIfNeeded: producer)
        self.instruction = instruction
    }

    /// The slot whose value it has, or -1.
    var slot: Int {
        get { Int(compactSlot) }
        set { compactSlot = Int32(truncatingIfNeeded: newValue) }
    }
    /// Where the instruction starts that wrote both, if its store may still be dropped; else -1.
    var producer: Int {
        get { Int(compactProducer) }
        set { compactProducer = Int32(truncatingIfNeeded: newValue) }
    }
}

struct Registers {
    var integer = RegisterContent()
    var float = RegisterContent()
    var double = RegisterContent()

    subscript(_ valueClass: ValueClass) -> RegisterContent {
        get {
            switch valueClass {
            case .float: float
            case .double: double
            default: integer
            }
        }
        set {
            switch valueClass {
            case .float: float = newValue
            case .double: double = newValue
            default: integer = newValue
            }
        }
    }

    /// A slot is written by an instruction that does not change the accumulators.
    mutating func forget(slot: Int) {
        if integer.slot == slot { integer.slot = -1 }
        if float.slot == slot { float.slot = -1 }
        if double.slot == slot { double.slot = -1 }
    }

    /// The same for a range of slots.
    mutating func forget(slots: Range<Int>) {
        if slots.contains(integer.slot) { integer.slot = -1 }
        if slots.contains(float.slot) { float.slot = -1 }
        if slots.contains(double.slot) { double.slot = -1 }
    }

    /// Values may be read from their slots from now on, so no store may be dropped.
    mutating func keepStores() {
        integer.producer = -1
        float.producer = -1
        double.producer = -1
    }
}

/// An instruction that was just emitted, with what the next one needs to fuse with it.
struct Emitted {
    enum Kind {
        case none
        case other
        case compare
        case equalZero
        case wrap
        case add
        case subtract
        case shiftLeft
        case shiftRightUnsigned
        case and
        case multiply
        case shiftAdd
        /// A load with address form S or R: `a` is the address, its bits the offset.
        case load
        case copy
        /// A constant of at most 16 bits.
        case constant
        /// `ref.test`
        case castTest
        /// slot += immediate of 16 bits
        case increment
        /// slot += slot
        case incrementBySlot
        case globalGet
        /// A global plus or minus an immediate, which went to a local.
        case globalSum
        /// Two loads; the operand is the result of the second.
        case loadTwo
        /// A local plus an immediate, which went to another local.
        case sumToLocal
        /// Like `load`, but the value went to a local.
        case loadToLocal
        case vectorConstant
        /// A whole vector from memory 0, by one of the addressing forms.
        case vectorLoad
        /// A load of half a vector, extended to one, by the same forms.
        case vectorExtendingLoad
        /// A binary operation on vectors in slots.
        case vectorBinary
        /// Like `vectorBinary`, but the result went to a local.
        case vectorBinaryToLocal
        /// A comparison of vectors, whose result may have gone to a local.
        case vectorCompare
        /// A shift of a vector by a constant.
        case vectorShift
        /// A product with a factor from memory.
        case vectorMultiplyLoad
        /// Another operation with an operand from memory.
        case vectorLoadedBinary
        /// A test of a vector, which can be followed by a branch.
        case vectorTest
    }

    /// The operator of an instruction, named as in the instruction set.
    enum Operator {
        case none
        case binary(BinaryOperation.Operator)
        case load(Instruction.Load)
        case castTest(Instruction.CastTarget)
        case vectorBinary(Instruction.VectorBinary)
        case vectorUpdate(Instruction.VectorUpdate)
        case vectorShift(Instruction.VectorShift)
        case vectorCompare(Instruction.VectorComparison, Instruction.VectorForm)
        case vectorTest(Instruction.VectorTest)
        /// `v128.any_true` of a comparison just before, which is at the word in `b.slot`.
        case anyTrue(Instruction.VectorComparison, Instruction.VectorForm)
        /// `v128.load`.
        case vectorLoad(Instruction.OperandAddress)
        case extendingLoad(Instruction.VectorLoad, Instruction.OperandAddress)
        case product(Instruction.LoadedProduct, Instruction.OperandAddress)
    }

    var kind = Kind.none
    var is64 = false
    /// Class of the operands.
    var valueClass = ValueClass.integer
    private var compactStart: Int32 = -1
    private var compactEnd: Int32 = -1
    /// Its operator, if the kind has one.
    var `operator` = Operator.none
    private var compactAmount: Int32 = 0
    private var compactDestination: Int32 = -1
    var a = Operand.none
    var b = Operand.none
    /// What the accumulators held before it ran.
    var before = Registers()

    /// Where it starts and ends in the code.
    var start: Int {
        get { Int(compactStart) }
        set { compactStart = Int32(truncatingIfNeeded: newValue) }
    }
    var end: Int {
        get { Int(compactEnd) }
        set { compactEnd = Int32(truncatingIfNeeded: newValue) }
    }
    /// What is added or shifted by; `incrementBySlot`: a slot; `globalGet`: the index of the
    /// global.
    var amount: Int {
        get { Int(compactAmount) }
        set { compactAmount = Int32(truncatingIfNeeded: newValue) }
    }
    /// The slot it writes, or -1.
    var destination: Int {
        get { Int(compactDestination) }
        set { compactDestination = Int32(truncatingIfNeeded: newValue) }
    }
}
