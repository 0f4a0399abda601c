import WasmInterpreter

/// What a function takes and gives, in the words of JSON: its declaration as far as it agrees with
/// the function's real type, and the real type otherwise.
///
/// A declared `string` or `bytes` is two parameters of the function, an address and a length, both
/// i32. As a result it is two results, or one: the address of an address and a length. That is
/// what the canonical ABI of the component model makes of `string` and `list<u8>`, so that compilers
/// and generators of bindings produce it.
struct CallShape {
    struct Input {
        var name: String
        var type: ParameterType
    }

    let inputs: [Input]
    /// Those of the inputs.
    let inputTypes: [ParameterType]
    let outputs: [ParameterType]
    /// Whether arguments or results are in the guest's memory.
    let isInMemory: Bool
    /// How the declaration and the real type differ; nil if they agree.
    let disagreement: String?
    let type: FunctionType

    /// - Parameters:
    ///   - results: nil if they are not declared.
    /// - Returns: nil if the function takes or gives what JSON cannot say.
    init?(_ type: FunctionType, parameters: [Parameter], results: [ParameterType?]?) {
        self.type = type
        let realInputs = type.parameters.compactMap { ParameterType($0) }
        let realOutputs = type.results.compactMap { ParameterType($0) }
        guard realInputs.count == type.parameters.count, realOutputs.count == type.results.count
        else { return nil }

        var notes: [String] = []
        if let declared = Self.inputs(parameters, realInputs) {
            inputs = declared
        } else {
            inputs = realInputs.enumerated().map { index, type in
                let known = parameters.indices.contains(index) ? parameters[index].name : ""
                return Input(name: known.isEmpty ? "param\(index)" : known, type: type)
            }
        }
        let declaredTypes = parameters.compactMap(\.type)
        if !parameters.isEmpty, declaredTypes != inputs.map(\.type) {
            notes.append(
                "parameters are declared as \(Self.text(declaredTypes)), and are "
                    + Self.text(realInputs))
        }
        let declared = results?.compactMap { $0 } ?? []
        if !declared.isEmpty, let outputs = Self.outputs(declared, realOutputs) {
            self.outputs = outputs
        } else {
            outputs = realOutputs
        }
        if !declared.isEmpty, declared != outputs {
            notes.append(
                "results are declared as \(Self.text(declared)), and are \(Self.text(realOutputs))")
        }
        inputTypes = inputs.map(\.type)
        isInMemory = (inputTypes + outputs).contains { $0.isInMemory }
        disagreement = notes.isEmpty ? nil : notes.joined(separator: "; ")
    }

    private static func text(_ types: [ParameterType]) -> String {
        "(\(types.map(\.name).joined(separator: ", ")))"
    }

    /// The declared parameters with their real types; nil if they do not fit.
    private static func inputs(_ declared: [Parameter], _ real: [ParameterType]) -> [Input]? {
        var rest = real[...]
        var inputs: [Input] = []
        for parameter in declared {
            guard let first = rest.first else { return nil }
            if parameter.type?.isInMemory == true {
                guard rest.starts(with: [.i32, .i32]) else { return nil }
                inputs.append(Input(name: parameter.name, type: parameter.type ?? first))
                rest = rest.dropFirst(2)
            } else {
                inputs.append(Input(name: parameter.name, type: first))
                rest = rest.dropFirst()
            }
        }
        return rest.isEmpty ? inputs : nil
    }

    private static func outputs(
        _ declared: [ParameterType], _ real: [ParameterType]
    ) -> [ParameterType]? {
        // A single text can be returned by its place in memory.
        if declared.count == 1, declared[0].isInMemory, real == [.i32] { return declared }
        var rest = real[...]
        for type in declared {
            let slots = type.isInMemory ? [.i32, .i32] : rest.prefix(1).map { $0 }
            guard !slots.isEmpty, rest.starts(with: slots) else { return nil }
            rest = rest.dropFirst(slots.count)
        }
        return rest.isEmpty
            ? zip(declared, declared.indices).map { type, _ in type } : nil
    }
}
