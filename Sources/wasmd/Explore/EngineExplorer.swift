import WasmInterpreter

/// The engine's own disassembler.
struct EngineExplorer: CodeExplorer {
    func explore(module: Module, function: FunctionIndex) -> [RegisterLine] {
        let code = module.registerCode(of: function) ?? []
        return code.map { RegisterLine(offset: $0.offset, word: $0.word, text: $0.text) }
    }
}
