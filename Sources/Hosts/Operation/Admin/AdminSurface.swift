import WasmInterpreter
import WasmdDigests
import WasmdDocuments
import WasmdGuests
import WasmdHTTP
import WasmdHTTPServer

/// The admin interface, `/admin/`: for operators with the scope `admin`, and for the unix socket.
///
/// The table of its operations is `AdminSurface.api`.
public enum AdminSurface {
    public static func make(_ house: Administration) -> RoutedSurface {
        let runs = RunAdministration(house)
        let logs = LogAdministration(house)
        let data = DataAdministration(house)
        let server = ServerAdministration(house)
        let handlers: [String: RoutedSurface.Handler] = [
            "status": server.status, "modules": server.modules, "listRuns": runs.list,
            "showRun": runs.show, "stopRun": runs.stop, "logs": logs.answer,
            "profile": runs.profile, "reload": server.reload, "drain": server.drain,
            "undrain": server.undrain, "shutDown": server.shutDown, "backUp": data.backUp,
            "downloadBackup": data.download, "compact": data.compact, "verify": data.verify,
            "settings": server.settings,
        ]
        let rows = api.operations.compactMap { operation in
            handlers[operation.name].map { RoutedSurface.Row(operation, $0) }
        }
        return RoutedSurface("admin", rows)
    }
}

/// `/admin/runs` and `/admin/profile`.
struct RunAdministration: Sendable {
    private let house: Administration

    init(_ house: Administration) { self.house = house }

    @Sendable func list(_ request: RoutedRequest) async throws {
        let limit = try request.number("limit", in: 1...10_000) ?? 100
        let module = try request.query("module")
        let wanted: Set<SHA256.Digest>? =
            if let module { try await house.digests(module, on: request.loop) } else { nil }
        func matches(_ digest: SHA256.Digest) -> Bool { wanted?.contains(digest) ?? true }
        let active = house.runs.active.all.filter { matches($0.module) }
        let recent = house.runs.records.last().filter { matches($0.module) }.suffix(limit)
        try await request.respond(
            .object([
                .init("active", .array(active.prefix(limit).map(\.document))),
                .init(
                    "recent", .array(recent.reversed().map { $0.document(isWhole: false) })),
                .init("running", .count(of: house.runs.queue.total.runningCount)),
                .init("waiting", .count(of: house.runs.queue.total.waitingCount)),
            ]))
    }

    private func id(_ request: RoutedRequest) throws -> RunID {
        guard let id = RunID(request.text("id")) else {
            throw APIFailure(.notFound, "this is no id of a run")
        }
        return id
    }

    @Sendable func show(_ request: RoutedRequest) async throws {
        let id = try id(request)
        if let run = house.runs.active[id] { return try await request.respond(run.document) }
        guard let record = house.runs.records.lastElement(where: { $0.id == id }) else {
            throw APIFailure(
                .notFound, "this run is not known: only the last runs are remembered")
        }
        try await request.respond(record.document(isWhole: true))
    }

    @Sendable func stop(_ request: RoutedRequest) async throws {
        let id = try id(request)
        guard house.runs.active.cancel(id) else {
            let hasEnded = house.runs.records.lastElement { $0.id == id } != nil
            throw hasEnded
                ? APIFailure(.conflict, "this run has ended")
                : APIFailure(.notFound, "there is no run with this id")
        }
        try await request.respond(.object([.init("stopped", .string(id.description))]), .accepted)
    }

    static let profileForms = [
        RunFindings.Form.firefoxProfile.rawValue, RunFindings.Form.flameGraph.rawValue,
    ]

    @Sendable func profile(_ request: RoutedRequest) async throws {
        let seconds = try request.number("seconds", in: 1...300) ?? 5
        let interval = try request.number("interval", in: 10...1_000_000) ?? 1000
        let name = try request.query("form") ?? RunFindings.Form.firefoxProfile.rawValue
        guard Self.profileForms.contains(name), let form = RunFindings.Form(rawValue: name) else {
            throw APIFailure(
                .badRequest, "'form' must be \(Self.profileForms.joined(separator: " or "))")
        }
        let module = try request.query("module")
        var wanted: Set<SHA256.Digest>?
        if let module {
            let found = try await house.digests(module, on: request.loop)
            guard !found.isEmpty else {
                throw APIFailure(
                    .notFound,
                    "there is no module with this name: 'wasmd ctl list' shows those that are there "
                        + "(GET /admin/modules)")
            }
            wanted = found
        }
        var options = RunProfiling.Options()
        options.interval = .microseconds(interval)
        let found: (profile: Profile, runs: Int)
        do {
            found = try await house.runs.profiling.profile(
                wanted, for: .seconds(seconds), options, on: request.loop)
        } catch let error as RunProfilingError {
            throw APIFailure(.serviceUnavailable, "\(error)")
        }
        let findings = RunFindings(profile: found.profile)
        let title = module.map { HarmlessText.text($0, atMost: 100) } ?? "all modules"
        let text = try await findings.text(form, module: title, on: request.loop) ?? ""
        var head = ResponseHead(.ok)
        try head.fields.append(
            "Content-Type", form == .flameGraph ? "image/svg+xml" : "application/json")
        try head.fields.append("Cache-Control", "no-store")
        try head.fields.append("Wasmd-Profiled-Runs", "\(found.runs)")
        try head.fields.append("Wasmd-Samples", "\(found.profile.samples.count)")
        try await request.response.respond(head, Array(text.utf8))
    }
}
