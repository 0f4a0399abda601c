import WasmInterpreter

extension Executor {
    /// The function that a run calls: the one that is asked for, else that of the record, else
    /// `_start`, else the only exported function.
    ///
    /// - Throws: `.invalid` if none of these names one.
    static func function(
        _ wanted: String?, _ record: ModuleRecord, in module: Module
    ) throws -> String {
        if let name = wanted ?? record.function { return name }
        let functions = module.exports.filter { $0.kind == .function }
        if functions.contains(where: { $0.name == "_start" }) { return "_start" }
        guard functions.count == 1, let only = functions.first else {
            throw ExecutorError.invalid(
                functions.isEmpty
                    ? "the module exports no function"
                    : "the module exports \(functions.count) functions: name one as 'function'")
        }
        return only.name.description
    }
}
