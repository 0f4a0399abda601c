import Synchronization
import Testing
import WasmSystem
import WasmdGuests

@Suite struct SharedOutputTests {
    private struct Passed: Sendable {
        var pieces = 0
        var notes: [String] = []
    }

    /// 64 MiB at once, of which two MiB a second may be written. Each write is passed on, or counted
    /// in a note before a later one, however long the machine takes for them.
    @Test func whatComesTooFastIsLostAndTold() {
        let passed = Mutex(Passed())
        let output = SharedOutput { bytes in
            passed.withLock {
                if bytes.first == UInt8(ascii: "[") {
                    $0.notes.append(String(decoding: bytes, as: UTF8.self))
                } else {
                    $0.pieces += 1
                }
            }
        }
        let piece = [UInt8](repeating: UInt8(ascii: "x"), count: 64 << 10)
        let begin = SystemClock.monotonic.now
        for _ in 0..<1024 { output.write(piece) }
        let seconds = Int((SystemClock.monotonic.now - begin) / 1_000_000_000) + 1
        let pieces = passed.withLock { $0.pieces }
        let most = LineAllowance.burst + seconds * LineAllowance.bytesPerSecond
        #expect(pieces >= 7 && pieces * piece.count <= most)
        // Another one that is taken tells of those that were not.
        var more = 0
        while passed.withLock({ $0.pieces }) == pieces {
            SystemClock.sleep(until: SystemClock.monotonic.now + 10_000_000)
            output.write([UInt8(ascii: "y")])
            more += 1
        }
        let end = " writes were lost: they came too fast]\n"
        let lost = passed.withLock { $0.notes }.map { note in
            note.hasSuffix(end) ? Int(note.dropFirst().dropLast(end.count)) ?? 0 : 0
        }
        #expect(pieces + 1 + lost.reduce(0, +) == 1024 + more)
    }
}
