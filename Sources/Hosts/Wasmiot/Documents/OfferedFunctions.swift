import WasmdDocuments

/// The functions that a device gives to modules, with their types: an extension of the device
/// description, beside `supervisorInterfaces`, which has only names.
///
///     "supervisorFunctions": {"sys": {"millis": "() -> (i32)", "delay": "(i32) -> ()"}}
public struct OfferedFunctions: Sendable {
    /// By module, then by name: the type as `type` writes it.
    public private(set) var document: Document

    /// The member of a device description that has them.
    public static let member = "supervisorFunctions"

    /// - Parameter functions: of two with the same names the later one counts.
    public init(_ functions: some Sequence<(module: String, name: String, type: String)>) {
        var modules = NamedValues<NamedValues<String>>()
        for (module, name, type) in functions { modules[module, name] = type }
        document = .object(
            modules.entries.map { module in
                .init(
                    module.name,
                    .object(module.value.entries.map { .init($0.name, .string($0.value)) }))
            })
    }

    /// Those of a device description; nil if it has none.
    public init?(description: Document?) {
        guard let document = description?[Self.member], document.objectValue != nil else {
            return nil
        }
        self.document = document
    }

    /// The type of a function; nil if it is not offered.
    public func type(_ module: String, _ name: String) -> String? {
        document[module]?[name]?.stringValue
    }

    /// The modules that have a function of a name, with its types.
    public func named(_ name: String) -> [(module: String, type: String)] {
        (document.objectValue ?? []).compactMap { member in
            member.value[name]?.stringValue.map { (member.name, $0) }
        }
    }

    /// `(i32, i32) -> (i64)`, of value types in the text format.
    public static func type(_ parameters: [String], _ results: [String]) -> String {
        "(\(parameters.joined(separator: ", "))) -> (\(results.joined(separator: ", ")))"
    }
}
