// Invariant: the variables that the signal handler uses are set before it is installed, and never
// changed after.

import WasmInterpreter
import WasmSystem

/// Handles Ctrl-C, `kill` and a closed terminal while a program is observed: stops the guest first,
/// also if it waits, and ends the process after its files are written.
enum StopSignals {
    private static let numbers = [Signals.interrupt, Signals.termination, Signals.hangup]

    /// Set before the handlers are installed, and never changed after.
    nonisolated(unsafe) private static var handle: InterruptHandle?
    /// The received signal; 0 for none.
    nonisolated(unsafe) private static var received: Int32 = 0

    /// From now on the first of these signals stops the guest of `store`; the same signal again
    /// ends the process. Signals that are ignored (interrupts in the background of a shell, hangups
    /// under `nohup`) stay ignored.
    static func stop(_ store: Store) {
        handle = store.interruptHandle
        for number in numbers {
            if Signals.disposition(of: number) == .ignored { continue }
            Signals.handle(number, once: true) { number in
                StopSignals.received = number
                StopSignals.handle?.interrupt()
            }
        }
    }

    /// Ends the process as the signal would have done, if there was one.
    static func pass() {
        let number = received
        guard number != 0 else { return }
        Signals.reset(number)
        Signals.raise(number)
    }
}
