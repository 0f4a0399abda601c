import WasmdHTTP
import WasmdHTTPServer

/// Turns what a program prints into a response. What is printed before the program first waits is
/// kept, so that a short response has a length and leaves in one call.
///
/// Used by the task of the request only.
final class ProgramResponse {
    private let response: ServerResponse
    private let output: ProgramOutput
    private var parser = CGIOutput()
    private var head: ResponseHead?
    private var body: [UInt8] = []
    private(set) var hasBegun = false

    init(_ response: ServerResponse, _ output: ProgramOutput) {
        self.response = response
        self.output = output
    }

    /// Sends what was printed so far.
    ///
    /// - Throws: `CGIOutput.Fault` if its header is malformed; `HTTPServerError`.
    func flush() async throws {
        try take()
        guard head != nil || hasBegun else { return }
        try await send()
    }

    /// Sends the rest, and ends the response.
    ///
    /// - Throws: as `flush`.
    func finish() async throws {
        try take()
        for event in try parser.finish() { handle(event, []) }
        if hasBegun {
            try await send()
            try await response.end()
        } else if let head {
            hasBegun = true
            try await response.respond(head, body)
        }
    }

    private func send() async throws {
        if let head {
            try response.begin(head)
            hasBegun = true
            self.head = nil
        }
        guard !body.isEmpty else { return }
        let bytes = body
        body = []
        try await response.write(bytes)
    }

    private func take() throws(CGIOutput.Fault) {
        let bytes = output.take()
        var position = 0
        while let event = try parser.next(bytes.span, at: &position) { handle(event, bytes) }
    }

    private func handle(_ event: CGIOutput.Event, _ bytes: [UInt8]) {
        switch event {
        case .head(let head): self.head = head
        case .kept(let kept): body += kept
        case .body(let range): body += bytes[range]
        }
    }
}
