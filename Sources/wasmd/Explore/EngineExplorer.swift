import WasmInterpreter

/// The engine's own disassembler.
struct EngineExplorer: CodeExplorer {
    func explore(module: Module, function: FunctionIndex) -> [RegisterLine] { [] }
}
