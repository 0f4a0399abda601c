import WasmSystem
import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPServer
import WasmdWasmiot

extension SupervisorSurface {
    /// Sends an output file, with conditions and ranges.
    func file(
        _ deployment: String?, _ module: String, _ name: String, _ request: ServerRequest,
        _ response: ServerResponse
    ) async throws {
        guard MountName.isSafe(name), MountName.isSafe(module) else {
            throw Refusal(.notFound, "there is nothing at this path")
        }
        let missing: Status =
            supervisor.options.usesRightStatuses ? .notFound : .internalServerError
        guard let output = supervisor.history.output(deployment, module, name) else {
            throw Refusal(missing, "there is no output file '\(name)' of module '\(module)'")
        }
        let seconds = { (time: UInt64) in
            HTTPDate(seconds: Int64(clamping: time / 1_000_000_000))
        }
        let facts = FileFacts(
            size: UInt64(clamping: output.size), modified: seconds(output.written),
            tag: EntityTag(output.digest.description.utf8))
        let answer = FileAnswer(request.head, facts, now: seconds(SystemClock.realtime.now))
        // The digest of a file is in the file only if somebody wants that, who then harms nobody.
        let boundary = Array(output.digest.description.utf8.prefix(32))
        var (head, parts) = try answer.response(
            facts, type: Array(output.mediaType.utf8), boundary: boundary)
        try addOrigin(request, to: &head)
        try head.fields.append("X-Content-Type-Options", "nosniff")
        if head.status == .ok || head.status == .partialContent {
            try head.fields.append("Cache-Control", "no-cache")
            try head.fields.append("Content-Disposition", Self.disposition(name))
        }
        guard !parts.isEmpty else { return try await response.respond(head) }
        guard let bytes = try await supervisor.history.bytes(output, on: request.loop),
            bytes.count == output.size
        else { throw Refusal(missing, "the file was replaced meanwhile: ask again") }
        guard let body = parts.body(from: bytes) else {
            throw Refusal(.internalServerError, "the stored file is shorter")
        }
        try await response.respond(head, body)
    }

    /// `inline; filename=image.jpeg`; quoted and encoded where the name is no token.
    private static func disposition(_ name: String) -> String {
        let isToken = name.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte)
                || (0x61...0x7a).contains(byte) || "-_.+~".utf8.contains(byte)
        }
        if isToken { return "inline; filename=\(name)" }
        let encoded = String(decoding: PercentCoding.encode(Array(name.utf8)), as: UTF8.self)
        return "inline; filename*=UTF-8''\(encoded)"
    }
}
