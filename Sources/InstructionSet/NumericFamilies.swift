// Operators on numbers: integers, floats, conversions.

private let commutativeIntegers = fusing(
    integerOperators([
        ("add", "Add"), ("mul", "Multiply"), ("and", "And"), ("or", "Or"), ("xor", "Xor"),
    ]), ["add": "add", "mul": "multiply", "and": "and"])
private let orderedIntegers = fusing(
    integerOperators([
        ("sub", "Subtract"), ("shl", "ShiftLeft"), ("shr_s", "ShiftRightSigned"),
        ("shr_u", "ShiftRightUnsigned"), ("rotl", "RotateLeft"), ("rotr", "RotateRight"),
    ]), ["sub": "subtract", "shl": "shiftLeft", "shr_u": "shiftRightUnsigned"])
private let divisions = integerOperators([
    ("div_s", "DivideSigned"), ("div_u", "DivideUnsigned"),
    ("rem_s", "RemainderSigned"), ("rem_u", "RemainderUnsigned"),
])
private let integerComparisons = comparisons(
    integerOperators,
    [
        ("eq", "Equal", negated: "ne", swapped: "eq"),
        ("ne", "NotEqual", negated: "eq", swapped: "ne"),
        ("lt_s", "LessSigned", negated: "ge_s", swapped: "gt_s"),
        ("lt_u", "LessUnsigned", negated: "ge_u", swapped: "gt_u"),
        ("gt_s", "GreaterSigned", negated: "le_s", swapped: "lt_s"),
        ("gt_u", "GreaterUnsigned", negated: "le_u", swapped: "lt_u"),
        ("le_s", "LessOrEqualSigned", negated: "gt_s", swapped: "ge_s"),
        ("le_u", "LessOrEqualUnsigned", negated: "gt_u", swapped: "ge_u"),
        ("ge_s", "GreaterOrEqualSigned", negated: "lt_s", swapped: "le_s"),
        ("ge_u", "GreaterOrEqualUnsigned", negated: "lt_u", swapped: "le_u"),
    ]
).map { $0.label == "i64.eq" ? $0.executing("ref.eq") : $0 }
let integerComparisonAxis = Axis("IntegerComparison", integerComparisons)
/// Branch conditions: the comparisons, for i32 also `and` tested for non-zero and zero.
let integerConditions: Choices =
    Array(integerComparisons[..<10]) + [
        Choice("i32.test", "AnyBitSet<UInt32>.self")
            .comparing(negated: "i32.test_not", swapped: nil),
        Choice("i32.test_not", "NoBitSet<UInt32>.self")
            .comparing(negated: "i32.test", swapped: nil),
    ] + Array(integerComparisons[10...])

let integerFamilies = [
    Family(
        "integerCommutative", "binary",
        [Axis("IntegerCommutative", commutativeIntegers), commutativeForms, toSlotOrRegister]),
    // Immediates that do not fit 32 bits.
    Family(
        "integerWide", "binary",
        [Axis("IntegerWide", Array(commutativeIntegers[5...])), wideForms, toSlotOrRegister]),
    Family(
        "integerOrdered", "binary",
        [Axis("IntegerOrdered", orderedIntegers), orderedForms, toSlotOrRegister]),
    Family(
        "division", "division", [Axis("Division", divisions), orderedForms], fields: "s0",
        code: .mayPush),
    Family(
        "integerCompare", "compare", [integerComparisonAxis, commutativeForms, toSlotOrRegister]),
    Family(
        "integerBranch", "compareBranch",
        [Axis("IntegerCondition", integerConditions), branchForms, directions], fields: "b"),
    Family(
        "integerUnary", "unary",
        [
            Axis(
                "IntegerUnary",
                integerOperators([
                    ("clz", "CountLeadingZeros"), ("ctz", "CountTrailingZeros"),
                    ("popcnt", "CountOnes"),
                    ("extend8_s", "Extend8"), ("extend16_s", "Extend16"),
                ]) + [
                    Choice("i32.eqz", "EqualZero<UInt32>.self").fusing("equalZero"),
                    Choice("i64.eqz", "EqualZero<UInt64>.self").fusing("equalZero")
                        .executing("ref.is_null"),
                    Choice("i32.wrap_i64", "Wrap.self").fusing("wrap"),
                    Choice("i64.extend_i32_s", "ExtendSigned.self").executing("i64.extend32_s"),
                ]), sourceSlotOrRegister, toSlotOrRegister,
        ]),
]

private let floatComparisons = comparisons(
    floatOperators,
    [
        ("eq", "FloatEqual", negated: "ne", swapped: "eq"),
        ("ne", "FloatNotEqual", negated: "eq", swapped: "ne"),
        ("lt", "FloatLess", negated: "not_lt", swapped: "gt"),
        ("gt", "FloatGreater", negated: "not_gt", swapped: "lt"),
        ("le", "FloatLessOrEqual", negated: "not_le", swapped: "ge"),
        ("ge", "FloatGreaterOrEqual", negated: "not_ge", swapped: "le"),
    ])
/// Branches also need the negations, which differ from the opposite comparison for NaNs.
private let floatConditions = comparisons(
    floatOperators,
    [
        ("eq", "FloatEqual", negated: "ne", swapped: nil),
        ("ne", "FloatNotEqual", negated: "eq", swapped: nil),
        ("lt", "FloatLess", negated: "not_lt", swapped: nil),
        ("gt", "FloatGreater", negated: "not_gt", swapped: nil),
        ("le", "FloatLessOrEqual", negated: "not_le", swapped: nil),
        ("ge", "FloatGreaterOrEqual", negated: "not_ge", swapped: nil),
        ("not_lt", "FloatNotLess", negated: "lt", swapped: nil),
        ("not_gt", "FloatNotGreater", negated: "gt", swapped: nil),
        ("not_le", "FloatNotLessOrEqual", negated: "le", swapped: nil),
        ("not_ge", "FloatNotGreaterOrEqual", negated: "ge", swapped: nil),
    ])

let floatFamilies = [
    Family(
        "floatCommutative", "binary",
        [
            Axis(
                "FloatCommutative",
                fusing(
                    floatOperators([
                        ("add", "FloatAdd"), ("mul", "FloatMultiply"), ("min", "FloatMinimum"),
                        ("max", "FloatMaximum"),
                    ]), ["add": "add", "mul": "multiply"])),
            commutativeFloatForms, toSlotOrRegister,
        ]),
    Family(
        "floatOrdered", "binary",
        [
            Axis(
                "FloatOrdered",
                fusing(
                    floatOperators([
                        ("sub", "FloatSubtract"), ("div", "FloatDivide"),
                        ("copysign", "FloatCopySign"),
                    ]), ["sub": "subtract"])),
            orderedFloatForms, toSlotOrRegister,
        ]),
    Family(
        "floatCompare", "compare",
        [Axis("FloatComparison", floatComparisons), commutativeFloatForms, toSlotOrRegister]),
    Family(
        "floatBranch", "compareBranch",
        [Axis("FloatCondition", floatConditions), floatBranchForms, directions],
        fields: "b"),
    Family(
        "floatUnary", "unary",
        [
            Axis(
                "FloatUnary",
                floatOperators([
                    ("abs", "FloatAbsolute"), ("neg", "FloatNegate"), ("ceil", "FloatCeiling"),
                    ("floor", "FloatFloor"), ("trunc", "FloatTruncate"),
                    ("nearest", "FloatNearest"), ("sqrt", "FloatSquareRoot"),
                ])), sourceSlotOrRegister, toSlotOrRegister,
        ], code: .mayCall),
    Family(
        "floatCanonicalize", "unary",
        [
            Axis("FloatCanonicalize", floatOperators([("canonicalize", "FloatCanonicalize")])),
            sourceSlotOrRegister, toSlotOrRegister,
        ]),
]

/// f32 and f64 from i32 and i64, signed and unsigned; then demotion, promotion.
private let floatConversions: Choices =
    [("f32", "Float"), ("f64", "Double")].flatMap { float, floatType in
        [
            ("i32_s", "UInt32", "Signed"), ("i32_u", "UInt32", "Unsigned"),
            ("i64_s", "UInt64", "Signed"), ("i64_u", "UInt64", "Unsigned"),
        ].map { Choice("\(float).convert_\($0.0)", "Convert\($0.2)<\($0.1), \(floatType)>.self") }
    } + [Choice("f32.demote_f64", "Demote.self"), Choice("f64.promote_f32", "Promote.self")]

private func truncations(_ name: String, _ type: String) -> Choices {
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
    Family(
        "floatConvert", "unary",
        [Axis("FloatConvert", floatConversions), sourceSlotOrRegister, toSlotOrRegister],
        code: .mayCall),
    Family(
        "truncate", "truncation",
        [
            Axis("Truncate", truncations("trunc", "Truncate")), sourceSlotOrRegister,
            toSlotOrRegister,
        ], code: .mayCall),
    Family(
        "truncateSaturating", "unary",
        [
            Axis("TruncateSaturating", truncations("trunc_sat", "Saturate")),
            sourceSlotOrRegister, toSlotOrRegister,
        ], code: .mayCall),
]
