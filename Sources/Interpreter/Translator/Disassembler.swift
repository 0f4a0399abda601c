// Invariant: `entries` are those of the module's `CodeTable`, which the caller keeps.

import Synchronization
import WasmMachine

/// Turns register code back into text: `i32.add s5, s3, #4`.
struct Disassembler {
    /// Instruction numbers by handler address.
    private let numbers: [CodeWord: Int]
    /// The module's code table, and the index of the first function in it.
    private let entries: UnsafeMutablePointer<Atomic<UInt>>
    private let firstFunction: Int

    init(entries: UnsafeMutablePointer<Atomic<UInt>>, firstFunction: Int) {
        self.entries = entries
        self.firstFunction = firstFunction
        var numbers: [CodeWord: Int] = [:]
        for number in 0..<Instruction.count { numbers[Machine.handlers[number]] = number }
        self.numbers = numbers
    }

    /// One instruction.
    struct Line {
        /// Index of its first word.
        var word: Int
        var text: String
    }

    /// Every instruction of a function's code. A word that is no instruction ends the listing.
    func lines(_ code: TranslatedCode) -> [Line] {
        var lines: [Line] = []
        var word = code.entry
        while word < code.words.count, let number = numbers[code.words[word]],
            let family = instructionFamilies.last(where: { $0.base <= number })
        {
            let choices = family.choices(at: number - family.base)
            let length =
                family.words + choices.reduce(0) { $0 + $1.extraWords }
                + Self.tableWords(choices, code.words, word)
            lines.append(Line(word: word, text: text(family, choices, code.words, word)))
            word += length
        }
        return lines
    }

    /// The mnemonic of an instruction, without operands.
    func mnemonic(_ handler: CodeWord) -> String? {
        guard let number = numbers[handler],
            let family = instructionFamilies.last(where: { $0.base <= number })
        else { return nil }
        return family.choices(at: number - family.base).map { "\($0.label)" }
            .joined(separator: " ")
    }

    /// `br_table` is followed by its offsets, two in each word, and `struct.new` by its fields.
    private static func tableWords(
        _ choices: [InstructionChoice], _ words: [CodeWord], _ word: Int
    ) -> Int {
        guard word + 2 < words.count else { return 0 }
        switch "\(choices[0].label)" {
        case "br_table": return (Int(words[word + 1] >> 32) + 2) / 2
        case "struct.new":
            return Int(words[word + 2] >> 16 & 0xffff) + Int(words[word + 2] >> 32 & 0xffff)
        default: return 0
        }
    }

    private func text(
        _ family: InstructionFamily, _ choices: [InstructionChoice], _ words: [CodeWord],
        _ word: Int
    ) -> String {
        let name = "\(choices[0].label)".prefix { $0 != " " }
        // The destination comes first; fused branches name the condition in the second label.
        let destination = choices.last.map { "\($0.label)" } ?? ""
        let isResult = destination == "slot" || destination == "register"
        var groups = choices.map { "\($0.fields)" }
        if isResult, let last = groups.popLast() { groups.insert(last, at: 0) }
        groups.append("\(family.fields)")
        let tokens = groups.flatMap { $0.split(separator: " ") }
        let operands = tokens.map { operand($0, words, word) }.filter { !$0.isEmpty }
        let suffixes = choices.dropFirst().map { "\($0.label)" }.filter {
            ["loop", "br_if", "br_unless", "imported", "on_cast", "on_cast_fail"].contains($0)
        }
        return
            ([([String(name)] + suffixes).joined(separator: ".")]
            + (operands.isEmpty ? [] : [operands.joined(separator: ", ")])).joined(separator: " ")
    }

    /// An operand of the instruction at `word`; the tokens are those of `Family`.
    private func operand(_ token: Substring, _ words: [CodeWord], _ word: Int) -> String {
        func field(_ index: Int) -> Int {
            let at = word + 1 + index / 4
            guard at < words.count else { return 0 }
            return Int(words[at] >> UInt64(16 * (index % 4)) & 0xffff)
        }
        func half(_ at: Int) -> UInt32 {
            at < words.count ? UInt32(truncatingIfNeeded: words[at] >> 32) : 0
        }
        func quarter(_ index: Int) -> UInt32 {
            guard word + 2 < words.count else { return 0 }
            return UInt32(truncatingIfNeeded: words[word + 2] >> (index == 4 ? 0 : 32))
        }
        func target(_ bytes: Int32) -> String { "-> \(word + Int(bytes) / 8)" }
        let index = token.dropFirst().first?.wholeNumberValue
        switch (token.first, index) {
        case ("s", let index?): return "s\(field(index))\(token.drop { $0 != "<" })"
        case ("i", let index?): return "#\(Int16(truncatingIfNeeded: field(index)))"
        case ("n", let index?): return "#\(field(index))"
        case ("h", let index?): return "#\(Int32(bitPattern: quarter(index)))"
        case ("u", let index?): return "#\(quarter(index))"
        case ("i", nil): return "#\(Int32(bitPattern: half(word + 1)))"
        case ("u", nil): return "#\(half(word + 1))"
        case ("u", _): return "#\(half(word + 2))"
        case ("w", nil):
            return word + 2 < words.count ? "#\(Int64(bitPattern: words[word + 2]))" : ""
        case ("v", nil):
            guard word + 3 < words.count else { return "" }
            return "#0x" + Value.hex(words[word + 3]) + Value.hex(words[word + 2])
        case ("b", nil): return target(Int32(bitPattern: half(word + 1)))
        case ("b", _) where token == "b2": return target(Int32(bitPattern: half(word + 2)))
        case ("b", _): return "-> \(word + Int(Int16(truncatingIfNeeded: field(3))))"
        case ("c", nil):
            guard word + 1 < words.count else { return "" }
            let entry = Int(bitPattern: UInt(words[word + 1]))
            let index = (entry - Int(bitPattern: entries)) / MemoryLayout<Atomic<UInt>>.stride
            return "func[\(firstFunction + index)]"
        default: return String(token)
        }
    }
}
