import WasmDecoder

/// Types in canonical form as text: what a type is, in place of its number.
extension TypeRegistry {
    /// `(ref null (struct i32 (mut (ref array))))`: types inside of others are named by their kind.
    public func text(_ type: ValueType) -> String { text(type, depth: 1) }

    /// `(i32, (ref (array i8))) -> (f32)`
    public func text(_ type: FunctionType) -> String { text(type, depth: 1) }

    private func text(_ type: ValueType, depth: Int) -> String {
        guard let reference = type.reference, let id = reference.heapType.typeIndex else {
            return "\(type)"
        }
        return "(ref \(reference.isNullable ? "null " : "")\(text(id, depth: depth)))"
    }

    private func text(_ type: FunctionType, depth: Int) -> String {
        let list = { (types: [ValueType]) in
            "(" + types.map { self.text($0, depth: depth) }.joined(separator: ", ") + ")"
        }
        return "\(list(type.parameters)) -> \(list(type.results))"
    }

    private func text(_ id: TypeID, depth: Int) -> String {
        let field = { (field: FieldType) in
            let storage: String =
                switch field.storage {
                case .value(let type): self.text(type, depth: depth - 1)
                case .i8: "i8"
                case .i16: "i16"
                }
            return field.isMutable ? "(mut \(storage))" : storage
        }
        switch definition(id).composite {
        case .function(let type):
            return depth > 0 ? "(func \(text(type, depth: depth - 1)))" : "func"
        case .structure(let fields):
            return depth > 0
                ? "(\((["struct"] + fields.map(field)).joined(separator: " ")))" : "struct"
        case .array(let element):
            return depth > 0 ? "(array \(field(element)))" : "array"
        }
    }
}
