// Invariant: what the handler of a signal uses is set before, and never changed again.

import WasmInterpreter
import WasmSystem

/// Ctrl-C, `kill` and a terminal that is closed, while a program is observed: they stop the guest
/// first, also where it waits, and the process when it has written what it should.
enum StopSignals {
    private static let numbers = [Signals.interrupt, Signals.termination, Signals.hangup]

    /// Set before the handlers are, and never changed again.
    nonisolated(unsafe) private static var handle: InterruptHandle?
    /// The signal that came; 0 for none.
    nonisolated(unsafe) private static var received: Int32 = 0

    /// From now on the first of these signals stops the guest of `store`; the same one again ends the
    /// process. Where a signal is ignored, as interrupts in the background of a shell are and hangups
    /// under `nohup`, it stays so.
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
