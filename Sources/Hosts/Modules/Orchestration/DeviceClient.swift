import WasmdDocuments
import WasmdEventLoop
import WasmdHTTP
import WasmdHTTPClient
import WasmdOperation

/// An answer of a device.
struct DeviceAnswer: Sendable {
    var status: Status
    var reason: String
    var fields: Fields
    var bytes: [UInt8]
    /// Nil for answers that take room of their own kind.
    var hold: AnswerHold?

    private struct Measured: Sendable {
        let document: Document
        let size: Int
    }

    /// Nil if it is no JSON, has too many values, or there is no room for them.
    func json(on loop: EventLoop, values: Int = 1 << 20) async -> Document? {
        var options = JSONOptions.tolerant
        options.limits.values = values
        let read = try? await ClientJSON.read(bytes, options: options, on: loop) {
            Measured(document: $0, size: $0.heapSize)
        }
        guard let read, hold?.add(document: read.size) != false else { return nil }
        return read.document
    }

    /// What a device says of itself: descriptions and health of many are read at the same time.
    func report(on loop: EventLoop) async -> Document? {
        await json(on: loop, values: DeviceClient.reportValues)
    }
}

/// Sends requests to devices.
struct DeviceClient: Sendable {
    let client: HTTPClient
    let timeout: Duration
    let room: AnswerRoom

    /// Bytes of an answer that are read.
    static let answerLimit = 32 << 20
    /// Bytes and values of what a device says of itself.
    static let reportLimit = 1 << 20
    static let reportValues = 10_000
    /// Bytes of a device's health in memory.
    static let healthLimit = 64 << 10

    func send(
        _ method: Method, _ url: String, _ body: ClientRequest.Body = .none,
        type: String? = nil, _ fields: [(StaticString, String)] = [],
        limit: Int = answerLimit
    ) async throws -> DeviceAnswer {
        guard let target = URL(Array(url.utf8)) else {
            throw Failure(.internalServerError, "malformed URL", "'\(url)' is no URL")
        }
        var request = ClientRequest(method, target, body: body)
        if let type { try request.fields.append("Content-Type", type) }
        for (name, value) in fields { try request.fields.append(name, value) }
        request.deadline = .after(timeout)
        let response = try await client.send(request)
        // Larger ones are states of instances, of which few move at a time.
        let hold = limit <= Self.answerLimit ? AnswerHold(room) : nil
        var bytes: [UInt8] = []
        while let piece = try await response.next() {
            guard bytes.count + piece.count <= limit else {
                response.close()
                throw HTTPClientError.response(.bodyTooLarge)
            }
            guard hold?.add(piece.count) != false else {
                response.close()
                throw Failure(
                    .serviceUnavailable, "the server is busy",
                    "answers of devices take more than \(AnswerRoom.limit) bytes")
            }
            bytes += piece
        }
        let reason =
            response.head.reason.map { String(decoding: $0, as: UTF8.self) }
            ?? "\(response.status.reason)"
        return DeviceAnswer(
            status: response.status, reason: reason, fields: response.fields, bytes: bytes,
            hold: hold)
    }

    /// What devices answer to this is short.
    func post(_ url: String, json: Document) async throws -> DeviceAnswer {
        try await send(
            .post, url, .bytes(JSONWriter.write(json)), type: "application/json",
            limit: Self.reportLimit)
    }
}
