import WasmdDocuments
import WasmdHTTP

/// One operation of an HTTP interface: what the OpenAPI document says of it, and, for surfaces that
/// are made of such tables, its route.
public struct APIOperation: Sendable {
    /// A parameter of the path or of the query.
    public struct Parameter: Sendable {
        public enum Place: String, Sendable { case path, query, header }
        public enum Form: Sendable {
            case text
            case number(ClosedRange<Int>?)
            case boolean
            case words([String])
            case uuid
        }

        public var name: String
        public var place: Place
        public var form: Form
        public var meaning: String
        public var isRequired: Bool

        public init(
            _ name: String, _ place: Place = .query, _ form: Form = .text, _ meaning: String,
            isRequired: Bool = false
        ) {
            self.name = name
            self.place = place
            self.form = form
            self.meaning = meaning
            self.isRequired = isRequired || place == .path
        }
    }

    /// A body, by its media type.
    public struct Content: Sendable {
        public var type: String
        /// A schema of OpenAPI 3.1: JSON Schema 2020-12. Nil for any bytes.
        public var schema: Document?

        public init(_ type: String, _ schema: Document? = nil) {
            self.type = type
            self.schema = schema
        }

        /// JSON of a schema of the document's components.
        public static func json(_ name: String) -> Content {
            Content("application/json", APISchema.reference(name))
        }
    }

    public struct Response: Sendable {
        public var status: Int
        public var meaning: String
        public var contents: [Content]

        public init(_ status: Int, _ meaning: String, _ contents: Content...) {
            self.status = status
            self.meaning = meaning
            self.contents = contents
        }
    }

    public var method: Method
    /// `/wasm/{id}`
    public var path: String
    /// Unique in the document.
    public var name: String
    public var summary: String
    /// Nil for operations without a token.
    public var scope: Scopes?
    public var parameters: [Parameter] = []
    public var body: [Content] = []
    public var isBodyRequired = true
    public var responses: [Response] = []

    public init(
        _ method: Method, _ path: String, _ name: String, _ summary: String, needs scope: Scopes?
    ) {
        self.method = method
        self.path = path
        self.name = name
        self.summary = summary
        self.scope = scope
    }

    public func with(_ parameters: Parameter...) -> APIOperation {
        var copy = self
        copy.parameters += parameters
        return copy
    }

    public func taking(_ contents: Content..., optional: Bool = false) -> APIOperation {
        var copy = self
        copy.body = contents
        copy.isBodyRequired = !optional
        return copy
    }

    public func answering(_ responses: Response...) -> APIOperation {
        var copy = self
        copy.responses += responses
        return copy
    }

    /// The pattern of `Router`: `/wasm/:id`.
    var pattern: String {
        path.split(separator: "/", omittingEmptySubsequences: false)
            .map { $0.hasPrefix("{") ? ":" + $0.dropFirst().dropLast() : String($0) }
            .joined(separator: "/")
    }
}

/// Parts of JSON Schema.
public enum APISchema {
    public static func reference(_ name: String) -> Document {
        .object([.init("$ref", .string("#/components/schemas/" + name))])
    }

    public static func type(_ name: String, _ meaning: String? = nil) -> Document {
        var members: [Document.Member] = [.init("type", .string(name))]
        if let meaning { members.append(.init("description", .string(meaning))) }
        return .object(members)
    }

    public static func array(_ element: Document) -> Document {
        .object([.init("type", "array"), .init("items", element)])
    }

    /// An object; members whose name ends with `?` may be missing.
    public static func object(_ members: KeyValuePairs<String, Document>) -> Document {
        var properties: [Document.Member] = []
        var required: [Document] = []
        for (name, schema) in members {
            let isOptional = name.hasSuffix("?")
            let bare = isOptional ? String(name.dropLast()) : name
            properties.append(.init(bare, schema))
            if !isOptional { required.append(.string(bare)) }
        }
        var result: [Document.Member] = [
            .init("type", "object"), .init("properties", .object(properties)),
        ]
        if !required.isEmpty { result.append(.init("required", .array(required))) }
        return .object(result)
    }
}
