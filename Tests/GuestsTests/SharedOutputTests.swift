import Synchronization
import Testing
import WasmSystem
import WasmdGuests

@Suite struct SharedOutputTests {
    /// 64 MiB at once, of which two MiB a second may be written.
    @Test func whatComesTooFastIsLostAndTold() throws {
        let passed = Mutex<[UInt8]>([])
        let output = SharedOutput { bytes in passed.withLock { $0 += bytes } }
        let piece = [UInt8](repeating: UInt8(ascii: "x"), count: 64 << 10)
        let begin = SystemClock.monotonic.now
        for _ in 0..<1024 { output.write(piece) }
        let seconds = Int((SystemClock.monotonic.now - begin) / 1_000_000_000) + 1
        let count = passed.withLock { $0.count { $0 == UInt8(ascii: "x") } }
        let most = LineAllowance.burst + seconds * LineAllowance.bytesPerSecond
        try #require(count >= 7 * piece.count && count <= most)
        // On a machine that slow, all of it may have been written.
        guard seconds < 30 else { return }
        // The next one that is taken comes behind a line with the number of those that were not.
        while passed.withLock({ $0.last }) != UInt8(ascii: "y") {
            SystemClock.sleep(until: SystemClock.monotonic.now + 10_000_000)
            output.write([UInt8(ascii: "y")])
        }
        let end = String(decoding: passed.withLock { $0.suffix(60) }, as: UTF8.self)
        #expect(end.hasSuffix(" writes were lost: they came too fast]\ny"))
    }
}
