// Structures, arrays, i31 and casts.

/// Reads of fields and elements, named by the stored type.
private func reads(_ name: String) -> Axis {
    Axis(
        "FieldRead",
        [
            Choice("\(name)", "Access<UInt32, UInt32>.self").named("i32"),
            Choice("\(name)8_s", "Access<Int8, UInt32>.self").named("i8Signed"),
            Choice("\(name)8_u", "Access<UInt8, UInt32>.self").named("i8Unsigned"),
            Choice("\(name)16_s", "Access<Int16, UInt32>.self").named("i16Signed"),
            Choice("\(name)16_u", "Access<UInt16, UInt32>.self").named("i16Unsigned"),
            Choice("\(name)64", "Access<UInt64, UInt64>.self").named("i64"),
            Choice("\(name).f32", "FloatAccess<Float>.self").named("f32"),
            Choice("\(name).f64", "FloatAccess<Double>.self").named("f64"),
        ])
}
/// Writes from slots and the integer accumulator, by size: floats are written as integers.
private func writes(_ name: String) -> Axis {
    Axis(
        "FieldWrite",
        [
            Choice("\(name)8", "Access<UInt8, UInt32>.self").named("i8"),
            Choice("\(name)16", "Access<UInt16, UInt32>.self").named("i16"),
            Choice("\(name)", "Access<UInt32, UInt32>.self").named("i32"),
            Choice("\(name)64", "Access<UInt64, UInt64>.self").named("i64"),
        ])
}
private func floatWrites(_ name: String) -> Axis {
    Axis(
        "FloatAccumulator",
        [
            Choice("\(name).f32", "FloatAccess<Float>.self").named("float"),
            Choice("\(name).f64", "FloatAccess<Double>.self").named("double"),
        ])
}
private let abstractTargets: Choices = [
    Choice("any", "AnyTarget.self"), Choice("none", "NoTarget.self"),
    Choice("eq", "EqTarget.self"), Choice("i31", "I31Target.self"),
    Choice("kind", "KindTarget.self"),
]
private let castTargets = Axis(
    "CastTarget",
    [Choice("object", "ConcreteObject.self"), Choice("function", "ConcreteFunction.self")]
        + abstractTargets)

let referenceFamilies = [
    Family(
        "structGet", "structGet", [reads("struct.get"), sourceSlotOrRegister, toSlotOrRegister],
        fields: "u"),
    Family(
        "structSet", "structSet",
        [
            writes("struct.set"),
            Axis(
                "FieldWriteForm",
                [
                    Choice("SS", "Slot1.self, Slot0.self", fields: "s1 s0"),
                    Choice("RS", "Register.self, Slot0.self", fields: "r s0"),
                    Choice("SR", "Slot1.self, Register.self", fields: "s1 r"),
                    Choice("SI", "Slot1.self, Immediate0.self", fields: "s1 i0"),
                ]),
        ], fields: "u"),
    Family(
        "structSetFloat", "structSet",
        [
            floatWrites("struct.set"),
            // The value is in its accumulator; the source is the object's.
            Axis(
                "Source",
                [
                    Choice("SR", "Slot1.self, Register.self", fields: "s1 r").named("slot"),
                    Choice("RR", "Register.self, Register.self", fields: "r r").named("register"),
                ]),
        ], fields: "u"),
    Family(
        "structGetVector", "structGetVector", [[Choice("struct.get.v128", "")]], fields: "s0 s1 u"),
    Family(
        "structSetVector", "structSetVector", [[Choice("struct.set.v128", "")]], fields: "s1 s0 u",
        code: .mayPush),
    Family(
        "structNew", "structNew", [[Choice("struct.new", "")]], fields: "s0 u n5 n6", words: 3,
        code: .mayPush,
        "a word for every field follows"),
    Family(
        "structNewDefault", "structNewDefault", [[Choice("struct.new_default", "")]],
        fields: "s0 u", words: 3, code: .mayPush),
    Family(
        "arrayGet", "arrayGet",
        [
            reads("array.get"),
            Axis(
                "PairForm",
                [
                    Choice("SS", "Slot1.self, Slot2.self", fields: "s1 s2"),
                    Choice("RS", "Register.self, Slot2.self", fields: "r s2"),
                    Choice("SR", "Slot1.self, Register.self", fields: "s1 r"),
                ]),
            toSlotOrRegister,
        ]),
    Family(
        "arraySet", "arraySet",
        [
            writes("array.set"),
            Axis(
                "ElementWriteForm",
                [
                    Choice("SSS", "Slot1.self, Slot2.self, Slot0.self", fields: "s1 s2 s0"),
                    Choice("RSS", "Register.self, Slot2.self, Slot0.self", fields: "r s2 s0"),
                    Choice("SRS", "Slot1.self, Register.self, Slot0.self", fields: "s1 r s0"),
                    Choice("SSR", "Slot1.self, Slot2.self, Register.self", fields: "s1 s2 r"),
                ]),
        ]),
    Family(
        "arraySetFloat", "arraySet",
        [
            floatWrites("array.set"),
            [Choice("SSR", "Slot1.self, Slot2.self, Register.self", fields: "s1 s2 r")],
        ]),
    Family(
        "arrayGetVector", "arrayGetVector", [[Choice("array.get.v128", "")]], fields: "s0 s1 s2"),
    Family(
        "arraySetVector", "arraySetVector", [[Choice("array.set.v128", "")]], fields: "s1 s2 s0",
        code: .mayPush),
    Family(
        "arrayLength", "arrayLength",
        [[Choice("array.len", "")], sourceSlotOrRegister, toSlotOrRegister]),
    Family(
        "aggregate", "aggregate", [[Choice("array", "")]], fields: "n2 s0 s1 w", words: 4,
        code: .mayCall,
        "field 2 is an `AggregateOperation`"),
    Family(
        "makeI31", "unary",
        [[Choice("ref.i31", "MakeI31.self")], sourceSlotOrRegister, toSlotOrRegister]),
    Family(
        "i31Get", "i31Get",
        [
            Axis(
                "I31Get",
                [Choice("i31.get_s", "I31Signed.self"), Choice("i31.get_u", "I31Unsigned.self")]),
            sourceSlotOrRegister, toSlotOrRegister,
        ]),
    Family(
        "refTest", "refTest",
        [[Choice("ref.test", "")], castTargets, sourceSlotOrRegister, toSlotOrRegister],
        fields: "u n5", words: 3),
    Family(
        "refCast", "refCast",
        [[Choice("ref.cast", "")], Axis("AbstractTarget", abstractTargets), sourceSlotOrRegister],
        fields: "u n5", words: 3, "the value stays where it is"),
    Family(
        "castBranch", "castBranch",
        [
            [Choice("br", "")], castTargets, sourceSlotOrRegister,
            Axis(
                "CastSense",
                [
                    Choice("on_cast", "OnSuccess.self").named("onSuccess"),
                    Choice("on_cast_fail", "OnFailure.self").named("onFailure"),
                ]),
        ], fields: "u n5 b2", words: 3, "on_cast_fail by 0 bytes: a cast, which traps"),
]
