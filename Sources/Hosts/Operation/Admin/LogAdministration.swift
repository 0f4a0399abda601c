import WasmdDocuments
import WasmdEventLoop
import WasmdGuests
import WasmdHTTP
import WasmdHTTPServer

/// `/admin/logs`: what guests write to standard error.
struct LogAdministration: Sendable {
    private let house: Administration
    private let shared = SharedEvents()
    /// Lines that a stream takes at once: it holds them while its client does not read.
    private static let batchLimit = 16

    init(_ house: Administration) { self.house = house }

    @Sendable func answer(_ request: RoutedRequest) async throws {
        let recent = try request.number("recent", in: 0...10_000) ?? 100
        var wanted: RunID?
        if let text = try request.query("run") {
            guard let id = RunID(text) else {
                throw APIFailure(.badRequest, "'run' is no id of a run")
            }
            wanted = id
        }
        let follows = try request.query("follow") == "true"
        let filter = LineFilter(house.runs, wanted)
        if follows { return try await follow(request, recent, filter) }
        let lines = house.runs.log.last().filter(filter.matches).suffix(recent)
        try await request.respond(
            .object([.init("lines", .array(lines.map(filter.document)))]))
    }

    private func follow(
        _ request: RoutedRequest, _ recent: Int, _ filter: LineFilter
    ) async throws {
        // Before the head is sent: whoever has it misses nothing that comes from then on.
        let source = FeedReader(
            house.runs.log.subscribe(recent: recent, batchLimit: Self.batchLimit))
        let events = try await request.response.events()
        try await events.follow(while: { !house.readiness.has(.stopping) }) { end in
            try await source.next(until: end, on: request.loop)
        } send: { batch in
            if batch.lost > 0 {
                let lost = JSONWriter.write(.object([.init("lost", .number(batch.lost))]))
                try await events.send(ServerSentEvent(type: Array("lost".utf8), data: lost))
            }
            try await events.send(encoded: try encoded(batch, filter))
        }
    }

    /// The events of those lines that a stream wants.
    private func encoded(
        _ batch: FeedSubscription<LogLine>.Batch, _ filter: LineFilter
    ) throws -> [[UInt8]] {
        var result: [[UInt8]] = []
        for (offset, line) in batch.elements.enumerated() where filter.matches(line) {
            result.append(
                try shared.bytes(batch.first + UInt64(offset)) {
                    ServerSentEvent(
                        type: Array("line".utf8), data: JSONWriter.write(filter.document(line)))
                })
        }
        return result
    }
}

/// The lines of one run, or of all, with the names of their modules.
private struct LineFilter: Sendable {
    private let runs: GuestRuns
    private let wanted: RunID?

    init(_ runs: GuestRuns, _ wanted: RunID?) {
        self.runs = runs
        self.wanted = wanted
    }

    func matches(_ line: LogLine) -> Bool { wanted.map { $0 == line.run } ?? true }

    func document(_ line: LogLine) -> Document {
        let name =
            runs.active[line.run]?.moduleName
            ?? runs.records.lastElement { $0.id == line.run }?.moduleName
        return line.document(module: name)
    }
}
