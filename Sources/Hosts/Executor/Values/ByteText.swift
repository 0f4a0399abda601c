import WasmdDocuments
import WasmdHTTP

/// Bytes in JSON: base64, or an array of integers from 0 to 255. Written as base64.
enum ByteText {
    static func bytes(_ document: Document) -> [UInt8]? {
        if case .bytes(let bytes) = document { return bytes }
        if let text = document.stringValue { return Base64.decode(text.utf8) }
        guard let elements = document.arrayValue else { return nil }
        let bytes = elements.compactMap { $0.integerValue.flatMap { UInt8(exactly: $0) } }
        return bytes.count == elements.count ? bytes : nil
    }

    static func document(_ bytes: [UInt8]) -> Document {
        .string(String(decoding: Base64.encode(bytes), as: UTF8.self))
    }
}
