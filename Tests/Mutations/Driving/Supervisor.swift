/// Runs all cases in child processes, a batch each, and notes which case ended one, hung or took
/// too much memory.
final class Supervisor {
    /// A case that did not end as it should.
    struct Failure {
        var number: Int
        var reason: String
    }

    private struct Job {
        var child: ChildProcess
        var board: Board
        var range: Range<Int>
        /// The case that ran at the last look, and since when.
        var seen: (number: Int, since: Double)
        var isKilled = false
    }

    private let options: Options
    private var pending: [Range<Int>] = []
    private var jobs: [Job] = []
    private var boards: [Board] = []
    private(set) var failures: [Failure] = []
    private(set) var tally = Tally()
    private var slowest: (microseconds: Int, number: Int) = (0, 0)
    /// Cases of one child process: starting one reads all files again.
    private var batch: Int {
        options.layer.isTextual || options.layer.isDocument ? 50_000 : 10_000
    }
    /// A case that used more processor time than this hangs, if only for a while.
    private static let slowMicroseconds = 15_000_000

    init(_ options: Options) { self.options = options }

    /// True if all cases ended as they should.
    func run() -> Bool {
        let end = options.first + options.cases
        for start in stride(from: options.first, to: end, by: batch) {
            pending.append(start..<min(end, start + batch))
        }
        pending.reverse()
        for index in 0..<options.jobs {
            let path = "/tmp/mutations-\(Terminal.processID)-\(index).board"
            guard let board = Board(path) else {
                Files.print("\(path): cannot be made", toErrors: true)
                return false
            }
            boards.append(board)
        }
        defer { for board in boards { Terminal.removeFile(board.path) } }
        let began = Clock.seconds()
        var shown = began
        while !pending.isEmpty || !jobs.isEmpty {
            while !pending.isEmpty, let board = boards.popLast() {
                start(pending.removeLast(), board)
            }
            Clock.wait(milliseconds: 10)
            look()
            if Terminal.isThere, Clock.seconds() - shown > 1 {
                shown = Clock.seconds()
                showProgress(shown - began)
            }
        }
        if Terminal.isThere { Files.print("\r\u{1b}[K", toErrors: true, ending: "") }
        report()
        return failures.isEmpty
    }

    private func start(_ range: Range<Int>, _ board: Board) {
        board.clear()
        board.current = range.lowerBound
        let arguments =
            [
                "--board", board.path, "--from", "\(range.lowerBound)", "--to",
                "\(range.upperBound)", "--seed", "\(options.seed)",
                "--layer", options.layer.rawValue,
            ] + (options.isUnchanged ? ["--unchanged"] : []) + options.paths
        guard let child = ChildProcess(arguments: arguments) else {
            failures.append(Failure(number: range.lowerBound, reason: "no process"))
            return boards.append(board)
        }
        jobs.append(
            Job(
                child: child, board: board, range: range,
                seen: (range.lowerBound, Clock.seconds())))
    }

    /// Looks at every child once.
    private func look() {
        for index in jobs.indices.reversed() {
            if let end = jobs[index].child.end() {
                finish(jobs.remove(at: index), end)
                continue
            }
            let number = jobs[index].board.current
            let now = Clock.seconds()
            if number != jobs[index].seen.number {
                jobs[index].seen = (number, now)
            } else if now - jobs[index].seen.since > Double(options.timeLimit),
                !jobs[index].isKilled
            {
                jobs[index].isKilled = true
                jobs[index].child.kill()
            }
        }
    }

    private func finish(_ job: Job, _ end: ChildEnd) {
        let board = job.board
        tally.add(board.tally)
        let (time, number) = board.slowest
        if time > slowest.microseconds { slowest = (time, number) }
        if time > Self.slowMicroseconds {
            fail(number, "took \(time / 1000) ms")
        }
        boards.append(board)
        guard end != .exit(0) else { return }
        let current = board.current
        if job.isKilled {
            fail(current, "hung")
        } else {
            switch end {
            case .exit(Worker.disagreementStatus): fail(current, "results disagree")
            case .exit(Worker.timeStatus): fail(current, "took too long for its length")
            case .exit(Worker.memoryStatus): fail(current, "took too much memory")
            case .exit(let status): fail(current, "exit status \(status)")
            case .signal(let signal): fail(current, "signal \(signal)")
            }
        }
        if current + 1 < job.range.upperBound { pending.append(current + 1..<job.range.upperBound) }
    }

    private func fail(_ number: Int, _ reason: String) {
        failures.append(Failure(number: number, reason: reason))
        Files.print("\(options.layer.rawValue) seed \(options.seed) case \(number): \(reason)")
    }

    // MARK: Showing

    private func showProgress(_ seconds: Double) {
        let done = jobs.reduce(tally.cases) { $0 + $1.board.tally.cases }
        let rate = Int(Double(done) / max(seconds, 0.001))
        Files.print(
            "\r\u{1b}[K\(done) of \(options.cases) cases, \(rate) a second, "
                + "\(failures.count) failed",
            toErrors: true, ending: "")
    }

    private func report() {
        let outcomes = Outcome.allCases.filter { tally.outcomes[$0.rawValue] > 0 }.map {
            "\(tally.outcomes[$0.rawValue]) \($0.label)"
        }
        let runs = "(\(tally.trapped) trapped, \(tally.outOfFuel) out of fuel); "
        Files.print(
            "\(options.layer.rawValue): \(tally.cases) cases: "
                + "\(outcomes.joined(separator: ", ")) "
                + (tally.trapped + tally.outOfFuel > 0 ? runs : "")
                + "\(tally.calls) calls, \(tally.returns) returned; "
                + (tally.checksum != 0 ? "checksum \(UInt(bitPattern: tally.checksum)); " : "")
                + "slowest: case \(slowest.number), \(slowest.microseconds / 1000) ms; "
                + "\(failures.count) failed")
    }
}
