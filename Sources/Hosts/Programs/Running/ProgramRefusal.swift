import WasmdGuests
import WasmdHTTP
import WasmdHTTPServer

/// The responses to requests that a program did not answer.
enum ProgramRefusal {
    static func response(to result: RunResult) -> (Status, String) {
        switch result.outcome {
        case .exited(let code):
            (.internalServerError, "The program ended with \(code).")
        case .returned:
            (.internalServerError, "The program ended.")
        case .limit(.time, _):
            (.gatewayTimeout, "The program took too long.")
        case .limit(let limit, _):
            (.internalServerError, "The program reached its limit of \(limit.name).")
        case .cancelled:
            (.serviceUnavailable, "The program was stopped.")
        case .trapped(let trap):
            (
                .internalServerError,
                "The program trapped: \(trap.code.map { "\($0)" } ?? trap.message)."
            )
        case .threw: (.internalServerError, "The program did not catch an exception.")
        case .failed where result.error is CGIOutput.Fault: malformedHeader
        case .failed: (.internalServerError, "The program could not run.")
        }
    }

    static let malformedHeader = (Status.badGateway, "The program printed a malformed header.")

    /// 503 with `Retry-After`.
    static func busy(_ reason: String, _ response: ServerResponse) async throws {
        var head = ResponseHead(.serviceUnavailable)
        try head.fields.append("Content-Type", "text/plain; charset=utf-8")
        try head.fields.append("Retry-After", "1")
        try await response.respond(head, Array("\(reason).\n".utf8))
    }
}
