import Synchronization
import WasmInterpreter
import WasmSystem

/// A file and the results of its commands.
public struct ScriptResult: Sendable {
    public let file: ScriptFile
    public let report: ScriptReport
    public let duration: Duration
}

/// Runs files, each with the features of its folders in addition to those of `options`.
///
/// - Parameters:
///   - jobs: how many files run at the same time.
///   - finished: called for every file in order of `files`, from one thread at a time.
public func runScripts(
    _ files: [ScriptFile], _ options: ScriptOptions, jobs: Int = 1,
    finished: @escaping @Sendable (ScriptResult) -> Void
) {
    let work = SuiteWork(files, options, finished)
    runOnThreads(min(max(jobs, 1), max(files.count, 1)), named: "wasmd-script") { work.run() }
}

/// Threads take the next file until none is left.
private final class SuiteWork: Sendable {
    private let files: [ScriptFile]
    private let options: ScriptOptions
    private let finished: @Sendable (ScriptResult) -> Void
    private let next = Atomic<Int>(0)
    /// Results that wait for those of earlier files, and the first file without one.
    private let results = Mutex<(waiting: [Int: ScriptResult], first: Int)>(([:], 0))

    init(
        _ files: [ScriptFile], _ options: ScriptOptions,
        _ finished: @escaping @Sendable (ScriptResult) -> Void
    ) {
        self.files = files
        self.options = options
        self.finished = finished
    }

    func run() {
        while true {
            let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
            guard index < files.count else { return }
            let result = run(files[index])
            results.withLock { results in
                results.waiting[index] = result
                while let ready = results.waiting.removeValue(forKey: results.first) {
                    results.first += 1
                    finished(ready)
                }
            }
        }
    }

    private func run(_ file: ScriptFile) -> ScriptResult {
        var options = options
        options.features.formUnion(file.folderFeatures)
        let start = ContinuousClock.now
        let report: ScriptReport
        do throws(FileError) {
            let bytes = try ModuleBytes(path: file.path == "-" ? "/dev/stdin" : file.path)
            report = runScript(bytes[bytes.range], options)
        } catch {
            report = ScriptReport(unreadable: error)
        }
        return ScriptResult(file: file, report: report, duration: start.duration(to: .now))
    }
}

extension ScriptReport {
    /// The report of a file that cannot be read: one failed command.
    fileprivate init(unreadable error: FileError) {
        commandCount = 1
        failures = [ScriptFailure(line: 1, reason: error.description)]
    }
}
