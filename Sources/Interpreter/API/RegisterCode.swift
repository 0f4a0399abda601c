/// One instruction of the register code that a function was translated to.
public struct RegisterInstruction: Sendable {
    /// Byte offset in the file of the WebAssembly instruction it was emitted for.
    public let offset: Int
    /// Index of its first word in the function's code; branches name their targets by it.
    public let word: Int
    /// For people to read, for example `i32.add s5, s3, #4`.
    public let text: String
}

extension Module {
    /// The register code of a function; nil if the index names no function that the module defines,
    /// or one that this version cannot translate.
    public func registerCode(of function: FunctionIndex) -> [RegisterInstruction]? {
        let defined = Int(function) - parsed.importedFunctionCount
        guard defined >= 0, defined < parsed.bodies.count else { return nil }
        do throws(TranslationError) {
            let (translated, positions) = try code.annotated(defined)
            var next = 0
            let disassembler = Disassembler(
                entries: code.entries, firstFunction: parsed.importedFunctionCount)
            return disassembler.lines(translated).map { line in
                while next + 1 < positions.count, positions[next + 1].word <= line.word {
                    next += 1
                }
                let offset = positions.isEmpty ? 0 : positions[next].offset
                return RegisterInstruction(offset: offset, word: line.word, text: line.text)
            }
        } catch {
            return nil
        }
    }

    /// How many functions were translated so far, the words of eight bytes of their code, and how
    /// long that took.
    public var translationStatistics: (functions: Int, words: Int, duration: Duration) {
        code.statistics
    }
}
