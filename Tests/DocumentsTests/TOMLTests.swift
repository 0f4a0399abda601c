import Testing
import WasmdDocuments

@Suite struct TOMLTests {
    private func read(_ text: String) throws -> Document { try TOML.read(Array(text.utf8)) }

    private func json(_ text: String) throws -> String {
        var options = JSONWriter.Options()
        options.nonFinite = .text
        return String(decoding: JSONWriter.write(try read(text), options: options), as: UTF8.self)
    }

    @Test(arguments: [
        // Keys
        ("a = 1", #"{"a":1}"#),
        ("1234 = 1", #"{"1234":1}"#),
        ("-_- = 1", #"{"-_-":1}"#),
        ("3.14 = 1", #"{"3":{"14":1}}"#),
        ("\"\" = 1", #"{"":1}"#),
        ("'' = 1", #"{"":1}"#),
        ("\"a.b\".c = 1", #"{"a.b":{"c":1}}"#),
        ("a . \"b\" . 'c' = 1", #"{"a":{"b":{"c":1}}}"#),
        ("\"\\u00e9\" = 1", "{\"é\":1}"),
        ("'a\\b' = 1", #"{"a\\b":1}"#),
        ("a=1#c", #"{"a":1}"#),
        ("\ta\t=\t1\t# c\t", #"{"a":1}"#),
        ("a.b = 1\na.c = 2", #"{"a":{"b":1,"c":2}}"#),
        ("a.b = 1\nd = 3\na.c = 2", #"{"a":{"b":1,"c":2},"d":3}"#),
        ("", "{}"), ("\n\r\n # c\n", "{}"), ("# c", "{}"),
        // Integers
        ("a = +99", #"{"a":99}"#), ("a = -17", #"{"a":-17}"#), ("a = +0", #"{"a":0}"#),
        ("a = -0", #"{"a":0}"#), ("a = 5_349_221", #"{"a":5349221}"#),
        ("a = 1_2_3", #"{"a":123}"#), ("a = 0xDEAD_beef", #"{"a":3735928559}"#),
        ("a = 0x00", #"{"a":0}"#), ("a = 0o0755", #"{"a":493}"#),
        ("a = 0b1101_0110", #"{"a":214}"#),
        ("a = 9223372036854775807", #"{"a":9223372036854775807}"#),
        ("a = -9223372036854775808", #"{"a":-9223372036854775808}"#),
        ("a = 0x7fffffffffffffff", #"{"a":9223372036854775807}"#),
        // Floats
        ("a = +1.0", #"{"a":1.0}"#), ("a = -0.01", #"{"a":-0.01}"#),
        ("a = 5e+22", #"{"a":5e+22}"#), ("a = 1e06", #"{"a":1000000.0}"#),
        ("a = -2E-2", #"{"a":-0.02}"#), ("a = 6.626e-34", #"{"a":6.626e-34}"#),
        ("a = 224_617.445_991", #"{"a":224617.445991}"#), ("a = 1e1_0", #"{"a":10000000000.0}"#),
        ("a = -0.0", #"{"a":-0.0}"#), ("a = 0e0", #"{"a":0.0}"#),
        ("a = inf", #"{"a":"Infinity"}"#), ("a = +inf", #"{"a":"Infinity"}"#),
        ("a = -inf", #"{"a":"-Infinity"}"#), ("a = nan", #"{"a":"NaN"}"#),
        ("a = +nan", #"{"a":"NaN"}"#), ("a = -nan", #"{"a":"NaN"}"#),
        // Dates and times
        ("a = 1979-05-27T07:32:00Z", #"{"a":"1979-05-27T07:32:00Z"}"#),
        ("a = 1979-05-27T00:32:00-07:00", #"{"a":"1979-05-27T00:32:00-07:00"}"#),
        ("a = 1979-05-27 07:32:00.999999+01:30", #"{"a":"1979-05-27T07:32:00.999999+01:30"}"#),
        ("a = 1979-05-27t07:32:00z", #"{"a":"1979-05-27T07:32:00Z"}"#),
        ("a = 1979-05-27T07:32:00", #"{"a":"1979-05-27T07:32:00"}"#),
        ("a = 1979-05-27", #"{"a":"1979-05-27"}"#),
        ("a = 1979-05-27 # c", #"{"a":"1979-05-27"}"#),
        ("a = [1979-05-27 , 07:32:00]", #"{"a":["1979-05-27","07:32:00"]}"#),
        ("a = 07:32:00.1234567899", #"{"a":"07:32:00.123456789"}"#),
        ("a = 2000-02-29", #"{"a":"2000-02-29"}"#), ("a = 0000-01-01", #"{"a":"0000-01-01"}"#),
        // Strings
        (#"a = "b\b\t\n\f\r\"\\""#, #"{"a":"b\u0008\t\n\u000c\r\"\\"}"#),
        (#"a = "\u0041\U0001F388""#, "{\"a\":\"A🎈\"}"),
        (#"a = 'C:\x\"'"#, #"{"a":"C:\\x\\\""}"#),
        ("a = \"\"\"\nx\"\"\"", #"{"a":"x"}"#),
        ("a = \"\"\"\r\nx\r\ny\"\"\"", #"{"a":"x\ny"}"#),
        ("a = \"\"\"x\\\n  \n\t y\"\"\"", #"{"a":"xy"}"#),
        ("a = \"\"\"x \\   \n y\"\"\"", #"{"a":"x y"}"#),
        ("a = \"\"\"\\\n\"\"\"", #"{"a":""}"#),
        ("a = \"\"\"\"\"x\"\"\"\"\"", #"{"a":"\"\"x\"\""}"#),
        ("a = \"\"\"\"\"\"", #"{"a":""}"#),
        ("a = ''''x'''''", #"{"a":"'x''"}"#),
        ("a = '''\n\\n'''", #"{"a":"\\n"}"#),
        ("a = \"\"\"a\tb\"\"\"", #"{"a":"a\tb"}"#),
        // Arrays
        ("a = [ ]", #"{"a":[]}"#), ("a = [1,2,]", #"{"a":[1,2]}"#),
        ("a = [ # c\n1 # d\n, # e\n2\r\n, ]", #"{"a":[1,2]}"#),
        ("a = [1, 'x', [true], {b = 1.0}]", #"{"a":[1,"x",[true],{"b":1.0}]}"#),
        // Tables
        ("[a]\n[a.b]\nc = 1", #"{"a":{"b":{"c":1}}}"#),
        ("[a.b.c]\nd = 1\n[a]\ne = 2", #"{"a":{"b":{"c":{"d":1}},"e":2}}"#),
        ("[ a . 'b' ]", #"{"a":{"b":{}}}"#),
        ("[a] # c\nb = 1", #"{"a":{"b":1}}"#),
        ("[a]\nb.c = 1\n[a.b.d]\ne = 2", #"{"a":{"b":{"c":1,"d":{"e":2}}}}"#),
        ("[[a]]\nb = 1\n[[a]]\n[[a]]\nb = 3", #"{"a":[{"b":1},{},{"b":3}]}"#),
        ("[[a]]\n[[a.b]]\nc = 1\n[[a.b]]\n[a.d]", #"{"a":[{"b":[{"c":1},{}],"d":{}}]}"#),
        ("[[a]]\n[a.b]\n[[a]]\n[a.b]", #"{"a":[{"b":{}},{"b":{}}]}"#),
        ("a = { }", #"{"a":{}}"#), ("a = {b.c = 1, b.d = 2}", #"{"a":{"b":{"c":1,"d":2}}}"#),
        ("a = {b = [\n1,\n]}", #"{"a":{"b":[1]}}"#),
        ("[a.b]\n[a]\nc = 1", #"{"a":{"b":{},"c":1}}"#),
    ])
    func reads(_ text: String, _ expected: String) throws {
        #expect(try json(text) == expected)
    }

    @Test(arguments: [
        // Keys and lines
        "a", "a =", "= 1", "a = 1 b = 2", "a b = 1", "a.\n", "a. = 1", ".a = 1", "a..b = 1",
        "é = 1", "a! = 1", "\"\"\"a\"\"\" = 1", "'''a''' = 1", "\"a\nb\" = 1", "a\n= 1", "a =\n1",
        "a = 1\ra = 2", "a = 1\r", "a = 1\u{0}", "# \u{1}", "# \u{7f}", "#\r\u{b}",
        "\u{feff}\u{feff}",
        // Redefinitions
        "a = 1\na = 2", "a = 1\n\"a\" = 2", "a = 1\na.b = 2", "a.b = 1\na = 2",
        "a.b = 1\na.b.c = 2",
        "[a]\n[a]", "[a]\nb = 1\n[a.b]", "a = 1\n[a]", "a = 1\n[[a]]", "a = []\n[[a]]",
        "a = [{}]\n[a.b]", "[[a]]\n[a]", "[a]\n[[a]]", "[a.b]\n[[a]]", "[[a.b]]\n[a.b]",
        "a.b = 1\n[a]", "[a]\nb.c = 1\n[a.b]", "[a]\nb.c.d = 1\n[a.b.c]",
        "[a.b.c]\nd = 1\n[a]\nb.c.e = 2",
        "[a.b]\nx = 1\n[a]\nb.y = 2", "a = {b = 1}\na.c = 2", "a = {b = 1}\n[a]",
        "a = {b = 1}\n[a.c]",
        "a = {b = 1, b = 2}", "a = {b.c = 1, b = 2}", "a = {b = {c = 1}, b.d = 2}",
        "[[a]]\nb = {c = 1}\n[a.b]", "[a]\n[a.b]\n[a]",
        // Integers
        "a = 01", "a = -01", "a = +01", "a = 1_", "a = _1", "a = 1__2", "a = 0x", "a = 0x_1",
        "a = 0x1_", "a = +0x1", "a = -0b1", "a = 0X1", "a = 0O7", "a = 0B1", "a = 0o8", "a = 0b2",
        "a = 0xg", "a = 00", "a = +", "a = -", "a = +-1", "a = 1-1", "a = 9223372036854775808",
        "a = -9223372036854775809", "a = 0xffffffffffffffff", "a = 1 2", "a = 1,2",
        // Floats
        "a = .5", "a = 5.", "a = 5.e1", "a = .e1", "a = 1e", "a = 1e+", "a = 1e1.0", "a = 1_.0",
        "a = 1._0", "a = 1.0_", "a = 1e_1", "a = 1e1_", "a = 00.1", "a = Inf", "a = NaN",
        "a = infinity",
        "a = ++inf", "a = in", "a = 1.2.3", "a = 0x1.0",
        // Booleans
        "a = True", "a = tru", "a = truee", "a = FALSE", "a = t",
        // Dates and times
        "a = 1979-13-01", "a = 1979-00-01", "a = 1979-01-00", "a = 1979-04-31", "a = 1900-02-29",
        "a = 1979-5-27", "a = 79-05-27", "a = 1979-05-27T", "a = 1979-05-27T07:32", "a = 07:32",
        "a = 24:00:00", "a = 23:60:00", "a = 23:59:60", "a = 07:32:00.", "a = 07:32:00Z",
        "a = 1979-05-27Z", "a = 1979-05-27T07:32:00+1:00", "a = 1979-05-27T07:32:00+24:00",
        "a = 1979-05-27T07:32:00+01:60", "a = 1979-05-27T07:32:00+0100", "a = 1979-05-27  07:32:00",
        "a = 1979-05-27T07:32:00 Z", "a = 1979-05-27x",
        // Strings
        "a = \"", "a = '", "a = \"x", "a = 'x\n'", "a = \"x\ny\"", "a = \"\"\"x", "a = \"\"\"x\"\"",
        "a = '''x''", "a = \"\\x41\"", "a = \"\\u12\"", "a = \"\\ud800\"", "a = \"\\U00110000\"",
        "a = \"\\U0001\"", "a = \"\\a\"", "a = \"\\ \"", "a = \"\\\n\"", "a = \"\"\"\\ x\"\"\"",
        "a = \"\u{1}\"", "a = '\u{7f}'", "a = \"\"\"\u{b}\"\"\"", "a = '''\r'''",
        "a = \"\"\"\"\"\"\"\"\"",
        "a = ''''''''''", "a = \"x\" y",
        // Arrays and tables
        "a = [", "a = [1", "a = [1 2]", "a = [,]", "a = [1,,2]", "a = [,1]", "a = ]", "a = [1}",
        "a = {", "a = {b = 1,}", "a = {b = 1\n}", "a = {\nb = 1}", "a = {b}", "a = {,}",
        "a = {b = 1 c = 2}", "a = {b = 1, # c\n}", "[", "[]", "[a", "[a.]", "[.a]", "[a..b]",
        "[a]]",
        "[[a]", "[[a] ]", "[ [a]]", "[a] b = 1", "[a]b", "[a\n]", "[[]]", "[[a.]]",
    ])
    func refuses(_ text: String) {
        #expect(throws: TOMLError.self) { try read(text) }
    }

    @Test func malformedUTF8HasItsPlace() {
        let bytes = Array("a = 'é'\nb = '".utf8) + [0xff, 0x27]
        #expect(
            throws: TOMLError(
                reason: .malformedUTF8, place: DocumentPlace(line: 2, column: 6, offset: 14))
        ) { try TOML.read(bytes) }
        // Overlong forms, surrogates, and what is cut off.
        for bytes: [UInt8] in [
            [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82],
        ] {
            #expect(throws: TOMLError.self) { try TOML.read(Array("# ".utf8) + bytes) }
        }
    }

    @Test func depthIsLimited() throws {
        var options = TOML.Options()
        options.depth = 4
        func accepts(_ text: String) -> Bool {
            (try? TOML.read(Array(text.utf8), options: options)) != nil
        }
        #expect(accepts("a.b.c.d = 1"))
        #expect(!accepts("a.b.c.d.e = 1"))
        #expect(accepts("[a.b]\nc.d = 1"))
        #expect(!accepts("[a.b]\nc.d.e = 1"))
        #expect(accepts("a = [[[1]]]"))
        #expect(!accepts("a = [[[[1]]]]"))
        #expect(!accepts("a = {b = {c = {d = {e = 1}}}}"))
        options.depth = .max
        let deep = "a = " + String(repeating: "[", count: 100_000)
        #expect(throws: TOMLError.self) { try TOML.read(Array(deep.utf8), options: options) }
        options.bytes = 3
        #expect(throws: TOMLError.self) { try TOML.read(Array("a = 1".utf8), options: options) }
    }

    @Test func everyPrefixEndsInAValueOrAnError() {
        let text =
            "[a.'b']\nc = \"\"\"\\\n x\\u00e9\"\"\"\n[[d]]\ne = {f = [1, 0x1_0], g = 1979-05-27T07:32:00.5+01:00}"
        let bytes = Array(text.utf8)
        for count in 0...bytes.count { _ = try? TOML.read(Array(bytes[..<count])) }
    }

    @Test func manyTablesAndKeysStayApart() throws {
        let tables = try read(String(repeating: "[[t]]\na = 1\n", count: 3000))
        #expect(tables["t"]?.arrayValue?.count == 3000)
        let keys = try read((0..<3000).map { "k\($0) = \($0)\n" }.joined())
        #expect(keys["k2999"] == .integer(2999))
        // Equal after normalisation, and different keys.
        #expect(try read("\"\u{e9}\" = 1\n\"e\u{301}\" = 2").objectValue?.count == 2)
    }
}
