import WasmInterpreter

/// Writes every call of a guest with named arguments and results: one line per call, when it has
/// returned.
///
///     var wasi = WASI(arguments: ["count", "notes.txt"])
///     wasi.trace = CallTrace { line in print(line) }
///
///     path_open(fd=3, dirflags=symlink_follow, path="notes.txt", ...) = success fd=4 <0.000034>
///     fd_read(fd=4, iovs=[4096]) = success nread=6 data="hello\n" <0.000004>
///     fd_write(fd=1, iovs=["5\n"]) = badf <0.000001>
///
/// A line is `NAME(NAME=VALUE, ...) = ERRNO NAME=VALUE ... <SECONDS>`, with the specification's
/// names, in ASCII apart from text of the guest that is UTF-8. It has no line break and at most
/// `lineLimit` bytes; a longer one ends with `...`. Unknown numbers are hexadecimal, addresses
/// outside of the memory `bad:0x...`. The errno is `exit` if the call ended the guest, and
/// `stopped` if the guest was stopped meanwhile.
///
/// Without a trace, calls cost nothing more. `docs/wasi.md` describes the values.
public struct CallTrace: Sendable {
    /// Receives a line, without its line break; called on the guest's threads, also by several at
    /// the same time.
    public typealias Writer = @Sendable (String) -> Void

    private let write: Writer
    /// Whether lines begin with the number of the guest's thread: `[2] sched_yield() = success`.
    /// The first thread has number 0.
    public var showsThreads = false
    /// Whether lines end with the seconds that the call took.
    public var showsDurations = true
    /// The most bytes shown of one buffer, and an eighth of the most of a path.
    public var dataLimit = 64
    /// The most bytes of a line.
    public var lineLimit = 2048

    public init(_ write: @escaping Writer) { self.write = write }

    /// Calls a function and writes its line; if it waits, after the wait.
    func call(
        _ function: WASIFunction, _ binding: GuestBinding, _ caller: borrowing Caller,
        _ slots: borrowing CallSlots
    ) throws {
        let arguments = (0..<function.type.parameters.count).map { slots[$0] }
        let before = TraceReader(caller.guestMemory, arguments, dataLimit, function)
        var text = showsThreads ? "[\(binding.thread)] " : ""
        text += "\(function.name)(" + before.argumentTexts.joined(separator: ", ")
        let guest = binding.guest
        try run(
            Call(text: text, function: function, arguments: arguments, guest: guest, start: .now),
            { caller, slots in try function.body(guest, caller, slots) }, caller, slots)
    }

    /// A call that has not returned.
    private struct Call {
        /// The line so far, up to the arguments.
        let text: String
        let function: WASIFunction
        let arguments: [UInt64]
        let guest: WASIGuest
        let start: ContinuousClock.Instant
    }

    /// Runs `body` and writes the line; if it waits, after the wait.
    private func run(
        _ call: Call, _ body: HostFunction.Body, _ caller: borrowing Caller,
        _ slots: borrowing CallSlots
    ) throws {
        do {
            try body(caller, slots)
        } catch let suspension as Suspension {
            throw suspension.continued { continuation in
                { caller, slots in try run(call, continuation, caller, slots) }
            }
        } catch {
            finish(call.text + ") = " + Self.word(for: error), since: call.start)
            throw error
        }
        let result = call.function.type.results.isEmpty ? 0 : slots.u32(0)
        var text = call.text + ") = " + call.function.result.text(result)
        if call.function.result.isSuccess(result) {
            // The memory may have grown meanwhile.
            let after = TraceReader(
                caller.guestMemory, call.arguments, dataLimit, call.function)
            for shown in after.resultTexts(call.guest) { text += " " + shown }
        }
        finish(text, since: call.start)
    }

    private static func word(for error: any Error) -> String {
        switch error {
        case is GuestExit: "exit"
        case let trap as Trap: "stopped: \(trap.code.message)"
        default: "stopped"
        }
    }

    private func finish(_ text: String, since start: ContinuousClock.Instant) {
        var text = text
        if text.utf8.count > lineLimit {
            var count = 0
            let kept = text.unicodeScalars.prefix {
                count += $0.utf8.count
                return count <= lineLimit
            }
            text = String(kept) + "..."
        }
        if showsDurations {
            let (seconds, attoseconds) = start.duration(to: .now).components
            let fraction = String(1_000_000 + attoseconds / 1_000_000_000_000).dropFirst()
            text += " <\(seconds).\(fraction)>"
        }
        write(text)
    }
}

extension Unicode.Scalar {
    fileprivate var utf8: String.UTF8View { String(self).utf8 }
}
