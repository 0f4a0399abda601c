import WasmInterpreter
import WasmdDocuments

extension CallShape {
    /// Whether all arguments have names of inputs.
    func knows(_ members: [Document.Member]) -> Bool {
        members.allSatisfy { member in inputs.contains { $0.name == member.name } }
    }

    /// The arguments with names of inputs, where they have those of the module's name section, as
    /// `$a` of `(param $a i32)`. Declared names come first; a name of several parameters is none.
    ///
    /// Decodes the name section at its first use: not for loops.
    func translated(
        _ members: [Document.Member], _ module: Module, _ function: Name
    ) -> [Document.Member] {
        guard let export = module.export(function), export.kind == .function,
            let locals = module.names?.locals[export.index]
        else { return members }
        var names: [String: Int] = [:]
        var slot: UInt32 = 0
        for (index, input) in inputs.enumerated() {
            if let name = locals[slot]?.description {
                names[name] = names[name] == nil ? index : -1
            }
            slot += input.type.isInMemory ? 2 : 1
        }
        return members.map { member in
            guard !inputs.contains(where: { $0.name == member.name }),
                let index = names[member.name], index >= 0
            else { return member }
            return Document.Member(inputs[index].name, member.value)
        }
    }
}
