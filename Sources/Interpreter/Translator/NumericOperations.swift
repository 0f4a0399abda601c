// Descriptions of numeric operators and accesses to memory. The generated `OperatorRows.swift` maps
// instructions to them.

import WasmMachine

/// A binary operator.
struct BinaryOperation {
    /// The operator, and the family that its instructions are in.
    enum Operator {
        case integerCommutative(Instruction.IntegerCommutative)
        case integerOrdered(Instruction.IntegerOrdered)
        case division(Instruction.Division)
        case integerCompare(Instruction.IntegerComparison)
        case floatCommutative(Instruction.FloatCommutative)
        case floatOrdered(Instruction.FloatOrdered)
        case floatCompare(Instruction.FloatComparison)
    }

    var `operator`: Operator
    var operandClass: ValueClass
    var is64: Bool
    /// How the next instruction may fuse with this one.
    var kind: Emitted.Kind

    init(
        _ operator: Operator, _ operandClass: ValueClass, is64: Bool = false,
        _ kind: Emitted.Kind = .other
    ) {
        self.operator = `operator`
        self.operandClass = operandClass
        self.is64 = is64
        self.kind = kind
    }

    var resultClass: ValueClass { kind == .compare ? .integer : operandClass }

    var isDivision: Bool {
        if case .division = `operator` { true } else { false }
    }

    /// The operation that gives the same result for swapped operands, or nil.
    var swapped: BinaryOperation? {
        var result = self
        switch `operator` {
        case .integerCommutative, .floatCommutative: return self
        case .integerOrdered, .division, .floatOrdered: return nil
        case .integerCompare(let comparison): result.operator = .integerCompare(comparison.swapped)
        case .floatCompare(let comparison): result.operator = .floatCompare(comparison.swapped)
        }
        return result
    }

    /// The operator with an immediate of 64 bits, if there are such instructions.
    var wide: Instruction.IntegerWide? {
        guard case .integerCommutative(let commutative) = `operator` else { return nil }
        return Instruction.IntegerWide(commutative)
    }

    /// The instruction with operands in these forms and a slot destination, if there is one.
    func instruction(_ a: Operand.Form, _ b: Operand.Form) -> Instruction? {
        let form: Instruction.OrderedForm
        switch (a, b) {
        case (.slot, .slot): form = .slotSlot
        case (.slot, .immediate): form = .slotImmediate
        case (.register, .slot): form = .registerSlot
        case (.register, .immediate): form = .registerImmediate
        case (.slot, .register): form = .slotRegister
        case (.immediate, .slot): form = .immediateSlot
        case (.immediate, .register): form = .immediateRegister
        default: return nil
        }
        switch `operator` {
        case .integerOrdered(let ordered): return .integerOrdered(ordered, form, .toSlot)
        case .division(let division): return .division(division, form)
        case .floatOrdered(let ordered): return .floatOrdered(ordered, form, .toSlot)
        default: break
        }
        guard let form = Instruction.CommutativeForm(form) else { return nil }
        switch `operator` {
        case .integerCommutative(let commutative):
            return .integerCommutative(commutative, form, .toSlot)
        case .integerCompare(let comparison): return .integerCompare(comparison, form, .toSlot)
        case .floatCommutative(let commutative):
            return .floatCommutative(commutative, form, .toSlot)
        case .floatCompare(let comparison): return .floatCompare(comparison, form, .toSlot)
        default: return nil
        }
    }
}

/// A unary operator: the instruction with a slot source and slot destination.
struct UnaryOperation {
    var instruction: Instruction
    var operandClass: ValueClass
    var resultClass: ValueClass
    /// Whether the operand has 64 bits.
    var is64: Bool
    var kind: Emitted.Kind

    init(
        _ instruction: Instruction, _ operandClass: ValueClass, _ resultClass: ValueClass,
        is64: Bool = false, _ kind: Emitted.Kind = .other
    ) {
        self.instruction = instruction
        self.operandClass = operandClass
        self.resultClass = resultClass
        self.is64 = is64
        self.kind = kind
    }

    /// From the register to a slot: the last axes of unary instructions are source and destination.
    var fromRegister: Instruction { Instruction(instruction.number + 2) }
}

/// A load, and the class of its result.
struct LoadOperation {
    var load: Instruction.Load
    var valueClass: ValueClass

    init(_ load: Instruction.Load, _ valueClass: ValueClass) {
        self.load = load
        self.valueClass = valueClass
    }
}

/// A store, and the class of what it stores. From slots, floats are stored as integers are.
struct StoreOperation {
    var store: Instruction.Store
    var valueClass: ValueClass

    init(_ store: Instruction.Store, _ valueClass: ValueClass) {
        self.store = store
        self.valueClass = valueClass
    }
}

/// An access to memory that is atomic; widths are those in memory.
enum AtomicOperation {
    case load(Instruction.AtomicWidth)
    case store(Instruction.AtomicWidth)
    case modify(Instruction.AtomicModify, Instruction.AtomicWidth)
    case compareExchange(Instruction.AtomicWidth)
}

extension ValueClass {
    /// The accumulator of values of the class. Vectors have none.
    var accumulator: Instruction.Accumulator {
        switch self {
        case .float: .float
        case .double: .double
        case .integer, .vector: .integer
        }
    }
}

extension Instruction.BranchSense {
    init(negated: Bool) { self = negated ? .ifFalse : .ifTrue }
}
