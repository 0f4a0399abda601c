// Soundness: the bytes of lines are lent for the length of a call.

import Synchronization
import WasmSystem

/// Where log lines go: a descriptor, written to by a thread of its own, so that a slow reader (a
/// terminal, a pipe, a full disk) holds nobody up.
///
/// Lines wait in a buffer. When it is full, lines are dropped, and a line says later how many. Before
/// `start()` and after `finish()` lines are written by the caller.
///
/// After each write the thread lets a millisecond go by: lines that follow each other closely, as of a
/// guest that tells its steps, cost one write and no call that wakes the thread.
public final class LogOutput: Sendable {
    private struct State: Sendable {
        var waiting: [UInt8] = []
        var dropped = 0
        /// Whether the thread takes what waits.
        var isStarted = false
        var isWriting = false
        var lossLine: @Sendable (Int) -> [UInt8]? = { _ in nil }
    }

    /// Nanoseconds between a write and the next one.
    private static let pause: Int64 = 1_000_000

    private let capacity: Int
    /// A copy, so that its number is not another file's while the thread writes to it.
    private let descriptor: Int32
    private let isOwned: Bool
    private let state: Mutex<State>
    /// Advances when the thread has something to do.
    private let turn = WordCell()

    /// - Parameters:
    ///   - descriptor: is duplicated if that is possible; else it must stay open.
    ///   - capacity: how many bytes wait at most.
    public init(_ descriptor: Int32, capacity: Int = 1 << 20) {
        let copy = try? Kernel.duplicate(descriptor)
        self.descriptor = copy ?? descriptor
        isOwned = copy != nil
        state = Mutex(State())
        self.capacity = capacity
    }

    // The thread holds this object while it runs.
    deinit { if isOwned { try? Kernel.close(descriptor) } }

    /// Sets the line, with its end, that says how many lines were dropped; nil for that of people.
    /// It is asked for on the output's thread, and must not write to the output.
    public func describeLosses(_ line: @escaping @Sendable (Int) -> [UInt8]?) {
        state.withLock { $0.lossLine = line }
    }

    private static func lossLine(_ count: Int) -> [UInt8] {
        Array("wasmd: the log was read too slowly; lost lines: \(count)\n".utf8)
    }

    /// Starts the thread. To be called after the process has restricted itself: Landlock binds only
    /// the threads that are made later.
    public func start() {
        let isFirst = state.withLock { state in
            defer { state.isStarted = true }
            return !state.isStarted
        }
        guard isFirst else { return }
        let options = SystemThread.Options(
            "wasmd-log", takesSignals: false, stackByteCount: 256 << 10)
        if !SystemThread.startDetached(options, { self.run() }) {
            state.withLock { $0.isStarted = false }
        }
    }

    /// Adds a line with its end.
    public func write(_ line: [UInt8]) {
        let (isStarted, wakes) = state.withLock { state in
            guard state.isStarted else { return (false, false) }
            // While it writes, or has lines to take, the thread looks again by itself.
            let wakes = !state.isWriting && state.waiting.isEmpty
            if state.waiting.count + line.count > capacity {
                state.dropped += 1
            } else {
                state.waiting += line
            }
            return (true, wakes)
        }
        if !isStarted {
            writeNow(line)
        } else if wakes {
            turn.advance()
        }
    }

    /// Waits until everything is written, for at most this time, and ends the thread.
    public func finish(within time: Duration = .seconds(1)) {
        let end = ContinuousClock.now + time
        turn.advance()
        while state.withLock({ $0.isStarted && ($0.isWriting || !$0.waiting.isEmpty) }),
            ContinuousClock.now < end
        {
            SystemClock.sleep(until: SystemClock.monotonic.now + 1_000_000)
        }
        state.withLock { $0.isStarted = false }
        turn.advance()
    }

    private func run() {
        while true {
            let number = turn.value
            let lines: [UInt8]? = state.withLock { state in
                state.isWriting = false
                guard state.isStarted else { return nil }
                var lines = state.waiting
                state.waiting = []
                if state.dropped > 0 {
                    lines += state.lossLine(state.dropped) ?? Self.lossLine(state.dropped)
                    state.dropped = 0
                }
                state.isWriting = !lines.isEmpty
                return lines
            }
            guard let lines else { return }
            if lines.isEmpty {
                turn.wait(while: number, nanoseconds: nil)
            } else {
                writeNow(lines)
                if lines.count < capacity / 4 {
                    turn.wait(while: number, nanoseconds: Self.pause)
                }
            }
        }
    }

    /// What cannot be written is lost: there is nobody to tell.
    private func writeNow(_ lines: [UInt8]) {
        unsafe lines.withUnsafeBytes { bytes in
            try? Signals.withoutWriteSignals { () throws(SystemError) in
                try unsafe Kernel.writeAll(descriptor, bytes)
            }
        }
    }
}
