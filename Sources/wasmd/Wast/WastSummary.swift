import WasmScriptRunner

/// The results of all scripts, in the forms that `wasmd wast` prints.
struct WastSummary {
    let results: [ScriptResult]
    let duration: Duration
    let total: ScriptReport

    init(results: [ScriptResult], duration: Duration) {
        self.results = results
        self.duration = duration
        total = Self.sum(results)
    }

    private static func sum(_ results: [ScriptResult]) -> ScriptReport {
        var sum = ScriptReport()
        for result in results {
            sum.commandCount += result.report.commandCount
            sum.assertionCount += result.report.assertionCount
            sum.failures += result.report.failures
        }
        return sum
    }

    /// `257 files, 65,184 commands (62,498 assertions), 65,100 passed, 84 failed, 12.3 s`
    var line: String {
        let failed = total.failures.count
        let outcome =
            failed == 0
            ? "all passed"
            : "\(grouped(total.passedCount)) passed, \(grouped(failed)) failed"
        return "\(counted(results.count, "file")), \(counted(total.commandCount, "command")) "
            + "(\(counted(total.assertionCount, "assertion"))), \(outcome), \(seconds(duration)) s"
    }

    /// `NAME<TAB>COMMANDS<TAB>ASSERTIONS` for each file.
    var counts: String {
        results.map { result in
            let report = result.report
            return "\(result.file.name)\t\(report.commandCount)\t\(report.assertionCount)\n"
        }.joined()
    }

    var json: JSON {
        let files = results.map { result in
            JSON.object(
                [.init("file", .string(result.file.name))] + members(result.report)
                    + [
                        .init("milliseconds", .integer(milliseconds(result.duration))),
                        .init("failures", .array(result.report.failures.map(json))),
                    ])
        }
        return .object(
            (
                "total",
                .object(members(total) + [.init("milliseconds", .integer(milliseconds(duration)))])
            ),
            ("files", .array(files)))
    }

    private func members(_ report: ScriptReport) -> [JSON.Member] {
        [
            .init("commands", .count(report.commandCount)),
            .init("assertions", .count(report.assertionCount)),
            .init("passed", .count(report.passedCount)),
            .init("failed", .count(report.failures.count)),
        ]
    }

    private func json(_ failure: ScriptFailure) -> JSON {
        .object(("line", .count(failure.line)), ("reason", .string(failure.reason)))
    }

    /// A table in Markdown: a row for each folder, and one for all.
    var table: String {
        var folders: [String] = []
        var results: [String: [ScriptResult]] = [:]
        for result in self.results {
            let parts = result.file.name.split(separator: "/").dropLast()
            let folder = parts.isEmpty ? "." : parts.joined(separator: "/")
            if results[folder] == nil { folders.append(folder) }
            results[folder, default: []].append(result)
        }
        let rows = folders.map { row($0, results[$0] ?? []) } + [row("all", self.results)]
        return
            "| folder | files | commands | passed | failed |\n| --- | ---: | ---: | ---: | ---: |\n"
            + rows.joined()
    }

    private func row(_ title: String, _ results: [ScriptResult]) -> String {
        let sum = Self.sum(results)
        let numbers = [results.count, sum.commandCount, sum.passedCount, sum.failures.count]
        return "| \(title) | \(numbers.map { grouped($0) }.joined(separator: " | ")) |\n"
    }
}

private func milliseconds(_ duration: Duration) -> Int64 {
    let (seconds, attoseconds) = duration.components
    return seconds * 1000 + attoseconds / 1_000_000_000_000_000
}

/// Seconds with two decimals.
private func seconds(_ duration: Duration) -> String {
    let hundredths = milliseconds(duration) / 10
    let fraction = String(hundredths % 100)
    return "\(hundredths / 100)." + (fraction.utf8.count == 1 ? "0" : "") + fraction
}
