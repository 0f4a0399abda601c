import WasmdDocuments

/// What the admin interface says at one moment.
struct TopReading {
    let status: Document
    let modules: [Document]
    /// Runs that are active.
    let active: [Document]

    var process: Int64? { status["process"]?.integerValue }
    var uptime: Double { status["uptime_seconds"]?.doubleValue ?? 0 }

    func runs(_ name: String) -> Int64 { status["runs"]?[name]?.integerValue ?? 0 }

    /// Connections of all listeners.
    var connections: Int64 {
        (status["listeners"]?.arrayValue ?? []).reduce(0) {
            $0 &+ ($1["connections"]?.integerValue ?? 0)
        }
    }
}

/// What happened between two moments, a second by the second.
struct TopSample {
    /// A module that ran in between.
    struct Module {
        let id: String
        let name: String?
        /// Runs that ended, and those of them that failed, a second.
        let runs: Double
        let failures: Double
    }

    let now: TopReading
    /// Runs a second that ended, that failed, and that were refused because a queue was full.
    let runs: Double
    let failed: Double
    let refused: Double
    /// The busiest first.
    let modules: [Module]

    /// A server that was started in between has done all it did since then.
    init(from last: TopReading, to now: TopReading) {
        self.now = now
        let isSame = last.process == now.process && last.uptime < now.uptime
        let seconds = max(now.uptime - (isSame ? last.uptime : 0), 1e-3)
        func rate(_ before: Int64, _ after: Int64) -> Double {
            Double(max(after &- (isSame ? before : 0), 0)) / seconds
        }
        runs = rate(last.runs("ended"), now.runs("ended"))
        failed = rate(last.runs("failed"), now.runs("failed"))
        refused = rate(last.runs("refused"), now.runs("refused"))
        let counts = Dictionary(
            last.modules.map { module in
                (
                    module["id"]?.stringValue ?? "",
                    (
                        module["runs"]?.integerValue ?? 0,
                        module["failures"]?.integerValue ?? 0
                    )
                )
            }, uniquingKeysWith: { first, _ in first })
        modules = now.modules.compactMap { module -> Module? in
            let id = module["id"]?.stringValue ?? ""
            let before = counts[id] ?? (0, 0)
            let runs = rate(before.0, module["runs"]?.integerValue ?? 0)
            guard runs > 0 else { return nil }
            return Module(
                id: id, name: module["name"]?.stringValue, runs: runs,
                failures: rate(before.1, module["failures"]?.integerValue ?? 0))
        }.sorted { $0.runs > $1.runs }
    }

    /// The line of a second for programs.
    var document: Document {
        .object([
            .init("status", now.status),
            .init("runs_per_second", .double(runs)),
            .init("failed_per_second", .double(failed)),
            .init("refused_per_second", .double(refused)),
            .init(
                "modules",
                .array(
                    modules.map { module in
                        .object([
                            .init("id", .string(module.id)),
                            .init("name", module.name.map { .string($0) } ?? .null),
                            .init("runs_per_second", .double(module.runs)),
                            .init("failed_per_second", .double(module.failures)),
                        ])
                    })),
        ])
    }
}
