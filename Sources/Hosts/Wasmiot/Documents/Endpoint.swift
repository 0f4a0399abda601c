import WasmdDocuments

/// A parameter of an endpoint, as OpenAPI describes it.
public struct EndpointParameter: Sendable, Equatable {
    public var name: String
    /// Where it is in a request: `query` or `path`.
    public var place: String
    public var text: String?
    public var isRequired: Bool
    /// With a member `type`, if the sender wrote one.
    public var schema: Document

    public init(
        _ name: String, place: String = "query", text: String? = nil, isRequired: Bool = true,
        schema: Document
    ) {
        self.name = name
        self.place = place
        self.text = text
        self.isRequired = isRequired
        self.schema = schema
    }

    /// The type of the schema.
    public var type: String? { schema["type"]?.stringValue }

    public var document: Document {
        var members: [Document.Member] = [
            .init("name", .string(name)), .init("in", .string(place)),
        ]
        if let text { members.append(.init("description", .string(text))) }
        members += [.init("required", .boolean(isRequired)), .init("schema", schema)]
        return .object(members)
    }

    init(_ reading: Reading) throws(DocumentFault) {
        name = try reading.member("name").string()
        place = try reading.optional("in")?.string() ?? "query"
        text = reading.document["description"]?.stringValue
        isRequired = reading.document["required"] != .boolean(false)
        schema = reading.document["schema"] ?? .object([])
    }
}

/// The body of a request: a form with files.
public struct EndpointBody: Sendable, Equatable {
    /// `multipart/form-data`.
    public var mediaType: String
    public var schema: Document
    /// Media types by the names of parts: objects with `contentType`.
    public var encoding: Document

    public init(mediaType: String = "multipart/form-data", schema: Document, encoding: Document) {
        self.mediaType = mediaType
        self.schema = schema
        self.encoding = encoding
    }

    public var document: Document {
        .object([
            .init("media_type", .string(mediaType)), .init("schema", schema),
            .init("encoding", encoding),
        ])
    }

    init(_ reading: Reading) throws(DocumentFault) {
        mediaType = try reading.member("media_type").string()
        schema = reading.document["schema"] ?? .object([])
        encoding = reading.document["encoding"] ?? .object([])
    }
}

/// What an endpoint returns.
public struct EndpointResponse: Sendable, Equatable {
    /// `application/json` for a value, else the type of a file.
    public var mediaType: String
    public var schema: Document

    public init(mediaType: String, schema: Document) {
        self.mediaType = mediaType
        self.schema = schema
    }

    /// The type of the schema: `integer` and others for values, `string` for files.
    public var type: String? { schema["type"]?.stringValue }

    public var document: Document {
        .object([.init("media_type", .string(mediaType)), .init("schema", schema)])
    }

    init(_ reading: Reading) throws(DocumentFault) {
        mediaType = try reading.member("media_type").string()
        schema = reading.document["schema"] ?? .object([])
    }
}

/// A function of a deployment on a device, as something to send requests to.
public struct Endpoint: Sendable, Equatable {
    /// `http://ADDRESS:PORT`.
    public var url: String
    /// `/DEPLOYMENT/modules/MODULE/FUNCTION`.
    public var path: String
    /// In small letters.
    public var method: String
    public var parameters: [EndpointParameter]
    public var body: EndpointBody?
    public var response: EndpointResponse

    public init(
        url: String, path: String, method: String, parameters: [EndpointParameter],
        body: EndpointBody? = nil, response: EndpointResponse
    ) {
        self.url = url
        self.path = path
        self.method = method
        self.parameters = parameters
        self.body = body
        self.response = response
    }

    public var document: Document {
        var request: [Document.Member] = [
            .init("parameters", .array(parameters.map(\.document)))
        ]
        if let body { request.append(.init("request_body", body.document)) }
        return .object([
            .init("url", .string(url)), .init("path", .string(path)),
            .init("method", .string(method)), .init("request", .object(request)),
            .init("response", response.document),
        ])
    }

    public init(_ document: Document) throws(DocumentFault) { try self.init(Reading(document)) }

    init(_ reading: Reading) throws(DocumentFault) {
        url = try reading.member("url").string()
        path = try reading.member("path").string()
        method = try reading.member("method").string().lowercased()
        let request = reading.optional("request")
        var parameters: [EndpointParameter] = []
        if let list = request?.optional("parameters") {
            let elements = try list.elements()
            guard elements.count <= NameLimits.list else {
                throw list.fault("at most \(NameLimits.list) parameters")
            }
            for element in elements { parameters.append(try EndpointParameter(element)) }
        }
        self.parameters = parameters
        if let body = request?.optional("request_body") { self.body = try EndpointBody(body) }
        response = try EndpointResponse(try reading.member("response"))
    }
}
