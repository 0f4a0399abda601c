/// A requested export does not exist, or has another kind or type.
public enum ExportError: Error, Hashable, Sendable {
    /// No export has this name. `similar` are the names of exports of the same kind, at most
    /// `ExportError.nameLimit`.
    case unknown(Name, ExternalKind, similar: [Name])
    /// The export with this name is of another kind.
    case kind(Name, expected: ExternalKind, found: ExternalKind)
    /// The function with this name has another type.
    case signature(Name, expected: FunctionType, found: FunctionType)

    /// The most names of an error.
    public static let nameLimit = 16
}

extension ExportError: CustomStringConvertible {
    /// `no function "ad" is exported; there is "add", "sub"`
    public var description: String {
        switch self {
        case .unknown(let name, let kind, let similar):
            let list = similar.map { "\"\($0)\"" }.joined(separator: ", ")
            return "no \(kind) \"\(name)\" is exported" + (list.isEmpty ? "" : "; there is \(list)")
        case .kind(let name, let expected, let found):
            return "the export \"\(name)\" is a \(found), not a \(expected)"
        case .signature(let name, let expected, let found):
            return "the function \"\(name)\" has type \(found), it was asked for as \(expected)"
        }
    }
}

extension Instance {
    /// The exported function with this name, with Swift types, which are compared once, here.
    ///
    ///     let add = try instance.function("add", as: ((Int32, Int32) -> Int32).self)
    ///     let sum = try add(2, 3)
    ///
    /// See `WasmValue` for the supported types, and `TypedFunction`.
    ///
    /// - Throws: `ExportError` if there is no such function or it has other types.
    @inlinable
    public func function<each Parameter: WasmValue, each Result: WasmValue>(
        _ name: Name, as signature: ((repeat each Parameter) -> (repeat each Result)).Type
    ) throws(ExportError) -> TypedFunction<(repeat each Parameter) -> (repeat each Result)> {
        try typed(
            name, parameters: valueTypes(repeat (each Parameter).self),
            results: valueTypes(repeat (each Result).self),
            isChecked: !areOurs(repeat (each Parameter).self)
                || !areOurs(repeat (each Result).self))
    }

    /// The same for one result: see `TypedFunction.callAsFunction`.
    @inlinable
    public func function<each Parameter: WasmValue, Result: WasmValue>(
        _ name: Name, as signature: ((repeat each Parameter) -> Result).Type
    ) throws(ExportError) -> TypedFunction<(repeat each Parameter) -> Result> {
        try typed(
            name, parameters: valueTypes(repeat (each Parameter).self),
            results: [Result.valueType],
            isChecked: !areOurs(repeat (each Parameter).self) || !isOurs(Result.self))
    }

    @usableFromInline
    func typed<Signature>(
        _ name: Name, parameters: [ValueType], results: [ValueType], isChecked: Bool
    ) throws(ExportError) -> TypedFunction<Signature> {
        let function = try exportedFunction(name)
        let wanted = FunctionType(parameters: parameters, results: results)
        do throws(CallError) {
            return try function.checked(wanted, isChecked: isChecked)
        } catch {
            throw .signature(name, expected: wanted, found: function.type)
        }
    }

    private func exportedFunction(_ name: Name) throws(ExportError) -> Function {
        switch export(name) {
        case .function(let function): return function
        case .some(let other):
            throw .kind(name, expected: .function, found: other.kind)
        case nil:
            let names = module.exports.lazy.filter { $0.kind == .function }.map(\.name)
                .prefix(ExportError.nameLimit + 1)
            let similar = Array(names)
            throw .unknown(
                name, .function, similar: similar.count > ExportError.nameLimit ? [] : similar)
        }
    }
}
