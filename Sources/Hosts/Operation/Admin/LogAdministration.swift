import WasmdDocuments
import WasmdEventLoop
import WasmdGuests
import WasmdHTTP
import WasmdHTTPServer

/// `/admin/logs`: what guests write to standard error.
struct LogAdministration: Sendable {
    private let house: Administration

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
        let events = try await request.response.events()
        let source = FeedReader(house.runs.log.subscribe(recent: recent))
        try await events.follow(while: { !house.readiness.has(.stopping) }) { end in
            try await source.next(until: end, on: request.loop)
        } send: { batch in
            if batch.lost > 0 {
                let lost = JSONWriter.write(.object([.init("lost", .number(batch.lost))]))
                try await events.send(ServerSentEvent(type: Array("lost".utf8), data: lost))
            }
            try await events.send(
                batch.elements.lazy.filter(filter.matches).map { line in
                    ServerSentEvent(
                        type: Array("line".utf8), data: JSONWriter.write(filter.document(line)))
                })
        }
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
