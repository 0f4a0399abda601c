import WasmdDocuments
import WasmdGuests

/// How `wasmd top` shows seconds: as lines, or as one page of a terminal.
struct TopPage {
    let server: String
    private var samples: [TopSample] = []

    /// Seconds that the drawing of the load shows.
    private static let history = 60

    init(server: String) { self.server = server }

    mutating func add(_ sample: TopSample) {
        if samples.count == Self.history { samples.removeFirst() }
        samples.append(sample)
    }

    /// Over the lines of `TopSample.line`.
    static let heading = line(
        "RUNS/S", "FAILED/S", "REFUSED/S", "RUNNING", "WAITING", "CONNECTIONS", "MEMORY")

    fileprivate static func line(_ cells: String...) -> String {
        let widths = [12, 10, 10, 9, 9, 12, 12]
        return zip(cells, widths).map { $0.aligned(to: $1) }.joined()
    }

    // MARK: A terminal

    /// Draws over what was there: to the upper left corner, each line to its end, the rest empty.
    func screen(rows: Int, columns: Int) -> String {
        let isFirst = samples.count == 1
        let lines = lines.prefix(max(rows - 1, 1)).map { $0.prefix(columns) + "\u{1b}[K\n" }
        return (isFirst ? "\u{1b}[2J" : "") + "\u{1b}[H" + lines.joined() + "\u{1b}[J"
    }

    /// The same while the server says nothing: its last page stays.
    func absence(_ reason: String) -> String {
        "\u{1b}[H\(server): \(reason); looking again each second\u{1b}[K\n"
    }

    /// The page, without regard to its size.
    var lines: [String] {
        guard let sample = samples.last else { return [] }
        let status = sample.now.status
        let uptime = ControlReport.duration(status["uptime_seconds"])
        let reasons = (status["reasons"]?.arrayValue ?? []).map(ControlReport.text)
        var lines = [
            "wasmd \(ControlReport.text(status["version"])) at \(server), process "
                + "\(ControlReport.text(status["process"])), up \(uptime), "
                + (reasons.isEmpty ? "ready" : "not ready: " + reasons.joined(separator: "; ")),
            "",
            "runs/s \(decimal(sample.runs))   failed/s \(decimal(sample.failed))   refused/s "
                + "\(decimal(sample.refused))   \(load)",
            "running \(grouped(sample.now.runs("running")))   waiting "
                + "\(grouped(sample.now.runs("waiting")))   connections "
                + "\(grouped(sample.now.connections))   memory "
                + ControlReport.bytes(status["resident_bytes"]) + "   store "
                + ControlReport.bytes(status["store"]?["log_bytes"])
                + (status["store"]?["writable"] == false ? " (READ-ONLY)" : ""),
        ]
        if !sample.modules.isEmpty {
            var table = TextTable(.left, .right, .right, .left)
            table.add("MODULE", "RUNS/S", "FAILED/S", "NAME")
            for module in sample.modules {
                table.add(
                    HarmlessText.text(module.id.utf8), decimal(module.runs),
                    decimal(module.failures),
                    module.name.map { HarmlessText.text($0.utf8) } ?? "")
            }
            lines += [""] + table.lines.map { String($0.dropFirst(2)) }
        }
        let active = sample.now.active.sorted {
            ($0["seconds"]?.doubleValue ?? 0) > ($1["seconds"]?.doubleValue ?? 0)
        }
        if !active.isEmpty {
            var table = TextTable(.left, .left, .left, .right, .right, .left)
            table.add("RUN", "MODULE", "FUNCTION", "TIME", "MEMORY", "CALLER")
            for run in active {
                table.add(
                    ControlReport.text(run["id"]), ControlReport.text(run["module"]),
                    ControlReport.text(run["function"]), ControlReport.duration(run["seconds"]),
                    ControlReport.bytes(run["memory_bytes"]), ControlReport.text(run["caller"]))
            }
            lines += [""] + table.lines.map { String($0.dropFirst(2)) }
        }
        return lines
    }

    /// Runs of the last seconds, as heights; the highest is full.
    private var load: String {
        let most = samples.map(\.runs).max() ?? 0
        guard most > 0 else { return "" }
        let heights: [Character] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]
        return String(
            samples.map { sample in
                heights[min(max(Int(sample.runs / most * 8), 0), 7)]
            })
    }

    private func decimal(_ value: Double) -> String { TopPage.decimal(value) }

    /// With one digit behind the point, or `-` for what cannot be shown.
    fileprivate static func decimal(_ value: Double) -> String {
        guard let tenths = Int64(exactly: (value * 10).rounded()) else { return "-" }
        return "\(grouped(tenths / 10)).\(abs(tenths % 10))"
    }
}

extension TopSample {
    /// The line of a second for people, below `TopPage.heading`.
    var line: String {
        TopPage.line(
            TopPage.decimal(runs), TopPage.decimal(failed), TopPage.decimal(refused),
            grouped(now.runs("running")), grouped(now.runs("waiting")),
            grouped(now.connections), ControlReport.bytes(now.status["resident_bytes"]))
    }
}
