import Testing
import WasmdDocuments

@Suite struct OtherFormatTests {
    @Test func tomlKeepsTypesAndPlaces() throws {
        let text = "a.b = 0x10\n[[t]]\nd = 1979-05-27\n[[t]]\ns = '''x'''\n"
        let document = try TOML.read(Array(text.utf8))
        #expect(document["a"]?["b"] == .integer(16))
        let day = DateTime.Day(year: 1979, month: 5, day: 27)
        #expect(document["t"]?[0]?["d"] == .dateTime(DateTime(day: day, time: nil)))
        #expect(document["t"]?[1]?["s"] == "x")
        #expect(
            throws: TOMLError(
                reason: .redefinition("a"), place: DocumentPlace(line: 2, column: 1, offset: 6))
        ) { try TOML.read(Array("a = 1\na = 2".utf8)) }
    }

    @Test func bsonPassesThroughUnchanged() throws {
        let bytes: [UInt8] =
            [
                24, 0, 0, 0, 0x10, 0x61, 0, 7, 0, 0, 0, 0x11, 0x62, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0xff,
                0,
            ]
        var whole = bytes + [0x63, 0, 0]
        whole[0] = UInt8(whole.count)
        whole[22] = 0xff
        whole[23] = 0x63
        whole = Array(whole[..<24]) + [0, 0]
        whole[0] = UInt8(whole.count)
        let document = try BSON.read(whole)
        #expect(document["a"] == .integer32(7))
        #expect(document["c"] == .foreign(.init(type: 0xff, payload: [])))
        #expect(try BSON.write(document) == whole)
        for count in 0..<whole.count {
            #expect(throws: BSONError.self) { try BSON.read(Array(whole[..<count])) }
        }
    }

    @Test func bracketsNest() throws {
        let form = try URLEncodedForm.read(Array("f%5Bm%5D=GET&f[l][]=1&f[l][]=2&x=a+b&x=c&&".utf8))
        #expect(form["f"]?["m"] == "GET")
        #expect(form["f"]?["l"] == .array(["1", "2"]))
        #expect(form["x"] == .array(["a b", "c"]))
    }

    @Test func partsArriveInAnyPieces() throws {
        let form = Array(
            "--b\r\nContent-Disposition: form-data; name=\"a\"; filename=\"f\"\r\n\r\nx\r\n--\r\n--b--"
                .utf8)
        for size in 1...form.count {
            var parser = try MultipartParser(boundary: Array("b".utf8))
            var content: [UInt8] = []
            for start in stride(from: 0, to: form.count, by: size) {
                for event in try parser.feed(Array(form[start..<min(start + size, form.count)])) {
                    switch event {
                    case .begin(let header): #expect(header.fileName == Array("f".utf8))
                    case .content(let bytes): content += bytes
                    case .end: break
                    }
                }
            }
            try parser.finish()
            #expect(content == Array("x\r\n--".utf8))
        }
    }
}
