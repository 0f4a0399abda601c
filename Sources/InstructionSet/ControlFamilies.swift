// Branches, calls and returns.

let controlFamilies = [
    Family("branch", "branch", [[Choice("br", "")], directions], fields: "b"),
    Family(
        "branchIf", "branchIf",
        [
            branchSenses,
            sourceSlotOrRegister, directions,
        ], fields: "b"),
    Family(
        "branchTable", "branchTable",
        [
            [Choice("br_table", "")],
            Axis(
                "TableIndex",
                sourceSlotOrRegister.choices + [
                    Choice("SI", "Sum<Slot1, Immediate0>.self", fields: "s1 i0"),
                    Choice("RI", "Sum<Register, Immediate0>.self", fields: "r i0"),
                ]),
        ], fields: "u"),
    Family("copyBranch", "copyBranch", [[Choice("copy+br", "")], directions], fields: "s0 s1 b"),
    Family(
        "constantBranch", "constantBranch", [[Choice("const+br", "")], directions],
        fields: "s0 i1 b"),
    Family("charge", "charge", [[Choice("charge", "")]], fields: "u"),
    Family("unreachable", "unreachable", [[Choice("unreachable", "")]]),
    Family("halt", "halt", [[Choice("halt", "")]], code: .mayCall),
    Family("returnNone", "returnNone", [[Choice("return", "")]], fields: "n0"),
    Family(
        "returnValue", "returnValue",
        [
            accumulators("return"), sourceSlotOrRegister,
        ], fields: "n0"),
    Family(
        "returnConstant", "returnValue",
        [[Choice("return", "UInt32.self")], [Choice("I", "Immediate32.self", fields: "i")]],
        fields: "n0"),
]

let callFamilies = [
    Family("call", "call", [[Choice("call", "")]], fields: "c n4 n5", words: 3),
    Family(
        "callImport", "callImport", [[Choice("call.import", "")]], fields: "u n4 n5", words: 3,
        code: .mayPush),
    Family(
        "callIndirect", "callIndirect", [[Choice("call_indirect", "")], sourceSlotOrRegister],
        fields: "u n4 n5", words: 3, code: .mayCall),
    Family(
        "callIndirectFar", "callIndirectFar", [[Choice("call_indirect", "")]],
        fields: "s1 u n4 n5 b2", words: 3, code: .mayCall,
        "any table; its index in the upper half of word 2"),
    Family(
        "callReference", "callReference", [[Choice("call_ref", "")]], fields: "s1 n4 n5", words: 3,
        code: .mayPush),
    Family(
        "returnCall", "returnCall", [[Choice("return_call", "")]], fields: "c n4 n5 n6 n7",
        words: 3,
        code: .mayCall),
    Family(
        "returnCallImport", "returnCallImport", [[Choice("return_call.import", "")]],
        fields: "u n4 n5 n6 n7", words: 3, code: .mayCall),
    Family(
        "returnCallIndirect", "returnCallIndirect", [[Choice("return_call_indirect", "")]],
        fields: "s1 u n4 n5 n6 n7 w", words: 4, code: .mayCall, "table index in word 3"),
    Family(
        "returnCallReference", "returnCallReference", [[Choice("return_call_ref", "")]],
        fields: "s1 n4 n5 n6 n7", words: 3, code: .mayCall),
    Family("crossReturn", "crossReturn", [[Choice("cross_return", "")]], code: .mayCall),
    Family(
        "translateStub", "translateStub", [[Choice("translate", "")]], fields: "w", code: .mayCall),
]
