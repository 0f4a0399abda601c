import WasmSystem
import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPServer

/// A request with the way to answer it: responses get the fields that pages of other origins need.
struct Exchange: Sendable {
    let request: ServerRequest
    let response: ServerResponse
    let cors: CORSPolicy

    var loop: EventLoop { request.loop }

    func respond(_ head: ResponseHead, _ body: [UInt8] = []) async throws {
        var head = head
        let added = try cors.fields(for: request.head)
        for index in 0..<added.count {
            let field = added[index]
            try head.fields.append(name: field.name, value: field.value)
        }
        try await response.respond(head, body)
    }

    /// Large documents are written in steps.
    func json(_ document: Document, _ status: Status = .ok) async throws {
        var head = ResponseHead(status)
        try head.fields.append("Content-Type", "application/json; charset=utf-8")
        var writer = JSONWriter()
        var walk = JSONWalk(document)
        var bytes: [UInt8] = []
        while !walk.step(&writer, upTo: 64 << 10) {
            bytes += writer.take()
            await loop.yieldToOthers()
        }
        try await respond(head, bytes + writer.take())
    }

    func text(_ text: String, _ status: Status = .ok, type: StaticString) async throws {
        var head = ResponseHead(status)
        try head.fields.append("Content-Type", "\(type)")
        try await respond(head, Array(text.utf8))
    }

    func empty(_ status: Status = .noContent) async throws {
        try await respond(ResponseHead(status))
    }

    func fail(_ failure: Failure, right: Bool) async throws {
        guard !response.hasBegun else { throw HTTPServerError.order }
        let status = right ? failure.rightStatus : failure.status
        switch failure.body {
        case .json(let document): try await json(document, status)
        case .text(let text):
            try await self.text(text, status, type: "text/html; charset=utf-8")
        }
    }

    /// A stored file, with conditions and ranges.
    func file(
        _ file: StoredFile, type: StaticString, _ read: () async throws -> [UInt8]
    ) async throws {
        let facts = FileFacts(
            size: UInt64(clamping: file.size), tag: EntityTag(file.digest.description.utf8))
        let now = HTTPDate(seconds: Int64(clamping: SystemClock.realtime.now / 1_000_000_000))
        let answer = FileAnswer(request.head, facts, now: now)
        let boundary = Array(file.digest.description.utf8.prefix(32))
        let (head, parts) = try answer.response(
            facts, type: Array("\(type)".utf8), boundary: boundary)
        guard !parts.isEmpty else { return try await respond(head) }
        let bytes = try await read()
        var body: [UInt8] = []
        for part in parts {
            switch part {
            case .bytes(let more): body += more
            case .file(let range):
                guard let start = Int(exactly: range.lowerBound),
                    let end = Int(exactly: range.upperBound), end <= bytes.count
                else { throw Failure(.internalServerError, "the stored file is shorter") }
                body =
                    body.isEmpty && start == 0 && end == bytes.count
                    ? bytes : body + bytes[start..<end]
            }
        }
        try await respond(head, body)
    }
}
