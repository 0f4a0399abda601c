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
        let lines = lines(columns: columns).prefix(max(rows - 1, 1)).map {
            Self.cut($0, columns) + "\u{1b}[K\n"
        }
        return (isFirst ? "\u{1b}[2J" : "") + "\u{1b}[H" + lines.joined() + "\u{1b}[J"
    }

    /// The same while the server says nothing: the rest of its last page stays.
    func absence(_ reason: String, columns: Int) -> String {
        let text = "no answer: \(reason); it is asked again each second"
        return "\u{1b}[H" + Self.cut(text, columns) + "\u{1b}[K\n"
    }

    /// What is cut is seen to be cut: a part of an id is none.
    private static func cut(_ line: String, _ columns: Int) -> String {
        line.count <= max(columns, 1) ? line : line.prefix(max(columns - 1, 0)) + "…"
    }

    /// The page, without regard to its height. What matters most is at the left, since a narrow
    /// terminal cuts the right.
    func lines(columns: Int) -> [String] {
        guard let sample = samples.last else { return [] }
        let status = sample.now.status
        let reasons = (status["reasons"]?.arrayValue ?? []).map(ControlReport.text)
        var lines = wrapped(
            [
                reasons.isEmpty ? "ready" : "not ready: " + reasons.joined(separator: "; "),
                "up " + ControlReport.duration(status["uptime_seconds"]),
                "process \(ControlReport.text(status["process"]))",
                "wasmd \(ControlReport.text(status["version"])) at \(server)",
            ], columns)
        lines += [""]
        lines += wrapped(
            [
                "runs/s \(decimal(sample.runs))", "failed/s \(decimal(sample.failed))",
                "refused/s \(decimal(sample.refused))",
                "running \(grouped(sample.now.runs("running")))",
                "waiting \(grouped(sample.now.runs("waiting")))",
                "connections \(grouped(sample.now.connections))",
                "memory \(ControlReport.bytes(status["resident_bytes"]))",
                "store \(ControlReport.bytes(status["store"]?["log_bytes"]))"
                    + (status["store"]?["writable"] == false ? " (READ-ONLY)" : ""),
            ], columns)
        let load = load(columns)
        if !load.isEmpty { lines.append(load) }
        if !sample.modules.isEmpty {
            var table = TextTable(.right, .right, .left, .left)
            table.add("RUNS/S", "FAILED/S", "NAME", "MODULE")
            for module in sample.modules {
                table.add(
                    decimal(module.runs), decimal(module.failures),
                    module.name.map { HarmlessText.text($0.utf8) } ?? "-",
                    HarmlessText.text(module.id.utf8))
            }
            lines += [""] + table.lines.map { String($0.dropFirst(2)) }
        }
        let active = sample.now.active.sorted {
            ($0["seconds"]?.doubleValue ?? 0) > ($1["seconds"]?.doubleValue ?? 0)
        }
        if !active.isEmpty {
            var table = TextTable(.right, .right, .left, .left, .left, .left)
            table.add("TIME", "MEMORY", "MODULE", "FUNCTION", "RUN", "CALLER")
            for run in active {
                table.add(
                    ControlReport.duration(run["seconds"]),
                    ControlReport.bytes(run["memory_bytes"]), ControlReport.text(run["module"]),
                    ControlReport.text(run["function"]), ControlReport.text(run["id"]),
                    ControlReport.text(run["caller"]))
            }
            lines += [""] + table.lines.map { String($0.dropFirst(2)) }
        }
        if sample.modules.isEmpty, active.isEmpty {
            lines += ["", "Nothing ran in this second."]
        }
        return lines
    }

    /// As many parts in a line as there is room for.
    private func wrapped(_ parts: [String], _ columns: Int) -> [String] {
        var lines: [String] = []
        for part in parts {
            if let last = lines.last, last.count + 3 + part.count <= columns {
                lines[lines.count - 1] += "   " + part
            } else {
                lines.append(part)
            }
        }
        return lines
    }

    /// Runs of the last seconds that there is room for, as heights; the highest is full.
    private func load(_ columns: Int) -> String {
        let title = "runs/s "
        let shown = samples.suffix(max(columns - title.count, 1))
        let most = shown.map(\.runs).max() ?? 0
        guard most > 0 else { return "" }
        let heights: [Character] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]
        return title
            + String(
                shown.map { sample in
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
