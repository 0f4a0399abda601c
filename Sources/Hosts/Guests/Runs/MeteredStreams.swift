// Invariant: buffers of the guest are passed on within the call, whole or without their end.

import Synchronization
import WasmInterpreter
import WasmWASI

/// Standard output of a run: counts bytes, and ends the run at its limit.
final class MeteredOutput: GuestStream {
    private let stream: any GuestStream
    private let run: ActiveRun
    private let limit: UInt64
    private let written = Atomic<UInt64>(0)

    init(_ stream: any GuestStream, _ run: ActiveRun, limit: UInt64?) {
        self.stream = stream
        self.run = run
        self.limit = limit ?? .max
    }

    var byteCount: UInt64 { written.load(ordering: .relaxed) }
    var changes: WakeSource { stream.changes }
    var writableByteCount: Int? { stream.writableByteCount }

    func write(_ bytes: UnsafeRawBufferPointer) throws(Errno) -> Int {
        let before = byteCount
        let room = limit - min(limit, before)
        guard room > 0 else {
            // Nothing more is written, and the guest is stopped when the call returns.
            run.stop(at: .output)
            throw .dquot
        }
        let part = unsafe UnsafeRawBufferPointer(rebasing: bytes.prefix(Int(clamping: room)))
        let count = try unsafe stream.write(part)
        written.store(before &+ UInt64(clamping: count), ordering: .relaxed)
        return count
    }

    func guestDidClose(_ directions: Wait.Directions) { stream.guestDidClose(directions) }
}

/// Standard input of a run, of which the bytes are counted.
final class MeteredInput: GuestStream {
    private let stream: any GuestStream
    private let taken = Atomic<UInt64>(0)

    init(_ stream: any GuestStream) { self.stream = stream }

    var byteCount: UInt64 { taken.load(ordering: .relaxed) }
    var changes: WakeSource { stream.changes }
    var readableByteCount: Int? { stream.readableByteCount }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
        let count = try unsafe stream.read(into: buffer)
        taken.add(UInt64(clamping: count), ordering: .relaxed)
        return count
    }

    func guestDidClose(_ directions: Wait.Directions) { stream.guestDidClose(directions) }
}

/// The streams of a run that are counted.
struct RunStreams {
    private var output: MeteredOutput?
    private var buffer: OutputBuffer?
    private var input: MeteredInput?
    private var log: GuestLog?
    private var inputBytes: UInt64 = 0

    init() {}

    /// Puts counting streams into a run's world.
    mutating func meter(
        _ world: inout WASI, _ run: ActiveRun, _ limits: RunLimits, _ lines: Feed<LogLine>?
    ) {
        switch world.standardInput {
        case .stream(let stream):
            let metered = MeteredInput(stream)
            input = metered
            world.standardInput = .stream(metered)
        case .bytes(let bytes): inputBytes = UInt64(clamping: bytes.count)
        default: break
        }
        switch world.standardOutput {
        case .stream(let stream):
            let metered = MeteredOutput(stream, run, limit: limits.output)
            output = metered
            world.standardOutput = .stream(metered)
        case .buffer(let buffer):
            if let limit = limits.output { buffer.lowerLimit(to: Int(clamping: limit)) }
            // A guest that writes more is stopped when its call returns.
            buffer.whenFull { [weak run] in run?.stop(at: .output) }
            self.buffer = buffer
        default: break
        }
        if let lines {
            let made = GuestLog(run.id, limits.log, lines)
            log = made
            world.standardError = .stream(made)
        }
    }

    var bytesIn: UInt64 { input?.byteCount ?? inputBytes }
    var bytesOut: UInt64 {
        output?.byteCount ?? UInt64(clamping: buffer?.byteCount ?? 0)
    }

    /// Publishes the log's last line; returns the bytes written to it.
    func finishLog(_ run: ActiveRun) -> UInt64 {
        guard let log else { return 0 }
        let (byteCount, isCut) = log.finish()
        if isCut { run.note(.log) }
        return byteCount
    }
}
