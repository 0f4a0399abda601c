// Soundness: buffers of the guest are copied within the call.

import Synchronization
import WasmInterpreter
import WasmSystem
import WasmWASI

/// A line that a module has printed, or that the supervisor notes about a run.
public struct ModuleLine: Sendable {
    public enum Level: String, Sendable { case debug = "DEBUG", info = "INFO", error = "ERROR" }

    /// Nanoseconds since 1970.
    public let time: UInt64
    public let level: Level
    /// Without its line end, as the guest wrote it.
    public let bytes: [UInt8]
    /// Of the run; empty for lines that belong to none.
    public let run: String
    public let deployment: String
    public let module: String
    public let function: String
    /// Whether the line says that the run has ended; its entry is in the history then.
    public var isEnd = false

    var byteCount: Int { 200 + bytes.count + run.utf8.count }
}

/// The lines that an instance prints: its standard streams are opened once, its runs come and go.
///
/// Between `begin` and `end` of a run each line is passed on when it ends; what is printed while there
/// is no run, as when the instance starts, waits for the next one.
final class ModuleStreams: Sendable {
    /// Bytes of a line and of a run that are kept; the rest is dropped.
    private static let lineLimit = 4096
    private static let runLimit = 256 << 10

    struct Line: Sendable {
        var time: UInt64
        var level: ModuleLine.Level
        var bytes: [UInt8]
    }

    private struct State: Sendable {
        var lines: [Line] = []
        var keptBytes = 0
        var droppedLines = 0
        var output: [UInt8] = []
        var error: [UInt8] = []
        /// Takes the lines of the run.
        var sink: (@Sendable ([Line]) -> Void)?

        mutating func takeLines() -> [Line] {
            defer { lines = [] }
            return lines
        }
    }

    private let state = Mutex(State())

    var output: any GuestStream { LineStream(self, .info) }
    var error: any GuestStream { LineStream(self, .error) }

    func write(_ bytes: some Sequence<UInt8>, _ level: ModuleLine.Level) {
        let (sink, lines) = state.withLock { state -> ((@Sendable ([Line]) -> Void)?, [Line]) in
            for byte in bytes {
                if byte == UInt8(ascii: "\n") {
                    Self.endLine(level, &state)
                } else if level == .error {
                    if state.error.count < Self.lineLimit { state.error.append(byte) }
                } else if state.output.count < Self.lineLimit {
                    state.output.append(byte)
                }
            }
            guard let sink = state.sink, !state.lines.isEmpty else { return (nil, []) }
            return (sink, state.takeLines())
        }
        sink?(lines)
    }

    /// A run begins: its lines go to `sink` from now on, first those that wait.
    func begin(_ sink: @escaping @Sendable ([Line]) -> Void) {
        let lines = state.withLock { state in
            state.sink = sink
            return state.takeLines()
        }
        if !lines.isEmpty { sink(lines) }
    }

    /// The run has ended: the rest of its lines go to its sink.
    func end() {
        let (sink, lines) = state.withLock { state in (state.sink, Self.takeAll(&state)) }
        if !lines.isEmpty { sink?(lines) }
    }

    private static func endLine(_ level: ModuleLine.Level, _ state: inout State) {
        var bytes = level == .error ? state.error : state.output
        if level == .error { state.error = [] } else { state.output = [] }
        guard state.keptBytes < runLimit else {
            state.droppedLines += 1
            return
        }
        if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
        state.keptBytes += bytes.count + 1
        state.lines.append(Line(time: SystemClock.realtime.now, level: level, bytes: bytes))
    }

    /// The lines that wait, with those that have no end yet: of an instance that did not start.
    /// None while another run has the streams.
    func take() -> [Line] {
        state.withLock { state in state.sink == nil ? Self.takeAll(&state) : [] }
    }

    private static func takeAll(_ state: inout State) -> [Line] {
        if !state.output.isEmpty { endLine(.info, &state) }
        if !state.error.isEmpty { endLine(.error, &state) }
        var lines = state.lines
        if state.droppedLines > 0 {
            lines.append(
                Line(
                    time: SystemClock.realtime.now, level: .error,
                    bytes: Array("[\(state.droppedLines) lines left out]".utf8)))
        }
        state = State()
        return lines
    }
}

/// Standard output or standard error of an instance: never makes the guest wait.
private final class LineStream: GuestStream {
    let changes: WakeSource
    private let streams: ModuleStreams
    private let level: ModuleLine.Level

    /// Streams of lines are always ready: the source never signals, and can be shared.
    private static let quiet = WakeSource()

    init(_ streams: ModuleStreams, _ level: ModuleLine.Level) {
        changes = Self.quiet
        self.streams = streams
        self.level = level
    }

    var writableByteCount: Int? { 65_536 }

    func write(_ bytes: UnsafeRawBufferPointer) throws(Errno) -> Int {
        unsafe streams.write(bytes, level)
        return bytes.count
    }
}
