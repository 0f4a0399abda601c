import WasmdDocuments
import WasmdHTTP

/// Documents of messages as JSON.
public enum MessageDocument {
    /// What a document of JSON means as a message: integers are as wide as they must be,
    /// `{"$binary": BASE64}` is binary.
    public static func read(_ document: Document) -> Document {
        switch document {
        case .integer(let value): Int32(exactly: value).map { .integer32($0) } ?? document
        case .unsigned(let value): .double(Double(value))
        case .array(let elements): .array(elements.map(read))
        case .object(let members):
            binary(members) ?? .object(members.map { .init($0.name, read($0.value)) })
        default: document
        }
    }

    private static func binary(_ members: [Document.Member]) -> Document? {
        guard members.count == 1, members[0].name == "$binary",
            let text = members[0].value.stringValue, let bytes = Base64.decode(Array(text.utf8))
        else { return nil }
        return .bytes(bytes)
    }

    /// One document as a line of JSON.
    public static func line(_ document: Document) -> String {
        var options = JSONWriter.Options()
        options.bytes = .object
        return String(decoding: JSONWriter.write(document, options: options), as: UTF8.self)
    }
}
