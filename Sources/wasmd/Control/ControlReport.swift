import WasmdDocuments
import WasmdGuests

/// What `wasmd ctl` prints for people. All texts of a server are made harmless: names, logs and
/// messages come from modules and clients.
enum ControlReport {
    static func text(_ value: Document?) -> String {
        switch value {
        case .string(let text)?: HarmlessText.text(text.utf8)
        case .null?, nil: "-"
        case let value?: HarmlessText.text(value.text.utf8)
        }
    }

    private static func amount(_ value: Document?, _ noun: String) -> String {
        value?.integerValue.map { counted($0, noun) } ?? "- \(noun)s"
    }

    private static func number(_ value: Document?) -> String {
        value?.integerValue.map { grouped($0) } ?? "-"
    }

    /// `1.234 s`, `56.7 ms`, `89 µs`
    static func duration(_ value: Document?) -> String {
        guard let seconds = value?.doubleValue else { return "-" }
        func rounded(_ value: Double, _ unit: String) -> String {
            let tenths = (value * 10).rounded()
            guard tenths.magnitude < 1e15 else { return "\(value) \(unit)" }
            let whole = Int64(tenths)
            return "\(grouped(whole / 10)).\(abs(whole % 10)) \(unit)"
        }
        if seconds >= 1 { return rounded(seconds, "s") }
        if seconds >= 1e-3 { return rounded(seconds * 1e3, "ms") }
        return rounded(seconds * 1e6, "µs")
    }

    static func bytes(_ value: Document?) -> String {
        guard let count = value?.integerValue else { return "-" }
        for (unit, size) in [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]
            as [(String, Int64)]
        where count >= size {
            let tenths = count / size * 10 + count % size * 10 / size
            return "\(tenths / 10).\(tenths % 10) \(unit)"
        }
        return "\(count) B"
    }

    // MARK: Server

    static func status(_ answer: Document) -> [String] {
        var lines = [
            "wasmd \(text(answer["version"])), process \(text(answer["process"])), up "
                + duration(answer["uptime_seconds"])
        ]
        let reasons = answer["reasons"]?.arrayValue ?? []
        lines.append(reasons.isEmpty ? "ready" : "not ready:")
        lines += reasons.map { "  \(text($0))" }
        var table = TextTable(.left, .left, .right)
        for listener in answer["listeners"]?.arrayValue ?? [] {
            table.add(
                text(listener["name"]), text(listener["address"]),
                counted(listener["connections"]?.integerValue ?? 0, "connection"))
        }
        lines += table.lines
        if let runs = answer["runs"] {
            lines.append(
                "runs: \(number(runs["running"])) running, \(number(runs["waiting"])) waiting, "
                    + "\(number(runs["ended"])) ended (\(number(runs["failed"])) failed), "
                    + "\(number(runs["refused"])) refused")
        }
        if let cache = answer["cache"] {
            lines.append(
                "compiled modules: \(number(cache["modules"])), \(bytes(cache["bytes"]))")
        }
        if let store = answer["store"] {
            let state = store["writable"] == true ? "" : ", read-only"
            lines.append(
                "store \(text(store["folder"])): \(number(store["records"])) records, "
                    + "\(bytes(store["log_bytes"]))\(state)")
        }
        if let sandbox = answer["sandbox"] {
            lines.append("sandbox: \(Self.sandbox(sandbox))")
        }
        return lines
    }

    /// What the kernel enforces for the server.
    private static func sandbox(_ state: Document) -> String {
        guard state["on"] == true else { return "off" }
        var parts: [String] = []
        if state["files"] == true { parts.append("files") }
        if state["ports"] == true { parts.append("TCP ports") }
        if state["scopes"] == true { parts.append("sockets and signals") }
        if state["system_calls"] == true { parts.append("system calls") }
        let words = parts.isEmpty ? "nothing" : parts.joined(separator: ", ")
        return words + (state["whole"] == true ? "" : " (a part of what was asked for)")
    }

    static func reload(_ answer: Document) -> [String] {
        let changed = answer["changed"]?.arrayValue ?? []
        return changed.isEmpty ? ["nothing has changed"] : changed.map { "changed: \(text($0))" }
    }

    // MARK: Modules

    static func modules(_ answer: Document) -> [String] {
        let items = answer["items"]?.arrayValue ?? []
        guard !items.isEmpty else { return ["no modules"] }
        var table = TextTable(.left, .right, .right, .right, .left)
        table.add("ID", "SIZE", "RUNS", "FAILED", "NAME")
        for item in items {
            table.add(
                text(item["id"]), bytes(item["size"]), number(item["runs"]),
                number(item["failures"]), item["name"] == nil ? "" : text(item["name"]))
        }
        return table.lines.map { String($0.dropFirst(2)) }
    }

    static func module(_ answer: Document) -> [String] {
        var lines = [
            "id        \(text(answer["id"]))",
            "sha256    \(text(answer["sha256"]))",
            "size      \(bytes(answer["meta_data"]?["size"]))",
            "function  \(text(answer["meta_data"]?["run_function"]))",
        ]
        for (title, key) in [("imports", "imports"), ("exports", "exports")] {
            let entries = answer[key]?.arrayValue ?? []
            lines.append("\(title):\(entries.isEmpty ? " none" : "")")
            lines += entries.map { entry in
                let module = entry["module"].map { text($0) + "." } ?? ""
                let type = entry["type"].map { " " + text($0) } ?? ""
                return "  \(text(entry["kind"])) \(module)\(text(entry["name"]))\(type)"
            }
        }
        return lines
    }

    // MARK: Runs

    static func runs(_ answer: Document) -> [String] {
        var lines: [String] = []
        let active = answer["active"]?.arrayValue ?? []
        let recent = answer["recent"]?.arrayValue ?? []
        lines.append(
            "\(number(answer["running"])) running, \(number(answer["waiting"])) waiting")
        func rows(_ runs: [Document], _ state: (Document) -> String) {
            var table = TextTable(.left, .left, .left, .right, .left)
            for run in runs {
                table.add(
                    text(run["id"]), text(run["module"]), text(run["function"]),
                    duration(run["seconds"]), state(run))
            }
            lines += table.lines
        }
        if !active.isEmpty {
            rows(active) { "running, \(bytes($0["memory_bytes"])), \(text($0["caller"]))" }
        }
        if !recent.isEmpty {
            lines.append("the last:")
            rows(recent) { text($0["reason"]) }
        }
        return lines
    }

    static func run(_ answer: Document) -> [String] {
        var lines: [String] = []
        for member in answer.objectValue ?? [] {
            let name = member.name
            guard name != "trap" else { continue }
            let value =
                name.hasSuffix("seconds")
                ? duration(member.value)
                : name.hasSuffix("bytes") ? bytes(member.value) : text(member.value)
            lines.append(
                HarmlessText.text(
                    name.replacing("_seconds", with: "").replacing("_", with: " ").utf8
                ).padded(to: 18) + value)
        }
        if let trap = answer["trap"] {
            lines.append("trap: \(text(trap["message"]))")
            for (index, frame) in (trap["backtrace"]?.arrayValue ?? []).enumerated() {
                lines.append("  \(index): \(text(frame))")
            }
        }
        return lines
    }

    /// A line of a guest's log.
    static func line(_ line: Document) -> String {
        let run = text(line["run"])
        let module = line["module"].map { " " + text($0) } ?? ""
        return "\(text(line["time"])) \(run)\(module): \(text(line["text"]))"
    }

    // MARK: Data

    static func compaction(_ answer: Document) -> [String] {
        [
            "the log has \(bytes(answer["log_bytes"])), \(saved(answer["saved_bytes"])); "
                + "\(counted(answer["removed_blobs"]?.integerValue ?? 0, "blob")) removed"
        ]
    }

    /// Compacting a log that has little to forget may make it a little longer.
    private static func saved(_ byteCount: Document?) -> String {
        let count = byteCount?.integerValue ?? 0
        if count == 0 { return "as many as before" }
        let size = bytes(.integer(Int64(clamping: count.magnitude)))
        return "\(size) \(count > 0 ? "fewer" : "more") than before"
    }

    static func verification(_ answer: Document) -> [String] {
        var lines = [
            "\(number(answer["records"])) records in \(bytes(answer["log_bytes"])), "
                + "\(number(answer["blobs"])) blobs (\(bytes(answer["blob_bytes"])))"
        ]
        for damage in answer["damage"]?.arrayValue ?? [] {
            lines.append(
                "\(text(damage["file"])): \(number(damage["bytes"])) bytes at "
                    + "\(number(damage["offset"])) are damaged")
        }
        for blob in answer["damaged_blobs"]?.arrayValue ?? [] {
            lines.append("blob \(text(blob)): damaged")
        }
        for blob in answer["missing_blobs"]?.arrayValue ?? [] {
            lines.append("blob \(text(blob)): missing")
        }
        if answer["sound"] == true { lines.append("nothing is damaged") }
        return lines
    }

    static func copy(_ answer: Document) -> [String] {
        [
            "\(text(answer["target"])): \(amount(answer["records"], "record")), "
                + "\(amount(answer["blobs"], "blob")), \(number(answer["bytes"])) bytes"
        ] + (answer["failures"]?.arrayValue ?? []).map { "not copied: \(text($0))" }
    }
}
