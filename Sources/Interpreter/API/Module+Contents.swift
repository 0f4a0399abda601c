/// What a module says of itself, as data: `imports`, `exports`, and what is here.
extension Module {
    /// The custom sections in the order of the file.
    public var customSections: [CustomSection] { parsed.customSections }

    /// The content of the first custom section with this name; nil if there is none. A copy.
    ///
    ///     if let version = module.customSection("version") {
    ///         print(String(decoding: version, as: UTF8.self))
    ///     }
    public func customSection(_ name: Name) -> [UInt8]? {
        parsed.customSections.first { $0.name == name }.map(content)
    }

    /// What follows the name of one of `customSections`. A copy.
    public func content(of section: CustomSection) -> [UInt8] { parsed.bytes[section.content] }

    /// The type of an import or export that is a function; nil for others. Type indices in it are the
    /// module's own.
    public func functionType(of type: ExternalType) -> FunctionType? {
        guard case .function(let index) = type else { return nil }
        return parsed.functionType(typeIndex: index)
    }

    /// The type of an export, as `imports` have one; memories and tables with their size at the
    /// start.
    ///
    ///     for export in module.exports {
    ///         print(export.name, module.functionType(of: module.type(of: export)) ?? export.kind)
    ///     }
    public func type(of export: Export) -> ExternalType {
        // Validation keeps the indices of exports in range.
        let index = Int(export.index)
        switch export.kind {
        case .function: return .function(parsed.functions[index])
        case .table: return .table(parsed.tables[index])
        case .memory: return .memory(parsed.memories[index])
        case .global: return .global(parsed.globals[index])
        case .tag: return .tag(parsed.tags[index])
        }
    }
}
