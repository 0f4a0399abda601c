import WasmDecoder

/// Types in canonical form as text: what a type is, in place of its number.
extension TypeRegistry {
    /// `(ref null (struct i32 (mut (ref array))))`: types inside of others are named by their kind.
    /// What is longer than about a thousand bytes ends with `...`.
    public func text(_ type: ValueType) -> String {
        var writer = TypeWriter(registry: self)
        writer.add(type, depth: 1)
        return writer.text
    }

    /// `(i32, (ref (array i8))) -> (f32)`, cut in the same way.
    public func text(_ type: FunctionType) -> String {
        var writer = TypeWriter(registry: self)
        writer.add(type, depth: 1)
        return writer.text
    }
}

/// Writes a type. A type of a few bytes may refer a thousand times to one of ten thousand fields.
private struct TypeWriter {
    let registry: TypeRegistry
    private(set) var text = ""

    /// Bytes after which nothing is begun any more.
    private static let limit = 1000

    private var isFull: Bool { text.utf8.count >= Self.limit }

    mutating func add(_ type: ValueType, depth: Int) {
        guard let reference = type.reference, let id = reference.heapType.typeIndex else {
            text += "\(type)"
            return
        }
        text += reference.isNullable ? "(ref null " : "(ref "
        add(id, depth: depth)
        text += ")"
    }

    mutating func add(_ type: FunctionType, depth: Int) {
        add(type.parameters, depth: depth)
        text += " -> "
        add(type.results, depth: depth)
    }

    private mutating func add(_ types: [ValueType], depth: Int) {
        text += "("
        for (index, type) in types.enumerated() {
            if index > 0 { text += ", " }
            guard !isFull else {
                text += "..."
                break
            }
            add(type, depth: depth)
        }
        text += ")"
    }

    private mutating func add(_ id: TypeID, depth: Int) {
        switch registry.definition(id).composite {
        case .function(let type):
            guard depth > 0 else { return text += "func" }
            text += "(func "
            add(type, depth: depth - 1)
            text += ")"
        case .structure(let fields):
            guard depth > 0 else { return text += "struct" }
            text += "(struct"
            for field in fields {
                text += " "
                guard !isFull else {
                    text += "..."
                    break
                }
                add(field, depth: depth - 1)
            }
            text += ")"
        case .array(let element):
            guard depth > 0 else { return text += "array" }
            text += "(array "
            add(element, depth: depth - 1)
            text += ")"
        }
    }

    private mutating func add(_ field: FieldType, depth: Int) {
        if field.isMutable { text += "(mut " }
        switch field.storage {
        case .value(let type): add(type, depth: depth)
        case .i8: text += "i8"
        case .i16: text += "i16"
        }
        if field.isMutable { text += ")" }
    }
}
