import WasmDebugInfo
import WasmDecoder

/// The guest `lines.c`, compiled with each version of DWARF.
enum Guest {
    private static let root = #filePath.split(separator: "/").dropLast(3).reduce(into: "") {
        $0 += "/\($1)"
    }

    static func path(dwarf version: Int) -> String {
        version == 5
            ? "\(root)/Tests/Guests/lines.wasm"
            : "\(root)/Tests/Guests/dwarf/lines-\(version).wasm"
    }

    static func module(dwarf version: Int) throws -> ParsedModule {
        try decode(ModuleBytes(path: path(dwarf: version)))
    }

    static func debugInfo(dwarf version: Int) throws -> DebugInfo? {
        DebugInfo(try module(dwarf: version))
    }
}

/// A module with a function of `codeSize` bytes of `nop`, and custom sections.
struct SmallModule {
    var codeSize = 64
    var sections: [(name: String, content: [UInt8])] = []

    /// The content of the code section begins behind magic, version, types and functions, and its
    /// own id and size.
    static let codeStart = 8 + 6 + 4 + 3

    func debugInfo() throws -> DebugInfo? { DebugInfo(try decode(ModuleBytes(bytes))) }

    var bytes: [UInt8] {
        var bytes: [UInt8] = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]
        bytes += [1, 4, 1, 0x60, 0, 0]
        bytes += [3, 2, 1, 0]
        let body = [0] + Array(repeating: UInt8(1), count: codeSize) + [0x0b]
        let code = [1] + Self.fixedLEB(body.count, 2) + body
        bytes += [10] + Self.fixedLEB(code.count, 2) + code
        for section in sections {
            let content = [UInt8(section.name.utf8.count)] + section.name.utf8 + section.content
            bytes += [0] + Self.fixedLEB(content.count, 5) + content
        }
        return bytes
    }

    /// An unsigned number in so many bytes.
    static func fixedLEB(_ value: Int, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(value >> (7 * $0) & 0x7f) | ($0 + 1 < count ? 0x80 : 0) }
    }
}

func little(_ value: UInt64, _ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
}

/// A line program of version 4 with one file, `a.c`.
func lineUnit(_ program: [UInt8], is64Bit: Bool = false, lineRange: UInt8 = 14) -> [UInt8] {
    let size = is64Bit ? 8 : 4
    var header: [UInt8] = [1, 1, 1, 0xfb, lineRange, 13]
    header += [0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1]
    header += [0]
    header += Array("a.c".utf8) + [0, 0, 0, 0] + [0]
    let content = little(4, 2) + little(UInt64(header.count), size) + header + program
    let length = little(UInt64(content.count), size)
    return (is64Bit ? little(0xffff_ffff, 4) : []) + length + content
}

/// A line program of version 5 whose first file is `a.c`, and the others have empty names.
///
/// - Parameter formats: further pairs of content and form, of no bytes.
func lineUnit5(_ program: [UInt8], fileCount: Int, formats: [UInt8] = []) -> [UInt8] {
    var header: [UInt8] = [1, 1, 1, 0xfb, 14, 13, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1]
    // A folder without a name.
    header += [1, 1, 8, 1, 0]
    header += [UInt8(1 + formats.count / 2), 1, 8] + formats + SmallModule.fixedLEB(fileCount, 4)
    header += Array("a.c".utf8) + Array(repeating: 0, count: fileCount)
    let content = little(5, 2) + [4, 0] + little(UInt64(header.count), 4) + header + program
    return little(UInt64(content.count), 4) + content
}

/// Opcodes of line programs.
enum Line {
    static func address(_ value: UInt64) -> [UInt8] { [0, 5, 2] + little(value, 4) }
    static let end: [UInt8] = [0, 1, 1]
    static let copy: [UInt8] = [1]
    static func advance(_ bytes: UInt8) -> [UInt8] { [2, bytes] }
    static func line(_ delta: UInt8) -> [UInt8] { [3, delta] }
}
