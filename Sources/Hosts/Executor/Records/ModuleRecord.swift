import WasmInterpreter
import WasmdDigests
import WasmdDocuments

/// What is stored about a module beside its bytes.
public struct ModuleRecord: Sendable, Equatable {
    public var id: ModuleID
    /// The function that runs; nil to find it in the module.
    public var function: String?
    public var parameters: [Parameter]
    /// Nil if they are not declared.
    public var results: [ParameterType?]?
    /// Whether calls share one instance, whose memory is kept between them.
    public var keeps = false
    /// What the client named the request by which the module was stored, hashed.
    public var key: SHA256.Digest?
    /// Of the module, in bytes.
    public var size: Int
    public var digest: SHA256.Digest
    /// Whether the bytes are a blob; they are a record of their own otherwise.
    public var isBlob: Bool
    /// As documents, with kind and type: `ModuleSummary`.
    public var imports: Document
    public var exports: Document
    /// Milliseconds since 1970.
    public var created: Int64
    public var changed: Int64
    /// The tenant that stored it; nil for none.
    public var owner: String?

    /// How it is stored.
    var document: Document {
        var members: [Document.Member] = [
            .init("size", .integer(Int64(size))), .init("sha256", .bytes(digest.bytes)),
            .init("blob", .boolean(isBlob)), .init("created", .integer(created)),
            .init("changed", .integer(changed)), .init("imports", imports),
            .init("exports", exports),
            .init(
                "param",
                .array(
                    parameters.map { parameter in
                        .object([
                            .init("name", .string(parameter.name)),
                            .init("type", parameter.type.map { .string($0.name) } ?? .null),
                        ])
                    })),
        ]
        if let function { members.append(.init("function", .string(function))) }
        if keeps { members.append(.init("keep", .boolean(true))) }
        if let key { members.append(.init("key", .bytes(key.bytes))) }
        if let owner { members.append(.init("owner", .string(owner))) }
        if let results {
            members.append(
                .init("results", .array(results.map { $0.map { .string($0.name) } ?? .null })))
        }
        return .object(members)
    }

    /// Reads what `document` is; nil if something is missing.
    init?(_ id: ModuleID, _ document: Document) {
        guard let size = document["size"]?.integerValue, let size = Int(exactly: size), size >= 0,
            case .bytes(let bytes)? = document["sha256"],
            let digest = SHA256.Digest(bytes: bytes.span),
            case .boolean(let isBlob)? = document["blob"],
            let created = document["created"]?.integerValue,
            let changed = document["changed"]?.integerValue,
            let imports = document["imports"], let exports = document["exports"],
            let parameters = document["param"]?.arrayValue
        else { return nil }
        self.id = id
        self.size = size
        self.digest = digest
        self.isBlob = isBlob
        self.created = created
        self.changed = changed
        self.imports = imports
        self.exports = exports
        self.parameters = parameters.map { element in
            Parameter(
                element["name"]?.stringValue ?? "",
                element["type"]?.stringValue.flatMap { ParameterType(name: $0) })
        }
        function = document["function"]?.stringValue
        keeps = document["keep"] == .boolean(true)
        if case .bytes(let bytes)? = document["key"] { key = SHA256.Digest(bytes: bytes.span) }
        owner = document["owner"]?.stringValue
        results = document["results"]?.arrayValue.map { elements in
            elements.map { $0.stringValue.flatMap { ParameterType(name: $0) } }
        }
    }

    init(
        id: ModuleID, size: Int, digest: SHA256.Digest, isBlob: Bool, summary: ModuleSummary,
        created: Int64
    ) {
        self.id = id
        self.size = size
        self.digest = digest
        self.isBlob = isBlob
        self.created = created
        changed = created
        parameters = []
        imports = summary.imports
        exports = summary.exports
    }
}

/// Imports and exports of a module, as documents.
struct ModuleSummary {
    let imports: Document
    let exports: Document

    /// Entries that are listed at most, and bytes of their names and types; more are counted in a
    /// last entry `{"omitted": N}`. Both lists and what clients say fit in a record.
    private static let limit = 200
    private static let byteLimit = 12 << 10

    init(_ module: Module) {
        imports = Self.list(module.imports) { wanted in
            var members: [Document.Member] = [
                .init("module", .string(wanted.module.description)),
                .init("name", .string(wanted.name.description)),
                .init("kind", .string(wanted.type.kind.description)),
            ]
            if let type = module.functionType(of: wanted.type) {
                members.append(.init("type", .string("\(type)")))
            }
            return .object(members)
        }
        exports = Self.list(module.exports) { export in
            var members: [Document.Member] = [
                .init("name", .string(export.name.description)),
                .init("kind", .string(export.kind.description)),
            ]
            if let type = module.functionType(of: module.type(of: export)) {
                members.append(.init("type", .string("\(type)")))
            }
            return .object(members)
        }
    }

    private static func list<Element>(
        _ elements: [Element], _ document: (Element) -> Document
    ) -> Document {
        var list: [Document] = []
        var byteCount = 0
        for element in elements.prefix(limit) {
            let entry = document(element)
            byteCount += (entry.objectValue ?? []).reduce(16) {
                $0 + 16 + ($1.value.stringValue?.utf8.count ?? 0)
            }
            if byteCount > byteLimit { break }
            list.append(entry)
        }
        if elements.count > list.count {
            list.append(
                .object([.init("omitted", .integer(Int64(elements.count - list.count)))]))
        }
        return .array(list)
    }
}
