// Accesses to memories.

/// `i64.load8_u` and the like are the i32 instructions: registers and slots are zero-extended.
private let loads: Choices = [
    Choice("i32.load", "Access<UInt32, UInt32>.self").scaled(2).executing("i64.load32_u"),
    Choice("i32.load8_s", "Access<Int8, UInt32>.self").scaled(0),
    Choice("i32.load8_u", "Access<UInt8, UInt32>.self").scaled(0).executing("i64.load8_u"),
    Choice("i32.load16_s", "Access<Int16, UInt32>.self").scaled(1),
    Choice("i32.load16_u", "Access<UInt16, UInt32>.self").scaled(1).executing("i64.load16_u"),
    Choice("i64.load", "Access<UInt64, UInt64>.self").scaled(3),
    Choice("i64.load8_s", "Access<Int8, UInt64>.self").scaled(0),
    Choice("i64.load16_s", "Access<Int16, UInt64>.self").scaled(1),
    Choice("i64.load32_s", "Access<Int32, UInt64>.self").scaled(2),
    Choice("f32.load", "FloatAccess<Float>.self").scaled(2),
    Choice("f64.load", "FloatAccess<Double>.self").scaled(3),
]
/// Floats in slots and immediates are stored by the instructions for integers.
private let stores: Choices = [
    Choice("i32.store8", "Access<UInt8, UInt32>.self").scaled(0).executing("i64.store8"),
    Choice("i32.store16", "Access<UInt16, UInt32>.self").scaled(1).executing("i64.store16"),
    Choice("i32.store", "Access<UInt32, UInt32>.self").scaled(2)
        .executing("i64.store32", "f32.store"),
    Choice("i64.store", "Access<UInt64, UInt64>.self").scaled(3).executing("f64.store"),
]
private let floatStores: Choices = [
    Choice("f32.store", "FloatAccess<Float>.self"), Choice("f64.store", "FloatAccess<Double>.self"),
]

let storedValues = Axis(
    "SlotOrImmediate",
    [Choice("S", "Slot0.self", fields: "s0"), Choice("I", "Immediate0.self", fields: "i0")])

/// The named accesses with all scaled addresses.
private func scaled(_ name: String, _ accesses: Choices, _ labels: [String]) -> Axis {
    let elements = labels.compactMap { label in accesses.first { $0.label == label } }
    let choices = elements.flatMap { access in
        scaledAddressForms(access.scale ?? 0).map {
            Choice(
                "\(access.label) \($0.label)", "\(access.arguments), \($0.arguments)",
                fields: $0.fields)
        }
    }
    return Axis(
        choices,
        product: [
            (name, elements.map(\.name)), ("ScaledAddress", scaledAddressForms(1).map(\.name)),
        ])
}
/// All except those of single bytes, whose indices need no scale.
private let scaledLoads = scaled(
    "ScaledLoad", loads,
    [
        "i32.load", "i32.load16_s", "i32.load16_u", "i64.load", "i64.load16_s", "i64.load32_s",
        "f32.load", "f64.load",
    ])
private let scaledStores = scaled("ScaledStore", stores, ["i32.store16", "i32.store", "i64.store"])

let memoryFamilies = [
    Family("load", "load", [Axis("Load", loads), scalarAddresses, toSlotOrRegister]),
    Family(
        "loadScaled", "load", [scaledLoads, toSlotOrRegister]),
    Family("store", "store", [Axis("Store", stores), scalarAddresses, storedValues]),
    Family("storeScaled", "store", [scaledStores, storedValues]),
    // The value is in the accumulator, so the address cannot be: only forms S and K.
    Family(
        "storeRegister", "store",
        [
            Axis("Store", stores),
            Axis("SlotOrConstant", addressForms.filter { ["S", "K"].contains($0.label) }),
            [Choice("R", "Register.self", fields: "r")],
        ]),
    Family(
        "storeFloatRegister", "store",
        [Axis("FloatStore", floatStores), addresses, [Choice("R", "Register.self", fields: "r")]]),
    // A load and the store of the loaded value. Fields 0 and 2: destination, 1 and 3: source.
    Family(
        "move", "moveMemory",
        [
            Axis(
                "Move",
                [
                    Choice("move8", "UInt8.self"), Choice("move32", "UInt32.self"),
                    Choice("move64", "UInt64.self"),
                ])
        ], fields: "s0 n2 s1 n3", "memory to memory"),
    // Any other memory, or a 64-bit one: address in a slot, memory index, 64-bit offset.
    Family(
        "loadFar", "loadFar", [Axis("Load", loads)], fields: "s0 s1 n2 w", words: 3, code: .mayPush),
    Family(
        "storeFar", "storeFar", [Axis("Store", stores)], fields: "s0 s1 n2 w", words: 3,
        code: .mayPush),
    Family("memorySize", "memorySize", [[Choice("memory.size", "")]], fields: "s0"),
    Family("memorySizeFar", "memorySizeFar", [[Choice("memory.size", "")]], fields: "s0 n2 n3"),
    Family(
        "memoryGrow", "memoryGrow", [[Choice("memory.grow", "")]], fields: "s0 s1 n2",
        code: .mayCall),
    Family(
        "memoryCopy", "memoryCopy", [[Choice("memory.copy", "")]], fields: "s0 s1 s2",
        code: .mayCall),
    Family(
        "memoryFill", "memoryFill", [[Choice("memory.fill", "")]], fields: "s0 s1 s2",
        code: .mayCall),
    // One handler for all: the optimiser would merge similar ones into a function that they call.
    Family(
        "bulk", "bulk", [[Choice("bulk", "")]], fields: "n3 s0 s1 s2 w", words: 3,
        code: .mayCall,
        "field 3 is a `BulkOperation`; three slots; word 2 holds two indices"),
    Family(
        "dropSegment", "dropSegment", [[Choice("drop", "")]], fields: "n0 u", code: .mayCall,
        "field 0: 0 for a data segment, 1 for an element segment"),
]
