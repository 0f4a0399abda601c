import Testing
import WasmDecoder

@testable import WasmText

extension TextPrinter {
    init(folded: Bool = false, offsets: Bool = false, names: Names = .section) {
        self.init()
        isFolded = folded
        showsOffsets = offsets
        self.names = names
    }

    /// All ways of printing that keep the module.
    static let faithful = [
        TextPrinter(), TextPrinter(folded: true), TextPrinter(offsets: true),
        TextPrinter(folded: true, offsets: true),
    ]

    func string(_ binary: [UInt8]) throws -> String {
        let module = try decode(ModuleBytes(binary), features: [.all, .legacyExceptions])
        return String(decoding: try print(module), as: UTF8.self)
    }
}

/// The module of a text as it is printed, without the outermost parenthesis and its indentation.
func printed(_ text: String, _ printer: TextPrinter = TextPrinter()) throws -> [String] {
    let lines = try printer.string(assemble(text)).split(separator: "\n")
    return lines.dropFirst().dropLast().map { String($0.dropFirst(2)) }
}

/// The binary must come back from each of its texts.
func expectSameBytes(
    _ binary: [UInt8], _ comment: @autoclosure () -> String = "",
    sourceLocation: SourceLocation = #_sourceLocation
) throws {
    for printer in TextPrinter.faithful {
        let text = try printer.string(binary)
        let again = assemble(text, sourceLocation: sourceLocation)
        if again != binary {
            Issue.record("\(comment()): other bytes from\n\(text)", sourceLocation: sourceLocation)
        }
    }
}

/// A module of one function without parameters, locals and results, with these instructions.
///
/// `usesData` adds a data count section, which instructions that name data segments need.
func module(body: [UInt8], usesData: Bool = false) -> [UInt8] {
    var code = ByteWriter()
    code.vector([0] + body + [0x0b])
    var bytes: [UInt8] = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0]
    bytes += usesData ? [12, 1, 0, 10] : [10]
    var content = ByteWriter()
    content.count(1)
    content.append(code)
    var section = ByteWriter()
    section.vector(content.bytes)
    bytes += section.bytes
    return bytes
}
