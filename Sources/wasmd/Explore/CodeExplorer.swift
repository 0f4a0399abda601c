import WasmInterpreter

/// Shows the register code of a function: the interface to the engine's disassembler.
protocol CodeExplorer {
    /// The register code of a function that the module defines.
    ///
    /// - Parameter function: index of the function, imports counted.
    /// - Returns: register instructions in the order of the code; empty if there are none to show.
    func explore(module: Module, function: FunctionIndex) -> [RegisterLine]
}

/// A register instruction as text.
struct RegisterLine: Equatable {
    /// Byte offset in the file of the wasm instruction that it was made for; nil for instructions
    /// that the translator adds itself.
    let offset: Int?
    /// Index of its first word in the function's code; the target of branches to it.
    let word: Int
    let text: String
}
