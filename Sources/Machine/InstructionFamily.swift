/// A family of instructions, as the disassembler needs it; the table is generated.
package struct InstructionFamily {
    package let base: Int
    package let count: Int
    package let words: Int
    package let fields: StaticString
    package let axes: [[InstructionChoice]]

    /// The choices of instruction `index` of the family, one for each axis.
    package func choices(at index: Int) -> [InstructionChoice] {
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
package struct InstructionChoice {
    package let label: StaticString
    package let fields: StaticString
    package let extraWords: Int

    package init(_ label: StaticString, _ fields: StaticString, _ extraWords: Int) {
        self.label = label
        self.fields = fields
        self.extraWords = extraWords
    }
}
