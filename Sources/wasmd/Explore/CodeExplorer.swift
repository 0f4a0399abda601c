import WasmInterpreter

/// Shows what the engine makes of a function: the seam to its disassembler.
protocol CodeExplorer {
    /// The register code of a function that the module defines.
    ///
    /// - Parameter function: index of the function, imports counted.
    /// - Returns: register instructions in the order of the code; empty if there are none to show.
    func explore(module: Module, function: FunctionIndex) -> [RegisterLine]
}

/// A register instruction as text.
struct RegisterLine: Equatable {
    /// Byte offset in the file of the wasm instruction that it was made for; nil for what the
    /// translator adds of its own accord.
    let offset: Int?
    /// Index of its first word in the function's code, by which branches name it.
    let word: Int
    let text: String
}
