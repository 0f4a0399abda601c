import Testing

@testable import wasmd

/// The words and the editor of `wasmd othismo IMAGE shell`.
@Suite struct ImageShellTests {
    @Test func wordsOfALine() throws {
        func words(_ line: String) throws -> [String] {
            try ShellWords.split(Array(line.utf8)).map(\.text)
        }
        #expect(try words("/c  a.b=1\tx") == ["/c", "a.b=1", "x"])
        #expect(try words(#"'a b' "c d"e f\ g "" "#) == ["a b", "c de", "f g", ""])
        #expect(try words(#"x='{"a": 1}'"#) == [#"x={"a": 1}"#])
        #expect(try words("") == [])
        #expect(throws: OthismoFailure.self) { try words("'open") }
        let (before, start) = ShellWords.beginning(Array("send-message /c".utf8))
        #expect(before == [Word("send-message")])
        #expect(start == Word("/c"))
        #expect(ShellWords.beginning(Array("a ".utf8)).start == Word(""))
    }

    private func type(
        _ keys: String, history: [String] = [], completions: [String] = []
    ) -> (editor: LineEditor, last: LineEditor.Step) {
        var editor = LineEditor(prompt: "> ", history: history.map { Array($0.utf8) })
        var last = LineEditor.Step.more
        for byte in keys.utf8 {
            last = editor.take(byte) { _, start in
                completions.map { Word($0) }.filter { $0.bytes.starts(with: start.bytes) }
            }
        }
        return (editor, last)
    }

    private func line(_ keys: String, history: [String] = [], completions: [String] = []) -> String
    {
        guard
            case .line(let bytes) = type(keys + "\r", history: history, completions: completions)
                .last
        else { return "(none)" }
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test func keysEdit() {
        #expect(line("abc") == "abc")
        #expect(line("abc\u{7f}d") == "abd")
        #expect(line("bc\u{1}a") == "abc")
        #expect(line("ac\u{1b}[Db") == "abc")
        #expect(line("äöü\u{7f}\u{1b}[D\u{1b}[3~x") == "äx")
        #expect(line("one two\u{17}x") == "one x")
        #expect(line("abc\u{15}d") == "d")
        #expect(line("abc\u{2}\u{2}\u{b}") == "a")
        #expect(line("abc\u{3}d") == "d")
        #expect(line("\u{1b}[A", history: ["one", "two"]) == "two")
        #expect(line("\u{1b}[A\u{1b}[A\u{1b}[B!", history: ["one", "two"]) == "two!")
        #expect(line("\u{1b}[A\u{1b}[A\u{1b}[A", history: ["one"]) == "one")
        #expect(type("\u{4}").last == .end)
        #expect(type("a\u{4}").last == .more)
        // What is no key of ours, and bytes that are no UTF-8, break nothing.
        #expect(line("\u{1b}[99;99;99Xa\u{1b}Oq\u{0}b") == "ab")
        var editor = LineEditor(prompt: "", history: [])
        for byte in [0x80, 0xff, 0x7f, 0x02, 0x06, 0x0d] as [UInt8] {
            _ = editor.take(byte) { _, _ in [] }
        }
    }

    @Test func tabCompletes() {
        let words = ["list-objects", "make-path", "mount", "/content/"]
        #expect(line("l\t", completions: words) == "list-objects ")
        #expect(line("m\to\t", completions: words) == "mount ")
        #expect(line("/c\t", completions: words) == "/content/")
        #expect(line("x\t", completions: words) == "x")
        let shown = type("m\t\t", completions: words).editor.output
        #expect(String(decoding: shown, as: UTF8.self).contains("make-path  mount"))
    }

    @Test func theCursorIsDrawn() {
        let drawn = String(decoding: type("äb\u{1b}[D").editor.redraw, as: UTF8.self)
        #expect(drawn == "\r> äb\u{1b}[K\u{1b}[1D")
    }
}
