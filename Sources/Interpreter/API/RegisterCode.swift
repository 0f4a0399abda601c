/// One instruction of the register code that a function was translated to.
public struct RegisterInstruction: Sendable {
    /// Byte offset in the file of the WebAssembly instruction that it was emitted for.
    public let offset: Int
    /// Index of its first word in the function's code; the target of branches.
    public let word: Int
    /// The instruction as text, for example `i32.add s5, s3, #4`.
    public let text: String
}

extension Module {
    /// The register code of a function; nil if the module does not define a function with this
    /// index, or it cannot be translated.
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

    /// The number of functions translated so far, the words of eight bytes of their code, and the
    /// time that took.
    public var translationStatistics: (functions: Int, words: Int, duration: Duration) {
        code.statistics
    }
}
