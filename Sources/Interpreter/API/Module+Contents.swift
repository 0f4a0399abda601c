/// The contents of a module as data, besides `imports` and `exports`.
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

    /// A copy of the content of one of `customSections`, without its name.
    public func content(of section: CustomSection) -> [UInt8] { parsed.bytes[section.content] }

    /// The type of an import or export that is a function; nil for others. Type indices in it are
    /// the module's own.
    public func functionType(of type: ExternalType) -> FunctionType? {
        guard case .function(let index) = type else { return nil }
        return parsed.functionType(typeIndex: index)
    }

    /// The type of an export, in the form of the types of `imports`; memories and tables have their
    /// initial size. For an export of another module, with an index that does not exist here, it is
    /// a function type for which `functionType(of:)` returns nil.
    ///
    ///     for export in module.exports {
    ///         print(export.name, module.functionType(of: module.type(of: export)) ?? export.kind)
    ///     }
    public func type(of export: Export) -> ExternalType {
        func element<Element>(_ elements: [Element]) -> Element? {
            let index = Int(export.index)
            return elements.indices.contains(index) ? elements[index] : nil
        }
        let type: ExternalType? =
            switch export.kind {
            case .function: element(parsed.functions).map { .function($0) }
            case .table: element(parsed.tables).map { .table($0) }
            case .memory: element(parsed.memories).map { .memory($0) }
            case .global: element(parsed.globals).map { .global($0) }
            case .tag: element(parsed.tags).map { .tag($0) }
            }
        return type ?? .function(.max)
    }
}
