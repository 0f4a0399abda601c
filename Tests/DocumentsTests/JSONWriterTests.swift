import Testing
import WasmdDocuments

@Suite struct JSONWriterTests {
    private func text(
        _ document: Document, _ options: JSONWriter.Options = JSONWriter.Options()
    ) -> String {
        String(decoding: JSONWriter.write(document, options: options), as: UTF8.self)
    }

    @Test func scalars() {
        let cases: [(Document, String)] = [
            (.null, "null"), (.boolean(true), "true"), (.integer(.min), "-9223372036854775808"),
            (.integer32(-7), "-7"), (.unsigned(.max), "18446744073709551615"),
            (.integer(100), "100"), (.double(0), "0.0"), (.double(-0.0), "-0.0"),
            (.double(0.1), "0.1"), (.double(-1.25), "-1.25"),
            (.double(0.1 + 0.2), "0.30000000000000004"),
            (.double(5), "5.0"), (.double(1e16), "1e+16"),
            (.double(.leastNonzeroMagnitude), "5e-324"),
            (.double(.nan), "null"), (.double(-.infinity), "null"), (.double(0.001), "0.001"),
            (.double(123.456001), "123.456001"),
            (.string("a\"\\\n\u{1}\u{7f}ü"), #""a\"\\\n\u0001\u007fü""#),
            (.bytes([]), "[]"), (.bytes([1, 255]), "[1,255]"),
        ]
        for (document, expected) in cases { #expect(text(document) == expected) }
    }

    @Test func optionsSayWhatBecomesOfOthers() {
        var options = JSONWriter.Options()
        options.nonFinite = .text
        #expect(
            text(.array([.double(.nan), .double(-.infinity)]), options) == #"["NaN","-Infinity"]"#)
        options.bytes = .base64
        #expect(text(.bytes([0, 1, 2, 3]), options) == #""AAECAw==""#)
        options.bytes = .object
        #expect(text(.bytes([255, 254]), options) == #"{"$binary":"//4="}"#)
    }

    @Test func doublesAreShortestAndComeBack() throws {
        var state: UInt64 = 0x9e37_79b9_7f4a_7c15
        for round in 0..<20000 {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            var value = Double(bitPattern: state)
            if round % 2 == 0 { value = Double(Int64(state % 1_000_000_000)) / 1e6 }
            guard value.isFinite else { continue }
            let written = text(.double(value))
            #expect(try JSONReader.read(Array(written.utf8)) == .double(value), "\(written)")
            #expect(written.utf8.count <= value.description.utf8.count)
        }
    }

    @Test func stepsMakeNoDifference() {
        let document = Document.object([
            .init("a", .array([.integer(1), .array([]), .object([.init("b", .bytes([1, 2]))])])),
            .init("c", .object([])), .init("d", "e"),
        ])
        let whole = #"{"a":[1,[],{"b":[1,2]}],"c":{},"d":"e"}"#
        #expect(text(document) == whole)
        for size in 1...12 {
            var writer = JSONWriter()
            var walk = JSONWalk(document)
            var bytes: [UInt8] = []
            while !walk.step(&writer, upTo: size) { bytes += writer.take() }
            #expect(String(decoding: bytes + writer.take(), as: UTF8.self) == whole)
        }
    }

    @Test func partsAreSeparated() {
        var writer = JSONWriter()
        writer.beginObject()
        writer.name("a")
        writer.beginArray()
        writer.value(.integer(1))
        writer.value(.array([]))
        writer.endArray()
        writer.name("b")
        writer.value(.null)
        writer.endObject()
        #expect(String(decoding: writer.take(), as: UTF8.self) == #"{"a":[1,[]],"b":null}"#)
        #expect(writer.bytes.isEmpty)
    }

    @Test func plainNamesAndStringsAreSeparatedToo() {
        var writer = JSONWriter(capacity: 64)
        writer.beginObject()
        writer.name(plain: "a")
        writer.beginArray()
        writer.plainString { $0 += Array("x".utf8) }
        writer.plainString { _ in }
        writer.endArray()
        writer.name(plain: "b")
        writer.value(.integer(-2))
        writer.endObject()
        #expect(String(decoding: writer.take(), as: UTF8.self) == #"{"a":["x",""],"b":-2}"#)
    }
}
