// Copies, constants, globals, tables, references, and selections.

/// An instruction for every accumulator.
func accumulators(_ name: String) -> Axis {
    Axis(
        "Accumulator",
        [
            Choice(name, "UInt64.self").named("integer"),
            Choice("\(name).f32", "Float.self").named("float"),
            Choice("\(name).f64", "Double.self").named("double"),
        ])
}
let globalPlaces = Axis(
    "GlobalPlace", [Choice("own", "OwnGlobal.self"), Choice("imported", "ImportedGlobal.self")])

let dataFamilies = [
    Family("copy", "copy", [[Choice("copy", "")]], fields: "s0 s1"),
    Family("copyTwo", "copyTwo", [[Choice("copy2", "")]], fields: "s0 s1 s2 s3"),
    Family("copyConstant", "copyConstant", [[Choice("copy+const", "")]], fields: "s0 s1 s2 n3"),
    Family("constantTwo", "constantTwo", [[Choice("const2", "")]], fields: "s0 n1 s2 n3"),
    Family(
        "copyRange", "copyRange", [[Choice("copy.range", "")]], fields: "s0 s1 u", code: .mayCall),
    Family("constant32", "constant32", [[Choice("const", "")]], fields: "s0 u"),
    Family("constant64", "constant64", [[Choice("const", "")]], fields: "s0 w", words: 3),
    Family(
        "zero", "zero", [[Choice("zero", "")]], fields: "s0 u", code: .mayCall),
    Family(
        "globalGet", "globalGet", [accumulators("global.get"), globalPlaces, toSlotOrRegister],
        fields: "u"),
    Family(
        "globalSet", "globalSet",
        [[Choice("global.set", "UInt64.self")], globalPlaces, sourceSlotOrRegister], fields: "u"),
    Family(
        "globalSetFloat", "globalSet",
        [
            Axis(
                "FloatAccumulator",
                [
                    Choice("global.set.f32", "Float.self").named("float"),
                    Choice("global.set.f64", "Double.self").named("double"),
                ]),
            globalPlaces, [Choice("R", "Register.self", fields: "r")],
        ], fields: "u"),
    // Changes of the stack pointer, which compilers keep in a global.
    Family(
        "globalAdd", "globalAdd", [[Choice("global.add", "")]], fields: "s0 n1 i",
        "adds to a global, and notes the sum"),
    Family(
        "globalSetSum", "globalSetSum", [[Choice("global.set.add", "")]], fields: "n0 s1 i",
        "sets a global to a sum"),
    Family(
        "select", "select",
        [
            accumulators("select"),
            slotOrRegister("Slot3.self", fields: "s1 s2 s3", register: "s1 s2 r"),
            toSlotOrRegister,
        ]),
    Family(
        "selectImmediate", "selectImmediate",
        [
            [Choice("select", "UInt64.self")],
            slotOrRegister("Slot3.self", fields: "s1 i2 s3", register: "s1 i2 r"),
            toSlotOrRegister,
        ]),
    Family("tableGet", "tableGet", [[Choice("table.get", "")]], fields: "s0 s1 n2"),
    Family("tableSet", "tableSet", [[Choice("table.set", "")]], fields: "s0 s1 n2"),
    Family("tableSize", "tableSize", [[Choice("table.size", "")]], fields: "s0 n2"),
    Family(
        "tableGrow", "tableGrow", [[Choice("table.grow", "")]], fields: "s0 s1 s2 n3",
        code: .mayCall),
    Family(
        "functionReference", "functionReference", [[Choice("ref.func", "")]], fields: "s0 u",
        code: .mayCall),
    Family("nullCheck", "nullCheck", [[Choice("ref.as_non_null", "")]], fields: "s1"),
    Family(
        "wide", "wideArithmetic",
        [
            Axis(
                "Wide",
                [
                    Choice("i64.add128", "WideAdd.self"),
                    Choice("i64.sub128", "WideSubtract.self"),
                    Choice("i64.mul_wide_s", "WideMultiplySigned.self"),
                    Choice("i64.mul_wide_u", "WideMultiplyUnsigned.self"),
                ])
        ], fields: "s0 s1 s2 s4 s5", words: 3, code: .mayPush,
        "destination of two slots, up to four sources"),
]
