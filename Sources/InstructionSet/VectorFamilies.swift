// Instructions on v128. Labels are the specification's names.

/// A shape of v128 with the Swift types of its lanes taken as signed and unsigned integers.
private struct Shape {
    let name: String
    let signed: String
    let unsigned: String
}
private let i8x16 = Shape(name: "i8x16", signed: "I8x16", unsigned: "U8x16")
private let i16x8 = Shape(name: "i16x8", signed: "I16x8", unsigned: "U16x8")
private let i32x4 = Shape(name: "i32x4", signed: "I32x4", unsigned: "U32x4")
private let i64x2 = Shape(name: "i64x2", signed: "I64x2", unsigned: "U64x2")
private let integerShapes = [i8x16, i16x8, i32x4, i64x2]

/// A float shape; the integer type is for operations on bits.
private struct FloatShape {
    let name: String
    let type: String
    let bits: String
}
private let floatShapes = [
    FloatShape(name: "f32x4", type: "F32x4", bits: "U32x4"),
    FloatShape(name: "f64x2", type: "F64x2", bits: "U64x2"),
]

/// A shape, and the one with lanes of half the width that is extended to it.
private let widenings = [(i16x8, i8x16), (i32x4, i16x8), (i64x2, i32x4)]

private func function(_ name: String, _ type: String, _ function: String) -> Choice {
    Choice(name, "\(type).self, \(function)")
}
private func joined(_ parts: Choices...) -> Choices { parts.flatMap { $0 } }

let vectorComparisons = joined(
    [i8x16, i16x8, i32x4].flatMap { shape -> Choices in
        [
            function("\(shape.name).eq", shape.signed, ".=="),
            function("\(shape.name).ne", shape.signed, ".!="),
            function("\(shape.name).lt_s", shape.signed, ".<"),
            function("\(shape.name).lt_u", shape.unsigned, ".<"),
            function("\(shape.name).gt_s", shape.signed, ".>"),
            function("\(shape.name).gt_u", shape.unsigned, ".>"),
            function("\(shape.name).le_s", shape.signed, ".<="),
            function("\(shape.name).le_u", shape.unsigned, ".<="),
            function("\(shape.name).ge_s", shape.signed, ".>="),
            function("\(shape.name).ge_u", shape.unsigned, ".>="),
        ]
    },
    floatShapes.flatMap { shape -> Choices in
        [
            function("\(shape.name).eq", shape.type, ".=="),
            function("\(shape.name).ne", shape.type, ".!="),
            function("\(shape.name).lt", shape.type, ".<"),
            function("\(shape.name).gt", shape.type, ".>"),
            function("\(shape.name).le", shape.type, ".<="),
            function("\(shape.name).ge", shape.type, ".>="),
        ]
    },
    [
        function("i64x2.eq", "I64x2", ".=="), function("i64x2.ne", "I64x2", ".!="),
        function("i64x2.lt_s", "I64x2", ".<"), function("i64x2.gt_s", "I64x2", ".>"),
        function("i64x2.le_s", "I64x2", ".<="), function("i64x2.ge_s", "I64x2", ".>="),
    ])

/// First those whose operands may be swapped ...
private let commutativeBinaries = [
    function("v128.and", "U64x2", "&"), function("v128.or", "U64x2", "|"),
    function("v128.xor", "U64x2", "^"),
    function("i8x16.add", "I8x16", "&+"), function("i16x8.add", "I16x8", "&+"),
    function("i32x4.add", "I32x4", "&+"), function("i64x2.add", "I64x2", "&+"),
    function("f32x4.add", "F32x4", "+"), function("f64x2.add", "F64x2", "+"),
].map(\.commuting)
/// ... also as the product in `vectorMultiplyAddLoad` ...
let vectorMultiplications = [
    function("i16x8.mul", "I16x8", "&*").added(by: "i16x8.add"),
    function("i32x4.mul", "I32x4", "&*").added(by: "i32x4.add"),
    function("f32x4.mul", "F32x4", "*").added(by: "f32x4.add"),
    function("f64x2.mul", "F64x2", "*").added(by: "f64x2.add"),
    function("i32x4.dot_i16x8_s", "I16x8", "Lanes.dot").added(by: "i32x4.add"),
].map(\.commuting)
/// ... then the other ones that can take an operand from memory ...
let vectorLoadingBinaries = joined(
    commutativeBinaries, vectorMultiplications,
    [
        function("v128.andnot", "U64x2", "Lanes.andNot"),
        function("i8x16.sub", "I8x16", "&-"), function("i16x8.sub", "I16x8", "&-"),
        function("i32x4.sub", "I32x4", "&-"), function("f32x4.sub", "F32x4", "-"),
        function("f64x2.sub", "F64x2", "-"),
    ])

/// ... or put the result there.
let vectorStoringBinaries = joined(
    vectorLoadingBinaries,
    [
        function("i8x16.narrow_i16x8_s", "I16x8", "Lanes.narrowSigned"),
        function("i8x16.narrow_i16x8_u", "I16x8", "Lanes.narrowUnsigned"),
        function("i16x8.narrow_i32x4_s", "I32x4", "Lanes.narrowSigned"),
        function("i16x8.narrow_i32x4_u", "I32x4", "Lanes.narrowUnsigned"),
    ])

let vectorBinaries = joined(
    vectorStoringBinaries,
    [function("i64x2.sub", "I64x2", "&-"), function("i64x2.mul", "I64x2", "&*")],
    floatShapes.flatMap { shape -> Choices in
        [
            function("\(shape.name).div", shape.type, "/"),
            function("\(shape.name).min", shape.type, "Lanes.minimum")
                .executing("\(shape.name).relaxed_min"),
            function("\(shape.name).max", shape.type, "Lanes.maximum")
                .executing("\(shape.name).relaxed_max"),
        ]
    },
    [i8x16, i16x8].flatMap { shape -> Choices in
        [
            function("\(shape.name).add_sat_s", shape.signed, "Lanes.addSaturating"),
            function("\(shape.name).add_sat_u", shape.unsigned, "Lanes.addSaturating"),
            function("\(shape.name).sub_sat_s", shape.signed, "Lanes.subtractSaturating"),
            function("\(shape.name).sub_sat_u", shape.unsigned, "Lanes.subtractSaturating"),
            function("\(shape.name).avgr_u", shape.unsigned, "Lanes.average"),
        ]
    },
    [
        function("i16x8.q15mulr_sat_s", "I16x8", "Lanes.multiplyRounding")
            .executing("i16x8.relaxed_q15mulr_s"),
        function("i16x8.relaxed_dot_i8x16_i7x16_s", "I8x16", "Lanes.dot"),
    ])

/// Shuffles with instructions of their own; the translator recognises them by their lanes.
private let zipKinds = ["zipLow", "zipHigh", "evens", "odds"]
let vectorZips = zipKinds.flatMap { name -> Choices in
    [i8x16, i16x8, i32x4].map { function("\($0.name).\(name)", $0.unsigned, "Lanes.\(name)") }
}

let vectorChoices = joined(
    [i8x16, i16x8, i32x4].flatMap { shape -> Choices in
        [
            function("\(shape.name).min_s", shape.signed, ".<"),
            function("\(shape.name).min_u", shape.unsigned, ".<"),
            function("\(shape.name).max_s", shape.signed, ".>"),
            function("\(shape.name).max_u", shape.unsigned, ".>"),
        ]
    },
    floatShapes.flatMap { shape -> Choices in
        [
            function("\(shape.name).pmin", shape.type, ".<"),
            function("\(shape.name).pmax", shape.type, ".>"),
        ]
    })

/// Low and high half, signed and unsigned.
private func halves(_ name: String, _ suffix: String) -> Choices {
    widenings.flatMap { wide, narrow -> Choices in
        let low = "\(wide.name).\(name)_low_\(narrow.name)"
        let high = "\(wide.name).\(name)_high_\(narrow.name)"
        return [
            function("\(low)_s", narrow.signed, "Lanes.extendLow\(suffix)"),
            function("\(high)_s", narrow.signed, "Lanes.extendHigh\(suffix)"),
            function("\(low)_u", narrow.unsigned, "Lanes.extendLow\(suffix)"),
            function("\(high)_u", narrow.unsigned, "Lanes.extendHigh\(suffix)"),
        ]
    }
}
let vectorProducts = halves("extmul", ", &*")

let vectorUnaries = joined(
    [function("v128.not", "U64x2", "Lanes.complement")],
    integerShapes.flatMap { shape -> Choices in
        [
            function("\(shape.name).abs", shape.signed, "Lanes.absolute"),
            function("\(shape.name).neg", shape.signed, "Lanes.negate"),
        ]
    },
    [function("i8x16.popcnt", "U8x16", "Lanes.countOnes")],
    floatShapes.flatMap { shape -> Choices in
        [
            function("\(shape.name).abs", shape.bits, "Lanes.absolute"),
            function("\(shape.name).neg", shape.bits, "Lanes.negate"),
            function("\(shape.name).ceil", shape.type, "Lanes.ceiling"),
            function("\(shape.name).floor", shape.type, "Lanes.floor"),
            function("\(shape.name).trunc", shape.type, "Lanes.truncate"),
            function("\(shape.name).nearest", shape.type, "Lanes.nearest"),
        ]
    },
    halves("extend", ""),
    widenings[..<2].flatMap { wide, narrow -> Choices in
        let name = "\(wide.name).extadd_pairwise_\(narrow.name)"
        return [
            function("\(name)_s", narrow.signed, "Lanes.pairwise"),
            function("\(name)_u", narrow.unsigned, "Lanes.pairwise"),
        ]
    },
    [
        function("f32x4.convert_i32x4_s", "I32x4", "Lanes.convert"),
        function("f32x4.convert_i32x4_u", "U32x4", "Lanes.convert"),
        function("f64x2.convert_low_i32x4_s", "I32x4", "Lanes.convertLow"),
        function("f64x2.convert_low_i32x4_u", "U32x4", "Lanes.convertLow"),
        function("f32x4.demote_f64x2_zero", "F64x2", "Lanes.demote"),
        function("f64x2.promote_low_f32x4", "F32x4", "Lanes.promoteLow"),
        function("i32x4.trunc_sat_f32x4_s", "F32x4", "Lanes.truncateSigned")
            .executing("i32x4.relaxed_trunc_f32x4_s"),
        function("i32x4.trunc_sat_f32x4_u", "F32x4", "Lanes.truncateUnsigned")
            .executing("i32x4.relaxed_trunc_f32x4_u"),
        function("i32x4.trunc_sat_f64x2_s_zero", "F64x2", "Lanes.truncateSigned")
            .executing("i32x4.relaxed_trunc_f64x2_s_zero"),
        function("i32x4.trunc_sat_f64x2_u_zero", "F64x2", "Lanes.truncateUnsigned")
            .executing("i32x4.relaxed_trunc_f64x2_u_zero"),
    ])

/// A family of their own, because they may call the C library.
let vectorRoots: Choices = floatShapes.map { shape in
    function("\(shape.name).sqrt", shape.type, "Lanes.squareRoot")
}

/// A product with a sum is among the pairs below.
let vectorTernaries = joined(
    [
        function("v128.bitselect", "U64x2", "Lanes.bitselect").executing(
            "i8x16.relaxed_laneselect", "i16x8.relaxed_laneselect", "i32x4.relaxed_laneselect",
            "i64x2.relaxed_laneselect")
    ],
    floatShapes.map { shape in
        function("\(shape.name).relaxed_nmadd", shape.type, "Lanes.multiplyNegatedAdd")
    },
    [function("i32x4.relaxed_dot_i8x16_i7x16_add_s", "U64x2", "Lanes.dotAdd")])

let vectorShifts = integerShapes.flatMap { shape -> Choices in
    [
        function("\(shape.name).shl", shape.unsigned, "&<<"),
        function("\(shape.name).shr_s", shape.signed, "&>>"),
        function("\(shape.name).shr_u", shape.unsigned, "&>>"),
    ]
}

private func tests(bitmask: String) -> Choices {
    joined(
        [function("v128.any_true", "U64x2", "Lanes.anyTrue")],
        integerShapes.flatMap { shape -> Choices in
            let type = shape.name == "i64x2" ? shape.unsigned : shape.signed
            return [
                function("\(shape.name).all_true", type, "Lanes.allTrue"),
                function("\(shape.name).bitmask", type, "Lanes.\(bitmask)"),
            ]
        })
}
let vectorTests = tests(bitmask: "bitmask")

/// From a slot, f32 and f64 are like i32 and i64. The scale is that of a lane.
private let integerSplats: Choices = [
    function("i8x16", "UInt32", "Lanes.splat8").scaled(0),
    function("i16x8", "UInt32", "Lanes.splat16").scaled(1),
    function("i32x4", "UInt32", "Lanes.splat").scaled(2),
    function("i64x2", "UInt64", "Lanes.splat").scaled(3),
]
private let floatSplats: Choices = [
    function("f32x4", "Float", "Lanes.splat").scaled(2),
    function("f64x2", "Double", "Lanes.splat").scaled(3),
]
/// An instruction for every shape. The enumeration names only the shapes.
private func shaped(_ name: String, _ shapes: Choices, _ suffix: String, _ fields: String) -> Axis {
    Axis(
        name, shapes.map { $0.derived("\($0.label).\(suffix)", $0.arguments).with(fields: fields) })
}
private let fromRegister: Axis = [Choice("R", "Register.self", fields: "r")]

let vectorLoads: Choices = [
    function("v128.load", "U64x2", "Lanes.whole"),
    function("v128.load8x8_s", "UInt64", "Lanes.extend8x8Signed"),
    function("v128.load8x8_u", "UInt64", "Lanes.extend8x8Unsigned"),
    function("v128.load16x4_s", "SIMD4<Int16>", "Lanes.extend"),
    function("v128.load16x4_u", "SIMD4<UInt16>", "Lanes.extend"),
    function("v128.load32x2_s", "SIMD2<Int32>", "Lanes.extend"),
    function("v128.load32x2_u", "SIMD2<UInt32>", "Lanes.extend"),
    function("v128.load8_splat", "UInt8", "Lanes.splat"),
    function("v128.load16_splat", "UInt16", "Lanes.splat"),
    function("v128.load32_splat", "UInt32", "Lanes.splat"),
    function("v128.load64_splat", "UInt64", "Lanes.splat"),
    function("v128.load32_zero", "UInt32", "Lanes.zeroExtend"),
    function("v128.load64_zero", "UInt64", "Lanes.zeroExtend"),
]

private let secondSlot = Choice("SS", "VectorSlot2.self", fields: "s1 s2")
private let secondSlotOrConstant = Axis(
    "VectorForm",
    [secondSlot, Choice("SK", "VectorConstant.self", fields: "s1 v", extraWords: 2)])
/// Operations with the result in the slots from field 0 on.
private func toVector(_ axis: Choices, _ fields: String = "s0") -> Choices {
    axis.map { $0.with(fields: fields) }
}
/// Addresses of operands in memory.
private let operandAddresses = Axis(
    "OperandAddress", addressForms.filter { ["S", "R", "SI", "SS"].contains($0.label) })

let vectorFamilies = [
    Family("vectorUnary", "vectorUnary", [Axis("VectorUnary", vectorUnaries)], fields: "s0 s1"),
    Family(
        "vectorRoot", "vectorUnary", [Axis("VectorRoot", vectorRoots)], fields: "s0 s1",
        code: .mayCall),
    Family(
        "vectorCanonicalize", "vectorUnary",
        [
            Axis(
                "FloatShape",
                floatShapes.map {
                    function("\($0.name).canonicalize", $0.type, "Lanes.canonicalize").named(
                        $0.name)
                })
        ],
        fields: "s0 s1"),
    Family(
        "vectorBinary", "vectorBinary",
        [Axis("VectorBinary", toVector(vectorBinaries)), secondSlotOrConstant]),
    Family(
        "vectorZip", "vectorBinary",
        [
            Axis(
                toVector(vectorZips),
                product: [
                    ("ZipKind", zipKinds), ("ZipShape", [i8x16, i16x8, i32x4].map(\.name)),
                ]), [secondSlot],
        ]),
    Family(
        "vectorCompare", "vectorCompare",
        [Axis("VectorComparison", toVector(vectorComparisons)), secondSlotOrConstant]),
    Family(
        "vectorChoose", "vectorChoose", [Axis("VectorChoose", vectorChoices)], fields: "s0 s1 s2"),
    Family(
        "vectorExtended", "vectorExtended", [Axis("VectorExtended", vectorProducts)],
        fields: "s0 s1 s2"),
    Family(
        "vectorTernary", "vectorTernary", [Axis("VectorTernary", vectorTernaries)],
        fields: "s0 s1 s2 s3"),
    Family(
        "vectorShift", "vectorShift",
        [
            Axis("VectorShift", toVector(vectorShifts, "s0 s1")),
            Axis(
                "ShiftCount",
                [
                    Choice("S", "Slot2.self", fields: "s2"),
                    Choice("R", "Register.self", fields: "r"),
                    Choice("I", "Immediate2.self", fields: "i2"),
                ]),
        ]),
    Family(
        "vectorTest", "vectorTest", [Axis("VectorTest", vectorTests), toSlotOrRegister],
        fields: "s1"),
    Family(
        "vectorSplat", "vectorSplat",
        [shaped("IntegerShape", integerSplats, "splat", "s0"), sourceSlotOrRegister]),
    Family(
        "vectorSplatFloat", "vectorSplat",
        [shaped("FloatShape", floatSplats, "splat", "s0"), fromRegister]),
    Family(
        "vectorExtract", "vectorExtract",
        [
            Axis(
                "VectorExtract",
                [
                    function("i8x16.extract_lane_s", "Int8", "Lanes.value").scaled(0),
                    function("i8x16.extract_lane_u", "UInt8", "Lanes.value").scaled(0),
                    function("i16x8.extract_lane_s", "Int16", "Lanes.value").scaled(1),
                    function("i16x8.extract_lane_u", "UInt16", "Lanes.value").scaled(1),
                    function("i32x4.extract_lane", "UInt32", "Lanes.value").scaled(2),
                    function("i64x2.extract_lane", "UInt64", "Lanes.value").scaled(3),
                    function("f32x4.extract_lane", "Float", "Lanes.value").scaled(2),
                    function("f64x2.extract_lane", "Double", "Lanes.value").scaled(3),
                ]), toSlotOrRegister,
        ], fields: "u"),
    Family(
        "vectorReplace", "vectorReplace",
        [
            shaped("IntegerShape", integerSplats, "replace_lane", "s0 s1"),
            slotOrRegister("Slot2.self", fields: "s2"),
        ],
        fields: "v", words: 4),
    Family(
        "vectorReplaceFloat", "vectorReplace",
        [shaped("FloatShape", floatSplats, "replace_lane", "s0 s1"), fromRegister], fields: "v",
        words: 4),
    Family(
        "vectorConstant", "vectorConstant", [[Choice("v128.const", "")]], fields: "s0 v", words: 4),
    Family("vectorCopy", "vectorCopy", [[Choice("v128.copy", "")]], fields: "s0 s1"),
    Family(
        "vectorSelect", "vectorSelect",
        [
            [Choice("v128.select", "", fields: "s0")],
            slotOrRegister("Slot3.self", fields: "s1 s2 s3", register: "s1 s2 r"),
        ]),
    Family(
        "vectorGlobalGet", "vectorGlobalGet",
        [[Choice("v128.global.get", "", fields: "s0")], globalPlaces],
        fields: "u"),
    Family(
        "vectorGlobalSet", "vectorGlobalSet", [[Choice("v128.global.set", "")], globalPlaces],
        fields: "s1 u"),
    Family(
        "vectorShuffle8", "vectorShuffle8", [[Choice("i8x16.shuffle", "")]], fields: "s0",
        words: 10),
    Family(
        "vectorShuffle16", "vectorShuffle16", [[Choice("i16x8.shuffle", "")]], fields: "s0",
        words: 6, code: .mayPush),
    Family(
        "vectorShuffle32", "vectorShuffle32", [[Choice("i32x4.shuffle", "")]], fields: "s0",
        words: 4, code: .mayPush),
    Family("vectorJoin", "vectorJoin", [[Choice("i64x2.shuffle", "")]], fields: "s0 s1 s2"),
    Family(
        "vectorHalf", "vectorHalf", [[Choice("v128.half", "")]], fields: "s0 u n4 n5 n6 n7",
        words: 3, "eight bytes, and one byte eight times"),
    Family(
        "vectorWindow", "vectorWindow",
        [
            Axis(
                "VectorWindow",
                [
                    Choice("v128.window.low", "Lanes.windowLow").named("low"),
                    Choice("v128.window.high", "Lanes.windowHigh").named("high"),
                ])
        ], fields: "s0 s1 s2 n3"),
    Family(
        "vectorSwizzle", "vectorSwizzle",
        [[Choice("i8x16.swizzle", "").executing("i8x16.relaxed_swizzle")]], fields: "s0 s1 s2",
        code: .mayPush),
    Family(
        "vectorLoad", "vectorLoad", [Axis("VectorLoad", toVector(vectorLoads)), addresses]),
    Family("vectorStore", "vectorStore", [[Choice("v128.store", "")], addresses], fields: "s0"),
    Family(
        "vectorLoadFar", "vectorLoadFar", [Axis("VectorLoad", vectorLoads)], fields: "s0 s1 n2 w",
        words: 3, code: .mayPush),
    Family(
        "vectorStoreFar", "vectorStoreFar", [[Choice("v128.store", "")]], fields: "s0 s1 n2 w",
        words: 3, code: .mayPush),
    // Fused: an operand from memory, the others in word 2; a result to memory; two operations, the
    // third operand in field 3; a test and a branch.
    Family(
        "vectorBinaryLoad", "vectorBinaryLoad",
        [Axis("VectorLoadingBinary", toVector(vectorLoadingBinaries)), operandAddresses],
        fields: "s4", words: 3),
    Family(
        "vectorCompareLoad", "vectorCompareLoad",
        [Axis(toVector([vectorComparisons[0]]), product: []), operandAddresses], fields: "s4",
        words: 3),
    Family(
        "vectorBinaryStore", "vectorBinaryStore",
        [Axis("VectorStoringBinary", vectorStoringBinaries), operandAddresses],
        fields: "s4 s5", words: 3),
    Family(
        "vectorUpdate", "vectorUpdate",
        [
            Axis("VectorUpdate", commutativeBinaries),
            Axis("Source", Array(operandAddresses.choices[...1])),
        ],
        fields: "s4", words: 3),
    Family("vectorPair", "vectorPair", [Axis("VectorPair", vectorPairs)], fields: "s0 s1 s2 s3"),
    Family(
        "vectorShiftPair", "vectorShiftPair", [Axis("VectorShiftPair", vectorShiftPairs)],
        fields: "s0 s1 n2 s3"),
    Family(
        "vectorPairShift", "vectorPairShift", [Axis("VectorPairShift", vectorPairShifts)],
        fields: "s0 s1 s2 n3"),
    Family(
        "vectorTwo", "vectorTwo", [Axis("VectorTwo", vectorTwos)], fields: "s3 s1 s2 s0 s4 s5",
        words: 3),
    Family(
        "vectorMultiplyAddLoad", "vectorMultiplyAddLoad",
        [Axis("LoadedProduct", toVector(multiplyAdds)), operandAddresses],
        fields: "s4 s5", words: 3),
    Family(
        "vectorMultiplyUpdate", "vectorMultiplyUpdate",
        [Axis("LoadedProduct", multiplyAdds), operandAddresses],
        fields: "s4 s5 u2", words: 3,
        "(slot 5 + upper half of word 2) += (field 4) * (memory)"),
    Family(
        "vectorMultiplyLoads", "vectorMultiplyLoads",
        [
            Axis("LoadedProduct", toVector(vectorProductsOfLoads)),
            Axis("FactorAddress", addressForms.filter { ["S", "SI"].contains($0.label) }),
            Axis(
                "FactorAddress",
                [
                    Choice("S", "AtSlot5.self", fields: "s5 u2"),
                    Choice("SI", "AtSlot5Immediate.self", fields: "s5 i6 n7"),
                ]),
        ], fields: "s4", words: 3, "both factors from memory; slot 4 is for the first one"),
    Family(
        "vectorBinaryExtend", "vectorBinaryExtend",
        [Axis("VectorExtendedBinary", toVector(vectorExtendingBinaries)), operandAddresses],
        fields: "s4", words: 3),
    Family(
        "vectorCompareBranch", "vectorCompareBranch",
        [
            Axis("VectorBranchComparison", toVector(vectorBranchComparisons)),
            Axis(
                "VectorForm",
                [
                    Choice("SS", "VectorSlot2.self", fields: "s1 s2 b2", extraWords: 1),
                    Choice("SK", "VectorConstant.self", fields: "s1 v b", extraWords: 2),
                ]), branchSenses, directions,
        ], "stores the mask and branches if any lane holds, or none"),
    Family(
        "vectorTestBranch", "vectorTestBranch",
        [
            // Testing whether a bitmask is zero is faster than computing the mask.
            Axis("VectorTest", tests(bitmask: "anyNegative")), branchSenses, directions,
        ], fields: "s1 b"),
]

/// Loads of half a vector that are extended to one of the type.
private let extendingLoads = [
    (i16x8, "8x8_s", "UInt64.self, Lanes.extend8x8Signed"),
    (i16x8, "8x8_u", "UInt64.self, Lanes.extend8x8Unsigned"),
    (i32x4, "16x4_s", "SIMD4<Int16>.self, Lanes.extend"),
    (i32x4, "16x4_u", "SIMD4<UInt16>.self, Lanes.extend"),
]

/// Arithmetic on an operand that is extended when it is loaded.
let vectorExtendingBinaries: Choices = extendingLoads.flatMap { shape, load, extend in
    let type = load.hasSuffix("s") ? shape.signed : shape.unsigned
    return [("add", "&+"), ("mul", "&*"), ("sub", "&-")].map { name, function in
        Choice("\(shape.name).\(name).load\(load)", "\(extend), \(type).self, \(function)")
            .made(of: "\(shape.name).\(name)", "v128.load\(load)")
    }
}

/// Every multiplication, also of factors that are extended when they are loaded.
private let loadedProducts: Choices = joined(
    vectorMultiplications.map { product in
        let type = product.arguments.prefix { $0 != "," }
        return product.derived(product.label, "\(type), Lanes.same, \(product.arguments)")
    },
    extendingLoads.map { shape, load, extend in
        let type = load.hasSuffix("s") ? shape.signed : shape.unsigned
        return Choice("\(shape.name).mul.load\(load)", "\(extend), \(type).self, &*")
            .made(of: "\(shape.name).mul", "v128.load\(load)").added(by: "\(shape.name).add")
    })
let vectorProductsOfLoads: Choices = loadedProducts.map {
    $0.derived("\($0.label).loads", $0.arguments)
}
/// The same with the addition of their results.
private let multiplyAdds: Choices = loadedProducts.map { product in
    let addition = product.label.hasPrefix("f") ? "+" : "&+"
    return product.derived("\(product.label)+add", "\(product.arguments), \(addition)")
}

/// Two operations that both keep their results.
let vectorTwos: Choices =
    ([
        ("f32x4", "F32x4", ["+", "-", "*"]), ("f64x2", "F64x2", ["+", "-", "*"]),
        ("i16x8", "I16x8", ["&+", "&-", "&*"]), ("i32x4", "I32x4", ["&+", "&-", "&*"]),
    ] as [(String, String, [String])]).flatMap { shape, type, functions -> Choices in
        let names = ["add", "sub", "mul"]
        return zip(names, functions).flatMap { first, function in
            zip(names, functions).map { second, other in
                Choice("\(shape).\(first);\(second)", "\(type).self, \(function), \(other)")
                    .made(of: "\(shape).\(first)", "\(shape).\(second)")
            }
        }
    }

/// Comparisons fused with branches: equality of integers, all of floats.
let vectorBranchComparisons: Choices = vectorComparisons.filter {
    $0.label.hasPrefix("f") || $0.label.hasSuffix(".eq") && $0.label != "i64x2.eq"
}

/// An operation, and a second one on its result and a third operand; `rsub` subtracts the result.
private func pair(
    _ inner: String, _ type: String, _ first: String, _ outer: String, _ second: String
) -> Choice {
    // The second operation has the shape of the first one, or v128.
    let shape = inner.split(separator: ".")[0]
    let isReversed = outer == "rsub"
    let name = isReversed ? "sub" : outer
    let isBitwise = ["and", "or", "xor"].contains(name)
    return Choice("\(inner)+\(outer)", "\(type).self, \(first), \(second)")
        .made(of: inner, "\(isBitwise ? "v128" : shape).\(name)", isReversed: isReversed)
}

let vectorPairs = joined(
    floatShapes.flatMap { shape in
        [("mul", "*"), ("add", "+"), ("sub", "-")].flatMap { inner, first -> Choices in
            let name = "\(shape.name).\(inner)"
            return [
                inner == "mul"
                    ? pair(name, shape.type, first, "add", "\(shape.type).self, +")
                        .executing("\(shape.name).relaxed_madd")
                    : pair(name, shape.type, first, "add", "\(shape.type).self, +"),
                pair(name, shape.type, first, "sub", "\(shape.type).self, -"),
                pair(name, shape.type, first, "rsub", "\(shape.type).self, { $1 - $0 }"),
                pair(name, shape.type, first, "mul", "\(shape.type).self, *"),
            ]
        }
    },
    [i16x8, i32x4].flatMap { shape in
        [("mul", "&*"), ("add", "&+"), ("sub", "&-")].flatMap { inner, first -> Choices in
            let name = "\(shape.name).\(inner)"
            return [
                pair(name, shape.signed, first, "add", "\(shape.signed).self, &+"),
                pair(name, shape.signed, first, "sub", "\(shape.signed).self, &-"),
                pair(name, shape.signed, first, "rsub", "\(shape.signed).self, { $1 &- $0 }"),
            ]
        }
    },
    [
        pair("i32x4.dot_i16x8_s", "I16x8", "Lanes.dot", "add", "I32x4.self, &+"),
        pair("v128.and", "U64x2", "&", "or", "U64x2.self, |"),
        pair("v128.and", "U64x2", "&", "xor", "U64x2.self, ^"),
        pair("v128.andnot", "U64x2", "Lanes.andNot", "or", "U64x2.self, |"),
        pair("v128.or", "U64x2", "|", "or", "U64x2.self, |"),
        pair("v128.xor", "U64x2", "^", "and", "U64x2.self, &"),
        pair("v128.xor", "U64x2", "^", "xor", "U64x2.self, ^"),
    ])

/// The count of the shift is an immediate.
let vectorShiftPairs = [i16x8, i32x4, i64x2].flatMap { shape -> Choices in
    let left = "\(shape.name).shl", right = "\(shape.name).shr_u"
    return [
        pair(left, shape.unsigned, "&<<", "add", "\(shape.unsigned).self, &+"),
        pair(left, shape.unsigned, "&<<", "or", "U64x2.self, |"),
        pair(right, shape.unsigned, "&>>", "or", "U64x2.self, |"),
        pair(right, shape.unsigned, "&>>", "xor", "U64x2.self, ^"),
        pair(right, shape.unsigned, "&>>", "and", "U64x2.self, &"),
    ]
}

/// A sum, shifted by an immediate.
let vectorPairShifts = [i16x8, i32x4].flatMap { shape -> Choices in
    [
        pair("\(shape.name).add", shape.signed, "&+", "shr_s", "&>>"),
        pair("\(shape.name).add", shape.unsigned, "&+", "shr_u", "&>>"),
    ]
}

/// Accesses of one lane: the scalar access, and the insertion into or extraction from a vector.
let laneAccesses = [
    (
        bits: 8, load: "i32.load8_u", store: "i32.store8", shape: "i8x16",
        extract: "i8x16.extract_lane_u"
    ),
    (
        bits: 16, load: "i32.load16_u", store: "i32.store16", shape: "i16x8",
        extract: "i16x8.extract_lane_u"
    ),
    (
        bits: 32, load: "i32.load", store: "i32.store", shape: "i32x4",
        extract: "i32x4.extract_lane"
    ),
    (
        bits: 64, load: "i64.load", store: "i64.store", shape: "i64x2",
        extract: "i64x2.extract_lane"
    ),
]
