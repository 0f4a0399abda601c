import WasmSystem

/// Measures a run for `--stats`: the times of its phases, and its use of memory and fuel.
struct Statistics {
    private var rows: [(name: String, value: String)] = []
    private var lap = Self.now()

    /// Nanoseconds of a clock that never goes back.
    static func now() -> UInt64 { SystemClock.monotonic.now }

    mutating func add(_ name: String, _ value: String) { rows.append((name, value)) }

    /// Records the time since the start or since the last call as the time that `phase` took.
    mutating func finish(_ phase: String) {
        let now = Self.now()
        add(phase, Self.milliseconds(now &- lap))
        lap = now
    }

    /// Records the peak memory of the process.
    mutating func addPeakMemory() {
        guard let peak = CurrentProcess.peakMemory else { return }
        add("peak memory", "\(grouped(peak)) KiB")
    }

    /// One line per row.
    var text: String {
        var table = TextTable(.left, .left)
        for row in rows { table.add(row.name, row.value) }
        return (["wasmd: statistics"] + table.lines).joined(separator: "\n") + "\n"
    }

    static func milliseconds(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        return milliseconds(
            UInt64(max(seconds, 0)) &* 1_000_000_000 &+ UInt64(max(attoseconds, 0)) / 1_000_000_000)
    }

    /// `12.345 ms`
    static func milliseconds(_ nanoseconds: UInt64) -> String {
        let fraction = String(nanoseconds / 1000 % 1000)
        let zeros = String(repeating: "0", count: 3 - fraction.utf8.count)
        return "\(grouped(nanoseconds / 1_000_000)).\(zeros)\(fraction) ms"
    }
}
