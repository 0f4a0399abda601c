import WasmInterpreter
import WasmdDocuments
import WasmdWasmiot

/// Imports and exports of a module, as its document has them.
struct Signatures {
    /// Functions that are imported: `{module, name, kind}`.
    let requirements: Document
    /// All imports: kind and type.
    let imports: Document
    /// Functions that are exported: name, number and types of parameters, types of results.
    let exports: Document

    /// Imports and exports that are listed at most; a module with more is refused.
    static let limit = 20_000

    init(_ module: Module) throws {
        guard module.imports.count <= Self.limit, module.exports.count <= Self.limit else {
            throw Failure(
                .badRequest, "the module is too large",
                "it has more than \(Self.limit) imports or exports")
        }
        var requirements: [Document] = []
        var imports: [Document] = []
        for wanted in module.imports {
            let names: [Document.Member] = [
                .init("module", .string(wanted.module.description)),
                .init("name", .string(wanted.name.description)),
                .init("kind", .string(Self.kind(wanted.type.kind.description))),
            ]
            var full = names
            if let type = module.functionType(of: wanted.type) {
                requirements.append(.object(names))
                full += Self.types(type)
            }
            imports.append(.object(full))
        }
        self.requirements = .array(requirements)
        self.imports = .array(imports)
        exports = .array(
            module.exports.compactMap { export in
                module.functionType(of: module.type(of: export)).map { type in
                    .object(
                        [
                            .init("name", .string(export.name.description)),
                            .init("parameterCount", .integer(Int64(type.parameters.count))),
                        ] + Self.types(type))
                }
            })
    }

    /// The kinds of JavaScript's API: `function` for what the specification calls `func`.
    private static func kind(_ name: String) -> String { name == "func" ? "function" : name }

    private static func types(_ type: FunctionType) -> [Document.Member] {
        [
            .init("params", .array(type.parameters.map { .string($0.description) })),
            .init("results", .array(type.results.map { .string($0.description) })),
        ]
    }
}

/// Compares descriptions with real signatures. A difference is worth a warning, no refusal: calls
/// use the real signature.
enum SignatureWarnings {
    /// `[{function, declared, actual}]`; nil if all agree.
    static func check(
        _ functions: NamedValues<FunctionDescription>, _ exports: Document?
    ) -> Document? {
        var known: [NameKey: Document] = [:]
        for export in exports?.arrayValue ?? [] {
            guard let name = export["name"]?.stringValue else { continue }
            if known[NameKey(name)] == nil { known[NameKey(name)] = export }
        }
        let warnings = functions.entries.compactMap { entry -> Document? in
            let export = known[NameKey(entry.name)]
            let actual: String
            if let export {
                let parameters = export["params"]?.arrayValue?.compactMap(\.stringValue) ?? []
                let results = export["results"]?.arrayValue?.compactMap(\.stringValue) ?? []
                guard !agrees(entry.value, parameters, results) else { return nil }
                actual = text(parameters, results)
            } else {
                // An orchestrator's init function need not be in the module.
                if entry.name == initFunction { return nil }
                actual = "not exported"
            }
            return .object([
                .init("function", .string(entry.name)),
                .init("declared", .string(declared(entry.value))),
                .init("actual", .string(actual)),
            ])
        }
        return warnings.isEmpty ? nil : .array(warnings)
    }

    /// Runs when a module is deployed; its output files are deployment mounts of other functions.
    static let initFunction = "_wasmiot_init"

    private static func agrees(
        _ function: FunctionDescription, _ parameters: [String], _ results: [String]
    ) -> Bool {
        guard function.parameters.count == parameters.count,
            zip(function.parameters, parameters).allSatisfy({ agrees($0.type, $1) })
        else { return false }
        switch OutputType(function.outputType) {
        case .file: return true
        case .values(let types):
            return types.count == results.count
                && zip(types, results).allSatisfy { agrees($0, $1) }
        case .value(let type): return results.count == 1 && agrees(type, results[0])
        }
    }

    private static func agrees(_ declared: String, _ actual: String) -> Bool {
        switch declared {
        case "integer": actual == "i32" || actual == "i64"
        case "float": actual == "f32" || actual == "f64"
        case "number": ["i32", "i64", "f32", "f64"].contains(actual)
        case "boolean": actual == "i32"
        default: declared == actual
        }
    }

    private static func declared(_ function: FunctionDescription) -> String {
        text(function.parameters.map(\.type), [function.outputType])
    }

    private static func text(_ parameters: [String], _ results: [String]) -> String {
        "(\(parameters.joined(separator: ", "))) -> (\(results.joined(separator: ", ")))"
    }
}
