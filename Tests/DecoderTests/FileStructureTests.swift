import Glibc
import Testing
import WasmDecoder

/// Header, order and sizes of sections (5.5.2, 5.5.16).
@Suite struct FileStructureTests {
    @Test func header() {
        for count in 0..<8 {
            let error = failure(Array(Wasm.header.prefix(count)))
            #expect(error == DecodingError(.unexpectedEnd, at: count))
        }
        for index in 0..<8 {
            for bit in 0..<8 {
                var bytes = Wasm.header
                bytes[index] ^= 1 << bit
                #expect(
                    failure(bytes)?.reason
                        == (index < 4 ? .magicHeaderNotDetected : .unknownBinaryVersion))
            }
        }
        #expect(failure(Array("asm\0\u{1}\0\0\0".utf8))?.message == "magic header not detected")
    }

    /// Every pair of known sections, empty: allowed in one order only, and none twice.
    @Test func orderOfSections() {
        let order: [UInt8] = [1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11]
        let empty = { (id: UInt8) in Wasm.section(id, [0x00]) }
        for (first, a) in order.enumerated() {
            for (second, b) in order.enumerated() {
                let error = failure(Wasm.module(empty(a), Wasm.custom("x", []), empty(b)))
                if first < second {
                    #expect(error == nil, "\(a) \(b)")
                } else {
                    #expect(
                        error == DecodingError(.unexpectedContentAfterLastSection, at: 15))
                }
            }
        }
        #expect(failure(Wasm.module(order.flatMap(empty))) == nil)
    }

    @Test func sectionIDs() {
        for id: UInt8 in [14, 15, 0x7f, 0x80, 0xff] {
            let error = failure(Wasm.module([id, 0x00]))
            #expect(error == DecodingError(.malformedSectionID, at: 8))
        }
    }

    @Test func sizes() {
        #expect(failure(Wasm.module([0x01])) == DecodingError(.unexpectedEnd, at: 9))
        #expect(
            failure(Wasm.module([0x01, 0x02, 0x00])) == DecodingError(.lengthOutOfBounds, at: 9))
        #expect(
            failure(Wasm.module([0x01, 0x02, 0x00, 0x00]))
                == DecodingError(.sectionSizeMismatch, at: 11))
        #expect(failure(Wasm.module([0x01, 0x01, 0x01])) == DecodingError(.unexpectedEnd, at: 11))
        #expect(
            failure(Wasm.module([0x01, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00]))?.reason
                == .integerRepresentationTooLong)
        #expect(
            failure(Wasm.module([0x01, 0x80, 0x80, 0x80, 0x80, 0x10]))?.reason == .integerTooLarge)
        #expect(
            failure(Wasm.module([0x01, 0xff, 0xff, 0xff, 0xff, 0x0f]))?.reason
                == .lengthOutOfBounds)
    }

    /// A count that cannot be true reserves no memory.
    @Test func absurdCounts() {
        for id: UInt8 in [1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 13] {
            let error = failure(
                Wasm.module(Wasm.section(id, [0xff, 0xff, 0xff, 0xff, 0x0f, 0x00, 0x00, 0x00])))
            #expect(error == DecodingError(.lengthOutOfBounds, at: 10))
        }
    }

    @Test func countsThatMustAgree() {
        let types = Wasm.section(1, items: [Wasm.emptyFunctionType])
        let functions = Wasm.section(3, items: [[0x00]])
        let code = Wasm.section(10, items: [Wasm.body([0x0b])])
        let data = Wasm.section(11, items: [[0x01, 0x00]])
        let reason = { (sections: [UInt8]...) in
            failure(Wasm.header + sections.flatMap { $0 })?.reason
        }
        #expect(reason(types, functions, code) == nil)
        #expect(reason(types, functions) == .functionAndCodeInconsistent)
        #expect(reason(types, code) == .functionAndCodeInconsistent)
        #expect(
            reason(types, functions, Wasm.section(10, items: [])) == .functionAndCodeInconsistent)
        #expect(reason(Wasm.section(3, items: []), Wasm.section(10, items: [])) == nil)
        #expect(reason(Wasm.section(3, items: [])) == nil)
        #expect(reason(data) == nil)
        #expect(reason(Wasm.section(12, [0x01]), data) == nil)
        #expect(reason(Wasm.section(12, [0x00]), data) == .dataCountAndDataInconsistent)
        #expect(reason(Wasm.section(12, [0x02]), data) == .dataCountAndDataInconsistent)
        #expect(reason(Wasm.section(12, [0x01])) == .dataCountAndDataInconsistent)
        #expect(reason(Wasm.section(12, [0x00])) == nil)
        // What is wrong with the rest comes first.
        #expect(reason(types, functions, data, code) == .unexpectedContentAfterLastSection)
    }

    @Test func codeSizes() {
        let types = Wasm.section(1, items: [Wasm.emptyFunctionType])
        let functions = Wasm.section(3, items: [[0x00]])
        let reason = { (code: [UInt8]) in
            failure(Wasm.module(types, functions, Wasm.section(10, code)))?.reason
        }
        #expect(reason([0x01, 0x03, 0x00, 0x0b]) == .unexpectedEnd)
        #expect(reason([0x01, 0x02, 0x00, 0x0b, 0x0b]) == .sectionSizeMismatch)
        #expect(reason([0x01, 0x00]) == nil)
    }

    /// Names are well-formed UTF-8 and nothing else (5.2.4).
    @Test func names() throws {
        let good: [[UInt8]] = [
            [], [0x00], [0x7f], [0xc2, 0x80], [0xdf, 0xbf], [0xe0, 0xa0, 0x80],
            [0xed, 0x9f, 0xbf], [0xee, 0x80, 0x80], [0xef, 0xbf, 0xbf], [0xf0, 0x90, 0x80, 0x80],
            [0xf4, 0x8f, 0xbf, 0xbf],
        ]
        let bad: [[UInt8]] = [
            [0x80], [0xbf], [0xc0, 0x80], [0xc1, 0xbf], [0xc2], [0xc2, 0x2e], [0xe0, 0x9f, 0xbf],
            [0xed, 0xa0, 0x80], [0xed, 0xbf, 0xbf], [0xe2, 0x82], [0xe2, 0x82, 0xc0],
            [0xf0, 0x8f, 0xbf, 0xbf], [0xf4, 0x90, 0x80, 0x80], [0xf5, 0x80, 0x80, 0x80],
            [0xf0, 0x90, 0x80], [0xfe], [0xff],
        ]
        for bytes in good {
            let name = try decode(Wasm.module(custom(name: bytes))).customSections.first?.name
            #expect(name?.utf8 == bytes)
        }
        for bytes in bad {
            #expect(
                failure(Wasm.module(custom(name: [0x61] + bytes)))
                    == DecodingError(.malformedUTF8, at: 12), "\(bytes)")
        }
    }

    /// The standard library agrees about every sequence of two and three bytes.
    @Test func shortSequences() {
        for first in UInt8(0x78)...0xff {
            for second in stride(from: UInt8(0), to: 0xff, by: 3) {
                for third: UInt8 in [0x00, 0x41, 0x7f, 0x80, 0x9f, 0xa0, 0xbf, 0xc0, 0xff] {
                    let bytes = [first, second, third]
                    let isValid = String(validating: bytes, as: UTF8.self) != nil
                    let isName = failure(Wasm.module(custom(name: bytes))) == nil
                    if isValid != isName { Issue.record("\(bytes)") }
                }
            }
        }
    }

    private func custom(name: [UInt8]) -> [UInt8] {
        Wasm.section(0, Wasm.unsigned(UInt64(name.count)) + name)
    }

    // MARK: Files

    @Test func missingFile() {
        #expect(throws: FileError(errno: ENOENT, path: "/nonexistent/x.wasm")) {
            try ModuleBytes(path: "/nonexistent/x.wasm")
        }
        #expect(throws: FileError.self) { try ModuleBytes(path: "/") }
    }

    /// Small and large files, and a change of the file that the bytes do not show.
    @Test(arguments: [0, 1, 5000, 65535, 65536, 300_001])
    func filesOfAllSizes(count: Int) throws {
        let content = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let path = "/tmp/wasmd-decoder-test-\(getpid())-\(count)"
        let file = try #require(fopen(path, "w"))
        fwrite(content, 1, count, file)
        fclose(file)
        defer { unlink(path) }
        let bytes = try ModuleBytes(path: path)
        let rewritten = try #require(fopen(path, "w"))
        fputs("other", rewritten)
        fclose(rewritten)
        #expect(bytes.count == count)
        #expect(bytes[bytes.range] == content)
        #expect(bytes[ByteRange(start: -5, end: 3)] == Array(content.prefix(3)))
        #expect(bytes[ByteRange(start: count + 3, end: count + 9)] == [])
        #expect(bytes[ByteRange(start: 2, end: 1)] == [])
    }

    /// Files without a size, as pipes are, are read to their end.
    @Test func fileWithoutSize() throws {
        #expect(try ModuleBytes(path: "/proc/self/maps").count > 0)
    }
}
