import Testing

@testable import WasmDecoder

/// Files that are no modules are named.
@Suite struct FileFormatTests {
    @Test func formats() {
        let files: [([UInt8], FileFormat?)] = [
            ([], .empty), ([0x1f, 0x8b, 8], .gzip), (Array("PK\u{3}\u{4}..".utf8), .zip),
            ([0x7f, 0x45, 0x4c, 0x46, 2], .elf), (Array("#!/bin/sh".utf8), .script),
            (Array("!<arch>\n".utf8), .archive), ([0x28, 0xb5, 0x2f, 0xfd], .zstandard),
            ([0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0], .component),
            ([0xef, 0xbb, 0xbf, 0x28], .byteOrderMark), ([0xff, 0xfe, 0x28, 0], .utf16),
            ([0xfe, 0xff, 0, 0x28], .utf16), ([0x28, 0, 0x6d, 0], .utf16),
            ([0, 0x28, 0, 0x6d], .utf16), ([0xff, 0xfe, 0, 0], .utf32),
            ([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0], nil), (Array("(module)".utf8), nil), ([7], nil),
            (Array("<!DOCTYPE html>".utf8), .html), ([0x42, 0x43, 0xc0, 0xde], .bitcode),
        ]
        for (bytes, format) in files { #expect(FileFormat(bytes) == format, "\(bytes)") }
    }

    @Test func errorsNameThem() {
        func message(_ bytes: [UInt8]) -> String? {
            do {
                _ = try decode(ModuleBytes(bytes))
                return nil
            } catch { return error.message }
        }
        #expect(
            message([0x1f, 0x8b, 8, 0])
                == "magic header not detected: \(FileFormat.gzip.message)")
        #expect(message(Array(" (module)".utf8))?.contains("looks like the text format") == true)
        #expect(message(Array("# A title".utf8))?.contains("begins with '('") == true)
        #expect(message([0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0])?.contains("component") == true)
        #expect(message([1, 2, 3, 4, 5, 6, 7, 8]) == "magic header not detected")
    }

    @Test func redundantForms() throws {
        func found(_ bytes: [UInt8], _ read: (inout BinaryReader) throws -> Void) rethrows -> Bool {
            let module = ModuleBytes(bytes)
            var reader = BinaryReader(module, range: module.range, features: .all)
            try read(&reader)
            return withExtendedLifetime(module) { reader.hasRedundantForms }
        }
        #expect(try !found([0x80, 1]) { _ = try $0.unsigned32() })
        #expect(try found([0x81, 0]) { _ = try $0.unsigned32() })
        #expect(try found([0x80, 0x80, 0]) { _ = try $0.unsigned64() })
        #expect(try !found([0xc0, 0]) { _ = try $0.signed32() })
        #expect(try found([0xff, 0x7f]) { _ = try $0.signed32() })
        #expect(try !found([0xbf, 0x7f]) { _ = try $0.signed64() })
        #expect(try found([0x63, 0x70]) { _ = try $0.valueType() })
        #expect(try !found([0x64, 0x70]) { _ = try $0.valueType() })
        #expect(try found([0x42, 0, 1]) { _ = try $0.memoryArgument() })
        #expect(try !found([0x42, 1, 1]) { _ = try $0.memoryArgument() })
    }
}
