import WasmInterpreter

/// How a run ended.
public enum RunOutcome: Sendable {
    /// The function returned.
    case returned
    /// The guest ended itself: `proc_exit`, or `_start` returned (0).
    case exited(UInt32)
    /// The guest trapped for a reason of its own.
    case trapped(RunTrap)
    /// An exception that the guest did not catch.
    case threw(RunTrap)
    /// A limit ended the run; with the trap, if the guest ran.
    case limit(RunLimit, RunTrap?)
    /// The run was stopped: by its id, or because its task was cancelled.
    case cancelled(RunTrap?)
    /// It could not begin or continue: the text says why. See `RunResult.error`.
    case failed(String)

    /// The outcomes without their contents, for totals and labels.
    public enum Kind: UInt8, Sendable, CaseIterable {
        /// `returned`, or `exited` with 0.
        case succeeded
        /// `exited` with another code.
        case exited
        case trapped, threw, limit, cancelled, failed
    }

    public var kind: Kind {
        switch self {
        case .returned, .exited(0): .succeeded
        case .exited: .exited
        case .trapped: .trapped
        case .threw: .threw
        case .limit: .limit
        case .cancelled: .cancelled
        case .failed: .failed
        }
    }

    /// The trap or exception, if there was one.
    public var trap: RunTrap? {
        switch self {
        case .trapped(let trap), .threw(let trap): trap
        case .limit(_, let trap), .cancelled(let trap): trap
        case .returned, .exited, .failed: nil
        }
    }
}

extension RunOutcome: CustomStringConvertible {
    /// A line without the backtrace: `limit reached: fuel`.
    public var description: String {
        switch self {
        case .returned: "returned"
        case .exited(let code): "exited with \(code)"
        case .trapped(let trap): "trapped: \(trap.message)"
        case .threw(let trap): trap.message
        case .limit(let limit, _): "limit reached: \(limit.name)"
        case .cancelled: "cancelled"
        case .failed(let reason): "failed: \(reason)"
        }
    }
}

/// A trap as text: it holds no module, so that records of runs keep none alive. Names of functions
/// are the module's, and made harmless.
public struct RunTrap: Sendable {
    /// Nil for an exception.
    public let code: TrapCode?
    public let message: String
    /// The functions that had not returned, innermost first, at most 64, each as
    /// `Backtrace.Frame.description`.
    public let frames: [String]
    /// How many more there were.
    public let omittedFrameCount: Int

    /// Looks for names and lines, which may take milliseconds for a large module.
    init(_ code: TrapCode?, _ message: String, _ backtrace: Backtrace, isNamed: Bool) {
        self.code = code
        self.message = Self.bounded(message)
        frames = backtrace.frames.map { frame in
            Self.bounded(isNamed ? frame.description : "function \(frame.functionIndex)")
        }
        omittedFrameCount = backtrace.omittedFrameCount
    }

    /// The largest length of a message or frame: names come from the module.
    private static let longest = 400

    private static func bounded(_ text: String) -> String {
        HarmlessText.text(text, atMost: longest)
    }

    /// Bytes that it takes, about.
    var byteCount: Int { message.utf8.count + frames.reduce(0) { $0 + 32 + $1.utf8.count } }
}

extension RunTrap: CustomStringConvertible {
    /// The message, and a line for each frame: `0: run at 0x1f4 in main.c:12:5`.
    public var description: String {
        var lines = [message] + frames.enumerated().map { "\($0.offset): \($0.element)" }
        if omittedFrameCount > 0 { lines.append("... \(omittedFrameCount) more") }
        return lines.joined(separator: "\n")
    }
}
