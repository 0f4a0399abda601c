/// The handler for exceptions of a range of register code.
public struct RegisterHandler: Sendable {
    /// The words of the function's code that it applies to.
    public let words: Range<Int>
    /// The index of the tag in the module; nil for exceptions of all tags.
    public let tag: Int?
    /// The word where the code continues.
    public let target: Int
    /// The handler as text, for example `12..<40 catch 0 -> 52 payload s4 reference s5`.
    public let text: String
}

extension Module {
    /// The handlers of a function by position in its code: the clauses of the innermost region
    /// there, in their order. Clauses of outer regions are listed with the code of these. Empty if
    /// `registerCode(of:)` is nil.
    public func registerHandlers(of function: FunctionIndex) -> [RegisterHandler] {
        let defined = Int(function) - parsed.importedFunctionCount
        guard defined >= 0, defined < parsed.bodies.count else { return [] }
        do throws(TranslationError) {
            let translated = try code.annotated(defined).code
            guard let table = translated.handlers else { return [] }
            return table.stretches(wordCount: translated.words.count).flatMap { words, region in
                table.clauses(of: region).map { handler($0, words) }
            }
        } catch {
            return []
        }
    }

    private func handler(_ clause: CatchTable.Clause, _ words: Range<Int>) -> RegisterHandler {
        let tag = clause.tag < 0 ? nil : Int(clause.tag)
        var text = "\(words) " + (tag.map { "catch \($0)" } ?? "catch_all") + " -> \(clause.target)"
        let slots = tag.map { valid.parsed.tags.indices.contains($0) ? payloadSlots($0) : 0 } ?? 0
        if slots > 0 { text += " payload s\(clause.payload)" }
        if clause.reference >= 0 { text += " reference s\(clause.reference)" }
        return RegisterHandler(words: words, tag: tag, target: Int(clause.target), text: text)
    }

    private func payloadSlots(_ tag: Int) -> Int {
        let type = parsed.types[Int(parsed.tags[tag])].composite.functionType
        return type?.parameters.slotCount ?? 0
    }
}
