import Synchronization
import WasmdDocuments
import WasmdEventLoop

/// JSON of clients, small or large, read and written without holding the loop: large texts are read
/// by a thread of the pool.
public enum ClientJSON {
    /// What the text is, or what `make` makes of it, on the thread that reads it: large documents
    /// are freed there too.
    ///
    /// - Throws: `JSONError`, `LoopError`; what `make` throws.
    public static func read<Success: Sendable>(
        _ bytes: [UInt8], options: JSONOptions = JSONOptions(), on loop: EventLoop,
        _ make: @escaping @Sendable (Document) throws -> Success
    ) async throws -> Success {
        try await loop.computing(over: bytes.count) {
            try make(try JSONReader.read(bytes, options: options))
        }
    }

    /// The document as it is, if it does not have too many values.
    public static func read(
        _ bytes: [UInt8], options: JSONOptions = JSONOptions(), values: Int = valueLimit,
        on loop: EventLoop
    ) async throws -> Document {
        var options = options
        options.limits.values = min(options.limits.values, values)
        return try await read(bytes, options: options, on: loop) { $0 }
    }

    /// Values of a document that a loop may free: about five milliseconds.
    public static let valueLimit = 1 << 18

    /// The document as text; large ones are written in steps.
    public static func write(_ document: Document, on loop: EventLoop) async -> [UInt8] {
        var writer = JSONWriter()
        var walk = JSONWalk(document)
        if walk.step(&writer, upTo: EventLoop.smallWork) { return writer.take() }
        var bytes = writer.take()
        while !walk.step(&writer, upTo: EventLoop.smallWork) {
            bytes += writer.take()
            await loop.yieldToOthers()
        }
        return bytes + writer.take()
    }

    /// Reads a text that arrives in pieces, large ones by the pool, piece by piece.
    public final class Pieces: Sendable {
        private let reader: Mutex<JSONReader>
        private let options: JSONOptions
        private let pending = Mutex<[[UInt8]]>([])
        private let count = Mutex((pending: 0, whole: 0))

        public init(options: JSONOptions) {
            self.options = options
            reader = Mutex(JSONReader(options: options))
        }

        /// Bytes that are read at a time.
        private static let batch = 1 << 20

        /// Takes a piece.
        ///
        /// - Throws: `JSONError`, `LoopError`.
        public func take(_ piece: [UInt8], on loop: EventLoop) async throws {
            pending.withLock { $0.append(piece) }
            let isDue = count.withLock { count in
                count.pending += piece.count
                count.whole += piece.count
                guard count.pending >= Self.batch else { return false }
                count.pending = 0
                return true
            }
            if isDue {
                _ = try await loop.computing(over: Self.batch) { try self.read(isLast: false) }
            }
        }

        /// Ends the text, and makes something of its document where that is freed.
        ///
        /// - Throws: `JSONError`, `LoopError`; what `make` throws.
        public func finish<Success: Sendable>(
            on loop: EventLoop, _ make: @escaping @Sendable (Document) throws -> Success
        ) async throws -> Success {
            try await loop.computing(over: count.withLock { $0.whole }) {
                try make(try self.read(isLast: true) ?? .null)
            }
        }

        private func read(isLast: Bool) throws(JSONError) -> Document? {
            let pieces = pending.withLock { pending in
                defer { pending = [] }
                return pending
            }
            let read = reader.withLock { reader -> Result<Document?, JSONError> in
                do throws(JSONError) {
                    for piece in pieces { reader.feed(piece) }
                    if isLast { reader.finish() }
                    guard case .finished(let document) = try reader.advance() else {
                        return .success(nil)
                    }
                    reader = JSONReader(options: options)
                    return .success(document)
                } catch {
                    // What was read is freed here, and not by the loop.
                    reader = JSONReader(options: options)
                    return .failure(error)
                }
            }
            return try read.get()
        }
    }
}
