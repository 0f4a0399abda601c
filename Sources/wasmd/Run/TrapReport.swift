import WasmInterpreter

/// The report that is printed when a guest was stopped.
struct TrapReport {
    private let reason: String
    private let backtrace: Backtrace
    /// The text that the frames' module was made from; nil for a binary.
    private let source: SourceText?

    /// - Parameters:
    ///   - timeout: the description of the deadline, if it has passed.
    ///   - source: the text that the frames' module was made from; nil for a binary.
    init(
        trap: Trap, options: RunOptions, timeout: String? = nil, text source: SourceText? = nil
    ) {
        self.source = source
        reason = "trap: " + Self.reason(trap, options, timeout)
        backtrace = trap.backtrace
    }

    init(uncaught exception: Exception, text source: SourceText? = nil) {
        self.source = source
        reason = "uncaught " + printable(exception.description)
        backtrace = exception.backtrace
    }

    var text: String {
        var lines = ["wasmd: \(reason)"]
        var number = 0
        for frame in backtrace.frames {
            for description in describe(frame) {
                lines.append("#\(number) \(description)")
                number += 1
            }
        }
        let omitted = backtrace.omittedFrameCount
        if omitted > 0 { lines.append("... and \(counted(omitted, "more frame"))") }
        return lines.joined(separator: "\n") + "\n"
    }

    /// The trap in the specification's words, with the values or the option that caused it.
    private static func reason(
        _ trap: Trap, _ options: RunOptions, _ timeout: String?
    ) -> String {
        switch trap.code {
        case .outOfFuel:
            trap.code.message + (options.fuel.map { " (--fuel \($0))" } ?? "")
        case .deadlineExceeded:
            timeout ?? trap.code.message
        case .stackExhausted:
            trap.code.message + " (allow more with --stack-size SIZE)"
        case .heapExhausted:
            trap.code.message + " (allow more with --max-heap SIZE)"
        case .totalExhausted:
            trap.code.message + " (allow more with --max-memory SIZE)"
        default: printable(trap.description)
        }
    }

    static func timeoutReason(_ timeout: RunOptions.Timeout, _ phase: Watchdog.Phase) -> String {
        "interrupted after \(timeout.text) (--timeout)"
            + (phase.description.map { ", " + $0 } ?? "")
    }

    /// `name (func[12]) at 0x1a2f`, with `in main.c:12:5` if there is debug information, and before
    /// it the inlined functions. For a module made from text, the line and column of that text
    /// instead of the offset.
    private func describe(_ frame: Backtrace.Frame) -> [String] {
        let index = "func[\(frame.functionIndex)]"
        let function = frame.functionName.map { "\(printable($0)) (\(index))" } ?? index
        guard let offset = frame.offset else { return [function] }
        let position = source?.position(at: offset, in: frame.module) ?? hexadecimal(offset)
        func describe(_ function: String, _ location: SourceLocation?) -> String {
            let place = location.map { " in \(printable($0.description))" } ?? ""
            return "\(function) at \(position)\(place)"
        }
        let source = frame.module.debugInfo?.frames(at: offset) ?? []
        guard let last = source.last else {
            return [describe(function, frame.module.debugInfo?.location(at: offset))]
        }
        return source.dropLast().map { inlined in
            let name = inlined.function.map { printable($0) } ?? "?"
            return describe("\(name) (inlined in \(index))", inlined.location)
        } + [describe(function, last.location)]
    }
}
