// Invariant: a write copies what it keeps of the guest's buffer before it returns.

import Synchronization
import WasmSystem
import WasmdGuests

/// Where the objects of an image write to: their standard output and their standard error.
public enum ObjectOutput: Sendable {
    case discarded
    /// As it is, to a descriptor of the process; a write waits for it.
    case descriptor(Int32)
    /// Line by line.
    case log(ObjectLog)
}

/// What the objects of an image print: harmless lines with the path of the object, and no more of
/// them than a service may write.
///
/// The allowance is that of all objects together: one that fails is woken again, and must not get
/// another one.
public final class ObjectLog: Sendable {
    private struct State: Sendable {
        var allowance = LineAllowance()
        var lostWrites: UInt64 = 0
    }

    private let isLimited: Bool
    private let pass: @Sendable (String) -> Void
    private let state = Mutex(State())

    /// - Parameters:
    ///   - isLimited: false for somebody who waits for all lines.
    ///   - pass: receives each line, without its end, on the thread that delivers messages: must not
    ///     wait if the log is that of a server.
    public init(isLimited: Bool = true, pass: @escaping @Sendable (String) -> Void) {
        self.isLimited = isLimited
        self.pass = pass
    }

    /// Whether so many bytes may be written now; counts them as lost if not.
    fileprivate func admits(_ count: Int, lines: Int) -> Bool {
        guard isLimited else { return true }
        let now = SystemClock.monotonic.now
        return state.withLock { state in
            guard state.allowance.take(count, lines: lines, at: now) != nil else { return true }
            state.lostWrites &+= 1
            return false
        }
    }

    fileprivate func write(_ line: String) { pass(line) }

    /// Tells what was lost.
    ///
    /// - Parameter isLast: tells it also if no line may be written now.
    public func tellLosses(isLast: Bool = false) {
        let lost = state.withLock { state -> UInt64 in
            guard state.lostWrites > 0,
                isLast || state.allowance.take(0, at: SystemClock.monotonic.now) == nil
            else { return 0 }
            defer { state.lostWrites = 0 }
            return state.lostWrites
        }
        if lost > 0 { pass("\(lost) writes of objects were lost: they came too fast") }
    }
}

/// What one object writes, of which lines are made. A delivery ends the line that it began.
final class ObjectLines: Sendable {
    /// Bytes of a line; the rest is cut off.
    private static let lineLimit = 4096

    private struct State: Sendable {
        var line: [UInt8] = []
        var cutBytes = 0
        var hasBegun = false
    }

    private let name: String
    private let log: ObjectLog
    private let state = Mutex(State())

    init(of path: [UInt8], _ log: ObjectLog) {
        name = HarmlessText.text(path)
        self.log = log
    }

    func write(_ bytes: UnsafeRawBufferPointer) {
        guard unsafe !bytes.isEmpty else { return }
        let count = unsafe bytes.count { $0 == UInt8(ascii: "\n") }
        guard log.admits(bytes.count, lines: max(count, 1)) else { return }
        state.withLock { state in
            var rest = unsafe bytes[...]
            while let end = unsafe rest.firstIndex(of: UInt8(ascii: "\n")) {
                unsafe add(rest[..<end], to: &state)
                endLine(&state)
                unsafe rest = rest[(end + 1)...]
            }
            if unsafe !rest.isEmpty { unsafe add(rest, to: &state) }
        }
    }

    /// Ends a line that has no end, and tells what was lost.
    func endDelivery() {
        state.withLock { state in if state.hasBegun { endLine(&state) } }
        log.tellLosses()
    }

    private func add(_ bytes: Slice<UnsafeRawBufferPointer>, to state: inout State) {
        state.hasBegun = true
        let kept = unsafe min(Self.lineLimit - state.line.count, bytes.count)
        unsafe state.line.append(contentsOf: bytes.prefix(kept))
        unsafe state.cutBytes &+= bytes.count - kept
    }

    private func endLine(_ state: inout State) {
        if state.cutBytes == 0, state.line.last == UInt8(ascii: "\r") { state.line.removeLast() }
        let end = state.cutBytes > 0 ? " [\(state.cutBytes) bytes cut off]" : ""
        log.write("[\(name)] \(HarmlessText.text(state.line))\(end)")
        state.line.removeAll(keepingCapacity: true)
        state.cutBytes = 0
        state.hasBegun = false
    }
}
