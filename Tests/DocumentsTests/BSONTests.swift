import Testing
import WasmdDocuments

@Suite struct BSONTests {
    /// A document with one member `a`.
    private static func document(_ type: UInt8, _ value: [UInt8]) -> [UInt8] {
        document([(type, "a", value)])
    }

    private static func document(_ members: [(type: UInt8, name: String, value: [UInt8])])
        -> [UInt8]
    {
        var content: [UInt8] = []
        for (type, name, value) in members { content += [type] + name.utf8 + [0] + value }
        return int32(content.count + 5) + content + [0]
    }

    private static func int32(_ value: Int) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }

    private static func string(_ text: String) -> [UInt8] {
        int32(text.utf8.count + 1) + Array(text.utf8) + [0]
    }

    static let values: [(UInt8, [UInt8], Document?)] = [
        (0x01, [0, 0, 0, 0, 0, 0, 0xf0, 0x3f], .double(1)),
        (0x01, [1, 2, 3, 4, 5, 6, 0xf8, 0xff], .double(Double(bitPattern: 0xfff8_0605_0403_0201))),
        (0x02, string(""), .string("")),
        (0x02, string("a\u{0}é"), .string("a\u{0}é")),
        (0x03, document([]), .object([])),
        (0x03, document(0x10, int32(-2)), .object([.init("a", .integer32(-2))])),
        (0x04, document([]), .array([])),
        (0x04, document([(0x0a, "0", []), (0x08, "1", [1])]), .array([.null, .boolean(true)])),
        (0x04, document([(0x0a, "1", [])]), nil),
        (0x04, document([(0x0a, "0", []), (0x0a, "00", [])]), nil),
        (0x05, int32(2) + [0, 7, 8], .bytes([7, 8])),
        (0x05, int32(0) + [0], .bytes([])),
        (0x05, int32(2) + [0x80, 7, 8], nil),
        (0x05, int32(6) + [2] + int32(2) + [7, 8], nil),
        (0x06, [], nil),
        (0x07, Array(1...12), nil),
        (0x08, [0], .boolean(false)),
        (0x09, Array(1...8), nil),
        (0x0a, [], .null),
        (0x0b, Array("x.*".utf8) + [0] + Array("i".utf8) + [0], nil),
        (0x0c, string("db.c") + Array(1...12), nil),
        (0x0d, string("f()"), nil),
        (0x0e, string("symbol"), nil),
        (0x0f, int32(4 + 5 + 5) + string("") + document([]), nil),
        (0x0f, int32(4 + 6 + 12) + string("f") + document(0x10, int32(1)), nil),
        (0x10, int32(Int(Int32.min)), .integer32(.min)),
        (0x11, Array(1...8), nil),
        (0x12, Array(repeating: 0xff, count: 8), .integer(-1)),
        (0x13, Array(1...16), nil),
        (0x7f, [], nil),
        (0xff, [], nil),
    ]

    @Test(arguments: values.indices)
    func everyTypePassesThrough(_ index: Int) throws {
        let (type, value, expected) = Self.values[index]
        let bytes = Self.document(type, value)
        let document = try BSON.read(bytes)
        #expect(document["a"] == expected ?? .foreign(.init(type: type, payload: value)))
        #expect(try BSON.write(document) == bytes)
        #expect(BSON.length(of: bytes) == bytes.count)
        // As a part of what is kept as a whole, it comes back too.
        let inside = Self.document(
            0x0f, Self.int32(4 + 5 + bytes.count) + Self.string("") + bytes)
        #expect(try BSON.write(try BSON.read(inside)) == inside)
        let array = Self.document(0x04, Self.document([(type, "b", value)]))
        #expect(try BSON.write(try BSON.read(array)) == array)
        // Cut off anywhere, with the outer length as it was and as it would be.
        for count in 0..<bytes.count {
            #expect(throws: BSONError.self) { try BSON.read(Array(bytes[..<count])) }
        }
        for count in 0..<value.count {
            let cut = Self.document(type, Array(value[..<count]))
            if let document = try? BSON.read(cut) { #expect(try BSON.write(document) == cut) }
        }
    }

    @Test(arguments: [0, 1, 4, -1, Int(Int32.min), Int(Int32.max), 100, 13, 15])
    func wrongLengthsAreRefused(_ length: Int) {
        let length = Self.int32(length)
        let whole = Self.document(0x10, Self.int32(7))
        for bytes in [
            length + whole[4...],
            Self.document(0x03, length + [0]),
            Self.document(0x04, length + [0]),
            Self.document(0x02, length + [0]),
            Self.document(0x05, length + [0]),
            Self.document(0x0c, length + [0] + Array(1...12)),
            Self.document(0x0d, length + [0x61, 0x62, 0]),
            Self.document(0x0f, length + Self.string("f") + Self.document([])),
            Self.document(0x05, Self.int32(4) + [2] + length),
        ] {
            guard let document = try? BSON.read(bytes) else { continue }
            // The few that fit by chance must be right.
            #expect((try? BSON.write(document)) == bytes)
        }
        #expect(throws: BSONError.self) { try BSON.read(length + whole[4...]) }
    }

    @Test func malformedContentsAreRefused() {
        for bytes in [
            Self.document(0x08, [2]), Self.document(0x14, []), Self.document(0x00, []),
            Self.document(0x02, Self.int32(2) + [0xff, 0]),
            Self.document(0x02, Self.int32(1) + [1]),
            Self.document([(0x0a, "a", []), (0x0a, "a", [])]),
            Self.document((0...20).map { (0x0a, "\($0 % 20)a", []) }),
            Self.document(0x0b, [0x61]), Self.document(0x0b, [0x61, 0, 0x62]),
            Self.document([]) + [0], Array(Self.document([]).dropLast()) + [1],
            [14, 0, 0, 0, 0x0a, 0xff, 0, 0x0a, 0x62, 0, 0x0a, 0x63, 0, 0],
        ] {
            #expect(throws: BSONError.self) { try BSON.read(bytes) }
        }
        var options = BSONOptions()
        options.keepsDuplicates = true
        let twice = Self.document([(0x0a, "a", []), (0x08, "a", [1])])
        #expect((try? BSON.read(twice, options: options))?["a"] == .boolean(true))
    }

    @Test func depthAndCountAreLimited() throws {
        func nested(_ depth: Int, _ type: UInt8) -> [UInt8] {
            var bytes = Self.document([])
            for _ in 1..<depth { bytes = Self.document([(type, "0", bytes)]) }
            return bytes
        }
        var options = BSONOptions()
        options.depth = 20
        for type: UInt8 in [0x03, 0x04] {
            #expect(
                try BSON.write(BSON.read(nested(20, type), options: options)) == nested(20, type))
            #expect(throws: BSONError.self) { try BSON.read(nested(21, type), options: options) }
        }
        options.depth = .max
        #expect(throws: BSONError.self) { try BSON.read(nested(257, 0x03), options: options) }
        options.values = 3
        #expect(throws: BSONError.self) {
            try BSON.read(Self.document((0..<4).map { (0x0a, "\($0)", []) }), options: options)
        }
        options.bytes = 4
        #expect(throws: BSONError.self) { try BSON.read(Self.document([]), options: options) }
    }

    @Test func whatCannotBeWrittenIsRefused() {
        func refuses(_ document: Document) -> Bool { (try? BSON.write(document)) == nil }
        #expect(refuses(.array([])))
        #expect(refuses(.object([.init("a\u{0}b", .null)])))
        #expect(refuses(.object([.init("a", .unsigned(.max))])))
        var deep = Document.null
        for _ in 0..<300 { deep = .array([deep]) }
        #expect(refuses(.object([.init("a", deep)])))
        #expect(!refuses(.object([.init("a", .unsigned(5))])))
    }
}
