// Soundness: what the thread shares with the program is atomic or behind `ending`. What it runs when
// the program is stuck needs the main thread to stand still: it is parked in the handler of a signal
// before, or as soon as the kernel lets go of it, and never goes on.

import Synchronization
import WasmInterpreter
import WasmSystem

/// Ends a run that takes longer than `--timeout` allows, counted from the start of the program.
///
/// Guest code, instantiation and calls of WASI end at the deadline by themselves: their store knows
/// it. What comes before has no guest that could be stopped, so the process ends, at the deadline. A
/// call of the kernel that does not return (a disk or a server that does not answer) has `grace` more
/// before the process ends, with the files written that were asked for.
final class Watchdog: Sendable {
    /// What the program does, in order.
    enum Phase: UInt8 {
        case reading, parsing, decoding, validating, preparing, instantiating, running, finishing

        /// Whether the program looks at the deadline by itself.
        var endsByItself: Bool { rawValue >= Phase.instantiating.rawValue }

        /// What was under way when time was up; nil if that needs no words.
        var description: String? {
            switch self {
            case .reading: "while reading the module"
            case .parsing: "while reading the text"
            case .decoding: "while decoding the module"
            case .validating: "while validating the module"
            case .preparing: "while opening what the program gets"
            case .instantiating: "while instantiating the module"
            case .running, .finishing: nil
            }
        }
    }

    /// When the guest stops.
    let deadline: ContinuousClock.Instant
    private let timeout: RunOptions.Timeout
    private let phaseNumber = Atomic(Phase.reading.rawValue)
    /// Held by whoever ends the process.
    private let ending = Mutex(Ending())
    private let mainThread = MainThread()

    private struct Ending {
        var isFinished = false
        /// Writes the files that were asked for; nil for none.
        var writeFiles: (@Sendable () -> Void)?
    }

    /// Nanoseconds between the deadline and the end of a program that does not stop by itself.
    static let grace: UInt64 = 1_000_000_000

    /// Nanoseconds of the monotonic clock.
    private let end: UInt64

    /// Time runs from here on, with the thread that calls as the one that runs the program.
    init(_ timeout: RunOptions.Timeout) {
        self.timeout = timeout
        deadline = .now + .nanoseconds(timeout.nanoseconds)
        end = Statistics.now().saturatingAdding(UInt64(clamping: timeout.nanoseconds))
    }

    /// Starts to watch: costs a thread that sleeps.
    func start() {
        // Without a thread nobody watches.
        _ = SystemThread.startDetached(Self.thread) { self.watch(self.end) }
    }

    // MARK: The program's thread

    /// The program begins something else.
    func begin(_ phase: Phase) { phaseNumber.store(phase.rawValue, ordering: .relaxed) }

    private var phase: Phase { Phase(rawValue: phaseNumber.load(ordering: .relaxed)) ?? .running }

    /// Why the guest was interrupted; nil if it was not for its time.
    var reason: String? {
        guard .now >= deadline else { return nil }
        return TrapReport.timeoutReason(timeout, phase)
    }

    /// From now on `body` is called before the process ends because the program is stuck.
    func onEnd(_ body: @escaping @Sendable () -> Void) { ending.withLock { $0.writeFiles = body } }

    /// The guest has ended: what is left to do takes as long as it takes.
    func finish() {
        ending.withLock { $0.isFinished = true }
        begin(.finishing)
    }

    // MARK: The watching thread

    private func watch(_ end: UInt64) {
        SystemClock.sleep(until: end)
        ending.withLock { ending in
            guard !ending.isFinished, !phase.endsByItself else { return }
            die(with: "wasmd: " + TrapReport.timeoutReason(timeout, phase) + "\n")
        }
        SystemClock.sleep(until: end.saturatingAdding(Self.grace))
        ending.withLock { ending in
            guard !ending.isFinished else { return }
            let isBlocked = mainThread.isBlocked
            if let writeFiles = ending.writeFiles, isBlocked {
                mainThread.suspend()
                _ = SystemThread.startDetached(Self.thread) {
                    // Writing needs what the other thread may have locked after all.
                    SystemClock.sleep(until: Statistics.now() + 10 * Self.grace)
                    ListenerFiles.remove()
                    CurrentProcess.exitAtOnce(ExitCode.trap)
                }
                writeFiles()
            }
            let what =
                isBlocked
                ? "a call of the host does not return" : "the program does not stop"
            die(with: "wasmd: \(TrapReport.timeoutReason(timeout, phase)): \(what)\n")
        }
    }

    private func die(with message: String) {
        writeAll(Array(message.utf8), to: Kernel.standardError)
        ListenerFiles.remove()
        CurrentProcess.exitAtOnce(ExitCode.trap)
    }

    /// Takes no signals, and little memory.
    private static let thread = SystemThread.Options(takesSignals: false, stackByteCount: 1 << 20)
}

extension UInt64 {
    /// The sum, or a time that is far enough away.
    fileprivate func saturatingAdding(_ other: UInt64) -> UInt64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}
