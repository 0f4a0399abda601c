import Testing
import WasmdDocuments

@Suite struct JSONReaderTests {
    private func read(_ text: String, _ change: (inout JSONOptions) -> Void = { _ in })
        throws(JSONError) -> Document
    {
        var options = JSONOptions()
        change(&options)
        return try JSONReader.read(Array(text.utf8), options: options)
    }

    private func reason(_ text: String) -> JSONError.Reason? {
        do {
            _ = try read(text)
            return nil
        } catch { return error.reason }
    }

    @Test func scalars() throws {
        let cases: [(String, Document)] = [
            ("null", .null), (" true ", .boolean(true)), ("false\n", .boolean(false)),
            ("0", .integer(0)), ("-1", .integer(-1)), ("\"\"", .string("")),
            ("9223372036854775807", .integer(.max)), ("-9223372036854775808", .integer(.min)),
            ("9223372036854775808", .unsigned(1 << 63)), ("18446744073709551615", .unsigned(.max)),
            ("18446744073709551616", .double(18446744073709551616)), ("-0", .double(-0.0)),
            ("-9223372036854775809", .double(-9223372036854775808)),
            ("1.5", .double(1.5)), ("0.1", .double(0.1)), ("1e2", .double(100)),
            ("1E-400", .double(0)), ("-1e-400", .double(-0.0)),
            ("5e-324", .double(.leastNonzeroMagnitude)),
            ("1.7976931348623157e308", .double(.greatestFiniteMagnitude)),
            ("9007199254740993.0", .double(9007199254740992)),
            ("0.30000000000000004", .double(0.1 + 0.2)), ("0e5", .double(0)),
            ("123456789012345678e-2", .double(1234567890123456.78)),
        ]
        for (text, value) in cases { #expect(try read(text) == value, "\(text)") }
    }

    @Test func strings() throws {
        let cases = [
            (#""a\"\\\/\b\f\n\r\t\u0041\u00e9""#, "a\"\\/\u{8}\u{c}\n\r\tA\u{e9}"),
            (#""\ud83c\udf88""#, "🎈"), ("\"ü漢🎈\"", "ü漢🎈"), (#""\u0000""#, "\0"),
        ]
        for (text, value) in cases { #expect(try read(text) == .string(value)) }
    }

    @Test func brokenTextsAreRefused() {
        let cases: [(String, JSONError.Reason)] = [
            ("", .unexpectedEnd), ("[", .unexpectedEnd), ("\"a", .unexpectedEnd),
            ("tru", .unexpectedEnd), ("-", .unexpectedEnd), ("1.", .unexpectedEnd),
            ("1e+", .unexpectedEnd), ("trux", .expected("a value")), ("01", .malformedNumber),
            ("-a", .malformedNumber), ("1.e1", .malformedNumber), ("1e400", .numberOutOfRange),
            ("\"\n\"", .controlCharacter(10)), (#""\x""#, .malformedEscape),
            (#""\u12""#, .malformedEscape), (#""\ud800""#, .loneSurrogate),
            (#""\udc00""#, .loneSurrogate), (#""\ud800\u0041""#, .loneSurrogate),
            ("[1,]", .expected("a value")), ("[1 2]", .expected("',' or ']'")),
            ("{\"a\":1,}", .expected("a name")), ("{a:1}", .expected("a name")),
            ("{\"a\" 1}", .expected("':'")), ("1 2", .trailingBytes), ("[]]", .trailingBytes),
            ("\u{feff}1", .expected("a value")), ("+1", .expected("a value")),
            ("{\"a\":1,\"a\":2}", .duplicateName("a")), ("]", .expected("a value")),
            ("[}", .expected("a value")), ("NaN", .expected("a value")),
        ]
        for (text, expected) in cases { #expect(reason(text) == expected, "\(text)") }
    }

    @Test func malformedUTF8IsRefusedWithItsPlace() {
        let cases: [([UInt8], Int)] = [
            ([0x22, 0x61, 0xff, 0x22], 2), ([0x22, 0xc0, 0x80, 0x22], 1),
            ([0x22, 0xed, 0xa0, 0x80, 0x22], 1), ([0x22, 0xf4, 0x90, 0x80, 0x80, 0x22], 1),
            ([0x22, 0xc3, 0xa9, 0xe2, 0x82, 0x22], 3),
        ]
        for (bytes, offset) in cases {
            #expect(
                throws: JSONError(
                    reason: .malformedUTF8,
                    place: DocumentPlace(
                        line: 1, column: offset == 3 ? 3 : offset + 1, offset: offset))
            ) { try JSONReader.read(bytes) }
        }
    }

    @Test func placesCountLinesAndScalars() {
        let text = Array("{\n  \"ü\": 1,\n  \"漢\": x}".utf8)
        let expected = DocumentPlace(line: 3, column: 8, offset: 22)
        for size in 1...text.count {
            var reader = JSONReader()
            var place: DocumentPlace?
            for start in stride(from: 0, to: text.count, by: size) {
                reader.feed(Array(text[start..<min(start + size, text.count)]))
                do { _ = try reader.advance() } catch {
                    place = error.place
                    break
                }
            }
            #expect(place == expected)
        }
    }

    @Test func piecesAndStepsMakeNoDifference() throws {
        let text =
            #"{"a":[1,-22,3.25,{"b":"x\ud83c\udf88y"},true,null,[]],"c":{},"ü":18446744073709551615}"#
        let bytes = Array(text.utf8)
        let whole = try JSONReader.read(bytes)
        for size in 1...bytes.count {
            for budget in [1, 2, 3, 7, 1000] {
                var reader = JSONReader()
                for start in stride(from: 0, to: bytes.count, by: size) {
                    reader.feed(Array(bytes[start..<min(start + size, bytes.count)]))
                    while try reader.advance(bytes: budget) == .paused {}
                }
                reader.finish()
                var progress = try reader.advance(bytes: budget)
                while progress == .paused { progress = try reader.advance(bytes: budget) }
                #expect(progress == .finished(whole))
            }
        }
    }

    @Test func membersKeepTheirOrderAndDuplicatesAreListed() throws {
        let names = (0..<40).map { "n\($0)" } + ["n3", "n39"]
        let text = "{" + names.map { "\"\($0)\":0" }.joined(separator: ",") + "}"
        #expect(reason(text) == .duplicateName("n3"))
        var options = JSONOptions()
        options.duplicates = .keep
        var reader = JSONReader(options: options)
        reader.feed(Array(text.utf8))
        reader.finish()
        guard case .finished(let document) = try reader.advance() else {
            Issue.record("not finished")
            return
        }
        #expect(document.objectValue?.map(\.name) == names)
        #expect(reader.duplicates.map(\.name) == ["n3", "n39"])
        // An escape does not hide a repeated name; normalisation does not make one.
        #expect(reason(#"{"a":1,"\u0061":2}"#) == .duplicateName("a"))
        #expect(reason(#"{"\u00e9":1,"e\u0301":2}"#) == nil)
        #expect(try read(#"{"\u00e9":1,"e\u0301":2}"#)["e\u{301}"] == .integer(2))
    }

    @Test func limitsHold() {
        func limit(_ text: String, _ change: (inout JSONLimits) -> Void) -> JSONError.Reason? {
            do {
                _ = try read(text) { change(&$0.limits) }
                return nil
            } catch { return error.reason }
        }
        let deep = String(repeating: "[", count: 200)
        #expect(limit(deep, { _ in }) == .limit(.depth, 128))
        #expect(limit("[[]]", { $0.depth = 1 }) == .limit(.depth, 1))
        #expect(limit("[[]]", { $0.depth = 2 }) == nil)
        #expect(limit("[1,2,3]", { $0.values = 3 }) == .limit(.values, 3))
        // Bytes that are packed are no values, until another element comes.
        func packed(_ text: String) -> JSONError.Reason? {
            do {
                _ = try read(text) {
                    $0.packsBytes = true
                    $0.limits.values = 3
                }
                return nil
            } catch { return error.reason }
        }
        #expect(packed("[1,2,3,4,5]") == nil)
        #expect(packed("[1,2,3,\"x\"]") == .limit(.values, 3))
        #expect(packed("[1,2,3,4,[]]") == .limit(.values, 3))
        #expect(limit("[1,2,3]", { $0.bytes = 6 }) == .limit(.bytes, 6))
        #expect(limit("\"abcd\"", { $0.stringBytes = 3 }) == .limit(.stringBytes, 3))
        #expect(limit("\"abcd\"", { $0.stringBytes = 4 }) == nil)
        #expect(limit("12345678901234567890", { $0.numberBytes = 8 }) == .limit(.numberBytes, 8))
        #expect(limit(String(repeating: "1", count: 2000), { _ in }) == .limit(.numberBytes, 1024))
    }

    @Test func bytesArePackedWhereAsked() throws {
        let cases: [(String, Document)] = [
            ("[0,97,255]", .bytes([0, 97, 255])), ("[]", .array([])),
            ("[1,256]", .array([.integer(1), .integer(256)])),
            ("[1,[2]]", .array([.integer(1), .bytes([2])])),
            ("[1,\"x\",2]", .array([.integer(1), .string("x"), .integer(2)])),
            ("[1,{}]", .array([.integer(1), .object([])])), ("7", .integer(7)),
            ("[1,-1]", .array([.integer(1), .integer(-1)])),
        ]
        for (text, value) in cases {
            #expect(try read(text) { $0.packsBytes = true } == value, "\(text)")
        }
    }
}
