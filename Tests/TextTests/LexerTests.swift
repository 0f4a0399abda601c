import Testing

@testable import WasmText

@Suite struct LexerTests {
    /// The kinds of all tokens, or the reason why there is an error.
    func kinds(_ text: String) -> Result<[TokenKind], TextError> {
        Array(text.utf8).withUnsafeBufferPointer { buffer in
            do throws(TextError) {
                var lexer = try Lexer(buffer)
                var kinds: [TokenKind] = []
                while true {
                    let token = try lexer.next()
                    if token.kind == .end { return .success(kinds) }
                    kinds.append(token.kind)
                }
            } catch { return .failure(error) }
        }
    }

    func reason(_ text: String) -> TextError.Reason? {
        if case .failure(let error) = kinds(text) { return error.reason }
        return nil
    }

    @Test func tokensAreAsLongAsTheyCanBe() throws {
        #expect(try kinds("(i32.const0 1)").get() == [.open, .word, .number, .close])
        #expect(try kinds(#""a""b""#).get() == [.reserved])
        #expect(
            try kinds(#"$a"b" $"b" "b" a"b""#).get() == [
                .reserved, .identifier, .string, .reserved,
            ])
        #expect(try kinds(#"$ $"" (@$ $)"#).get() == [.reserved, .reserved])
        #expect(try kinds("a;;b\nc;;\rd").get() == [.word, .word, .word])
        #expect(try kinds("(;a(;b;)\0;)c").get() == [.word])
    }

    @Test func annotationsAreSkipped() throws {
        #expect(
            try kinds(#"((@a , ; [ (x (@"b c" {)) ")") module)"#).get() == [.open, .word, .close])
        #expect(reason("(@ a)") == .emptyAnnotationName)
        #expect(reason(#"(@"" a)"#) == .emptyAnnotationName)
        #expect(try kinds("(@a (@) (@ x) (@(@)))").get() == [])
        #expect(reason("(@a ()") == .unclosedAnnotation)
    }

    @Test func errors() {
        #expect(reason("\u{1}") == .unexpectedCharacter)
        #expect(reason("é") == .unexpectedCharacter)
        #expect(reason("(; (; ;)") == .unclosedComment)
        #expect(reason("\"a") == .unclosedString)
        for escape in [
            "\\", "\\x", "\\1", "\\u{}", "\\u{d800}", "\\u{110000}", "\\u{1__0}", "\\u0",
        ] {
            #expect(reason("\"\(escape)\"") != nil)
        }
    }

    @Test func deepAnnotationsNeedNoStack() throws {
        let deep = "(@a " + String(repeating: "(@b ", count: 100_000)
        #expect(try kinds(deep + String(repeating: ")", count: 100_001)).get() == [])
    }

    @Test func strings() throws {
        let bytes = Array(#""\t\n\r\"\'\\\41\u{1_F600}é""#.utf8)
        try bytes.withUnsafeBufferPointer { buffer in
            var lexer = try Lexer(buffer)
            var value: [UInt8] = []
            try lexer.appendString(try lexer.next(), to: &value)
            #expect(value == Array("\t\n\r\"'\\A\u{1F600}é".utf8))
        }
    }
}
