import WasmSystem
import WasmdHTTP
import WasmdHTTPServer

/// The bytes of a stored module, with conditions and ranges.
enum BinaryAnswer {
    static func send(
        _ record: ModuleRecord, _ executor: Executor, _ request: ServerRequest,
        _ response: ServerResponse
    ) async throws {
        let facts = FileFacts(
            size: UInt64(clamping: record.size),
            modified: HTTPDate(seconds: record.changed / 1000),
            tag: EntityTag(record.digest.description.utf8))
        let now = HTTPDate(seconds: Int64(clamping: SystemClock.realtime.now / 1_000_000_000))
        let answer = FileAnswer(request.head, facts, now: now)
        // The digest of the module cannot be in the module but by purpose, and then harms nobody.
        let boundary = Array(record.digest.description.utf8.prefix(32))
        let (head, parts) = try answer.response(
            facts, type: Array("application/wasm".utf8), boundary: boundary)
        guard !parts.isEmpty else { return try await response.respond(head) }
        let bytes = try await executor.bytes(record, on: request.loop)
        guard let body = parts.body(from: bytes) else {
            throw Failure(.internalServerError, "the stored module is shorter")
        }
        try await response.respond(head, body)
    }
}
