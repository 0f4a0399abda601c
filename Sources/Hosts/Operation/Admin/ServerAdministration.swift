import WasmSystem
import WasmdDocuments
import WasmdHTTP
import WasmdHTTPServer
import WasmdStorage

/// `/admin/status`, `/admin/modules`, reload, drain and shutdown.
struct ServerAdministration: Sendable {
    private let house: Administration
    private let shared = SharedEvents(capacity: 4)

    init(_ house: Administration) { self.house = house }

    @Sendable func status(_ request: RoutedRequest) async throws {
        guard try request.query("follow") == "true" else {
            return try await request.respond(statusDocument)
        }
        let events = try await request.response.events()
        while !house.readiness.has(.stopping) {
            await events.yield()
            // Streams of the same tenth of a second get the same.
            let time = SystemClock.monotonic.now / 100_000_000
            try await events.send(
                encoded: [
                    try shared.bytes(time) {
                        ServerSentEvent(
                            type: Array("status".utf8), data: JSONWriter.write(statusDocument))
                    }
                ])
            // A server that stops does not wait for the next one.
            for _ in 0..<4 where !house.readiness.has(.stopping) {
                try await request.loop.sleep(for: .milliseconds(250))
            }
        }
        try await request.response.end()
    }

    @Sendable func settings(_ request: RoutedRequest) async throws {
        try await request.respond(house.settings())
    }

    private var statusDocument: Document {
        let statistics = house.store.statistics
        let total = house.runs.queue.total
        let totals = total.totals
        let cache = house.cache.counters
        let obstacles = house.readiness.obstacles
        let now = Double(SystemClock.realtime.now) * 1e-9
        var members: [Document.Member] = [
            .init("version", .string(house.version)),
            .init("process", .integer(Int64(CurrentProcess.identifier))),
            .init("uptime_seconds", .double(max(now - house.startTime, 0))),
            .init("ready", .boolean(obstacles.isEmpty)),
            .init("reasons", .array(obstacles.map { .string($0) })),
            .init(
                "listeners",
                .array(
                    house.listeners().map {
                        .object([
                            .init("name", .string($0.name)),
                            .init("address", .string($0.address)),
                            .init("connections", .count(of: $0.connections)),
                        ])
                    })),
            .init(
                "runs",
                .object([
                    .init("running", .count(of: total.runningCount)),
                    .init("waiting", .count(of: total.waitingCount)),
                    .init("ended", .number(totals.runs)),
                    .init("failed", .number(totals.failures)),
                    .init("refused", .number(totals.refused)),
                    .init("fuel", .number(totals.fuel)),
                ])),
            .init(
                "cache",
                .object([
                    .init("modules", .count(of: cache.modules)),
                    .init("bytes", .count(of: cache.bytes)),
                    .init("hits", .number(cache.hits)),
                    .init("misses", .number(cache.misses)),
                ])),
            .init(
                "store",
                .object([
                    .init(
                        "folder", .string(String(decoding: house.folder, as: UTF8.self))),
                    .init("writable", .boolean(house.store.writeFailure == nil)),
                    .init("records", .count(of: statistics.records)),
                    .init("log_bytes", .count(of: statistics.logBytes)),
                    .init("live_bytes", .count(of: statistics.liveBytes)),
                    .init("damage", .count(of: house.store.report.damage.count)),
                ])),
        ]
        if let resident = CurrentProcess.residentMemory {
            members.append(.init("resident_bytes", .number(resident)))
        }
        return .object(members + house.services())
    }

    @Sendable func modules(_ request: RoutedRequest) async throws {
        let limit = try request.number("limit", in: 1...1000) ?? 100
        let (items, next) = try await house.modules.page(
            after: try request.query("after"), limit: limit, on: request.loop)
        try await request.respond(
            .object([
                .init("items", .array(items)), .init("next", next.map { .string($0) } ?? .null),
            ]))
    }

    @Sendable func reload(_ request: RoutedRequest) async throws {
        guard let reload = house.reload else {
            throw APIFailure(
                .conflict,
                "there is nothing to reload: the server was started without --config")
        }
        do {
            try await request.respond(try await reload(request.loop))
        } catch let failure as APIFailure {
            throw failure
        } catch {
            throw APIFailure(.conflict, "nothing was changed: \(error)")
        }
    }

    @Sendable func drain(_ request: RoutedRequest) async throws {
        house.readiness.set(.draining, true)
        try await request.respond(.object([.init("draining", true)]))
    }

    @Sendable func undrain(_ request: RoutedRequest) async throws {
        house.readiness.set(.draining, false)
        try await request.respond(.object([.init("draining", false)]))
    }

    @Sendable func shutDown(_ request: RoutedRequest) async throws {
        house.readiness.set(.stopping, true)
        try await request.respond(.object([.init("stopping", true)]), .accepted)
        house.shutDown()
    }
}
