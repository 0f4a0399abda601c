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
    private var isClosed = false
    private(set) var hasBegun = false
    /// Whether the response is complete: the program may run on.
    private(set) var hasEnded = false

    init(_ response: ServerResponse, _ output: ProgramOutput) {
        self.response = response
        self.output = output
    }

    /// Sends what was printed so far. Ends the response if the program has closed its standard
    /// output after a head.
    ///
    /// - Throws: `CGIOutput.Fault` if its header is malformed; `HTTPServerError`.
    func flush() async throws {
        guard !hasEnded else {
            _ = output.take()
            return
        }
        try take()
        guard head != nil || hasBegun else { return }
        if isClosed { return try await finish() }
        try await send()
    }

    /// Sends the rest, and ends the response.
    ///
    /// - Throws: as `flush`.
    func finish() async throws {
        guard !hasEnded else { return }
        try take()
        for event in try parser.finish() { handle(event, []) }
        hasEnded = true
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
        guard !body.isEmpty else {
            return try await response.flush()
        }
        let bytes = body
        body = []
        try await response.write(bytes)
    }

    private func take() throws(CGIOutput.Fault) {
        let (bytes, isClosed) = output.take()
        self.isClosed = isClosed
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
