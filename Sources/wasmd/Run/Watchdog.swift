// Soundness: state that the thread shares with the program is atomic or protected by `ending`. The
// thread writes files of a stuck program only while the main thread does not run: that thread is
// parked in a signal handler before, or as soon as it returns from the kernel, and never continues.

import Synchronization
import WasmInterpreter
import WasmSystem

/// Ends a run that takes longer than `--timeout` allows, counted from the start of the program.
///
/// Guest code, instantiation and calls of WASI end at the deadline by themselves, because their
/// store has it. Before these there is no guest to stop, so the process ends at the deadline. If a
/// call of the kernel does not return (a disk or a server that does not respond), the process ends
/// `grace` later, after the requested files are written.
final class Watchdog: Sendable {
    /// The phases of a program, in order.
    enum Phase: UInt8 {
        case reading, parsing, decoding, validating, preparing, instantiating, running, finishing

        /// Whether the program checks the deadline by itself.
        var endsByItself: Bool { rawValue >= Phase.instantiating.rawValue }

        /// The phase at the deadline, for the message; nil if it needs no mention.
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
    private let deadline: ContinuousClock.Instant
    private let timeout: RunOptions.Timeout
    private let phaseNumber = Atomic(Phase.reading.rawValue)
    /// Locked by the thread that ends the process.
    private let ending = Mutex(Ending())
    private let mainThread = MainThread()

    private struct Ending {
        var isFinished = false
        /// Writes the requested files; nil for none.
        var writeFiles: (@Sendable () -> Void)?
    }

    /// Nanoseconds between the deadline and the end of a program that does not stop by itself.
    static let grace: UInt64 = 1_000_000_000

    /// Nanoseconds of the monotonic clock.
    private let end: UInt64

    /// Time runs from here on. The calling thread is the one that runs the program.
    init(_ timeout: RunOptions.Timeout) {
        self.timeout = timeout
        deadline = .now + .nanoseconds(timeout.nanoseconds)
        end = Statistics.now().saturatingAdding(UInt64(clamping: timeout.nanoseconds))
    }

    /// Starts a thread that sleeps until the deadline.
    func start() {
        // If there is no thread, the program is not watched.
        _ = SystemThread.startDetached(Self.thread) { self.watch(self.end) }
    }

    // MARK: The program's thread

    /// Stops guests of the store at the deadline. (Not inlined: a function with an instant asks the
    /// runtime for its layout when it is entered, which runs without a deadline would pay for.)
    @inline(never)
    func setDeadline(of store: Store) { store.deadline = deadline }

    /// The program begins a phase.
    func begin(_ phase: Phase) { phaseNumber.store(phase.rawValue, ordering: .relaxed) }

    private var phase: Phase { Phase(rawValue: phaseNumber.load(ordering: .relaxed)) ?? .running }

    /// Why the guest was interrupted; nil if that was not because of the deadline.
    var reason: String? {
        guard .now >= deadline else { return nil }
        return TrapReport.timeoutReason(timeout, phase)
    }

    /// From now on `body` is called before the process ends because the program is stuck.
    func onEnd(_ body: @escaping @Sendable () -> Void) { ending.withLock { $0.writeFiles = body } }

    /// The guest has ended: the rest has no deadline.
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
                    // Writing may block on a lock that the other thread holds.
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
    private static let thread = SystemThread.Options(
        "wasmd-timeout", takesSignals: false, stackByteCount: 1 << 20)
}

extension UInt64 {
    /// The sum; the largest time if it overflows.
    fileprivate func saturatingAdding(_ other: UInt64) -> UInt64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}
