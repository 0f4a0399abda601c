// Invariant: the handler of a signal is compared as a number and not called.

import Glibc
import WasmInterpreter

/// Ctrl-C, `kill` and a terminal that is closed, while a program is observed: they stop the guest
/// first, also where it waits, and the process when it has written what it should.
enum StopSignals {
    private static let numbers = [SIGINT, SIGTERM, SIGHUP]

    /// Set before the handlers are, and never changed again.
    nonisolated(unsafe) private static var handle: InterruptHandle?
    /// The signal that came; 0 for none.
    nonisolated(unsafe) private static var received: sig_atomic_t = 0

    /// From now on the first of these signals stops the guest of `store`; the same one again ends the
    /// process. Where a signal is ignored, as interrupts in the background of a shell are and hangups
    /// under `nohup`, it stays so.
    static func stop(_ store: Store) {
        handle = store.interruptHandle
        for number in numbers {
            var action = sigaction()
            sigaction(number, nil, &action)
            if unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 1 { continue }
            action = sigaction()
            action.__sigaction_handler.sa_handler = { number in
                StopSignals.received = number
                StopSignals.handle?.interrupt()
            }
            action.sa_flags = Int32(bitPattern: UInt32(SA_RESETHAND))
            sigaction(number, &action, nil)
        }
    }

    /// Ends the process as the signal would have done, if there was one.
    static func pass() {
        let number = received
        guard number != 0 else { return }
        signal(number, SIG_DFL)
        raise(number)
    }
}
