import Synchronization
import WasmSystem
import WasmdGuests

/// What a service says: by `loginfo`, on standard output and on standard error, line by line. Keeps
/// the last lines, and passes all on; secrets are left out.
public final class ServiceLog: Sendable {
    /// A line that was said.
    public struct Line: Sendable {
        /// Counts up from 1.
        public let number: UInt64
        /// Nanoseconds since 1970.
        public let time: UInt64
        public let bytes: [UInt8]
    }

    private struct State: Sendable {
        var lines: [Line] = []
        /// A line without its end.
        var rest: [UInt8] = []
        var allowance = LineAllowance()
        var lost: UInt64 = 0
        var lastNumber: UInt64 = 0
    }

    /// Lines that are kept, and bytes of each.
    private static let countLimit = 1000
    private static let lineLimit = 4096
    private static let replacement = Array("[secret]".utf8)

    private let secrets: [[UInt8]]
    private let pass: @Sendable ([UInt8]) -> Void
    private let state = Mutex(State())

    /// - Parameters:
    ///   - secrets: are replaced in lines, if they have at least four bytes.
    ///   - pass: receives each line, without its end; must not wait.
    public init(secrets: [[UInt8]] = [], pass: @escaping @Sendable ([UInt8]) -> Void) {
        // The longer one first, if one contains the other.
        self.secrets = secrets.filter { $0.count >= 4 }.sorted { $0.count > $1.count }
        self.pass = pass
    }

    /// The last lines.
    public func last(_ count: Int) -> [Line] {
        state.withLock { Array($0.lines.suffix(max(count, 0))) }
    }

    /// The last lines of those after a number, and the number of the last line of all.
    public func last(_ count: Int, after number: UInt64) -> (lines: [Line], lastNumber: UInt64) {
        state.withLock { state in
            let lines = state.lines.filter { $0.number > number }
            return (Array(lines.suffix(max(count, 0))), state.lastNumber)
        }
    }

    /// Takes bytes, of which lines are made.
    public func write(_ bytes: [UInt8]) {
        let found = state.withLock { state -> [[UInt8]] in
            // What comes too fast is lost; the module cannot wait here.
            guard state.allowance.take(bytes, at: SystemClock.monotonic.now) == nil else {
                state.lost &+= 1
                return []
            }
            var found: [[UInt8]] = []
            if state.lost > 0 {
                found.append(Array("[\(state.lost) writes were lost: they came too fast]".utf8))
                state.lost = 0
            }
            for byte in bytes {
                if byte == 0x0a {
                    found.append(state.rest)
                    state.rest = []
                } else if state.rest.count < Self.lineLimit {
                    state.rest.append(byte)
                }
            }
            found = found.map(harmless)
            let time = SystemClock.realtime.now
            for bytes in found {
                state.lastNumber += 1
                state.lines.append(Line(number: state.lastNumber, time: time, bytes: bytes))
            }
            if state.lines.count > Self.countLimit {
                state.lines.removeFirst(state.lines.count - Self.countLimit)
            }
            return found
        }
        for line in found { pass(line) }
    }

    /// A line without secrets.
    private func harmless(_ line: [UInt8]) -> [UInt8] {
        var line = line
        for secret in secrets where line.count >= secret.count {
            var result: [UInt8] = []
            var rest = line[...]
            while rest.count >= secret.count {
                if rest.starts(with: secret) {
                    result += Self.replacement
                    rest = rest.dropFirst(secret.count)
                } else {
                    result.append(rest.removeFirst())
                }
            }
            line = result + rest
        }
        return line
    }
}
