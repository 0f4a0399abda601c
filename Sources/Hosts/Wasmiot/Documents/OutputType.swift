import WasmdDocuments

/// What a function's declared output means.
public enum OutputType: Sendable, Equatable {
    /// A value, with its type in OpenAPI.
    case value(String)
    /// A file, with its media type.
    case file(String)

    /// `integer` and `float` are values, everything else is taken as a media type. (`number` and
    /// `boolean` are values as well, which the original does not know.)
    public init(_ output: String) {
        switch output {
        case "integer", "float", "number", "boolean": self = .value(output)
        default: self = .file(output)
        }
    }

    public var mediaType: String {
        switch self {
        case .value: "application/json"
        case .file(let type): type
        }
    }

    public var schema: Document {
        switch self {
        case .value(let type): .object([.init("type", .string(type))])
        case .file:
            .object([.init("type", "string"), .init("format", "binary")])
        }
    }

    /// Media types of results that are files: an endpoint with one of them needs an output mount.
    public static let fileTypes = [
        "image/png", "image/jpeg", "image/jpg", "application/octet-stream", "application/wasm",
        "text/html", "text/javascript",
    ]
}
