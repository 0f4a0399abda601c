import Testing

@testable import wasmd

/// Runs a program with a time limit that is over when the program is in a phase, or past it.
///
/// A limit counts from the start of the program, and how long a machine takes from there to a phase is
/// not known. So it is run again with four times as much time for as long as it was in an earlier phase
/// when its time was over. If it never gets to the phase, the test gets a result that says so.
///
/// - Parameters:
///   - milliseconds: enough on most machines.
///   - body: runs the program with the value of `--timeout` that it is given.
func timed(
    _ milliseconds: Int, reaching phase: Watchdog.Phase,
    _ body: (String) throws -> ProcessResult
) throws -> (result: ProcessResult, limit: String) {
    let earlier = (0..<phase.rawValue).compactMap { Watchdog.Phase(rawValue: $0)?.description }
    var milliseconds = milliseconds
    while true {
        let limit = "\(milliseconds)ms"
        let start = Statistics.now()
        let result = try body(limit)
        // A guard: no program of these tests ends by itself.
        #expect(Statistics.now() - start < UInt64(milliseconds) * 1_000_000 + 60_000_000_000)
        let isEarly = earlier.contains { result.error.contains("(--timeout), " + $0) }
        if !isEarly || milliseconds > 20_000 { return (result, limit) }
        milliseconds *= 4
    }
}
