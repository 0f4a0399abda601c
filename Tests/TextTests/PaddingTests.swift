import Testing
import WasmDecoder

@testable import WasmText

/// Modules whose encoding is not the one that the parser chooses come back byte for byte.
@Suite struct PaddingTests {
    private static let header: [UInt8] = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]

    private func section(_ id: UInt8, _ content: [UInt8], width: Int = 1) -> [UInt8] {
        var writer = ByteWriter()
        writer.byte(id)
        writer.count(content.count, width: width)
        writer.append(content)
        return writer.bytes
    }

    /// A module of functions without parameters and results.
    private func module(
        bodies: [[UInt8]], before: [UInt8] = [], sizeWidth: Int = 1, behind: [UInt8] = []
    ) -> [UInt8] {
        var code = ByteWriter()
        code.count(bodies.count)
        for body in bodies {
            code.count(body.count, width: sizeWidth)
            code.append(body)
        }
        let count = UInt8(bodies.count)
        return Self.header + section(1, [1, 0x60, 0, 0])
            + section(3, [count] + [UInt8](repeating: 0, count: bodies.count)) + before
            + section(10, code.bytes) + behind
    }

    private func text(_ binary: [UInt8], _ printer: TextPrinter = TextPrinter()) throws -> String {
        try printer.string(binary)
    }

    // MARK: Functions

    @Test func instructions() throws {
        let bodies: [[UInt8]] = [
            // call, global.get, i32.const positive and negative, i64.const, drop
            [0, 0x10, 0x80, 0x80, 0x80, 0x80, 0, 0x0b],
            [0, 0x41, 0x81, 0x80, 0, 0x1a, 0x41, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x1a, 0x0b],
            [0, 0x42, 0xc0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x1a, 0x0b],
            [0, 0x42, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0, 0x1a, 0x0b],
            // Two numbers side by side, of the largest and the smallest width.
            [0, 0x11, 0x80, 0, 0x80, 0x80, 0x80, 0x80, 0, 0x0b],
            // memory.copy with a padded opcode and padded memories
            [0, 0xfc, 0x8a, 0x80, 0, 0x80, 0, 0x80, 0x80, 0, 0x0b],
            // i32.load with padded flags and offset, with memory 0 by name, with another memory
            [0, 0x28, 0x82, 0, 0x84, 0x80, 0x80, 0x80, 0, 0x1a, 0x0b],
            [0, 0x28, 0x42, 0, 4, 0x1a, 0x0b], [0, 0x28, 0x42, 0x80, 0, 4, 0x1a, 0x0b],
            [0, 0x28, 0xc2, 0, 0x81, 0, 0x84, 0, 0x1a, 0x0b],
            // block types: an index, a long form of funcref
            [0, 0x02, 0x80, 0x80, 0, 0x0b, 0x0b], [0, 0x02, 0x63, 0x70, 0x0b, 0x0b],
            // br_table, select with types, ref.null, br_on_cast, try_table
            [0, 0x0e, 0x81, 0, 0x80, 0, 0x80, 0x80, 0, 0x0b],
            [0, 0x1c, 0x81, 0, 0x63, 0x6f, 0x0b], [0, 0xd0, 0x80, 0x80, 0, 0x0b],
            [0, 0xfb, 0x98, 0, 3, 0x80, 0, 0x80, 0, 0x81, 0, 0x0b],
            [0, 0x1f, 0x40, 0x82, 0, 0, 0x80, 0, 0x80, 0, 2, 0x80, 0, 0x0b, 0x0b],
        ]
        for body in bodies {
            try expectSameBytes(module(bodies: [body, [0, 0x0b]]))
            #expect(try text(module(bodies: [body])).contains("(@wasmd.padding 0x"), "\(body)")
        }
    }

    @Test func locals() throws {
        let bodies: [[UInt8]] = [
            [0x82, 0, 1, 0x7f, 0x81, 0, 0x7e, 0x0b],
            [2, 1, 0x7f, 1, 0x7f, 0x0b], [2, 0, 0x7f, 1, 0x7e, 0x0b], [1, 0, 0x7f, 0x0b],
            [1, 1, 0x63, 0x70, 0x0b], [3, 1, 0x7f, 0, 0x7e, 2, 0x7f, 0x0b],
        ]
        for body in bodies { try expectSameBytes(module(bodies: [body])) }
    }

    @Test func sizesOfBodies() throws {
        let binary = module(bodies: [[0, 0x0b], [0, 1, 0x0b]], sizeWidth: 5)
        try expectSameBytes(binary)
        #expect(try text(binary).contains("\n    (@wasmd.padding size:5))\n"))
    }

    /// The form that docs/text.md describes.
    @Test func annotation() throws {
        let body: [UInt8] =
            [0, 0x10, 0x80, 0x80, 0x80, 0x80, 0, 0x41, 0xff, 0x7f, 0x1a, 0x28, 0x42, 0, 4, 0x0b]
        let lines = try text(module(bodies: [body])).split(separator: "\n")
        let annotation = try #require(lines.first { $0.contains("@wasmd.padding") })
        #expect(annotation.hasSuffix(#" 2 2:-2 3/1 "B\00"))"#), "\(annotation)")
    }

    @Test func branchHintsOfPaddedCode() throws {
        let text = """
            (module (func
              (i32.const 0) drop
              (@metadata.code.branch_hint "\\01") (if (i32.const 1) (then))))
            """
        var binary = assemble(text)
        // The first constant gets longer: the body, its section and the offset of the hint, too.
        let constant = try #require(
            binary.indices.first { binary[$0...].starts(with: [0x41, 0, 0x1a]) })
        binary.replaceSubrange(constant + 1...constant + 1, with: [0x80, 0])
        binary[constant - 2] += 1
        binary[constant - 4] += 1
        let hint = try #require(
            binary.indices.first { binary[$0...].starts(with: [6, 1, 1, 0x0a]) })
        binary[hint] += 1
        try expectSameBytes(binary)
        #expect(try self.text(binary).contains("@metadata.code.branch_hint"))
    }

    @Test func placesInPaddedCode() throws {
        let binary = module(bodies: [[0, 0x10, 0x80, 0x80, 0, 0x41, 1, 0x0b]])
        let text = Array(try self.text(binary).utf8)
        for (offset, word) in [(1, "call"), (5, "i32.const")] {
            let place = try #require(placeOfInstruction(in: text, function: 0, offset: offset))
            #expect(String(decoding: text[place.range], as: UTF8.self) == word)
        }
    }

    // MARK: Sections

    @Test func sections() throws {
        let long: [UInt8] = [0x80, 0x80, 0]
        let sections: [[UInt8]] = [
            // Types: groups of one, final without supertypes, padded counts, long references.
            section(1, [2, 0x4e, 1, 0x60, 0, 0, 0x4e, 0x81, 0, 0x4f, 0, 0x60, 0, 0]),
            section(
                1,
                [0x83, 0, 0x4f, 0x80, 0, 0x5f, 0, 0x50, 0x81, 0] + long + [0x5e, 0x78, 1]
                    + [0x60, 0x81, 0, 0x63, 0x70, 0x80, 0]),
            section(1, [0]), section(1, [0x80, 0]), section(2, [0]), section(3, [0]),
            section(4, [0]), section(5, [0]), section(13, [0]), section(6, [0]), section(7, [0]),
            section(9, [0]), section(10, [0]), section(11, [0]), section(12, [0]),
            section(5, [1, 0, 1], width: 3),
            // Imports
            section(2, [1, 0x81, 0, 0x61, 0x80, 0, 2, 0, 0x81, 0]),
            section(2, [1, 0, 0, 1, 0x63, 0x70, 1, 0x81, 0, 0x82, 0]),
            // Memories and tables: the usual page size, padded limits, an initializer
            section(5, [1, 8, 1, 16]), section(5, [1, 9, 0x81, 0, 2, 0x90, 0]),
            section(4, [1, 0x40, 0, 0x63, 0x70, 0, 0x80, 0, 0xd0, 0x70, 0x0b]),
            // Globals with padded constants
            section(6, [1, 0x63, 0x6f, 0, 0xd0, 0x6f, 0x0b]),
            section(6, [1, 0x7f, 0, 0x41, 0x80, 0x80, 0, 0x0b]),
            section(7, [1, 0x81, 0, 0x61, 3, 0x80, 0]), section(8, [0x80, 0]),
            // Element segments: every kind, padded; long forms for table 0
            section(9, [1, 0x80, 0, 0x41, 0x80, 0, 0x0b, 0x81, 0, 0x80, 0]),
            section(9, [1, 2, 0, 0x41, 0, 0x0b, 0, 1, 0]),
            section(9, [1, 2, 0x80, 0, 0x41, 0, 0x0b, 0, 0]),
            section(9, [1, 6, 0, 0x41, 0, 0x0b, 0x70, 1, 0xd2, 0x80, 0, 0x0b]),
            section(9, [1, 6, 0, 0x41, 0, 0x0b, 0x63, 0x70, 0]),
            section(9, [1, 6, 0, 0x41, 0, 0x0b, 0x6f, 0]),
            section(9, [1, 2, 1, 0x41, 0, 0x0b, 0, 0]), section(9, [1, 0x81, 0, 0, 0]),
            section(9, [1, 3, 0, 1, 0x80, 0]), section(9, [1, 5, 0x63, 0x70, 0]),
            section(9, [1, 7, 0x70, 0x80, 0]),
            // Data segments
            section(11, [1, 0x80, 0, 0x41, 0, 0x0b, 0x81, 0, 0x61]), section(11, [1, 0x81, 0, 0]),
            section(11, [1, 2, 0, 0x41, 0, 0x0b, 0]),
            section(11, [1, 2, 0x80, 0, 0x41, 0, 0x0b, 0]),
            section(11, [1, 2, 0x81, 0, 0x41, 0, 0x0b, 0]),
            // A data count that nothing needs
            section(12, [0x80, 0]), section(12, [1]) + section(11, [1, 1, 0]),
            // Custom sections
            section(0, [0x81, 0, 0x61, 1], width: 5) + section(0, [1, 0x62])
                + section(1, [0], width: 4),
        ]
        for section in sections { try expectSameBytes(Self.header + section, "\(section)") }
    }

    @Test func dataCountIsMissing() throws {
        // data.drop without the section that it needs: not valid, but decodable.
        try expectSameBytes(
            module(bodies: [[0, 0xfc, 9, 0, 0x0b]], behind: section(11, [1, 1, 0])))
    }

    // MARK: Names

    private func custom(_ name: String, _ content: [UInt8]) -> [UInt8] {
        section(0, [UInt8(name.utf8.count)] + Array(name.utf8) + content)
    }

    @Test func nameSections() throws {
        let f: [UInt8] = [1, 4, 1, 0, 1, 0x66]
        let module = module(bodies: [[1, 1, 0x7f, 0x02, 0x40, 0x0b, 0x0b], [0, 0x0b]])
        let names: [[UInt8]] = [
            // Padded, unsorted, twice, of what is not there, of later tools, in another order, empty
            [1, 0x84, 0] + f.dropFirst(2), [1, 7, 2, 1, 1, 0x67, 0, 1, 0x66],
            [1, 7, 2, 0, 1, 0x66, 0, 1, 0x67], [1, 4, 1, 9, 1, 0x66], f + [50, 1, 7],
            [4, 4, 1, 0, 1, 0x74] + f, f + [0, 2, 1, 0x6d], [], [1, 1, 0], [2, 1, 0],
            // Locals and labels of what is there and what is not
            [2, 6, 1, 0, 1, 0, 1, 0x61], [2, 6, 1, 0, 1, 1, 1, 0x61], [2, 6, 1, 9, 1, 0, 1, 0x61],
            [3, 6, 1, 0, 1, 0, 1, 0x6c], [3, 6, 1, 0, 1, 1, 1, 0x6c], [3, 5, 1, 0, 1, 0, 0],
            [1, 3, 1, 0, 0], [1, 7, 2, 0, 1, 0x66, 1, 1, 0x66],
            [10, 6, 1, 0, 1, 0, 1, 0x66],
        ]
        for content in names {
            try expectSameBytes(module + custom("name", content), "\(content)")
            // At the start, where names are not expected.
            let start = Self.header + custom("name", content) + module.dropFirst(8)
            try expectSameBytes(start, "\(content)")
            try expectSameBytes(start + custom("x", []) + custom("name", [1, 2, 3]), "\(content)")
        }
        // Malformed: nothing becomes an identifier.
        try expectSameBytes(module + custom("name", [1, 0x87, 7]))
    }

    @Test func secondNameSection() throws {
        // The first counts; the second is malformed.
        let binary =
            Self.header + custom("name", [1, 4, 1, 0, 1, 0x66])
            + custom("name", [2, 0x87, 7, 0x57])
            + section(1, [1, 0x60, 0, 0]) + section(3, [1, 0]) + section(10, [1, 2, 0, 0x0b])
        try expectSameBytes(binary)
        var printer = TextPrinter()
        printer.keepsPadding = false
        let again = assemble(try printer.string(binary))
        let module = try decode(ModuleBytes(again))
        #expect(module.names()?.functions[0] == "f")
    }

    // MARK: Sections with offsets

    private static let padded: [UInt8] = [0, 0x10, 0x80, 0x80, 0x80, 0x80, 0, 0x0b]

    @Test func offsetsStayRightOrGo() throws {
        let customs =
            custom(".debug_line", [1]) + custom("linking", [2]) + custom("reloc.CODE", [3])
            + custom("sourceMappingURL", [4]) + custom("producers", [5])
        let binary = module(bodies: [Self.padded, [0, 1, 0x0b]], behind: customs)
        try expectSameBytes(binary)
        let text = try text(binary)

        func dropped(_ text: String) throws -> [Name] {
            let module = try assembleModule(Array(text.utf8))
            let left = try decode(ModuleBytes(module.bytes)).customSections.map(\.name)
            #expect(left.count + module.droppedSections.count == 5)
            #expect(left.contains("producers"))
            return module.droppedSections
        }
        #expect(try dropped(text) == [])
        // Changed code: nothing fits any more.
        let all: [Name] = [".debug_line", "linking", "reloc.CODE", "sourceMappingURL"]
        #expect(try dropped(text.replacing("nop", with: "nop nop")) == all)
        #expect(try dropped(text.replacing("nop", with: "return")) == all)
        // Something before the code got longer: it still is the same code.
        let moved = text.replacing("(func (;0;)", with: "(func (;0;) (export \"f\")")
        #expect(try dropped(moved) == ["linking", "reloc.CODE", "sourceMappingURL"])
        // Data is behind the code.
        #expect(
            try dropped(text.replacing("\n)", with: "\n(data \"x\"))"))
                == ["linking", "reloc.CODE"])
        // Written by hand: nothing is known, nothing is left out.
        let hand = "(module (@custom \".debug_line\" \"x\") (func))"
        #expect(try assembleModule(Array(hand.utf8)).droppedSections == [])
    }

    @Test func withoutPadding() throws {
        var printer = TextPrinter()
        printer.keepsPadding = false
        func report(_ binary: [UInt8]) throws -> (dropped: [Name], text: String) {
            var text: [UInt8] = []
            let module = try decode(ModuleBytes(binary))
            let report = try printer.print(module) {
                text += $0; return true
            }
            return (report.droppedSections, String(decoding: text, as: UTF8.self))
        }
        let line = custom(".debug_line", [1])
        let padded = try report(module(bodies: [Self.padded], behind: line))
        #expect(padded.dropped == [".debug_line"])
        #expect(!padded.text.contains("wasmd.") && !padded.text.contains("debug"))
        // Nothing is padded: nothing is lost.
        let plain = module(bodies: [[0, 1, 0x0b]], behind: line)
        #expect(try report(plain).dropped == [])
        #expect(assemble(try report(plain).text) == plain)
    }

    // MARK: Annotations that do not fit

    @Test func changedFunctionsLoseTheirPadding() throws {
        let text = try text(module(bodies: [Self.padded, [0, 1, 0x0b]]))
        let changed = assemble(text.replacing("call 0", with: "call 1"))
        #expect(changed == module(bodies: [[0, 0x10, 1, 0x0b], [0, 1, 0x0b]]))
    }

    @Test func malformedAnnotations() {
        let malformed = TextError.Reason.malformedAnnotation(.malformedPadding)
        for content in [
            "x", "1 x", "1 2:", "1 2:11", "1 2:-", "1 2/", "1 2/x", "1 -1", "size:6", "size:0",
            "size:",
            "1 2 \"x\"", "0x100000000 1", "1 9999999999",
        ] {
            #expect(reason("(func (@wasmd.padding \(content)))") == malformed, "\(content)")
        }
        #expect(reason("(func (@wasmd.padding 1 0 999999999 999999999 999999999))") == malformed)
        #expect(reason("(@wasmd.padding custom x)") == malformed)
        #expect(reason("(@wasmd.padding custom 0 size:9)") == malformed)
        #expect(reason("(@wasmd.offsets code:1)") == malformed)
        #expect(reason("(@wasmd.padding nothing)") == .malformedAnnotation(.malformedSection))
        #expect(reason("(@wasmd.names x)") == .malformedAnnotation(.malformedPlacement))
        #expect(reason("(func nop (@wasmd.padding) nop)") == .misplacedAnnotation)
        #expect(reason("(func (@wasmd.padding) (@wasmd.padding))") == .duplicateAnnotation)
        #expect(reason("(@wasmd.padding type) (@wasmd.padding type)") == .duplicateAnnotation)
        #expect(
            reason("(@wasmd.names (after code)) (@wasmd.names (after code))")
                == .duplicateAnnotation)
        // Right in form, made for something else: they mean nothing.
        for content in ["1 0", "1 5", "1 900:10", "1 0/700 \"x\"", "1 0/0 \"x\" 0:-3"] {
            #expect(
                assemble("(func (@wasmd.padding \(content)))") == assemble("(func)"), "\(content)")
        }
    }

    // MARK: All decodable modules

    /// Bytes of sections and bodies are changed into longer forms, or anything; what can be decoded
    /// and printed comes back.
    @Test(arguments: 0..<8) func randomForms(_ seed: UInt64) throws {
        var random = Random(state: seed &* 0x9e37_79b9 &+ 1)
        let source = assemble(PrinterTests.example)
        var found = 0
        for _ in 0..<300 {
            let binary = Self.loosened(source, &random)
            guard
                let module = try? decode(ModuleBytes(binary), features: [.all, .legacyExceptions])
            else { continue }
            for printer in [TextPrinter(), TextPrinter(folded: true)] {
                guard let text = try? printer.print(module) else { continue }
                #expect(assemble(String(decoding: text, as: UTF8.self)) == binary)
                found += 1
            }
        }
        #expect(found > 50)
    }

    private struct Random {
        var state: UInt64

        mutating func below(_ limit: Int) -> Int {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return limit > 0 ? Int(state % UInt64(limit)) : 0
        }
    }

    private static func loosened(_ binary: [UInt8], _ random: inout Random) -> [UInt8] {
        guard let module = try? decode(ModuleBytes(binary), features: .all) else { return [] }
        var result = header
        for span in module.sections {
            var reader = module.reader(of: span.range)
            reader.offset = span.range.start + 1
            _ = try? reader.unsigned32()
            var content = ByteWriter()
            if span.id == 10 {
                content.count(module.bodies.count, width: random.below(3))
                for range in module.bodies {
                    let body = changed(Array(binary[range.start..<range.end]), 2, &random)
                    content.count(body.count, width: random.below(6))
                    content.append(body)
                }
            } else {
                let bytes = Array(binary[reader.offset..<span.range.end])
                content.append(random.below(6) == 0 ? changed(bytes, 1, &random) : bytes)
            }
            var section = ByteWriter()
            section.byte(span.id)
            section.count(content.count, width: random.below(6))
            section.append(content)
            result += section.bytes
        }
        return result
    }

    private static func changed(
        _ bytes: [UInt8], _ count: Int, _ random: inout Random
    ) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<count where !bytes.isEmpty {
            let index = random.below(bytes.count)
            let byte = bytes[index]
            switch random.below(10) {
            case 0..<6 where byte < 0x80:
                let fill: UInt8 = byte & 0x40 != 0 && random.below(2) == 0 ? 0xff : 0x80
                let more = [UInt8](repeating: fill, count: random.below(4))
                bytes.replaceSubrange(index...index, with: [byte | 0x80] + more + [fill & 0x7f])
            case 6: bytes.insert(0x63, at: index)
            case 7: bytes.replaceSubrange(index...index, with: [byte | 0x40, 0])
            case 8: bytes.insert([0x4e, 1, 0x4f, 0, 2, 0x40][random.below(6)], at: index)
            default: bytes[index] = UInt8(truncatingIfNeeded: random.below(256))
            }
        }
        return bytes
    }
}
