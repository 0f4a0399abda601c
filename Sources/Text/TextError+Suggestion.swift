import WasmDecoder

extension TextError {
    /// What was probably meant by a word that means nothing where it is.
    func suggestion(for token: String) -> String? {
        switch reason {
        case .unknownInstruction:
            Self.newName(of: token)
                ?? Suggestion.best(for: token, in: Self.instructions + Self.partsOfFunctions)
        case .unknownCommand:
            Suggestion.best(for: token, in: words { $0.isCommand })
        case .expected(.moduleField):
            Suggestion.best(for: token, in: words { $0.isModuleField })
        case .expected(.valueType), .expected(.referenceType):
            token == "anyfunc" ? "funcref" : nil
        default: nil
        }
    }

    private func words(_ isCandidate: (Keyword) -> Bool) -> [String] {
        Keyword.allCases.filter(isCandidate).map(\.rawValue)
    }

    private static var instructions: [String] { Opcode.allCases.map(\.name) }

    /// What is before the instructions of a function and looks like one of them.
    private static let partsOfFunctions = ["param", "result", "local", "type", "export", "import"]

    /// The name that an instruction has had since WebAssembly 1.0, for one of the names before that.
    private static func newName(of old: String) -> String? {
        switch old {
        case "get_local": return "local.get"
        case "set_local": return "local.set"
        case "tee_local": return "local.tee"
        case "get_global": return "global.get"
        case "set_global": return "global.set"
        case "current_memory": return "memory.size"
        case "grow_memory": return "memory.grow"
        default: break
        }
        // `i32.trunc_s/f64` is `i32.trunc_f64_s` now, `i32.wrap/i64` is `i32.wrap_i64`.
        let parts = old.split(separator: "/")
        guard parts.count == 2 else { return nil }
        let isExtending = parts[0].hasSuffix("_s") || parts[0].hasSuffix("_u")
        let new =
            isExtending
            ? "\(parts[0].dropLast(2))_\(parts[1])\(parts[0].suffix(2))" : "\(parts[0])_\(parts[1])"
        return instructions.contains(new) ? new : nil
    }
}
