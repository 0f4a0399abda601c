// The code around the instruction under test: wherever it goes on, the accumulators are written
// to cells of the context, and the run ends.

import WasmMachine

enum Landing {
    /// Words of a landing: three instructions that write accumulators, and `halt`.
    static let wordCount = 8
    /// Index of the instruction under test.
    static let instruction = 64
    /// Landings by what leads there, in words.
    static let back = instruction - 16
    static let forward = instruction + 48
    static let second = instruction + 56
    static let third = instruction + 72
    static let caller = instruction + 80
    static let handler = instruction + 88
    static let callee = instruction + 96
    private static let end = 256

    static func write(at word: Int) {
        let code = Stage.code + word
        code[0] = Instruction.globalSet(.own, .register).handler
        code[1] = UInt64(Cell.integer) &<< 32
        code[2] = Instruction.globalSetFloat(.float, .own).handler
        code[3] = UInt64(Cell.float) &<< 32
        code[4] = Instruction.globalSetFloat(.double, .own).handler
        code[5] = UInt64(Cell.double) &<< 32
        code[6] = Instruction.halt.handler
        code[7] = 0
    }

    static func writeAll() {
        for word in stride(from: 0, to: end, by: wordCount) { write(at: word) }
    }
}
