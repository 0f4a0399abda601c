import Testing
import WasmdDocuments

@testable import wasmd

@Suite struct JSONTests {
    @Test func scalars() {
        #expect(JSON.null.text == "null")
        #expect(JSON.boolean(true).text == "true")
        #expect(JSON.integer(.min).text == "-9223372036854775808")
        #expect(JSON.unsigned(.max).text == "18446744073709551615")
    }

    @Test func stringsAreEscaped() {
        let cases: [(String, String)] = [
            ("plain ü 漢 🎈", "plain ü 漢 🎈"),
            ("\"\\/", "\\\"\\\\/"),
            ("\n\r\t", "\\n\\r\\t"),
            ("\u{0}\u{1b}\u{7f}", "\\u0000\\u001b\\u007f"),
        ]
        for (string, escaped) in cases { #expect(JSON.string(string).text == "\"\(escaped)\"") }
    }

    @Test func shortDocumentsStandOnOneLine() {
        #expect(JSON.array([]).text == "[]")
        #expect(JSON.object().text == "{}")
        #expect(JSON.array([.integer(1), .null]).text == "[1, null]")
        #expect(JSON.object(("a", .integer(1)), ("b", nil)).text == "{\"a\": 1}")
    }

    @Test func longDocumentsAreIndented() {
        let inner = JSON.object(("name", "x"), ("list", .array([.object()])))
        let text = """
            [
              {
                "name": "x",
                "list": [{}]
              }
            ]
            """
        #expect(JSON.array([inner]).text == text)
        let long = JSON.array(Array(repeating: .unsigned(.max), count: 4))
        #expect(long.text.split(separator: "\n").count == 6)
    }
}
