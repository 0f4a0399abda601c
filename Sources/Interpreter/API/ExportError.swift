/// An export that an instance does not have as it was asked for.
public enum ExportError: Error, Hashable, Sendable {
    /// Nothing has this name. `similar` are the names of what could have been meant: the exports of
    /// the same kind, as far as there are not more than `ExportError.nameLimit`.
    case unknown(Name, ExternalKind, similar: [Name])
    /// What has this name is of another kind.
    case kind(Name, expected: ExternalKind, found: ExternalKind)
    /// The function with this name is of another type.
    case signature(Name, expected: FunctionType, found: FunctionType)

    /// Up to how many names an error tells.
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
    /// The exported function with this name, with Swift types. They are compared here, once.
    ///
    ///     let add = try instance.function("add", as: ((Int32, Int32) -> Int32).self)
    ///     let sum = try add(2, 3)
    ///
    /// See `WasmValue` for the types that there are, and `TypedFunction`.
    ///
    /// - Throws: `ExportError` if there is no such function or its types are others.
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
