import WasmMachine

/// Why a guest was stopped.
public typealias TrapCode = WasmMachine.TrapCode

/// The guest was stopped: it did something that the specification forbids, or ran into a limit.
///
///     do {
///         try run()
///     } catch let trap as Trap {
///         print(trap.code == .outOfFuel ? "took too long" : "failed: \(trap)")
///         print(trap.backtrace)
///     }
///
/// The store and its instances stay usable.
///
/// Specification: 4.6.1 (traps).
public struct Trap: Error, Sendable {
    public let code: TrapCode
    /// Where it happened; empty if no guest code was running.
    public internal(set) var backtrace: Backtrace
    /// The error that a host function gave as the reason.
    public let cause: (any Error)?
    /// The values that caused it: an address and the size of the memory, an index, types. Nil if
    /// the code is enough, and for traps of host functions.
    public internal(set) var detail: TrapDetail?

    /// A trap of the given kind. A host function that throws one stops the guest as if it had
    /// trapped itself; the backtrace is added if it has none.
    ///
    ///     linker.define("env", "check") { (value: Int32) in
    ///         do { try check(value) } catch { throw Trap(.hostError, cause: error) }
    ///     }
    ///
    /// Every other error reaches the guest's caller unchanged, without a backtrace.
    public init(
        _ code: TrapCode, backtrace: Backtrace = Backtrace(), cause: (any Error)? = nil
    ) {
        self.code = code
        self.backtrace = backtrace
        self.cause = cause
    }
}

extension Trap: CustomStringConvertible {
    /// The specification suite's text for the trap, and its values or its cause; without the
    /// backtrace.
    ///
    ///     out of bounds memory access: 4 bytes at 0x10000 of memory 0, which has 65536 bytes
    public var description: String {
        var text = code.message
        if let detail { text += ": \(detail)" }
        if let cause { text += ": \(cause)" }
        return text
    }
}

/// The guest functions that were running when a trap happened, innermost first.
public struct Backtrace: Sendable {
    /// One guest function that has not returned.
    public struct Frame: Sendable {
        public let module: Module
        /// The function's index in its module, imports counted.
        public let functionIndex: FunctionIndex
        /// The word of the function's register code that was running, or the last of a call.
        let word: Int
        /// The instance of the function, as long as its store exists.
        let instance: ObjectIdentifier
        /// Values of parameters and locals, in the order of their indices, at most
        /// `Backtrace.localLimit`. Empty unless `Engine.Configuration.capturesLocals` is set.
        public internal(set) var locals: [CapturedValue] = []
    }

    /// The innermost frames, at most `frameLimit`.
    public var frames: [Frame] = []
    /// The number of further frames; at most a million are counted.
    public var omittedFrameCount = 0

    /// The most frames that are kept.
    public static let frameLimit = 64
    /// The most locals of a frame that are kept.
    public static let localLimit = 2000

    public init() {}
}

extension Backtrace.Frame {
    /// Byte offset in the module's file of the instruction that was running: the one that trapped
    /// in the innermost frame, a call in the others. Nil if not known. Takes as long as
    /// translating the function.
    public var offset: Int? {
        let defined = Int(functionIndex) - module.parsed.importedFunctionCount
        return module.code.offset(ofWord: word, in: defined)
    }

    /// The module's name in its name section.
    public var moduleName: String? { module.names?.module?.description }

    /// The function's name in the name section, or the first name that it is exported by.
    public var functionName: String? { module.name(ofFunction: functionIndex) }

    /// Where in its source the function was: the instruction that trapped in the innermost frame, a
    /// call in the others. Nil if the module has no DWARF line tables. Takes as
    /// long as translating the function, and the first time as reading the tables.
    public var location: SourceLocation? { offset.flatMap { module.debugInfo?.location(at: $0) } }

    /// The source functions of the frame, innermost first: inlined ones, and last the function
    /// around them. Empty without debug information.
    public var sourceFrames: [SourceFrame] {
        offset.flatMap { module.debugInfo?.frames(at: $0) } ?? []
    }
}

extension Backtrace.Frame: CustomStringConvertible {
    /// `run at 0x1f4 in main.c:12:5`, or `function 12 at 0x1f4` without names and lines.
    public var description: String {
        let name = functionName ?? "function \(functionIndex)"
        guard let offset else { return name }
        let place = module.debugInfo?.location(at: offset).map { " in \($0)" } ?? ""
        return "\(name) at 0x\(String(offset, radix: 16))\(place)"
    }
}

extension Backtrace: CustomStringConvertible {
    /// One line per frame, innermost first; empty without frames.
    public var description: String {
        var lines = frames.enumerated().map { "\($0.offset): \($0.element)" }
        if omittedFrameCount > 0 { lines.append("... \(omittedFrameCount) more") }
        return lines.joined(separator: "\n")
    }
}

/// Thrown by a host function to end the guest in an orderly way, as WASI's `proc_exit` does.
/// It reaches the outer caller unchanged.
public struct GuestExit: Error, Hashable, Sendable {
    /// 0 for success.
    public let code: UInt32

    public init(code: UInt32) { self.code = code }
}
