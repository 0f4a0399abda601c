import WasmInterpreter
import WasmText

/// The functions of a module that are called, found before any code runs.
///
/// The start function runs when the module is instantiated; then comes the export `_initialize` of
/// libraries; then the function that `--invoke` names, or else the export with the empty name or
/// `_start`. A module without any of the last is run by the first two.
struct EntryPoint {
    /// The last function to call; nil if there are only those before.
    let export: Name?
    /// Arguments for its call; `_start` has none.
    let arguments: [Value]
    /// Whether the results are printed.
    let printsResults: Bool
    /// What is called before it.
    let initializer: Name?

    /// Exports that must not run again in a module that was saved after their call.
    var finished: Set<Name> {
        initializer != nil || export == Self.initialize ? [Self.initialize] : []
    }

    private static let initialize: Name = "_initialize"

    init(_ options: RunOptions, in module: Module) throws(UsageError) {
        let isReactor = module.export(Self.initialize)?.kind == .function
        guard let name = options.function ?? Self.namelessFunction(of: module) else {
            let isCommand = module.export("_start")?.kind == .function
            guard isCommand || isReactor || module.parsed.start != nil else {
                throw .noEntryPoint(
                    file: options.file, functions: Self.functions(of: module),
                    arguments: options.arguments)
            }
            export = isCommand ? "_start" : nil
            arguments = []
            printsResults = false
            initializer = isReactor ? Self.initialize : nil
            if let export { try Self.checkHasNoParameters(export, in: module) }
            if let initializer { try Self.checkHasNoParameters(initializer, in: module) }
            return
        }
        let export = Name(name)
        guard let found = module.export(export) else {
            let functions = Self.functions(of: module)
            throw .unknownExport(
                name, file: options.file, functions: functions,
                suggestion: Suggestion.best(for: name, in: functions))
        }
        guard found.kind == .function, let type = module.parsed.functionType(at: found.index)
        else {
            throw .notAFunction(name, file: options.file, kind: found.kind.description)
        }
        self.export = export
        arguments = try Self.arguments(options.arguments, for: name, type)
        printsResults = true
        initializer = isReactor && export != Self.initialize ? Self.initialize : nil
        if let initializer { try Self.checkHasNoParameters(initializer, in: module) }
    }

    /// The export with the empty name, which some toolchains give to the entry point.
    private static func namelessFunction(of module: Module) -> String? {
        module.export("")?.kind == .function ? "" : nil
    }

    private static func checkHasNoParameters(
        _ name: Name, in module: Module
    ) throws(UsageError) {
        let type = module.export(name).flatMap { module.parsed.functionType(at: $0.index) }
        guard let type, !type.parameters.isEmpty else { return }
        throw .entryPointWithParameters(name.description, type: type.description)
    }

    private static func arguments(
        _ words: [String], for name: String, _ type: FunctionType
    ) throws(UsageError) -> [Value] {
        guard words.count == type.parameters.count else {
            throw .wrongArgumentCount(
                function: name, type: type.description, expected: type.parameters.count,
                given: words.count)
        }
        var values: [Value] = []
        for (index, parameter) in type.parameters.enumerated() {
            do throws(ValueText.Failure) {
                values.append(try ValueText.parse(words[index], as: parameter))
            } catch {
                throw .invalidArgument(
                    words[index], position: index + 1, function: name,
                    type: parameter.description, reason: error.reason,
                    form: ValueText.form(of: parameter))
            }
        }
        return values
    }

    /// Names of the functions that a module exports.
    static func functions(of module: Module) -> [String] {
        module.exports.filter { $0.kind == .function }.map(\.name.description)
    }
}
