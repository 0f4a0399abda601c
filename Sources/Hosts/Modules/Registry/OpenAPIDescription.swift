import WasmdDocuments
import WasmdWasmiot

/// The OpenAPI 3.0.3 document of a module's functions, member by member as clients know it.
enum OpenAPIDescription {
    static func make(
        module: String, _ functions: NamedValues<FunctionDescription>,
        mounts: (String) -> [(name: String, mediaType: String, stage: MountStage)]
    ) -> Document {
        .object([
            .init("openapi", "3.0.3"),
            .init(
                "info",
                .object([
                    .init("title", .string(module)),
                    .init(
                        "description",
                        "Calling microservices defined as WebAssembly functions"),
                    .init("version", "0.0.1"),
                ])),
            .init(
                "tags",
                .array([
                    .object([
                        .init("name", "WebAssembly"),
                        .init("description", "Executing WebAssembly functions"),
                    ])
                ])),
            .init("servers", .array([server])),
            .init(
                "paths",
                .object(
                    functions.entries.map { entry in
                        .init(
                            path(module: module, function: entry.name),
                            function(entry.value, mounts(entry.name)))
                    })),
        ])
    }

    /// The path of a function; the names are not changed.
    static func path(module: String, function: String) -> String {
        "/{deployment}/modules/\(module)/\(function)"
    }

    private static var server: Document {
        .object([
            .init("url", "http://{serverIp}:{port}"),
            .init(
                "variables",
                .object([
                    .init(
                        "serverIp",
                        .object([
                            .init("default", "localhost"),
                            .init(
                                "description",
                                "IP or name found with mDNS of the machine running supervisor"),
                        ])),
                    .init(
                        "port",
                        .object([
                            .init("enum", .array(["5000", "80"])), .init("default", "5000"),
                        ])),
                ])),
        ])
    }

    private static func function(
        _ function: FunctionDescription,
        _ mounts: [(name: String, mediaType: String, stage: MountStage)]
    ) -> Document {
        let deployment = EndpointParameter(
            "deployment", place: "path", text: "Deployment ID",
            schema: .object([.init("type", "string")]))
        return .object([
            .init("summary", "Auto-generated description of function"),
            .init("parameters", .array([deployment.document])),
            .init(function.method, operation(function, mounts)),
        ])
    }

    private static func operation(
        _ function: FunctionDescription,
        _ mounts: [(name: String, mediaType: String, stage: MountStage)]
    ) -> Document {
        let parameters = function.parameters.map { parameter in
            EndpointParameter(
                parameter.name, text: "Auto-generated description",
                schema: .object([.init("type", .string(parameter.type))])
            ).document
        }
        let output = OutputType(function.outputType)
        var members: [Document.Member] = [
            .init("tags", .array([])),
            .init("summary", "Auto-generated description of function call method"),
            .init("parameters", .array(parameters)),
            .init(
                "responses",
                .object([
                    .init(
                        "200",
                        .object([
                            .init("description", "Auto-generated description of response"),
                            .init(
                                "content",
                                .object([
                                    .init(output.mediaType, response(function, output))
                                ])),
                        ]))
                ])),
        ]
        let inputs = mounts.filter { $0.stage != .output }
        if !inputs.isEmpty { members.append(.init("requestBody", body(inputs))) }
        return .object(members)
    }

    private static func response(
        _ function: FunctionDescription, _ output: OutputType
    ) -> Document {
        let files = function.outputMounts
        guard OutputType.isSeveral(output.mediaType), !files.isEmpty else {
            return .object([.init("schema", output.schema)])
        }
        return form(files.map { ($0.name, $0.mediaType ?? Mount.defaultMediaType) })
    }

    private static func body(
        _ inputs: [(name: String, mediaType: String, stage: MountStage)]
    ) -> Document {
        .object([
            .init("required", .boolean(true)),
            .init(
                "content",
                .object([
                    .init("multipart/form-data", form(inputs.map { ($0.name, $0.mediaType) }))
                ])),
        ])
    }

    /// Files of a form by the names of their mounts.
    private static func form(_ files: [(name: String, mediaType: String)]) -> Document {
        let file = Document.object([.init("type", "string"), .init("format", "binary")])
        return .object([
            .init(
                "schema",
                .object([
                    .init("type", "object"),
                    .init("properties", .object(files.map { .init($0.name, file) })),
                ])),
            .init(
                "encoding",
                .object(
                    files.map { file in
                        .init(
                            file.name,
                            .object([.init("contentType", .string(file.mediaType))]))
                    })),
        ])
    }
}
