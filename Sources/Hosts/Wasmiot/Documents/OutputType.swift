import WasmdDocuments

/// What a function's declared output means.
public enum OutputType: Sendable, Equatable {
    /// A value, with its type in OpenAPI.
    case value(String)
    /// Several values, with their types in OpenAPI: an extension.
    case values([String])
    /// A file, with its media type.
    case file(String)

    private static let valueTypes = ["integer", "float", "number", "boolean"]

    /// `integer` and `float` are values, everything else is taken as a media type. (`number` and
    /// `boolean` are values as well, which the original does not know, and several of them that are
    /// separated by commas.)
    public init(_ output: String) {
        let words = output.split(separator: ",", omittingEmptySubsequences: false).map { word in
            String(word.drop { $0 == " " })
        }
        if !words.allSatisfy(Self.valueTypes.contains) {
            self = .file(output)
        } else if words.count == 1 {
            self = .value(words[0])
        } else {
            self = .values(words)
        }
    }

    public var mediaType: String {
        switch self {
        case .value, .values: "application/json"
        case .file(let type): type
        }
    }

    public var schema: Document {
        switch self {
        case .value(let type): .object([.init("type", .string(type))])
        case .values(let types):
            .object([
                .init("type", "array"), .init("items", .object([])),
                .init("minItems", .integer(Int64(types.count))),
                .init("maxItems", .integer(Int64(types.count))),
            ])
        case .file:
            .object([.init("type", "string"), .init("format", "binary")])
        }
    }

    /// The media type of a result of several files: an extension.
    public static let severalFiles = "multipart/mixed"

    /// Whether a media type is that of a result of several files: all output mounts of the function.
    public static func isSeveral(_ type: String) -> Bool {
        type == severalFiles || type == "multipart/form-data"
    }

    /// Media types of results that are files: an endpoint with one of them needs an output mount.
    public static let fileTypes = [
        "image/png", "image/jpeg", "image/jpg", "application/octet-stream", "application/wasm",
        "text/html", "text/javascript",
    ]
}
