import WasmInterpreter

/// Signals that a guest can raise (`signal`), and their actions.
enum Signal: UInt8 {
    case none = 0
    case hup, int, quit, ill, trap, abrt, bus, fpe, kill, usr1, segv, usr2, pipe, alrm, term
    case chld, cont, stop, tstp, ttin, ttou, urg, xcpu, xfsz, vtalrm, prof, winch, poll, pwr, sys

    enum Action {
        case terminate, ignore, stop
    }

    var action: Action {
        switch self {
        case .none, .pipe, .chld, .cont, .urg, .winch: .ignore
        case .stop, .tstp, .ttin, .ttou: .stop
        default: .terminate
        }
    }

    /// The exit code of shells for a program that the signal ended: 128 plus Linux's number, which
    /// is greater by one from `chld` on.
    var exitCode: UInt32 { 128 + UInt32(rawValue) + (rawValue < Signal.chld.rawValue ? 0 : 1) }
}

extension WASIGuest {
    /// Ends the guest.
    func proc_exit(_ code: UInt32) throws -> Never { throw GuestExit(code: code) }

    /// Performs the signal's action of the specification. Stopping is `notsup`, because nothing
    /// could continue the guest.
    func proc_raise(_ signal: UInt32) throws {
        guard let signal = UInt8(exactly: signal).flatMap(Signal.init) else { throw Errno.inval }
        switch signal.action {
        case .ignore: return
        case .stop: throw Errno.notsup
        case .terminate: throw GuestExit(code: signal.exitCode)
        }
    }

    func sched_yield() { System.yield() }
}
