// Invariant: a write copies what it keeps of the guest's buffer before it returns.

import Synchronization
import WasmInterpreter
import WasmSystem
import WasmWASI

/// What is kept of what a run writes to standard error.
public struct LogLimits: Hashable, Sendable {
    /// Bytes of a line; the rest is cut off.
    public var lineBytes = 4096
    /// Bytes of a run.
    public var totalBytes = 256 << 10
    /// Lines in a second, on average, after the first `burst`.
    public var linesPerSecond = 1000
    /// Lines that may come at once.
    public var burst = 2000

    public init() {}

    func lowered(to other: LogLimits) -> LogLimits {
        var result = self
        result.lineBytes = min(lineBytes, other.lineBytes)
        result.totalBytes = min(totalBytes, other.totalBytes)
        result.linesPerSecond = min(linesPerSecond, other.linesPerSecond)
        result.burst = min(burst, other.burst)
        return result
    }
}

/// A line that a guest wrote to standard error.
public struct LogLine: Sendable {
    public let run: RunID
    /// Nanoseconds since 1970 when its first byte was written.
    public let time: UInt64
    /// Without the line feed and a carriage return before it; as the guest wrote them.
    public let bytes: [UInt8]
    /// Bytes that were cut off at its end.
    public let cutBytes: Int
    /// Lines of the run that were left out before this one, because there were too many.
    public let omittedLines: Int

    /// Safe to be shown: see `HarmlessText`. Says what was cut off.
    public var text: String {
        var text = omittedLines > 0 ? "[\(omittedLines) lines left out] " : ""
        text += HarmlessText.text(bytes)
        if cutBytes > 0 { text += " [\(cutBytes) bytes cut off]" }
        return text
    }

    var byteCount: Int { 100 + bytes.count }
}

/// Standard error of one run: a stream that keeps lines, and never makes the guest wait or fail.
final class GuestLog: GuestStream {
    let changes: WakeSource
    private let run: RunID
    private let limits: LogLimits
    private let feed: Feed<LogLine>
    private let state = Mutex(State())

    private struct State {
        var line: [UInt8] = []
        var cutBytes = 0
        /// When the line began; 0 if it has not.
        var begin: UInt64 = 0
        var writtenBytes: UInt64 = 0
        var keptBytes = 0
        var omittedLines = 0
        /// Lines that may come now, in millionths, and when that was computed.
        var allowance: Int
        var lastTime: UInt64 = 0
        var isCut = false

        init() { allowance = -1 }
    }

    /// All streams of logs are always ready, so that they can share one source, which never signals.
    private static let quiet = WakeSource()

    init(_ run: RunID, _ limits: LogLimits, _ feed: Feed<LogLine>) {
        changes = Self.quiet
        self.run = run
        self.limits = limits
        self.feed = feed
    }

    var writableByteCount: Int? { 65_536 }

    func write(_ bytes: UnsafeRawBufferPointer) throws(Errno) -> Int {
        state.withLock { state in
            state.writtenBytes &+= UInt64(bytes.count)
            var rest = unsafe bytes[...]
            while let end = unsafe rest.firstIndex(of: UInt8(ascii: "\n")) {
                unsafe add(rest[..<end], to: &state)
                endLine(&state)
                unsafe rest = rest[(end + 1)...]
            }
            if unsafe !rest.isEmpty { unsafe add(rest, to: &state) }
        }
        return bytes.count
    }

    /// Publishes a last line without an end, and what was left out; returns the bytes written, and
    /// whether some were not kept.
    func finish() -> (byteCount: UInt64, isCut: Bool) {
        state.withLock { state in
            if state.begin != 0 || state.omittedLines > 0 { endLine(&state, isLast: true) }
            return (state.writtenBytes, state.isCut)
        }
    }

    private func add(_ bytes: Slice<UnsafeRawBufferPointer>, to state: inout State) {
        if state.begin == 0 { state.begin = SystemClock.realtime.now }
        let room = min(limits.lineBytes - state.line.count, limits.totalBytes - state.keptBytes)
        let kept = unsafe min(max(room, 0), bytes.count)
        unsafe state.line.append(contentsOf: bytes.prefix(kept))
        state.keptBytes &+= kept
        unsafe state.cutBytes &+= bytes.count - kept
    }

    private func endLine(_ state: inout State, isLast: Bool = false) {
        let now = SystemClock.realtime.now
        let begin = state.begin == 0 ? now : state.begin
        state.begin = 0
        if state.cutBytes == 0, state.line.last == UInt8(ascii: "\r") { state.line.removeLast() }
        if state.cutBytes > 0 { state.isCut = true }
        let isFull = state.keptBytes >= limits.totalBytes
        // A line of which nothing is kept is counted; the last one tells the count.
        let isKept = (takesAllowance(&state, now) && !(isFull && state.line.isEmpty)) || isLast
        guard isKept else {
            state.omittedLines &+= 1
            state.isCut = true
            state.line.removeAll(keepingCapacity: true)
            state.cutBytes = 0
            return
        }
        let line = LogLine(
            run: run, time: begin, bytes: state.line, cutBytes: state.cutBytes,
            omittedLines: state.omittedLines)
        state.line = []
        state.cutBytes = 0
        state.omittedLines = 0
        // An empty line counts as well, or a guest could fill the feed with them.
        state.keptBytes &+= 1
        feed.append(line, byteCount: line.byteCount)
    }

    private func takesAllowance(_ state: inout State, _ now: UInt64) -> Bool {
        let most = max(limits.burst, 1).multipliedReportingOverflow(by: 1_000_000)
        let full = most.overflow ? Int.max : most.partialValue
        if state.allowance < 0 {
            state.allowance = full
        } else {
            let elapsed = now > state.lastTime ? min(now - state.lastTime, 3_600_000_000_000) : 0
            // Nanoseconds times lines in a second are billionths of a line.
            let gained = Int(clamping: elapsed / 1000).multipliedReportingOverflow(
                by: max(limits.linesPerSecond, 0))
            let sum = state.allowance.addingReportingOverflow(
                gained.overflow ? .max : gained.partialValue)
            state.allowance = min(sum.overflow ? .max : sum.partialValue, full)
        }
        state.lastTime = now
        guard state.allowance >= 1_000_000 else { return false }
        state.allowance -= 1_000_000
        return true
    }
}
