import Synchronization
import WasmInterpreter
import WasmScriptRunner
import WasmSystem
import WasmdDocuments

/// `wasmd wast`: runs scripts in the specification's format and reports the commands that failed.
struct WastCommand {
    private let paths: [String]
    private let options: ScriptOptions
    private let jobs: Int
    private let form: Form

    /// The form of standard output.
    enum Form {
        /// Failures, and a line for each file.
        case text(everyFailure: Bool)
        /// The counts of each file, to compare with those of another program.
        case counts
        case json
        /// A row for each folder, for documents.
        case table
    }

    init(_ arguments: ParsedArguments) throws(UsageError) {
        paths = arguments.operands
        jobs =
            try arguments.read(.jobs, expected: "a number from 1 to 1024") { text in
                Quantity.count(text).flatMap { (1...1024).contains($0) ? Int($0) : nil }
            } ?? 1
        var options = ScriptOptions()
        options.features = try arguments.features()
        options.eagerTranslation = arguments.has(.eager)
        options.collectsAtEveryAllocation = arguments.has(.stress)
        options.canonicalizesNaNs = arguments.has(.canonicalNaNs)
        options.fuel = try arguments.read(.commandFuel, expected: "a number", Quantity.count)
        options.timeLimit = try arguments.read(
            .commandTimeout, expected: "a time above zero with its unit, for example 500ms or 2s"
        ) { text in
            Quantity.nanoseconds(text).map { .nanoseconds($0) }
        }
        if arguments.has(.print) {
            options.print = { writeAll(Array("\(printable($0))\n".utf8), to: Kernel.standardError) }
        }
        self.options = options
        let forms = [Option.counts, .json, .table].filter(arguments.has)
        if forms.count > 1 { throw .conflict(forms[0], forms[1], arguments.verb) }
        form =
            if arguments.has(.counts) {
                .counts
            } else if arguments.has(.json) {
                .json
            } else if arguments.has(.table) {
                .table
            } else {
                .text(everyFailure: arguments.has(.everyFailure))
            }
    }

    /// Runs all scripts, also after a failed one, and returns the exit code.
    func perform(_ console: Console) -> Int32 {
        let files: [ScriptFile]
        do throws(ScriptSearchError) {
            files = try ScriptFile.find(paths)
        } catch {
            console.complain(printable(error.description))
            return ExitCode.refused
        }
        let progress = Progress(of: files.count, shown: Kernel.isTerminal(Kernel.standardError))
        let results = Mutex<[ScriptResult]>([])
        let isText = if case .text = form { true } else { false }
        // Print failures of a long run while it runs.
        nonisolated(unsafe) let output = console.output
        let start = ContinuousClock.now
        runScripts(files, options, jobs: jobs) { result in
            results.withLock { $0.append(result) }
            progress.clear()
            if isText {
                output.write(text(of: result))
                output.flush()
            }
            progress.advance(behind: result.file.name)
        }
        progress.clear()
        let summary = WastSummary(
            results: results.withLock { $0 }, duration: start.duration(to: .now))
        switch form {
        case .text: console.output.writeLine(summary.line)
        case .counts: console.output.write(summary.counts)
        case .json: console.output.writeLine(summary.json.text)
        case .table: console.output.write(summary.table)
        }
        if !isText { console.error.writeLine(summary.line) }
        return summary.total.failures.isEmpty ? ExitCode.success : ExitCode.refused
    }

    /// The failures of a file, and its summary line.
    private func text(of result: ScriptResult) -> String {
        guard case .text(let everyFailure) = form else { return "" }
        let report = result.report
        let path = printable(result.file.path)
        let shown = everyFailure ? report.failures[...] : report.failures.prefix(Self.shownFailures)
        var lines = shown.map { "\(path):\($0.line): \(printable($0.reason))" }
        let hidden = report.failures.count - shown.count
        if hidden > 0 { lines.append("\(path): \(grouped(hidden)) more, with --all-failures") }
        let verdict =
            report.failures.isEmpty ? "ok" : "\(grouped(report.failures.count)) failed"
        lines.append("\(path): \(counted(report.commandCount, "command")): \(verdict)")
        return lines.joined(separator: "\n") + "\n"
    }

    /// The most failures of one file that are printed.
    private static let shownFailures = 10
}

/// A line on the terminal with the progress of a long run. Used by one thread at a time.
private final class Progress: @unchecked Sendable {
    private let count: Int
    private let isShown: Bool
    private var done = 0

    init(of count: Int, shown: Bool) {
        self.count = count
        isShown = shown && count > 1
    }

    func advance(behind file: String) {
        done += 1
        guard isShown else { return }
        writeAll(Array("\(done)/\(count) \(printable(file))".utf8), to: Kernel.standardError)
    }

    /// Removes the line before other output.
    func clear() {
        if isShown { writeAll(Array("\r\u{1b}[K".utf8), to: Kernel.standardError) }
    }
}
