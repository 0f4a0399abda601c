import WasmdDocuments
import WasmdEventLoop
import WasmdHTTPServer

/// Reads bodies that are JSON, without holding the loop: a module as an array of numbers is four
/// times as long as the module.
enum JSONBody {
    /// - Parameters:
    ///   - start: what was read already.
    ///   - limit: bytes of the text.
    ///   - packsBytes: whether arrays of small integers become bytes.
    ///   - share: what the bytes are counted in: a third of the text, about what arrays become.
    /// - Throws: `JSONError`; `HTTPServerError`
    static func read(
        _ request: ServerRequest, after start: [UInt8] = [], limit: Int, packsBytes: Bool = true,
        share: UploadBudget.Share? = nil
    ) async throws -> Document {
        try request.limitBody(to: UInt64(clamping: limit))
        var options = JSONOptions()
        options.packsBytes = packsBytes
        options.duplicates = .keep
        options.limits.bytes = limit
        var reader = JSONReader(options: options)
        var next: [UInt8]? = start.isEmpty ? try await request.next() : start
        while let piece = next {
            try share?.take(piece.count / 3)
            reader.feed(piece)
            while case .paused = try reader.advance(bytes: step) {
                await request.loop.yieldToOthers()
            }
            next = try await request.next()
        }
        reader.finish()
        while true {
            switch try reader.advance(bytes: step) {
            case .finished(let document): return document
            case .paused, .needsInput: await request.loop.yieldToOthers()
            }
        }
    }

    /// Bytes that are read at a time: about a third of a millisecond.
    private static let step = 64 << 10

    /// What an array of numbers from 0 to 255 says; nil for anything else.
    static func bytes(_ document: Document) -> [UInt8]? {
        switch document {
        case .bytes(let bytes): return bytes
        case .array(let elements):
            // The reader packs what it can: this is an empty array, or one with other elements.
            return elements.isEmpty ? [] : nil
        default: return nil
        }
    }
}
