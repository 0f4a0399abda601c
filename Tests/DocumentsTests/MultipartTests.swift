import Testing
import WasmdDocuments

@Suite struct MultipartTests {
    struct Part: Equatable {
        var name: [UInt8]
        var file: [UInt8]?
        var content: [UInt8]
    }

    /// The parts of a form that arrives in pieces that end at the given places.
    private func parts(
        _ form: [UInt8], boundary: String = "b", cuts: [Int] = [],
        limits: MultipartParser.Limits = .init()
    ) throws -> [Part] {
        var parser = try MultipartParser(boundary: Array(boundary.utf8), limits: limits)
        var parts: [Part] = []
        var isOpen = false
        var start = 0
        for end in cuts + [form.count] {
            for event in try parser.feed(Array(form[start..<end])) {
                switch event {
                case .begin(let header):
                    #expect(!isOpen)
                    isOpen = true
                    parts.append(Part(name: header.name, file: header.fileName, content: []))
                case .content(let bytes):
                    #expect(isOpen && !bytes.isEmpty)
                    parts[parts.count - 1].content += bytes
                case .end:
                    #expect(isOpen)
                    isOpen = false
                }
            }
            start = end
        }
        try parser.finish()
        return parts
    }

    private static func form(_ contents: [String], boundary: String = "b") -> [UInt8] {
        var text = ""
        for (index, content) in contents.enumerated() {
            text += "--\(boundary)\r\nContent-Disposition: form-data; name=\"n\(index)\"\r\n\r\n"
            text += content + "\r\n"
        }
        return Array((text + "--\(boundary)--\r\n").utf8)
    }

    /// Contents that look like boundaries, as far as they can.
    static let tricky = [
        "", "\r", "\n", "\r\n", "\r\r\n", "\r\n-", "\r\n--", "\r\n--B", "--b", "\n--b", "\r--b",
        "\r\n\r\n--", "\r\n--\r\n--", "-", "--", "x\r\n--\r\n", "\r\n--a", "\r\n-b",
    ]

    @Test(arguments: tricky)
    func boundariesMaySplitAtEveryByte(_ content: String) throws {
        let form = Self.form([content, "y"])
        let expected = [
            Part(name: Array("n0".utf8), content: Array(content.utf8)),
            Part(name: Array("n1".utf8), content: Array("y".utf8)),
        ]
        #expect(try parts(form) == expected)
        for cut in 0...form.count { #expect(try parts(form, cuts: [cut]) == expected) }
        for size in 1...5 {
            #expect(
                try parts(form, cuts: Array(stride(from: size, to: form.count, by: size)))
                    == expected)
        }
        // What is cut off before the last hyphen is an error, whatever was cut.
        for count in 0..<form.count - 2 {
            #expect(throws: FormError.self) { try parts(Array(form[..<count])) }
        }
    }

    @Test func twoCutsAnywhereChangeNothing() throws {
        let form = Self.form(["a\r\n--bound", ""], boundary: "boundary")
        let expected = try parts(form, boundary: "boundary")
        #expect(expected.map(\.content) == [Array("a\r\n--bound".utf8), []])
        for first in 0...form.count {
            for second in stride(from: first, through: form.count, by: 3) {
                #expect(try parts(form, boundary: "boundary", cuts: [first, second]) == expected)
            }
        }
    }

    @Test func preambleAndEpilogueArePassedOver() throws {
        let form = Array("preamble\r\n--bx\r\n".utf8)
        #expect(throws: FormError.self) { try parts(form + Self.form(["x"])) }
        let plain =
            Array("preamble\r\n --b\r\n".utf8) + Self.form(["x"]) + Array("--b\r\nepilogue".utf8)
        #expect(try parts(plain).map(\.content) == [Array("x".utf8)])
        #expect(try parts(Array("--b--".utf8)).isEmpty)
        // White space after a boundary, RFC 2046.
        let padded = Array(
            "--b \t\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--b--".utf8)
        #expect(try parts(padded) == [Part(name: [0x61], content: [0x78])])
    }

    @Test(
        arguments: [
            ("form-data; name=\"a b\"", "a b", nil), ("form-data; name=a", "a", nil),
            ("FORM-DATA; NAME=\"a\"", "a", nil), ("form-data;name=\"a\";filename=\"\"", "a", ""),
            ("form-data; name=\"a\\\"b\"", "a\"b", nil),
            ("form-data; name=\"a%22%0D%0A%41\"", "a\"\r\n%41", nil),
            ("form-data; name=\"a;b=c\"; filename=\"x\\\\y\"", "a;b=c", "x\\y"),
            ("form-data; name=\"é\"", "é", nil), ("form-data; x; name=\"a\"", "a", nil),
            ("form-data; filename=f; name=a", "a", "f"),
            ("form-data; name=\"C:\\x\"", "C:\\x", nil),
        ] as [(String, String, String?)])
    func namesAreRead(_ value: String, _ name: String, _ file: String?) throws {
        let form = Array("--b\r\nX: y\r\ncontent-disposition:\(value)\r\n\r\n\r\n--b--".utf8)
        #expect(
            try parts(form)
                == [Part(name: Array(name.utf8), file: file.map { Array($0.utf8) }, content: [])])
    }

    @Test(arguments: [
        "--b\r\n\r\nx\r\n--b--", "--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--",
        "--b\r\nContent-Disposition: attachment; name=a\r\n\r\nx\r\n--b--",
        "--b\r\nNo colon\r\n\r\nx\r\n--b--", "--b\r\n: x\r\n\r\nx\r\n--b--",
        "--b\r\nA B: x\r\n\r\nx\r\n--b--", "--b\r\nA: x\n\r\n\r\nx\r\n--b--", "--bx", "--b\r",
        "--b-x",
        "--b\r\nA: x\r\n folded\r\n\r\n--b--",
        "--b\nContent-Disposition: form-data; name=a\n\nx\n--b--",
    ])
    func malformedFormsAreRefused(_ form: String) {
        let form = Array(form.utf8)
        #expect(throws: FormError.self) { try parts(form) }
        #expect(throws: FormError.self) { try parts(form, cuts: Array(1..<form.count)) }
    }

    @Test func limitsHold() throws {
        func refuses(_ form: [UInt8], _ change: (inout MultipartParser.Limits) -> Void) -> Bool {
            var limits = MultipartParser.Limits()
            change(&limits)
            let whole = (try? parts(form, limits: limits)) == nil
            let split = (try? parts(form, cuts: Array(1..<form.count), limits: limits)) == nil
            #expect(whole == split)
            return whole
        }
        let form = Self.form(["12345", "67"])
        #expect(refuses(form) { $0.bytes = form.count - 1 })
        #expect(!refuses(form) { $0.bytes = form.count })
        #expect(refuses(form) { $0.parts = 1 })
        #expect(!refuses(form) { $0.parts = 2 })
        #expect(refuses(form) { $0.headerBytes = 10 })
        #expect(refuses(form) { $0.partBytes = 4 })
        #expect(!refuses(form) { $0.partBytes = 5 })
        #expect(refuses(form) { $0.fieldBytes = 6 })
        #expect(!refuses(form) { $0.fieldBytes = 7 })
        #expect(refuses(Array("12345\r\n".utf8) + form) { $0.preambleBytes = 4 })
    }

    @Test func boundariesAreChecked() {
        for boundary in ["", String(repeating: "x", count: 71), "a ", "a\r\n", "é"] {
            #expect(throws: FormError.self) { try MultipartParser(boundary: Array(boundary.utf8)) }
        }
        func accepts(_ type: String) -> Bool {
            (try? MultipartParser(contentType: Array(type.utf8))) != nil
        }
        #expect(accepts("multipart/form-data; boundary=x"))
        #expect(accepts("Multipart/Form-Data;charset=utf-8; BOUNDARY=\"a b\""))
        #expect(!accepts("multipart/form-data"))
        #expect(!accepts("multipart/mixed; boundary=x"))
    }

    @Test func anErrorStays() throws {
        var parser = try MultipartParser(boundary: Array("b".utf8))
        #expect(throws: FormError.self) { try parser.feed(Array("--bxy".utf8)) }
        #expect(throws: FormError.self) { try parser.feed(Self.form(["x"])) }
        #expect(throws: FormError.self) { try parser.finish() }
    }
}
