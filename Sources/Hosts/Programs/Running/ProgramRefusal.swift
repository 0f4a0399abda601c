import WasmInterpreter
import WasmdGuests
import WasmdHTTP
import WasmdHTTPServer

/// The responses to requests that a program did not answer.
enum ProgramRefusal {
    static func response(to outcome: GuestProgram.Outcome) -> (Status, String) {
        switch outcome {
        case .exited(let code):
            (.internalServerError, "The program ended with \(code).")
        case .trapped(let trap) where trap.code == .deadlineExceeded:
            (.gatewayTimeout, "The program took too long.")
        case .trapped(let trap) where trap.code == .interrupted:
            (.serviceUnavailable, "The program was stopped.")
        case .trapped(let trap): (.internalServerError, "The program trapped: \(trap.code).")
        case .threw: (.internalServerError, "The program did not catch an exception.")
        case .failed(is CGIOutput.Fault):
            (.badGateway, "The program printed a malformed header.")
        case .failed: (.internalServerError, "The program could not run.")
        }
    }

    /// 503 with `Retry-After`.
    static func busy(_ reason: String, _ response: ServerResponse) async throws {
        var head = ResponseHead(.serviceUnavailable)
        try head.fields.append("Content-Type", "text/plain; charset=utf-8")
        try head.fields.append("Retry-After", "1")
        try await response.respond(head, Array("\(reason).\n".utf8))
    }
}
