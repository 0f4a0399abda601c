import WasmdDocuments

/// The functions that a device gives to modules, with their types: an extension of the device
/// description, beside `supervisorInterfaces`, which has only names.
///
///     "supervisorFunctions": {"sys": {"millis": "() -> (i32)", "delay": "(i32) -> ()"}}
public struct OfferedFunctions: Sendable {
    /// By module, then by name: the type as `type` writes it.
    public let document: Document
    private let types: FunctionTable<String>
    /// The modules that have a function of a name.
    private let modules: NamedValues<[String]>

    /// The member of a device description that has them.
    public static let member = "supervisorFunctions"

    /// - Parameter functions: of two with the same names the later one counts.
    public init(_ functions: some Sequence<(module: String, name: String, type: String)>) {
        var types = FunctionTable<String>()
        for (module, name, type) in functions { types[module, name] = type }
        self.init(types, types.document { $0.document { .string($0) } })
    }

    private init(_ types: FunctionTable<String>, _ document: Document) {
        self.types = types
        self.document = document
        var modules = NamedValues<[String]>()
        for module in types.entries {
            for function in module.value.entries {
                modules.change(function.name, default: []) { $0.append(module.name) }
            }
        }
        self.modules = modules
    }

    /// Those of a device description; nil if it has none.
    public init?(description: Document?) {
        guard let document = description?[Self.member], let members = document.objectValue else {
            return nil
        }
        var types = FunctionTable<String>()
        for module in members {
            var functions = NamedValues<String>()
            for function in module.value.objectValue ?? [] {
                guard let type = function.value.stringValue else { continue }
                functions[function.name] = type
            }
            types[module.name] = functions
        }
        self.init(types, document)
    }

    /// The type of a function; nil if it is not offered.
    public func type(_ module: String, _ name: String) -> String? { types[module, name] }

    /// The modules that have a function of a name, with its types.
    public func named(_ name: String) -> [(module: String, type: String)] {
        (modules[name] ?? []).compactMap { module in
            types[module, name].map { (module, $0) }
        }
    }

    /// `(i32, i32) -> (i64)`, of value types in the text format.
    public static func type(_ parameters: [String], _ results: [String]) -> String {
        "(\(parameters.joined(separator: ", "))) -> (\(results.joined(separator: ", ")))"
    }
}
