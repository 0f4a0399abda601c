import Testing
import WasmWASI

@testable import WasmdGuests

@Suite struct GuestLogTests {
    private func lines(
        _ pieces: [[UInt8]], _ change: (inout LogLimits) -> Void = { _ in }
    ) throws -> (lines: [LogLine], byteCount: UInt64, isCut: Bool) {
        let feed = Feed<LogLine>(capacity: 100_000)
        var limits = LogLimits()
        change(&limits)
        let log = GuestLog(.make(), limits, feed)
        for piece in pieces {
            let count = try piece.withUnsafeBytes { try log.write($0) }
            #expect(count == piece.count)
        }
        let (byteCount, isCut) = log.finish()
        return (feed.last(), byteCount, isCut)
    }

    private func texts(_ pieces: [String]) throws -> [String] {
        try lines(pieces.map { Array($0.utf8) }).lines.map(\.text)
    }

    @Test func linesAreJoinedFromPieces() throws {
        #expect(try texts(["a\nb", "c", "\n\n", "d\r\n", "e\r"]) == ["a", "bc", "", "d", "e"])
        #expect(try texts(["\n"]) == [""])
        #expect(try texts([]) == [])
    }

    @Test func longLinesAreCutOff() throws {
        let (lines, byteCount, isCut) = try lines(
            [Array("0123456789".utf8), Array("abc\nxyz\n".utf8)]
        ) { $0.lineBytes = 8 }
        #expect(lines.map(\.text) == ["01234567 [5 bytes cut off]", "xyz"])
        #expect(byteCount == 18)
        #expect(isCut)
    }

    @Test func theTotalIsBounded() throws {
        let line = Array("0123456789\n".utf8)
        let (lines, byteCount, isCut) = try lines(Array(repeating: line, count: 1000)) {
            $0.totalBytes = 100
        }
        #expect(byteCount == 11_000)
        #expect(isCut)
        #expect(lines.reduce(0) { $0 + $1.bytes.count } <= 100)
        #expect(lines.count <= 12)
        #expect(lines.count + lines.reduce(0) { $0 + $1.omittedLines } >= 1000)
        #expect(lines.last?.text.contains("lines left out") == true)
    }

    @Test func emptyLinesAreBoundedToo() throws {
        let (lines, _, isCut) = try lines([[UInt8](repeating: 0x0a, count: 100_000)]) {
            $0.totalBytes = 100
            $0.burst = .max
        }
        #expect(isCut)
        #expect(lines.count <= 101)
    }

    @Test func theRateIsBounded() throws {
        let (lines, _, isCut) = try lines([
            Array(repeating: [0x61, 0x0a], count: 50).flatMap { $0 }
        ]) {
            $0.linesPerSecond = 0
            $0.burst = 10
        }
        #expect(isCut)
        #expect(lines.count == 11)
        #expect(lines.last?.omittedLines == 40)
    }

    @Test func textIsHarmless() {
        func text(_ string: String) -> String { HarmlessText.text(string.utf8) }
        #expect(text("a\tü漢🎈 <b>\\") == "a\tü漢🎈 <b>\\")
        #expect(text("\u{1b}[31mred\u{7}\r\0\u{7f}") == "\\x1b[31mred\\x07\\x0d\\x00\\x7f")
        #expect(text("\u{9b}2J") == "\\u{9b}2J")
        #expect(text("a\u{202e}b\u{2066}c\u{200f}") == "a\\u{202e}b\\u{2066}c\\u{200f}")
        #expect(text("a\u{2028}b\u{feff}c\u{e0041}") == "a\\u{2028}b\\u{feff}c\\u{e0041}")
        #expect(HarmlessText.text([0x61, 0xff, 0x62]) == "a\u{fffd}b")
        // A character that was cut in its middle, and an overlong escape.
        #expect(HarmlessText.text([0xe2, 0x82]) == "\u{fffd}\u{fffd}")
        #expect(
            !HarmlessText.text([0xc0, 0x9b, 0xe0, 0x80, 0x9b]).unicodeScalars.contains("\u{1b}"))
    }

    @Test func linesStayLines() {
        func lines(_ string: String) -> String {
            String(decoding: HarmlessText.lines(string.utf8), as: UTF8.self)
        }
        #expect(lines("") == "")
        #expect(lines("a\n\tb\n") == "a\n\tb\n")
        #expect(lines("\na\r\n\u{1b}c\n\nü") == "\na\\x0d\n\\x1bc\n\nü")
    }
}
