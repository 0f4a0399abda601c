import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdOperation

/// Writes JSON without holding the loop.
enum JSONAnswer {
    /// The head of a response with JSON.
    static let head = {
        var head = ResponseHead(.ok)
        // The field is well formed.
        try? head.fields.append("Content-Type", "application/json")
        return head
    }()

    /// The document as text; large ones are written in steps.
    static func bytes(_ document: Document, on loop: EventLoop) async -> [UInt8] {
        await ClientJSON.write(document, on: loop)
    }
}
