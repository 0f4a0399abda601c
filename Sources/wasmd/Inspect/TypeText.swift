import WasmDecoder

// Types as people read them.

extension StorageType {
    var text: String {
        switch self {
        case .value(let type): type.description
        case .i8: "i8"
        case .i16: "i16"
        }
    }
}

extension FieldType {
    var text: String { (isMutable ? "mut " : "") + storage.text }
}

extension SubType {
    /// `func (i32) -> (i32)`, `sub 3 struct {i32, mut i8}`, `array mut f64`
    var text: String {
        var words: [String] = []
        if !isFinal || !supertypes.isEmpty {
            words.append("sub")
            if isFinal { words.append("final") }
            words += supertypes.map { "\($0)" }
        }
        switch composite {
        case .function(let type): words.append("func \(type)")
        case .structure(let fields):
            words.append("struct {" + fields.map(\.text).joined(separator: ", ") + "}")
        case .array(let field): words.append("array \(field.text)")
        }
        return words.joined(separator: " ")
    }
}

extension Limits {
    /// `2`, `2 to 16` or `at least 2`
    func text(of noun: String) -> String {
        guard let maximum else { return "at least \(counted(minimum, noun))" }
        if maximum == minimum { return counted(minimum, noun) }
        return "\(grouped(minimum)) to \(counted(maximum, noun))"
    }
}

extension MemoryType {
    /// `i32, 2 to 16 pages, shared`
    var text: String {
        var parts = [addressType.valueType.description, limits.text(of: "page")]
        if pageSizeLog2 != 16 { parts.append("pages of 2^\(pageSizeLog2) bytes") }
        if isShared { parts.append("shared") }
        return parts.joined(separator: ", ")
    }
}

extension TableType {
    /// `funcref, 5 elements`
    var text: String {
        var parts = [element.description, limits.text(of: "element")]
        if addressType == .i64 { parts.append("i64 indices") }
        return parts.joined(separator: ", ")
    }
}

extension GlobalType {
    var text: String { (isMutable ? "mut " : "") + value.description }
}

extension ParsedModule {
    /// The type of an import or export, without its kind. A long type of a function is only named,
    /// because a small module may use it very often.
    func text(of type: ExternalType) -> String {
        switch type {
        case .function(let index), .tag(let index):
            guard let type = functionType(typeIndex: index),
                type.parameters.count + type.results.count <= Self.shownTypeLength
            else { return "type \(index)" }
            return type.description
        case .table(let type): return type.text
        case .memory(let type): return type.text
        case .global(let type): return type.text
        }
    }

    /// The most parameters and results of a type that is repeated where it is used.
    private static var shownTypeLength: Int { 32 }

    /// The type of the entity that an export names; nil if there is none, so that the module is
    /// invalid.
    func type(of export: Export) -> ExternalType? {
        guard let index = Int(exactly: export.index) else { return nil }
        switch export.kind {
        case .function: return functions.indices.contains(index) ? .function(functions[index]) : nil
        case .table: return tables.indices.contains(index) ? .table(tables[index]) : nil
        case .memory: return memories.indices.contains(index) ? .memory(memories[index]) : nil
        case .global: return globals.indices.contains(index) ? .global(globals[index]) : nil
        case .tag: return tags.indices.contains(index) ? .tag(tags[index]) : nil
        }
    }
}
