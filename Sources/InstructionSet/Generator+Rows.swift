// The register instruction of each instruction of WebAssembly: the rows of operators, by opcode.

func rowsFile() -> GeneratedFile {
    var text = notice
    text += "import WasmMachine\n\n"
    text += "// The row of the instruction set for each operator of WebAssembly.\n"
    text += binaryRows() + unaryRows() + accessRows("Load", "load") + accessRows("Store", "store")
    text += atomicRows() + vectorRows()
    return GeneratedFile(
        path: "Sources/Interpreter/Translator/Generated/OperatorRows.swift", text: text)
}

private func operators(_ family: String) -> Choices {
    instructionSet.first { $0.name == family }?.axes[0].choices ?? []
}

/// The class of the values of a type that a name begins with: integers, unless it is a float type.
private func valueClass(_ name: some StringProtocol) -> String {
    name.hasPrefix("f32") ? ".float" : name.hasPrefix("f64") ? ".double" : ".integer"
}

/// The type that an operator takes: the one at the end of a conversion's name, or its first.
private func operandType(_ name: String) -> Substring {
    let parts = name.split { $0 == "_" || $0 == "." }
    return parts.dropFirst().last { ["i32", "i64", "f32", "f64"].contains($0) } ?? name.prefix(3)
}

/// An initializer by opcode: `cases` are names of instructions with the statement for each.
private func initializer(
    _ type: String, _ comment: String, _ cases: [(instructions: [String], action: String)]
) -> String {
    var text = "\nextension \(type) {\n    /// \(comment)\n    init?(_ opcode: Opcode) {\n"
    text += "        switch opcode {\n"
    for (instructions, action) in cases {
        let opcodes = instructions.map { ".\(Choice.name($0))" }
        text += "        case \(list(opcodes, indent: 12)):\n            \(action)\n"
    }
    return text + "        default: return nil\n        }\n    }\n}\n"
}

private func instructions(_ choice: Choice) -> [String] {
    [choice.label] + choice.otherInstructions
}

private func binaryRows() -> String {
    let families = [
        "integerCommutative", "integerOrdered", "division", "integerCompare", "floatCommutative",
        "floatOrdered", "floatCompare",
    ]
    return initializer(
        "BinaryOperation", "The operation of a binary numeric instruction; nil for all others.",
        families.flatMap { family in
            operators(family).map { choice in
                let fusion = family.hasSuffix("Compare") ? "compare" : choice.fusion
                let is64 = ["i64", "f64"].contains(choice.label.prefix(3))
                let action =
                    "self.init(.\(family)(.\(choice.name)), \(valueClass(choice.label))"
                    + (is64 ? ", is64: true" : "") + (fusion.map { ", .\($0)" } ?? "") + ")"
                return (instructions(choice), action)
            }
        })
}

private func unaryRows() -> String {
    let families = [
        "integerUnary", "floatUnary", "floatConvert", "truncate", "truncateSaturating", "makeI31",
        "i31Get", "arrayLength",
    ]
    return initializer(
        "UnaryOperation", "The operation of an instruction on one number; nil for all others.",
        families.flatMap { family in
            operators(family).map { choice in
                let choices = operators(family).count == 1 ? "" : ".\(choice.name), "
                let operand = operandType(choice.label)
                let action =
                    "self.init(\n                .\(family)(\(choices).slot, .toSlot), "
                    + "\(valueClass(operand)), \(valueClass(choice.label))"
                    + (operand.hasSuffix("64") ? ", is64: true" : "")
                    + (choice.fusion.map { ", .\($0)" } ?? "") + ")"
                return (instructions(choice), action)
            }
        })
}

private func accessRows(_ type: String, _ family: String) -> String {
    initializer(
        "\(type)Operation", "The operation of a \(family); nil for all other instructions.",
        operators(family).flatMap { choice in
            let byClass = Dictionary(grouping: instructions(choice)) { valueClass($0) }
            return byClass.sorted { $0.key > $1.key }.map { valueClass, names in
                (names, "self.init(.\(choice.name), \(valueClass))")
            }
        })
}

private func atomicRows() -> String {
    let accesses = [
        ("atomicLoad", "load"), ("atomicStore", "store"),
        ("atomicCompareExchange", "compareExchange"),
    ]
    var rows = accesses.flatMap { family, name in
        operators(family).map { ($0.otherInstructions, "self = .\(name)(.\($0.name))") }
    }
    rows += operators("atomicModify").map { choice in
        // `atomic.rmw.add8`
        let operation = choice.label.split(separator: ".").last?.prefix { !$0.isNumber } ?? ""
        return (choice.otherInstructions, "self = .modify(.\(operation), .\(choice.name))")
    }
    return initializer(
        "AtomicOperation", "The operation of an atomic access; nil for all other instructions.",
        rows)
}

private func vectorRows() -> String {
    /// Rows of a family whose labels are instructions.
    func rows(_ family: String, _ action: (Choice) -> String) -> [([String], String)] {
        operators(family).map { (instructions($0), "self = \(action($0))") }
    }
    var all = rows("vectorUnary") { ".unary(.vectorUnary(.\($0.name)))" }
    all += rows("vectorRoot") { ".unary(.vectorRoot(.\($0.name)))" }
    all += rows("vectorBinary") { ".binary(.\($0.name))" }
    all += rows("vectorCompare") { ".compare(.\($0.name))" }
    all += rows("vectorChoose") { ".plain(.vectorChoose(.\($0.name)))" }
    all += rows("vectorExtended") { ".plain(.vectorExtended(.\($0.name)))" }
    all += rows("vectorSwizzle") { _ in ".plain(.vectorSwizzle)" }
    all += rows("vectorTernary") { ".ternary(.vectorTernary(.\($0.name)))" }
    // Operations that WebAssembly also has as one instruction.
    all += operators("vectorPair").filter { !$0.otherInstructions.isEmpty }.map {
        ($0.otherInstructions, "self = .ternary(.vectorPair(.\($0.name)))")
    }
    all += rows("vectorShift") { ".shift(.\($0.name))" }
    all += rows("vectorTest") { ".test(.\($0.name))" }
    all += rows("vectorLoad") { ".load(.\($0.name))" }
    all += rows("vectorStore") { _ in ".store" }
    all += rows("vectorConstant") { _ in ".constant" }
    all += rows("vectorShuffle8") { _ in ".shuffle" }
    all += rows("vectorSplat") { ".splat(.integer(.\($0.name)))" }
    all += rows("vectorSplatFloat") { ".splat(.float(.\($0.name)))" }
    all += rows("vectorExtract") { ".extract(.\($0.name))" }
    all += rows("vectorReplace") { ".replace(.integer(.\($0.name)))" }
    all += rows("vectorReplaceFloat") { ".replace(.float(.\($0.name)))" }
    all += laneAccesses.flatMap { lane in
        [
            (
                ["v128.load\(lane.bits)_lane"],
                "self = .loadLane(.\(Choice.name(lane.load)), .\(lane.shape))"
            ),
            (
                ["v128.store\(lane.bits)_lane"],
                "self = .storeLane(\n                .\(Choice.name(lane.extract)), "
                    + ".\(Choice.name(lane.store)))"
            ),
        ]
    }
    return initializer(
        "VectorOperation", "The operation of an instruction on v128; nil for all others.", all)
}
