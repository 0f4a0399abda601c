import WasmInterpreter
import WasmWASI
import WasmdGuests

/// How a connection through a transport ended.
public enum TransportOutcome: Sendable {
    /// A peer has ended it, and the worker returned.
    case ended
    /// The host has ended it.
    case cancelled
    /// A peer was gone, or had ended, and the worker did not return: it was stopped.
    case stopped
    /// The remote could not be reached, or the guest chose an address that is not allowed.
    case unreachable(String)
    /// A function of the guest returned an error: the function, and the number with its readings.
    case failed(function: String, number: String)
    /// A function returned a descriptor that the guest was not given as a connection.
    case foreignDescriptor(function: String, number: Int32)
    /// The guest trapped: the reason, with the functions that were called.
    case trapped(String)
    /// The guest ended itself (`proc_exit`).
    case exited(UInt32)
    /// A limit was reached: its name.
    case limit(String)
    /// The guest could not begin.
    case refused(String)

    /// Whether nobody has to look at it.
    public var isClean: Bool {
        switch self {
        case .ended, .cancelled: true
        default: false
        }
    }

    /// As programs read it.
    public var name: String {
        switch self {
        case .ended: "ended"
        case .cancelled: "cancelled"
        case .stopped: "stopped"
        case .unreachable: "unreachable"
        case .failed: "failed"
        case .foreignDescriptor: "foreign-descriptor"
        case .trapped: "trapped"
        case .exited: "exited"
        case .limit: "limit"
        case .refused: "refused"
        }
    }
}

extension TransportOutcome: CustomStringConvertible {
    public var description: String {
        switch self {
        case .ended: "ended"
        case .cancelled: "cancelled"
        case .stopped: "the guest did not end although a peer had gone, and was stopped"
        case .unreachable(let reason): "no connection: \(reason)"
        case .failed(let function, let number): "\(function) returned \(number)"
        case .foreignDescriptor(let function, let number):
            "\(function) returned \(number), which is no descriptor of a connection that it was given"
        case .trapped(let reason): "trap: \(reason)"
        case .exited(let code): "the guest ended itself with \(code)"
        case .limit(let name): "the limit of \(name) is reached"
        case .refused(let reason): reason
        }
    }
}

extension TransportOutcome {
    /// A fault of the guest that a session throws.
    enum Fault: Error {
        case outcome(TransportOutcome)
    }

    /// The outcome of an error that ended a guest.
    init(_ error: any Error) {
        switch error {
        case Fault.outcome(let outcome): self = outcome
        case let exit as GuestExit: self = .exited(exit.code)
        case let trap as Trap:
            switch trap.code {
            case .interrupted: self = .cancelled
            case .deadlineExceeded: self = .limit("time")
            case .outOfFuel: self = .limit("fuel")
            case .totalExhausted: self = .limit("memory")
            default: self = .trapped(Self.text(trap.description, trap.backtrace))
            }
        case let exception as Exception:
            self = .trapped(Self.text("uncaught exception", exception.backtrace))
        case let error as any CustomStringConvertible:
            self = .refused(HarmlessText.text(error.description, atMost: 400))
        default: self = .refused("\(error)")
        }
    }

    private static let frameLimit = 4

    private static func text(_ reason: String, _ backtrace: Backtrace) -> String {
        let frames = backtrace.frames.prefix(frameLimit).map { "in \($0)" }
        return HarmlessText.text(([reason] + frames).joined(separator: ", "), atMost: 600)
    }
}
