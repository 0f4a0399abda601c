/// The register instruction set: every family, in the order of instruction numbers.
///
/// Adding a row adds its instructions; `swift run generate-instructions` writes the handlers.
public let instructionSet: [Family] =
    integerFamilies + floatFamilies + conversionFamilies + memoryFamilies + controlFamilies
    + callFamilies + dataFamilies + fusedFamilies + atomicFamilies + exceptionFamilies
    + referenceFamilies + vectorFamilies + observationFamilies

private let commutativeIntegers = integerOperators([
    ("add", "Add"), ("mul", "Multiply"), ("and", "And"), ("or", "Or"), ("xor", "Xor"),
])
private let orderedIntegers = integerOperators([
    ("sub", "Subtract"), ("shl", "ShiftLeft"), ("shr_s", "ShiftRightSigned"),
    ("shr_u", "ShiftRightUnsigned"), ("rotl", "RotateLeft"), ("rotr", "RotateRight"),
])
private let divisions = integerOperators([
    ("div_s", "DivideSigned"), ("div_u", "DivideUnsigned"),
    ("rem_s", "RemainderSigned"), ("rem_u", "RemainderUnsigned"),
])
private let integerComparisonNames = [
    ("eq", "Equal"), ("ne", "NotEqual"), ("lt_s", "LessSigned"), ("lt_u", "LessUnsigned"),
    ("gt_s", "GreaterSigned"), ("gt_u", "GreaterUnsigned"), ("le_s", "LessOrEqualSigned"),
    ("le_u", "LessOrEqualUnsigned"), ("ge_s", "GreaterOrEqualSigned"),
    ("ge_u", "GreaterOrEqualUnsigned"),
]
private let integerComparisons = integerOperators(integerComparisonNames)
/// Branch conditions: the comparisons, for i32 also `and` tested for non-zero and zero.
private let integerConditions: Axis =
    Array(integerComparisons[..<10]) + [
        Choice("i32.test", "AnyBitSet<UInt32>.self"),
        Choice("i32.test_not", "NoBitSet<UInt32>.self"),
    ] + Array(integerComparisons[10...])

let integerFamilies = [
    Family(
        "integerCommutative", "binary", [commutativeIntegers, commutativeForms, toSlotOrRegister]),
    // Immediates that do not fit 32 bits.
    Family(
        "integerWide", "binary",
        [
            Array(commutativeIntegers[5...]),
            [
                Choice("SI", "Slot1.self, Wide.self", fields: "s1 w", extraWords: 1),
                Choice("RI", "Register.self, Wide.self", fields: "r w", extraWords: 1),
            ], toSlotOrRegister,
        ]),
    Family("integerOrdered", "binary", [orderedIntegers, orderedForms, toSlotOrRegister]),
    Family("division", "division", [divisions, orderedForms], fields: "s0"),
    Family("integerCompare", "compare", [integerComparisons, commutativeForms, toSlotOrRegister]),
    Family(
        "integerBranch", "compareBranch", [integerConditions, branchForms, directions], fields: "b"),
    Family(
        "integerUnary", "unary",
        [
            integerOperators([
                ("clz", "CountLeadingZeros"), ("ctz", "CountTrailingZeros"),
                ("popcnt", "CountOnes"),
                ("extend8_s", "Extend8"), ("extend16_s", "Extend16"),
            ]) + [
                Choice("i32.eqz", "EqualZero<UInt32>.self"),
                Choice("i64.eqz", "EqualZero<UInt64>.self"),
                Choice("i32.wrap_i64", "Wrap.self"),
                Choice("i64.extend_i32_s", "ExtendSigned.self"),
            ], sourceSlotOrRegister, toSlotOrRegister,
        ]),
]

private let floatComparisonNames = [
    ("eq", "FloatEqual"), ("ne", "FloatNotEqual"), ("lt", "FloatLess"), ("gt", "FloatGreater"),
    ("le", "FloatLessOrEqual"), ("ge", "FloatGreaterOrEqual"),
]
/// Branches also need the negations, which differ from the opposite comparison when NaN is met.
private let floatNegations = [
    ("not_lt", "FloatNotLess"), ("not_gt", "FloatNotGreater"),
    ("not_le", "FloatNotLessOrEqual"), ("not_ge", "FloatNotGreaterOrEqual"),
]

let floatFamilies = [
    Family(
        "floatCommutative", "binary",
        [
            floatOperators([
                ("add", "FloatAdd"), ("mul", "FloatMultiply"), ("min", "FloatMinimum"),
                ("max", "FloatMaximum"),
            ]), commutativeFloatForms, toSlotOrRegister,
        ]),
    Family(
        "floatOrdered", "binary",
        [
            floatOperators([
                ("sub", "FloatSubtract"), ("div", "FloatDivide"), ("copysign", "FloatCopySign"),
            ]),
            orderedFloatForms, toSlotOrRegister,
        ]),
    Family(
        "floatCompare", "compare",
        [floatOperators(floatComparisonNames), commutativeFloatForms, toSlotOrRegister]),
    Family(
        "floatBranch", "compareBranch",
        [floatOperators(floatComparisonNames + floatNegations), floatBranchForms, directions],
        fields: "b"),
    Family(
        "floatUnary", "unary",
        [
            floatOperators([
                ("abs", "FloatAbsolute"), ("neg", "FloatNegate"), ("ceil", "FloatCeiling"),
                ("floor", "FloatFloor"), ("trunc", "FloatTruncate"), ("nearest", "FloatNearest"),
                ("sqrt", "FloatSquareRoot"),
            ]), sourceSlotOrRegister, toSlotOrRegister,
        ]),
    Family(
        "floatCanonicalize", "unary",
        [
            floatOperators([("canonicalize", "FloatCanonicalize")]), sourceSlotOrRegister,
            toSlotOrRegister,
        ]),
]

/// f32 and f64 from i32 and i64, signed and unsigned; then demotion, promotion.
private let floatConversions: Axis =
    [("f32", "Float"), ("f64", "Double")].flatMap { float, floatType in
        [
            ("i32_s", "UInt32", "Signed"), ("i32_u", "UInt32", "Unsigned"),
            ("i64_s", "UInt64", "Signed"), ("i64_u", "UInt64", "Unsigned"),
        ].map { Choice("\(float).convert_\($0.0)", "Convert\($0.2)<\($0.1), \(floatType)>.self") }
    } + [Choice("f32.demote_f64", "Demote.self"), Choice("f64.promote_f32", "Promote.self")]

private func truncations(_ name: String, _ type: String) -> Axis {
    [("i32", "UInt32"), ("i64", "UInt64")].flatMap { integer, integerType in
        [
            ("f32_s", "Float", "Signed"), ("f32_u", "Float", "Unsigned"),
            ("f64_s", "Double", "Signed"), ("f64_u", "Double", "Unsigned"),
        ].map {
            Choice("\(integer).\(name)_\($0.0)", "\(type)\($0.2)<\($0.1), \(integerType)>.self")
        }
    }
}

let conversionFamilies = [
    Family("floatConvert", "unary", [floatConversions, sourceSlotOrRegister, toSlotOrRegister]),
    Family(
        "truncate", "truncation",
        [truncations("trunc", "Truncate"), sourceSlotOrRegister, toSlotOrRegister]),
    Family(
        "truncateSaturating", "unary",
        [truncations("trunc_sat", "Saturate"), sourceSlotOrRegister, toSlotOrRegister]),
]

/// `i64.load8_u` and the like are the i32 instructions: registers and slots are zero-extended.
private let loads: Axis = [
    Choice("i32.load", "Access<UInt32, UInt32>.self"),
    Choice("i32.load8_s", "Access<Int8, UInt32>.self"),
    Choice("i32.load8_u", "Access<UInt8, UInt32>.self"),
    Choice("i32.load16_s", "Access<Int16, UInt32>.self"),
    Choice("i32.load16_u", "Access<UInt16, UInt32>.self"),
    Choice("i64.load", "Access<UInt64, UInt64>.self"),
    Choice("i64.load8_s", "Access<Int8, UInt64>.self"),
    Choice("i64.load16_s", "Access<Int16, UInt64>.self"),
    Choice("i64.load32_s", "Access<Int32, UInt64>.self"),
    Choice("f32.load", "FloatAccess<Float>.self"),
    Choice("f64.load", "FloatAccess<Double>.self"),
]
private let stores: Axis = [
    Choice("i32.store8", "Access<UInt8, UInt32>.self"),
    Choice("i32.store16", "Access<UInt16, UInt32>.self"),
    Choice("i32.store", "Access<UInt32, UInt32>.self"),
    Choice("i64.store", "Access<UInt64, UInt64>.self"),
]
private let floatStores: Axis = [
    Choice("f32.store", "FloatAccess<Float>.self"), Choice("f64.store", "FloatAccess<Double>.self"),
]

private let storedValues: Axis = [
    Choice("S", "Slot0.self", fields: "s0"), Choice("I", "Immediate0.self", fields: "i0"),
]

/// Accesses by their index, with the logarithm of their size, and every scaled address.
private func scaled(_ accesses: Axis, _ scales: [Int: Int]) -> Axis {
    scales.sorted { $0.key < $1.key }.flatMap { index, scale in
        scaledAddressForms(scale).map {
            Choice(
                "\(accesses[index].label) \($0.label)",
                "\(accesses[index].arguments), \($0.arguments)", fields: $0.fields)
        }
    }
}

let memoryFamilies = [
    Family("load", "load", [loads, scalarAddressForms, toSlotOrRegister]),
    Family(
        "loadScaled", "load",
        [scaled(loads, [3: 1, 4: 1, 7: 1, 0: 2, 8: 2, 9: 2, 5: 3, 10: 3]), toSlotOrRegister]),
    Family(
        "store", "store",
        [
            stores, scalarAddressForms, storedValues,
        ]),
    Family("storeScaled", "store", [scaled(stores, [1: 1, 2: 2, 3: 3]), storedValues]),
    // The value is in the accumulator, so the address cannot be: only forms S and K.
    Family(
        "storeRegister", "store",
        [
            stores, Array(addressForms.filter { ["S", "K"].contains($0.label) }),
            [Choice("R", "Register.self", fields: "r")],
        ]),
    Family(
        "storeFloatRegister", "store",
        [floatStores, addressForms, [Choice("R", "Register.self", fields: "r")]]),
    // A load and the store of what it loaded. Fields 0 and 2: where to, 1 and 3: where from.
    Family(
        "move", "moveMemory",
        [
            [
                Choice("move8", "UInt8.self"), Choice("move32", "UInt32.self"),
                Choice("move64", "UInt64.self"),
            ]
        ], fields: "s0 n2 s1 n3", "memory to memory"),
    // Any other memory, or a 64-bit one: address in a slot, memory index, 64-bit offset.
    Family("loadFar", "loadFar", [loads], fields: "s0 s1 n2 w", words: 3),
    Family("storeFar", "storeFar", [stores], fields: "s0 s1 n2 w", words: 3),
    Family("memorySize", "memorySize", [[Choice("memory.size", "")]], fields: "s0"),
    Family("memorySizeFar", "memorySizeFar", [[Choice("memory.size", "")]], fields: "s0 n2 n3"),
    Family("memoryGrow", "memoryGrow", [[Choice("memory.grow", "")]], fields: "s0 s1 n2"),
    Family("memoryCopy", "memoryCopy", [[Choice("memory.copy", "")]], fields: "s0 s1 s2"),
    Family("memoryFill", "memoryFill", [[Choice("memory.fill", "")]], fields: "s0 s1 s2"),
    // One handler for all: alike ones would be merged behind a real call by the optimiser.
    Family(
        "bulk", "bulk", [[Choice("bulk", "")]], fields: "n3 s0 s1 s2 w", words: 3,
        "field 3 is a `BulkOperation`; three slots; word 2 holds two indices"),
    Family(
        "dropSegment", "dropSegment", [[Choice("drop", "")]], fields: "n0 u",
        "field 0: 0 for a data segment, 1 for an element segment"),
]

let controlFamilies = [
    Family("branch", "branch", [[Choice("br", "")], directions], fields: "b"),
    Family(
        "branchIf", "branchIf",
        [
            [Choice("br_if", "NonZero.self"), Choice("br_unless", "Zero.self")],
            sourceSlotOrRegister, directions,
        ], fields: "b"),
    Family(
        "branchTable", "branchTable",
        [
            [Choice("br_table", "")],
            sourceSlotOrRegister + [
                Choice("SI", "Sum<Slot1, Immediate0>.self", fields: "s1 i0"),
                Choice("RI", "Sum<Register, Immediate0>.self", fields: "r i0"),
            ],
        ], fields: "u"),
    Family("copyBranch", "copyBranch", [[Choice("copy+br", "")], directions], fields: "s0 s1 b"),
    Family(
        "constantBranch", "constantBranch", [[Choice("const+br", "")], directions],
        fields: "s0 i1 b"),
    Family("charge", "charge", [[Choice("charge", "")]], fields: "u"),
    Family("unreachable", "unreachable", [[Choice("unreachable", "")]]),
    Family("halt", "halt", [[Choice("halt", "")]]),
    Family("returnNone", "returnNone", [[Choice("return", "")]], fields: "n0"),
    Family(
        "returnValue", "returnValue",
        [
            [
                Choice("return", "UInt64.self"), Choice("return.f32", "Float.self"),
                Choice("return.f64", "Double.self"),
            ], sourceSlotOrRegister,
        ], fields: "n0"),
    Family(
        "returnConstant", "returnValue",
        [[Choice("return", "UInt32.self")], [Choice("I", "Immediate32.self", fields: "i")]],
        fields: "n0"),
]

let callFamilies = [
    Family("call", "call", [[Choice("call", "")]], fields: "c n4 n5", words: 3),
    Family("callImport", "callImport", [[Choice("call.import", "")]], fields: "u n4 n5", words: 3),
    Family(
        "callIndirect", "callIndirect", [[Choice("call_indirect", "")], sourceSlotOrRegister],
        fields: "u n4 n5", words: 3),
    Family(
        "callIndirectFar", "callIndirectFar", [[Choice("call_indirect", "")]],
        fields: "s1 u n4 n5 b2", words: 3, "any table; its index in the upper half of word 2"),
    Family(
        "callReference", "callReference", [[Choice("call_ref", "")]], fields: "s1 n4 n5", words: 3),
    Family(
        "returnCall", "returnCall", [[Choice("return_call", "")]], fields: "c n4 n5 n6 n7", words: 3
    ),
    Family(
        "returnCallImport", "returnCallImport", [[Choice("return_call.import", "")]],
        fields: "u n4 n5 n6 n7", words: 3),
    Family(
        "returnCallIndirect", "returnCallIndirect", [[Choice("return_call_indirect", "")]],
        fields: "s1 u n4 n5 n6 n7 w", words: 4, "table index in word 3"),
    Family(
        "returnCallReference", "returnCallReference", [[Choice("return_call_ref", "")]],
        fields: "s1 n4 n5 n6 n7", words: 3),
    Family("crossReturn", "crossReturn", [[Choice("cross_return", "")]]),
    Family("translateStub", "translateStub", [[Choice("translate", "")]], fields: "w"),
]

/// An instruction for every accumulator.
private func valueClasses(_ name: String) -> Axis {
    [
        Choice(name, "UInt64.self"), Choice("\(name).f32", "Float.self"),
        Choice("\(name).f64", "Double.self"),
    ]
}
let globalPlaces: Axis = [
    Choice("own", "OwnGlobal.self"), Choice("imported", "ImportedGlobal.self"),
]

let dataFamilies = [
    Family("copy", "copy", [[Choice("copy", "")]], fields: "s0 s1"),
    Family("copyTwo", "copyTwo", [[Choice("copy2", "")]], fields: "s0 s1 s2 s3"),
    Family("copyConstant", "copyConstant", [[Choice("copy+const", "")]], fields: "s0 s1 s2 n3"),
    Family("constantTwo", "constantTwo", [[Choice("const2", "")]], fields: "s0 n1 s2 n3"),
    Family("copyRange", "copyRange", [[Choice("copy.range", "")]], fields: "s0 s1 u"),
    Family("constant32", "constant32", [[Choice("const", "")]], fields: "s0 u"),
    Family("constant64", "constant64", [[Choice("const", "")]], fields: "s0 w", words: 3),
    Family("zero", "zero", [[Choice("zero", "")]], fields: "s0 u"),
    Family(
        "globalGet", "globalGet", [valueClasses("global.get"), globalPlaces, toSlotOrRegister],
        fields: "u"),
    Family(
        "globalSet", "globalSet",
        [[Choice("global.set", "UInt64.self")], globalPlaces, sourceSlotOrRegister], fields: "u"),
    Family(
        "globalSetFloat", "globalSet",
        [
            [Choice("global.set.f32", "Float.self"), Choice("global.set.f64", "Double.self")],
            globalPlaces, [Choice("R", "Register.self", fields: "r")],
        ], fields: "u"),
    // What functions do with the pointer to the stack that compilers keep in a global.
    Family(
        "globalAdd", "globalAdd", [[Choice("global.add", "")]], fields: "s0 n1 i",
        "adds to a global, and notes the sum"),
    Family(
        "globalSetSum", "globalSetSum", [[Choice("global.set.add", "")]], fields: "n0 s1 i",
        "sets a global to a sum"),
    Family(
        "select", "select",
        [
            valueClasses("select"),
            [
                Choice("S", "Slot3.self", fields: "s1 s2 s3"),
                Choice("R", "Register.self", fields: "s1 s2 r"),
            ],
            toSlotOrRegister,
        ]),
    Family(
        "selectImmediate", "selectImmediate",
        [
            [Choice("select", "UInt64.self")],
            [
                Choice("S", "Slot3.self", fields: "s1 i2 s3"),
                Choice("R", "Register.self", fields: "s1 i2 r"),
            ],
            toSlotOrRegister,
        ]),
    Family("tableGet", "tableGet", [[Choice("table.get", "")]], fields: "s0 s1 n2"),
    Family("tableSet", "tableSet", [[Choice("table.set", "")]], fields: "s0 s1 n2"),
    Family("tableSize", "tableSize", [[Choice("table.size", "")]], fields: "s0 n2"),
    Family("tableGrow", "tableGrow", [[Choice("table.grow", "")]], fields: "s0 s1 s2 n3"),
    Family("functionReference", "functionReference", [[Choice("ref.func", "")]], fields: "s0 u"),
    Family("nullCheck", "nullCheck", [[Choice("ref.as_non_null", "")]], fields: "s1"),
    Family(
        "wide", "wideArithmetic",
        [
            [
                Choice("i64.add128", "WideAdd.self"), Choice("i64.sub128", "WideSubtract.self"),
                Choice("i64.mul_wide_s", "WideMultiplySigned.self"),
                Choice("i64.mul_wide_u", "WideMultiplyUnsigned.self"),
            ]
        ], fields: "s0 s1 s2 s4 s5", words: 3, "destination of two slots, up to four sources"),
]

private let branchedLoads: Axis = [
    Choice("i32.load", "Access<UInt32, UInt32>.self"),
    Choice("i32.load8_u", "Access<UInt8, UInt32>.self"),
    Choice("i32.load16_u", "Access<UInt16, UInt32>.self"),
]

let fusedFamilies = [
    Family(
        "addBranch", "addBranch",
        [
            integerComparisons,
            [
                Choice("I", "Immediate1.self", fields: "s0 i1"),
                Choice("S", "Slot1.self", fields: "s0 s1"),
            ],
            [
                Choice("S", "Slot2.self", fields: "s2"),
                Choice("I", "Immediate2.self", fields: "i2"),
            ],
        ], fields: "b16", "add to a slot, compare the sum, branch back"),
    Family(
        "addBranchWide", "addBranchWide",
        [
            integerComparisons,
            [
                Choice("I", "Immediate1.self", fields: "s0 i1"),
                Choice("S", "Slot1.self", fields: "s0 s1"),
            ],
        ], fields: "i b2", words: 3, "the same with a 32-bit immediate"),
    Family(
        "addTwo", "addTwo",
        [[Choice("i32.add2", "UInt32.self"), Choice("i64.add2", "UInt64.self")]],
        fields: "s0 i1 s2 i3", "two slots, an immediate added to each"),
    Family(
        "sumTwo", "sumTwo", [[Choice("i32.sum2", "")]], fields: "s2 s3 h5 s0 s1 h4", words: 3,
        "two sums of a slot and an immediate, the one of fields 2 and 3 first"),
    Family("postIncrement", "postIncrement", [[Choice("i32.postinc", "")]], fields: "s0 s1 i"),
    Family(
        "loadTwo", "loadTwo",
        [
            [
                Choice("i32.load2", "Access<UInt32, UInt32>.self"),
                Choice("i32.load8_u2", "Access<UInt8, UInt32>.self"),
                Choice("i64.load2", "Access<UInt64, UInt64>.self"),
            ],
            toSlotOrRegister,
        ], fields: "s1 u4 s2 s3 u5", words: 3,
        "two loads, the one of fields 2 and 3 first"),
    Family(
        "loadBranch", "loadBranch",
        [
            branchedLoads, Array(addressForms[0...1]),
            [Choice("br_if", "NonZero.self"), Choice("br_unless", "Zero.self")],
            directions, toSlotOrRegister,
        ], fields: "b2", words: 3),
    Family(
        "loadCompareBranch", "loadCompareBranch",
        [
            branchedLoads, Array(addressForms[0...1]), Array(integerConditions[..<12]),
            [
                Choice("S", "Slot0.self", fields: "s0"),
                Choice("I", "Immediate0.self", fields: "i0"),
            ], directions,
        ], fields: "s4 b2", words: 3, "a load, and the comparison of what it loaded"),
    Family(
        "bitField", "bitField", [[Choice("i32.bits", "")], sourceSlotOrRegister, toSlotOrRegister],
        fields: "n2 n3", "(a >> field 3) & field 2"),
    Family(
        "multiplyAdd", "multiplyAdd",
        [
            integerOperators([("mul+add", "MultiplyAdd")])
                + floatOperators([("mul+add", "FloatMultiplyAdd")]),
            [
                Choice("S", "Slot3.self", fields: "s1 s2 s3"),
                Choice("R", "Register.self", fields: "s1 s2 r"),
            ],
            toSlotOrRegister,
        ]),
    Family(
        "multiplySubtract", "multiplyAdd",
        [
            integerOperators([("mul+sub", "MultiplySubtract")])
                + floatOperators([("mul+sub", "FloatMultiplySubtract")]),
            [Choice("S", "Slot3.self", fields: "s1 s2 s3")],
            toSlotOrRegister,
        ], "c - a * b"),
    Family(
        "shiftAdd", "shiftAdd",
        [
            integerOperators([("shl+add", "ShiftAdd")]),
            [
                Choice("SS", "Slot2.self, Slot1.self", fields: "s2 s1"),
                Choice("RS", "Register.self, Slot1.self", fields: "r s1"),
                Choice("SR", "Slot2.self, Register.self", fields: "s2 r"),
            ],
            toSlotOrRegister,
        ], fields: "n3", "(a << field 3) + b"),
]
