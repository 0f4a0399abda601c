// Several operations in one instruction.

private let branchedLoads: Choices = [
    Choice("i32.load", "Access<UInt32, UInt32>.self"),
    Choice("i32.load8_u", "Access<UInt8, UInt32>.self"),
    Choice("i32.load16_u", "Access<UInt16, UInt32>.self"),
]

/// The same choice, named by its type only.
private func typeNamed(_ choice: Choice) -> Choice { choice.named(String(choice.label.prefix(3))) }
private func multiplications(_ choices: Choices) -> Axis {
    Axis("NumberType", choices.map(typeNamed))
}
private let addends = Axis(
    "Addend",
    [
        Choice("I", "Immediate1.self", fields: "s0 i1"),
        Choice("S", "Slot1.self", fields: "s0 s1"),
    ])

let fusedFamilies = [
    Family(
        "addBranch", "addBranch",
        [
            integerComparisonAxis,
            addends,
            Axis(
                "SlotOrImmediate",
                [
                    Choice("S", "Slot2.self", fields: "s2"),
                    Choice("I", "Immediate2.self", fields: "i2"),
                ]),
        ], fields: "b16", "add to a slot, compare the sum, branch back"),
    Family(
        "addBranchWide", "addBranchWide",
        [
            integerComparisonAxis,
            addends,
        ], fields: "i b2", words: 3, "the same with a 32-bit immediate"),
    Family(
        "addTwo", "addTwo",
        [
            Axis(
                "IntegerWidth",
                [
                    Choice("i32.add2", "UInt32.self").named("i32"),
                    Choice("i64.add2", "UInt64.self").named("i64"),
                ])
        ],
        fields: "s0 i1 s2 i3", "two slots, an immediate added to each"),
    Family(
        "sumTwo", "sumTwo", [[Choice("i32.sum2", "")]], fields: "s2 s3 h5 s0 s1 h4", words: 3,
        "two sums of a slot and an immediate, the one of fields 2 and 3 first"),
    Family("postIncrement", "postIncrement", [[Choice("i32.postinc", "")]], fields: "s0 s1 i"),
    Family(
        "loadTwo", "loadTwo",
        [
            Axis(
                "LoadPair",
                [
                    Choice("i32.load2", "Access<UInt32, UInt32>.self").named("i32Load"),
                    Choice("i32.load8_u2", "Access<UInt8, UInt32>.self").named("i32Load8U"),
                    Choice("i64.load2", "Access<UInt64, UInt64>.self").named("i64Load"),
                ]),
            toSlotOrRegister,
        ], fields: "s1 u4 s2 s3 u5", words: 3,
        "two loads, the one of fields 2 and 3 first"),
    Family(
        "loadBranch", "loadBranch",
        [
            Axis("BranchedLoad", branchedLoads), Axis("Source", Array(addressForms[0...1])),
            branchSenses,
            directions, toSlotOrRegister,
        ], fields: "b2", words: 3),
    Family(
        "loadCompareBranch", "loadCompareBranch",
        [
            Axis("BranchedLoad", branchedLoads), Axis("Source", Array(addressForms[0...1])),
            Axis("LoadedCondition", Array(integerConditions[..<12])), storedValues, directions,
        ], fields: "s4 b2", words: 3, "a load, and the comparison of what it loaded"),
    Family(
        "bitField", "bitField", [[Choice("i32.bits", "")], sourceSlotOrRegister, toSlotOrRegister],
        fields: "n2 n3", "(a >> field 3) & field 2"),
    Family(
        "multiplyAdd", "multiplyAdd",
        [
            multiplications(
                integerOperators([("mul+add", "MultiplyAdd")])
                    + floatOperators([("mul+add", "FloatMultiplyAdd")])),
            slotOrRegister("Slot3.self", fields: "s1 s2 s3", register: "s1 s2 r"),
            toSlotOrRegister,
        ]),
    Family(
        "multiplySubtract", "multiplyAdd",
        [
            multiplications(
                integerOperators([("mul+sub", "MultiplySubtract")])
                    + floatOperators([("mul+sub", "FloatMultiplySubtract")])),
            [Choice("S", "Slot3.self", fields: "s1 s2 s3")],
            toSlotOrRegister,
        ], "c - a * b"),
    Family(
        "shiftAdd", "shiftAdd",
        [
            Axis("IntegerWidth", integerOperators([("shl+add", "ShiftAdd")]).map(typeNamed)),
            Axis(
                "PairForm",
                [
                    Choice("SS", "Slot2.self, Slot1.self", fields: "s2 s1"),
                    Choice("RS", "Register.self, Slot1.self", fields: "r s1"),
                    Choice("SR", "Slot2.self, Register.self", fields: "s2 r"),
                ]),
            toSlotOrRegister,
        ], fields: "n3", "(a << field 3) + b"),
]
