// The enumerations made from axes, with the facts of their rows and the conversions between them.

/// An enumeration, with the rows of its cases.
private struct Rows {
    let name: String
    let cases: [String]
    /// Rows by case, of all axes that have the enumeration.
    var choices: [String: [Choice]] = [:]

    /// The result of `value` for each case, from the first row that has one.
    func values<Value>(_ value: (Choice) -> Value?) -> [(name: String, value: Value)] {
        cases.compactMap { name in
            (choices[name] ?? []).lazy.compactMap(value).first.map { (name, $0) }
        }
    }
}

private let enumerations: [Rows] = {
    var order: [String] = []
    var rows: [String: Rows] = [:]
    for axis in instructionSet.flatMap(\.axes) {
        for enumeration in axis.enumerations {
            if rows[enumeration.name] == nil {
                order.append(enumeration.name)
                rows[enumeration.name] = Rows(name: enumeration.name, cases: enumeration.cases)
            }
            guard axis.enumerations.count == 1 else { continue }
            for choice in axis.choices {
                rows[enumeration.name]?.choices[choice.name, default: []].append(choice)
            }
        }
    }
    return order.compactMap { rows[$0] }
}()

func enumerationsFile() -> GeneratedFile {
    var text =
        "// Positions on the axes of the instruction set, by name.\n\nextension Instruction {\n"
    text += enumerations.map(declaration).joined(separator: "\n")
    text += "}\n"
    for (from, to) in conversions { text += "\n" + conversion(from, to) }
    for (name, first, second) in combinations { text += "\n" + combination(name, first, second) }
    return GeneratedFile(translator: "InstructionAxes.swift", text)
}

private func declaration(_ rows: Rows) -> String {
    var text = "    enum \(rows.name): UInt8 {\n"
    for name in rows.cases { text += "        case \(name)\n" }
    text += "\n        @inline(__always) var position: Int { Int(rawValue) }\n"
    for fact in facts.filter({ $0.enumeration == rows.name }).flatMap(\.facts) {
        text += "\n" + property(fact, rows)
    }
    return text + "    }\n"
}

private func property(_ fact: Fact, _ rows: Rows) -> String {
    switch fact {
    case .scale:
        property(
            "scale", "Int", "The logarithm of the bytes that are read or written.",
            rows.values { $0.scale.map(String.init) })
    case .swapped:
        property(
            "swapped", rows.name, "The same for swapped operands.",
            rows.values { $0.swapped.map { ".\(Choice.name($0))" } })
    case .negated:
        property(
            "negated", rows.name, "The opposite.",
            rows.values { $0.negated.map { ".\(Choice.name($0))" } })
    case .isCommutative:
        property(
            "isCommutative", "Bool", "Operands may be swapped.",
            rows.values { "\($0.isCommutative)" })
    case .addition(let type):
        property(
            "addition", type, "The addition of its results.",
            rows.values { $0.addition.map { ".\(Choice.name($0))" } })
    }
}

/// A computed property; cases with the same value are together.
private func property(
    _ name: String, _ type: String, _ comment: String, _ values: [(name: String, value: String)]
) -> String {
    var order: [String] = []
    var cases: [String: [String]] = [:]
    for (name, value) in values {
        if cases[value] == nil { order.append(value) }
        cases[value, default: []].append(".\(name)")
    }
    var text = "        /// \(comment)\n        var \(name): \(type) {\n            switch self {\n"
    for value in order {
        text += "            case \(list(cases[value] ?? [], indent: 20)): \(value)\n"
    }
    return text + "            }\n        }\n"
}

/// Patterns of a case, on lines of at most 100 columns.
func list(_ items: [String], indent: Int) -> String {
    var lines = [""]
    for (index, item) in items.enumerated() {
        let piece = item + (index == items.count - 1 ? "" : ", ")
        if lines[lines.count - 1].count + piece.count + indent > 86 { lines.append("") }
        lines[lines.count - 1] += piece
    }
    let margin = "\n" + String(repeating: " ", count: indent)
    return lines.map { line in
        line.hasSuffix(", ") && line != lines.last ? String(line.dropLast()) : line
    }.joined(separator: margin)
}

private func rows(_ name: String) -> Rows {
    enumerations.first { $0.name == name } ?? Rows(name: name, cases: [])
}

private func conversion(_ from: String, _ to: String) -> String {
    let target = Set(rows(to).cases)
    let shared = rows(from).cases.filter(target.contains)
    let isTotal = shared.count == rows(from).cases.count
    var text = "extension Instruction.\(to) {\n"
    text += "    /// The case of the same name\(isTotal ? "" : ", if there is one").\n"
    text +=
        "    init\(isTotal ? "" : "?")(_ other: Instruction.\(from)) {\n        switch other {\n"
    for name in shared { text += "        case .\(name): self = .\(name)\n" }
    if !isTotal { text += "        default: return nil\n" }
    return text + "        }\n    }\n}\n"
}

private func combination(_ name: String, _ first: String, _ second: String) -> String {
    let made = rows(name).values { $0.parts.count == 2 ? $0 : nil }
    let canReverse = made.contains { $0.value.isReversed }
    var text = "extension Instruction.\(name) {\n"
    if canReverse {
        text += "    /// Both operations as one, if there is such an instruction.\n    ///\n"
        text += "    /// - Parameter isReversed: the first result is the second's right operand.\n"
    } else {
        text += "    /// Both as one, if there is such an instruction.\n"
    }
    text += "    init?(\n        _ first: Instruction.\(first), _ second: Instruction.\(second)"
    text += "\(canReverse ? ", isReversed: Bool" : "")\n    ) {\n        switch (first, second) {\n"
    for (name, choice) in made where !choice.isReversed {
        let reversed = made.first { $0.value.isReversed && $0.value.parts == choice.parts }
        let parts = choice.parts.map { ".\(Choice.name($0))" }.joined(separator: ", ")
        let value = reversed.map { "isReversed ? .\($0.name) : .\(name)" } ?? ".\(name)"
        text += "        case (\(parts)): self = \(value)\n"
    }
    return text + "        default: return nil\n        }\n    }\n}\n"
}
