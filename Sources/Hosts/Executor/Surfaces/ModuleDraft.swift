import WasmdDocuments
import WasmdHTTP

/// The body of a write in JSON or as a form: names as clients of several generations write them.
///
/// | what | names |
/// |---|---|
/// | the module, as an array of bytes or base64 | `wasm` |
/// | the function that runs | `run_function`, `function`, `functionName` |
/// | parameters: names of types, or objects with `name` and `param_type` or `type` | `param`, `params`, `args` |
/// | results: names of types | `results`, `returnType` |
/// | whether memory is kept between calls | `keep` |
enum ModuleDraft {
    struct Fault: Error, Equatable, CustomStringConvertible {
        let description: String
        init(_ description: String) { self.description = description }
    }

    private static let functionNames = ["run_function", "function", "functionName"]
    private static let parameterNames = ["param", "params", "args"]
    private static let resultNames = ["results", "returnType"]

    static func read(_ document: Document) throws(Fault) -> Executor.Draft {
        guard document.objectValue != nil else { throw Fault("the body is no JSON object") }
        var draft = Executor.Draft()
        if let wasm = document["wasm"], wasm != .null { draft.bytes = try bytes(wasm) }
        // Metadata may be in an object of its own.
        for place in [document, document["metadata"], document["meta_data"]].compactMap({ $0 }) {
            try readMetadata(place, &draft)
        }
        return draft
    }

    private static func readMetadata(
        _ place: Document, _ draft: inout Executor.Draft
    ) throws(Fault) {
        for name in functionNames {
            guard let value = place[name] else { continue }
            if value == .null {
                draft.function = .some(nil)
            } else if let text = value.stringValue {
                draft.function = text
            } else {
                throw Fault("'\(name)' must be a text")
            }
        }
        switch place["keep"] {
        case nil: break
        case .boolean(let keeps)?: draft.keeps = keeps
        // In a form, fields are texts.
        case "true"?: draft.keeps = true
        case "false"?: draft.keeps = false
        default: throw Fault("'keep' must be true or false")
        }
        for name in parameterNames {
            if let value = place[name] { draft.parameters = try parameters(value, name) }
        }
        for name in resultNames {
            guard let value = place[name] else { continue }
            if value == .null {
                draft.results = .some(nil)
            } else {
                draft.results = try parameters(value, name).map(\.type)
            }
        }
    }

    private static func bytes(_ document: Document) throws(Fault) -> [UInt8] {
        if let bytes = JSONBody.bytes(document) { return bytes }
        guard let text = document.stringValue, let bytes = Base64.decode(text.utf8) else {
            throw Fault("'wasm' must be an array of integers from 0 to 255, or base64")
        }
        return bytes
    }

    private static func parameters(
        _ document: Document, _ list: String
    ) throws(Fault) -> [Parameter] {
        if document == .null { return [] }
        guard let elements = document.arrayValue else {
            throw Fault("'\(list)' must be an array of types")
        }
        var parameters: [Parameter] = []
        for (index, element) in elements.enumerated() {
            let name = element["name"]?.stringValue ?? "param\(index)"
            guard let type = element["param_type"] ?? element["type"] ?? .some(element),
                type != .null
            else {
                parameters.append(Parameter(name, nil))
                continue
            }
            guard let text = type.stringValue, let known = ParameterType(name: text) else {
                let words = ParameterType.allCases.map(\.name).joined(separator: ", ")
                throw Fault("'\(list)': the type of element \(index) is none of \(words)")
            }
            parameters.append(Parameter(name, known))
        }
        return parameters
    }
}
