import WasmdDocuments
import WasmdHTTP

/// A part of an interface: its operations, and the schemas that they name.
public struct APITable: Sendable {
    public var tag: String
    public var meaning: String
    public var operations: [APIOperation]
    public var schemas: [Document.Member]
    /// The schema of what the operations answer when something goes wrong.
    public var errors: String

    public init(
        _ tag: String, _ meaning: String, _ operations: [APIOperation],
        schemas: [Document.Member] = [], errors: String = "Error"
    ) {
        self.errors = errors
        self.tag = tag
        self.meaning = meaning
        self.operations = operations
        self.schemas = schemas
    }
}

/// The OpenAPI document of an interface: OpenAPI Specification 3.1.
public enum OpenAPIDocument {
    /// Where an operation is.
    public enum Place: Sendable, Equatable {
        /// At the listener that has the document.
        case here
        /// At another one: its URL, without a slash at the end.
        case at(String)
        /// At none that a client could name.
        case nowhere
    }

    /// - Parameter place: operations of other listeners have a `servers` entry of their own, so that
    ///   clients which are generated from the document find them.
    public static func make(
        title: String, version: String, _ tables: [APITable],
        place: (APITable, APIOperation) -> Place = { _, _ in .here }
    ) -> Document {
        var paths: [(path: String, operations: [Document.Member])] = []
        for table in tables {
            for operation in table.operations {
                let place = place(table, operation)
                if place == .nowhere { continue }
                let member = Document.Member(
                    operation.method.name.lowercased(), self.operation(operation, table, place))
                if let index = paths.firstIndex(where: { $0.path == operation.path }) {
                    // Two hosts of one server may have the same operation: it is described once.
                    if !paths[index].operations.contains(where: { $0.name == member.name }) {
                        paths[index].operations.append(member)
                    }
                } else {
                    paths.append((operation.path, [member]))
                }
            }
        }
        var schemas = [Document.Member("Error", errorSchema)]
        for table in tables { schemas += table.schemas }
        return .object([
            .init("openapi", "3.1.0"),
            .init(
                "info",
                .object([
                    .init("title", .string(title)), .init("version", .string(version)),
                    .init(
                        "license",
                        .object([.init("name", "See the program's source distribution")])),
                ])),
            .init("servers", .array([.object([.init("url", "/")])])),
            .init(
                "tags",
                .array(
                    tables.map {
                        .object([
                            .init("name", .string($0.tag)),
                            .init("description", .string($0.meaning)),
                        ])
                    })),
            .init("paths", .object(paths.map { .init($0.path, .object($0.operations)) })),
            .init(
                "components",
                .object([
                    .init("schemas", .object(schemas)),
                    .init(
                        "securitySchemes",
                        .object([
                            .init(
                                "token",
                                .object([
                                    .init("type", "http"), .init("scheme", "bearer"),
                                    .init(
                                        "description",
                                        "Needed if the server's configuration names tokens."),
                                ]))
                        ])),
                ])),
        ])
    }

    private static func operation(
        _ operation: APIOperation, _ table: APITable, _ place: Place
    ) -> Document {
        var summary: [Document.Member] = [
            .init("operationId", .string(operation.name)),
            .init("summary", .string(operation.summary)),
            .init("tags", .array([.string(table.tag)])),
        ]
        if case .at(let url) = place {
            summary.append(.init("servers", .array([.object([.init("url", .string(url))])])))
        }
        if let scope = operation.scope {
            let names = scope.names.joined(separator: ", ")
            summary.append(.init("description", .string("Needs the scope \(names).")))
            // Without tokens in its configuration a server needs none.
            summary.append(
                .init(
                    "security",
                    .array([.object([.init("token", .array([]))]), .object([])])))
        } else {
            summary.append(.init("security", .array([])))
        }
        if !operation.parameters.isEmpty {
            summary.append(.init("parameters", .array(operation.parameters.map(parameter))))
        }
        if !operation.body.isEmpty {
            summary.append(
                .init(
                    "requestBody",
                    .object([
                        .init("required", .boolean(operation.isBodyRequired)),
                        .init("content", contents(operation.body)),
                    ])))
        }
        var responses = operation.responses.map { response in
            var members: [Document.Member] = [.init("description", .string(response.meaning))]
            if !response.contents.isEmpty {
                members.append(.init("content", contents(response.contents)))
            }
            return Document.Member("\(response.status)", .object(members))
        }
        responses.append(
            .init(
                "default",
                .object([
                    .init("description", "What went wrong."),
                    .init("content", contents([.json(table.errors)])),
                ])))
        summary.append(.init("responses", .object(responses)))
        return .object(summary)
    }

    private static func contents(_ contents: [APIOperation.Content]) -> Document {
        .object(
            contents.map { content in
                .init(
                    content.type,
                    .object(content.schema.map { [.init("schema", $0)] } ?? []))
            })
    }

    private static func parameter(_ parameter: APIOperation.Parameter) -> Document {
        var schema: [Document.Member]
        switch parameter.form {
        case .text: schema = [.init("type", "string")]
        case .uuid: schema = [.init("type", "string"), .init("format", "uuid")]
        case .boolean: schema = [.init("type", "boolean")]
        case .words(let words):
            schema = [
                .init("type", "string"), .init("enum", .array(words.map { .string($0) })),
            ]
        case .number(let range):
            schema = [.init("type", "integer")]
            if let range {
                schema.append(.init("minimum", .integer(Int64(range.lowerBound))))
                schema.append(.init("maximum", .integer(Int64(range.upperBound))))
            }
        }
        return .object([
            .init("name", .string(parameter.name)),
            .init("in", .string(parameter.place.rawValue)),
            .init("required", .boolean(parameter.isRequired)),
            .init("description", .string(parameter.meaning)),
            .init("schema", .object(schema)),
        ])
    }

    /// The form of errors of the executor's own surface and of the admin interface.
    private static var errorSchema: Document {
        APISchema.object([
            "error": APISchema.object([
                "code": APISchema.type("integer", "The status of the response."),
                "message": APISchema.type("string"),
                "limit?": APISchema.type("string", "The limit that was reached."),
                "backtrace?": APISchema.array(APISchema.type("string")),
            ])
        ])
    }
}
