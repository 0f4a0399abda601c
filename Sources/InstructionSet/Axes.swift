// The axes that families share. The order of choices is the order of instruction numbers.

/// The destination is always the last axis, so that the register-only variant of an instruction
/// that writes its slot is the next number.
let toSlotOrRegister = Axis(
    "Destination",
    [
        Choice("slot", "ToSlot.self", fields: "s0").named("toSlot"),
        Choice("register", "ToRegister.self", fields: "r").named("toRegister"),
    ])

/// An operand in a slot or in the accumulator.
func slotOrRegister(_ slot: String, fields: String, register: String = "r") -> Axis {
    Axis(
        "Source",
        [Choice("S", slot, fields: fields), Choice("R", "Register.self", fields: register)])
}
let sourceSlotOrRegister = slotOrRegister("Slot1.self", fields: "s1")

private let slotSlot = Choice("SS", "Slot1.self, Slot2.self", fields: "s1 s2")
private let slotImmediate = Choice("SI", "Slot1.self, Immediate32.self", fields: "s1 i")
private let registerSlot = Choice("RS", "Register.self, Slot1.self", fields: "r s1")
private let registerImmediate = Choice("RI", "Register.self, Immediate32.self", fields: "r i")
private let slotRegister = Choice("SR", "Slot1.self, Register.self", fields: "s1 r")
private let immediateSlot = Choice("IS", "Immediate32.self, Slot1.self", fields: "i s1")
private let immediateRegister = Choice("IR", "Immediate32.self, Register.self", fields: "i r")
private let slotWide = Choice("SI", "Slot1.self, Wide.self", fields: "s1 w", extraWords: 1)
private let registerWide = Choice("RI", "Register.self, Wide.self", fields: "r w", extraWords: 1)
private let wideSlot = Choice("IS", "Wide.self, Slot1.self", fields: "w s1", extraWords: 1)
private let wideRegister = Choice("IR", "Wide.self, Register.self", fields: "w r", extraWords: 1)

/// Operand forms when operands may be swapped.
let commutativeForms = Axis(
    "CommutativeForm", [slotSlot, slotImmediate, registerSlot, registerImmediate])
/// Operand forms when the order matters.
let orderedForms = Axis(
    "OrderedForm",
    commutativeForms.choices + [slotRegister, immediateSlot, immediateRegister])
/// The same for floats, whose immediates take a word of their own.
let commutativeFloatForms = Axis(
    "CommutativeForm", [slotSlot, slotWide, registerSlot, registerWide])
let orderedFloatForms = Axis(
    "OrderedForm", commutativeFloatForms.choices + [slotRegister, wideSlot, wideRegister])
/// Immediates of integers that do not fit 32 bits.
let wideForms = Axis("WideForm", [slotWide, registerWide])

/// Right operand in field 0, because the branch offset takes the upper half of word 1.
let branchForms = Axis(
    "BranchForm",
    [
        Choice("SS", "Slot1.self, Slot0.self", fields: "s1 s0"),
        Choice("SI", "Slot1.self, Immediate0.self", fields: "s1 i0"),
        Choice("RS", "Register.self, Slot0.self", fields: "r s0"),
        Choice("RI", "Register.self, Immediate0.self", fields: "r i0"),
        Choice("SW", "Slot1.self, Wide.self", fields: "s1 w", extraWords: 1),
        Choice("RW", "Register.self, Wide.self", fields: "r w", extraWords: 1),
    ])
let floatBranchForms = Axis(
    "FloatBranchForm",
    [
        Choice("SS", "Slot1.self, Slot0.self", fields: "s1 s0"),
        Choice("SW", "Slot1.self, Wide.self", fields: "s1 w", extraWords: 1),
        Choice("RS", "Register.self, Slot0.self", fields: "r s0"),
        Choice("RW", "Register.self, Wide.self", fields: "r w", extraWords: 1),
    ])

/// Backward branches use up budget, forward branches do not.
let directions = Axis(
    "Direction", [Choice("forward", "Forward.self"), Choice("loop", "Loop.self")])

/// Whether a branch is taken when its condition holds, or when it does not.
let branchSenses = Axis(
    "BranchSense",
    [
        Choice("br_if", "NonZero.self").named("ifTrue"),
        Choice("br_unless", "Zero.self").named("ifFalse"),
    ])

/// Effective addresses in memory 0 of a 32-bit memory.
let addressForms: Choices = [
    Choice("S", "AtSlot.self", fields: "s1 u"),
    Choice("R", "AtRegister.self", fields: "r u"),
    Choice("K", "AtConstant.self", fields: "u"),
    Choice("SI", "AtSlotImmediate.self", fields: "s1 i2 n3"),
    Choice("RI", "AtRegisterImmediate.self", fields: "r i2 n3"),
    Choice("SS", "AtSlotSlot.self", fields: "s1 s2 n3"),
    Choice("SR", "AtSlotRegister0.self", fields: "s1 r n3"),
    Choice("SR1", "AtSlotRegister1.self", fields: "s1 r<<1 n3"),
    Choice("SR2", "AtSlotRegister2.self", fields: "s1 r<<2 n3"),
    Choice("SR3", "AtSlotRegister3.self", fields: "s1 r<<3 n3"),
]

let addresses = Axis("Address", addressForms)
/// Scalars have two more forms: immediates of 32 bits, such as the addresses of static arrays.
let scalarAddresses = Axis(
    "ScalarAddress",
    addressForms + [
        Choice("SW", "AtSlotWide.self", fields: "s1 i"),
        Choice("RW", "AtRegisterWide.self", fields: "r n1 i"),
    ])
/// Elements of arrays: the index is shifted by `scale`, the logarithm of their size.
func scaledAddressForms(_ scale: Int) -> Choices {
    let type = ["", "UInt16", "UInt32", "UInt64"][scale]
    return [
        Choice("SSn", "AtSlotScaledSlot<\(type)>.self", fields: "s1 s2<<\(scale) n3")
            .named("slotIndex"),
        Choice("RSn", "AtRegisterScaledSlot<\(type)>.self", fields: "r s2<<\(scale) n3")
            .named("registerIndex"),
        Choice("SnW", "AtScaledSlotWide<\(type)>.self", fields: "s1<<\(scale) i")
            .named("slotIndexWide"),
        Choice("RnW", "AtScaledRegisterWide<\(type)>.self", fields: "r<<\(scale) n1 i")
            .named("registerIndexWide"),
    ]
}

/// A choice for every operator of `names`, for both integer types: `Add<UInt32>` and `Add<UInt64>`.
func integerOperators(_ names: [(String, String)]) -> Choices {
    [("i32", "UInt32"), ("i64", "UInt64")].flatMap { prefix, type in
        names.map { Choice("\(prefix).\($0.0)", "\($0.1)<\(type)>.self") }
    }
}

/// The same for both float types.
func floatOperators(_ names: [(String, String)]) -> Choices {
    [("f32", "Float"), ("f64", "Double")].flatMap { prefix, type in
        names.map { Choice("\(prefix).\($0.0)", "\($0.1)<\(type)>.self") }
    }
}

/// The same for comparisons: each with the one of the opposite result, and the one for swapped
/// operands.
func comparisons(
    _ operators: ([(String, String)]) -> Choices,
    _ rows: [(name: String, type: String, negated: String, swapped: String?)]
) -> Choices {
    let choices = operators(rows.map { ($0.name, $0.type) })
    return choices.enumerated().map { index, choice in
        let row = rows[index % rows.count], prefix = choice.label.prefix(4)
        return choice.comparing(
            negated: "\(prefix)\(row.negated)", swapped: row.swapped.map { "\(prefix)\($0)" })
    }
}

/// Adds the kinds of fusion to operators, by the name after the dot.
func fusing(_ choices: Choices, _ kinds: [String: String]) -> Choices {
    choices.map { choice in
        choice.fusing(choice.label.split(separator: ".").last.flatMap { kinds[String($0)] })
    }
}
