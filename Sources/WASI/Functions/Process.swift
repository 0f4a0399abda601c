import WasmInterpreter

/// Signals that a guest can raise against itself (`signal`), and what they do.
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

    /// The exit code by which shells tell that a program died of the signal: 128 and Linux's
    /// number, which counts one more from `chld` on.
    var exitCode: UInt32 { 128 + UInt32(rawValue) + (rawValue < Signal.chld.rawValue ? 0 : 1) }
}

extension WASIGuest {
    /// Ends the guest.
    func proc_exit(_ code: UInt32) throws -> Never { throw GuestExit(code: code) }

    /// Does what the specification says that the signal does. Nothing can continue a guest that
    /// stops itself: that is `notsup`.
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
