import Testing

@testable import wasmd

@Suite struct TextTests {
    @Test func numbers() {
        #expect(grouped(0) == "0")
        #expect(grouped(999) == "999")
        #expect(grouped(1000) == "1,000")
        #expect(grouped(-1_234_567) == "-1,234,567")
        #expect(grouped(UInt64.max) == "18,446,744,073,709,551,615")
        #expect(hexadecimal(419) == "0x1a3")
        #expect(counted(1, "page") == "1 page")
        #expect(counted(2000, "page") == "2,000 pages")
        #expect(Statistics.milliseconds(1_234_567_890) == "1,234.567 ms")
        #expect(Statistics.milliseconds(999) == "0.000 ms")
        #expect(Statistics.milliseconds(5_000) == "0.005 ms")
    }

    @Test func controlCharactersBecomeVisible() {
        #expect(printable("plain ü") == "plain ü")
        #expect(printable("a\u{1b}[2Jb\nc") == "a\\u{1b}[2Jb\\u{a}c")
        #expect(printable("\u{202e}") == "\\u{202e}")
        #expect(printable("\u{9b}") == "\\u{9b}")
    }

    @Test func phrasesAreFoundAndReplacedByBytes() {
        #expect("ababa abc".replacing("ab", with: "x") == "xxa xc")
        #expect("aaa".replacing("aa", with: "b") == "ba")
        #expect("nächst".replacing("ä", with: "ae") == "naechst")
        #expect("'".replacing("'", with: "'\\''") == "'\\''")
        // A combining mark does not hide the character before it.
        #expect(Array("'\u{301}".replacing("'", with: "").utf8) == [0xcc, 0x81])
        #expect("abc".replacing("", with: "x") == "abc")
        #expect("abc".replacing("abc", with: "") == "")
        #expect("http://x".contains("://"))
        #expect(!"http:/x".contains("://"))
        #expect("ab".contains("b") && "ab".contains("") && !"".contains("b"))
        #expect("=\u{338}".contains("="))
    }

    @Test func wordsForShells() {
        #expect(shellQuoted("a.wasm") == "a.wasm")
        #expect(shellQuoted("") == "''")
        #expect(shellQuoted("a b") == "'a b'")
        #expect(shellQuoted("it's") == "'it'\\''s'")
        #expect(shellQuoted("$(x)") == "'$(x)'")
    }

    @Test func wrapping() {
        #expect("one two three".wrapped(to: 7) == ["one two", "three"])
        #expect("".wrapped(to: 7) == [])
        #expect("incomprehensible a".wrapped(to: 7) == ["incomprehensible", "a"])
    }

    @Test func tables() {
        var table = TextTable(.left, .right)
        table.add("a", "10")
        table.add("long", "1")
        table.add("x")
        #expect(table.lines == ["  a     10", "  long   1", "  x"])
    }
}
