// The system calls of a child process: limits on itself and how much it used.

import Glibc

/// The work of a child process: a range of cases, one after another.
struct Worker {
    /// Exit status of a child whose memory went beyond the limit.
    static let memoryStatus: Int32 = 40
    /// Exit status of a child in which two ways to a result gave different ones.
    static let disagreementStatus: Int32 = 41
    /// Exit status of a child in which a document took more time than its length explains.
    static let timeStatus: Int32 = 42
    /// Bytes that the process may have in memory: seeds, mutant, four memories, 16 tables and a
    /// stack are below 100 MB.
    static let residentLimit = 400 << 20
    /// The same where only documents are read.
    static let documentLimit = 100 << 20
    /// Bytes of writable memory that the system gives it at all.
    private static let dataLimit: UInt = 1 << 30

    static func run(_ source: CaseSource, _ range: Range<Int>, _ board: Board) -> Int32 {
        limit()
        var tally = Tally()
        for number in range {
            board.current = number
            let start = processorTime()
            let result = source.run(number)
            tally.add(result)
            board.tally = tally
            if result.outcomes[Outcome.disagreed.rawValue] > 0 { return disagreementStatus }
            if result.outcomes[Outcome.tookTooLong.rawValue] > 0 { return timeStatus }
            let time = processorTime() - start
            if time > board.slowest.microseconds { board.slowest = (time, number) }
            let limit = source.layer.isDocument ? documentLimit : residentLimit
            if residentBytes() > limit { return memoryStatus }
        }
        board.current = range.upperBound
        return 0
    }

    static func limit() {
        var data = rlimit(rlim_cur: dataLimit, rlim_max: dataLimit)
        setrlimit(__rlimit_resource_t(RLIMIT_DATA.rawValue), &data)
        var core = rlimit(rlim_cur: 0, rlim_max: 0)
        setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &core)
    }

    /// Microseconds of processor time that this process has used.
    static func processorTime() -> Int { ProcessorTime.microseconds() }

    /// The most memory that this process has had.
    static func residentBytes() -> Int {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return usage.ru_maxrss * 1024
    }
}
