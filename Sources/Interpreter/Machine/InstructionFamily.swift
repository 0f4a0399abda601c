/// What the disassembler knows of a family of instructions; the table is generated.
struct InstructionFamily {
    let base: Int
    let count: Int
    let words: Int
    let fields: StaticString
    let axes: [[InstructionChoice]]

    /// The choices of instruction `index` of the family, one for each axis.
    func choices(at index: Int) -> [InstructionChoice] {
        var rest = index
        var result: [InstructionChoice] = []
        for axis in axes.reversed() {
            result.append(axis[rest % axis.count])
            rest /= axis.count
        }
        return result.reversed()
    }
}

/// One position on an axis of a family.
struct InstructionChoice {
    let label: StaticString
    let fields: StaticString
    let extraWords: Int

    init(_ label: StaticString, _ fields: StaticString, _ extraWords: Int) {
        self.label = label
        self.fields = fields
        self.extraWords = extraWords
    }
}
