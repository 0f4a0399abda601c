import WasmdDocuments
import WasmdEventLoop

/// Writes JSON without holding the loop.
enum JSONAnswer {
    /// The document as text; large ones are written in steps.
    static func bytes(_ document: Document, on loop: EventLoop) async -> [UInt8] {
        var writer = JSONWriter()
        var walk = JSONWalk(document)
        var bytes: [UInt8] = []
        while !walk.step(&writer, upTo: 64 << 10) {
            bytes += writer.take()
            await loop.yieldToOthers()
        }
        return bytes + writer.take()
    }
}
