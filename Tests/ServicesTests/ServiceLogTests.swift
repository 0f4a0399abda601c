import Synchronization
import Testing

@testable import WasmdServices

@Suite struct ServiceLogTests {
    private func lines(_ secrets: [String], _ pieces: [String]) -> [String] {
        let log = ServiceLog(secrets: secrets.map { Array($0.utf8) }) { _ in }
        for piece in pieces { log.write(Array(piece.utf8)) }
        return log.last(1000).map { String(decoding: $0.bytes, as: UTF8.self) }
    }

    @Test func linesComeInPieces() {
        #expect(lines([], ["a", "b\nc", "\n\n", "rest"]) == ["ab", "c", ""])
    }

    @Test func secretsAreLeftOut() {
        #expect(
            lines(["hunter22", "hunter"], ["x hunt", "er22 y\n", "hunter hunter\n", "hunte\n"])
                == ["x [secret] y", "[secret] [secret]", "hunte"])
        // A short one would only make lines unreadable.
        #expect(lines(["ab"], ["abc\n"]) == ["abc"])
    }

    @Test func whatIsKeptIsLimited() {
        let passed = Mutex(0)
        let log = ServiceLog { _ in passed.withLock { $0 += 1 } }
        let start = ContinuousClock.now
        for _ in 0..<3000 { log.write(Array("x\n".utf8)) }
        #expect(log.last(5000).count == 1000)
        #expect(passed.withLock { $0 } == 3000)
        log.write([UInt8](repeating: 0x61, count: 100_000) + [0x0a])
        #expect(log.last(1).first?.bytes.count == 4096)
        for _ in 0..<100 { log.write([UInt8](repeating: 0x62, count: 50_000)) }
        // What the burst has room for, and what two MiB a second are.
        let seconds = Int((ContinuousClock.now - start) / .seconds(1)) + 1
        #expect(passed.withLock { $0 } < 3002 + 12 + seconds * 42)
    }
}
