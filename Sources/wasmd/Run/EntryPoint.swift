import WasmInterpreter
import WasmText

/// What of a module is called, found before anything runs.
struct EntryPoint {
    let export: Name
    /// Arguments for the call; `_start` has none.
    let arguments: [Value]
    /// Whether the results are printed.
    let printsResults: Bool
    /// Exported by libraries: sets them up, and is called first.
    let initializer: Name?

    init(_ options: RunOptions, in module: Module) throws(UsageError) {
        guard let name = options.function else {
            guard module.export("_start")?.kind == .function else {
                throw .noEntryPoint(file: options.file, functions: Self.functions(of: module))
            }
            export = "_start"
            arguments = []
            printsResults = false
            initializer = nil
            return
        }
        export = Name(name)
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
        arguments = try Self.arguments(options.arguments, for: name, type)
        printsResults = true
        let hasInitializer = module.export("_initialize")?.kind == .function
        initializer = hasInitializer && name != "_initialize" ? "_initialize" : nil
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
            do throws(Numbers.Failure) {
                values.append(try Numbers.parse(words[index], as: parameter))
            } catch {
                throw .invalidArgument(
                    words[index], position: index + 1, function: name,
                    type: parameter.description, reason: error.reason)
            }
        }
        return values
    }

    /// Names of the functions that a module exports.
    static func functions(of module: Module) -> [String] {
        module.exports.filter { $0.kind == .function }.map(\.name.description)
    }
}
