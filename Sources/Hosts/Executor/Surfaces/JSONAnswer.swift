import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP

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
        var writer = JSONWriter()
        var walk = JSONWalk(document)
        if walk.step(&writer, upTo: 64 << 10) { return writer.take() }
        var bytes = writer.take()
        while !walk.step(&writer, upTo: 64 << 10) {
            bytes += writer.take()
            await loop.yieldToOthers()
        }
        return bytes + writer.take()
    }
}
