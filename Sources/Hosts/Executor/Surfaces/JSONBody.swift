import WasmdDocuments
import WasmdEventLoop
import WasmdHTTPServer
import WasmdOperation

/// Reads bodies that are JSON, without holding the loop: a module as an array of numbers is four
/// times as long as the module.
enum JSONBody {
    /// - Parameters:
    ///   - start: what was read already.
    ///   - limit: bytes of the text.
    ///   - packsBytes: whether arrays of small integers become bytes.
    ///   - share: what the bytes are counted in: a third of the text, about what arrays become.
    ///   - make: makes what is wanted of the document, if it is large on a thread of the pool.
    /// - Throws: `JSONError`; `HTTPServerError`; what `make` throws.
    static func read<Success: Sendable>(
        _ request: ServerRequest, after start: [UInt8] = [], limit: Int, packsBytes: Bool = true,
        share: UploadBudget.Share? = nil,
        _ make: @escaping @Sendable (Document) throws -> Success
    ) async throws -> Success {
        try request.limitBody(to: UInt64(clamping: limit))
        var options = JSONOptions()
        options.packsBytes = packsBytes
        options.duplicates = .keep
        options.limits.bytes = limit
        // Bytes that are packed are none of them.
        options.limits.values = ClientJSON.valueLimit
        let pieces = ClientJSON.Pieces(options: options)
        var next: [UInt8]? = start.isEmpty ? try await request.next() : start
        while let piece = next {
            try share?.take(piece.count / 3)
            try await pieces.take(piece, on: request.loop)
            next = try await request.next()
        }
        return try await pieces.finish(on: request.loop, make)
    }

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
