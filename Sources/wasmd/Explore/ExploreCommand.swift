import WasmInterpreter
import WasmText

/// `wasmd explore`: shows functions as wasm next to their register code.
struct ExploreCommand {
    private let file: Word
    private let function: String?
    private let features: Features

    init(_ arguments: ParsedArguments) throws(UsageError) {
        file = arguments.words.first ?? ""
        function = arguments.operands.count > 1 ? arguments.operands[1] : nil
        features = try arguments.features()
    }

    func perform(_ console: Console) throws(UsageError) -> Int32 {
        let module: Module
        do throws(Refusal) {
            module = try load()
        } catch {
            console.complain(error.text)
            return ExitCode.refused
        }
        let parsed = module.parsed
        let imported = parsed.importedFunctionCount
        let chosen = try function.map { name throws(UsageError) in
            [try index(of: name, in: module)]
        }
        let indices = chosen ?? (imported..<parsed.functions.count).map { FunctionIndex($0) }
        for (number, index) in indices.enumerated() {
            if number > 0 { console.output.writeLine() }
            write(index, of: module, to: console.output)
        }
        return ExitCode.success
    }

    private func load() throws(Refusal) -> Module {
        let file = try ModuleFile(file)
        var configuration = Engine.Configuration()
        configuration.features = features
        do throws(ModuleError) {
            return try Module(file.bytes, engine: Engine(configuration))
        } catch {
            throw file.refusal(error)
        }
    }

    /// The function that a word means: an index, an export, or a name of the name section.
    private func index(of word: String, in module: Module) throws(UsageError) -> FunctionIndex {
        let parsed = module.parsed
        if let index = FunctionIndex(word), index < parsed.functions.count { return index }
        if let export = module.export(Name(word)), export.kind == .function { return export.index }
        let names = (0..<parsed.functions.count).compactMap { index in
            module.names?.functions[FunctionIndex(index)].map { (index, $0.description) }
        }
        if let match = names.first(where: { $0.1 == word }) { return FunctionIndex(match.0) }
        let candidates = EntryPoint.functions(of: module) + names.map(\.1)
        throw .unknownFunction(
            word, file: file.text, suggestion: Suggestion.best(for: word, in: candidates))
    }

    private func write(_ index: FunctionIndex, of module: Module, to output: Output) {
        let parsed = module.parsed
        let name = module.names?.functions[index].map { " " + printable($0.description) } ?? ""
        let type = parsed.functionType(at: index)?.description ?? ""
        output.writeLine("func[\(index)]\(name) \(type)")
        let defined = Int(index) - parsed.importedFunctionCount
        guard parsed.bodies.indices.contains(defined) else {
            output.writeLine("  imported")
            return
        }
        let wasm = InstructionText.lines(of: parsed.bodies[defined], in: parsed)
        let code = EngineExplorer().explore(module: module, function: index)
        for line in Listing(wasm: wasm, code: code).lines { output.writeLine(line) }
        for handler in module.registerHandlers(of: index) { output.writeLine("  " + handler.text) }
    }
}
