import WasmdDocuments

/// The body of a write of *wess*: `{"wasm":[0, 97, …],"metadata":{"functionName":"add",
/// "returnType":["I32"],"args":["I32","I32"]}}`.
enum WessDraft {
    enum Fault: Error, Equatable, CustomStringConvertible {
        case noObject(String)
        case missing(String)
        case wrongType(String, expected: String)
        case unknownType(String)

        var description: String {
            switch self {
            case .noObject(let place): "invalid type: \(place): expected an object"
            case .missing(let name): "missing field `\(name)`"
            case .wrongType(let name, let expected):
                "invalid type: field `\(name)`: expected \(expected)"
            case .unknownType(let name):
                "unknown variant `\(name)`, expected one of `I32`, `I64`, `F32`, `F64`, `V128`, "
                    + "`ExternRef`, `FuncRef`"
            }
        }
    }

    static func read(_ document: Document) throws(Fault) -> Executor.Draft {
        guard document.objectValue != nil else { throw .noObject("body") }
        var draft = Executor.Draft()
        guard let wasm = document["wasm"] else { throw .missing("wasm") }
        guard let bytes = JSONBody.bytes(wasm) else {
            throw .wrongType("wasm", expected: "an array of integers from 0 to 255")
        }
        draft.bytes = bytes
        guard let metadata = document["metadata"] else { throw .missing("metadata") }
        guard metadata.objectValue != nil else { throw .noObject("metadata") }
        guard let name = metadata["functionName"] else { throw .missing("functionName") }
        guard let function = name.stringValue else {
            throw .wrongType("functionName", expected: "a string")
        }
        draft.function = function
        draft.results = .some(try types(metadata, "returnType"))
        draft.parameters = try types(metadata, "args").enumerated().map { index, type in
            Parameter("param\(index)", type)
        }
        return draft
    }

    private static func types(
        _ metadata: Document, _ name: String
    ) throws(Fault) -> [ParameterType?] {
        guard let value = metadata[name] else { throw .missing(name) }
        let elements: [Document]
        switch JSONBody.bytes(value) {
        // The reader packs arrays of small numbers, and empty ones.
        case .some(let bytes) where bytes.isEmpty: elements = []
        default:
            guard let list = value.arrayValue else {
                throw .wrongType(name, expected: "an array of types")
            }
            elements = list
        }
        var types: [ParameterType?] = []
        for element in elements {
            if element == .null {
                types.append(nil)
                continue
            }
            guard let text = element.stringValue else {
                throw .wrongType(name, expected: "an array of types")
            }
            guard let type = ParameterType(name: text), !type.isInMemory else {
                throw .unknownType(text)
            }
            types.append(type)
        }
        return types
    }

    /// The metadata of a record, as *wess* has it.
    static func metadata(_ record: ModuleRecord) -> Document {
        func list(_ types: [ParameterType?]) -> Document {
            .array(types.map { $0.map { .string(name($0)) } ?? .null })
        }
        return .object([
            .init("functionName", .string(record.function ?? "")),
            .init("returnType", record.results.map(list) ?? .null),
            .init("args", list(record.parameters.map(\.type))),
        ])
    }

    /// Compares arguments with the declared types: their number, then each. A module that another
    /// surface stored may declare nothing; then the function's own types decide.
    static func check(
        _ arguments: [Document], _ record: ModuleRecord
    ) throws(ArgumentFault) {
        if record.results == nil, record.parameters.isEmpty { return }
        let types = record.parameters.compactMap(\.type)
        guard types.count == arguments.count else {
            throw .count(expected: types.count, found: arguments.count)
        }
        for (type, argument) in zip(types, arguments) {
            // Texts and bytes are another surface's, and are looked at by the call.
            guard
                type.isInMemory
                    || NumberReading.value(argument, type, wraps: true) != nil
            else { throw .type(type, name: "") }
        }
    }

    /// The name of a type as *wess* spells it.
    static func name(_ type: ParameterType) -> String {
        switch type {
        case .externref: "ExternRef"
        case .funcref: "FuncRef"
        default: type.name.uppercased()
        }
    }
}
