import Testing
import WasmDecoder

@testable import WasmText

/// The binary of a text, which must parse.
func assemble(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) -> [UInt8] {
    do {
        return try parseModule(Array(text.utf8))
    } catch {
        let message = error.rendered(in: Array(text.utf8), path: "text")
        Issue.record(Comment(rawValue: message), sourceLocation: sourceLocation)
        return []
    }
}

/// The decoded module of a text, with everything on.
func decoded(_ text: String) throws -> ParsedModule {
    try decode(ModuleBytes(assemble(text)), features: [.all, .legacyExceptions])
}

/// Why a text is refused, or nil if it is not.
func reason(_ text: String) -> TextError.Reason? {
    do {
        _ = try parseModule(Array(text.utf8))
        return nil
    } catch { return error.reason }
}

/// What a text is refused for, and the offending token.
func refusal(_ text: String) -> String? {
    do {
        _ = try parseModule(Array(text.utf8))
        return nil
    } catch {
        let bytes = Array(text.utf8)
        let end = min(error.range.upperBound, bytes.count)
        let start = min(error.range.lowerBound, end)
        return "\(error.message): \(String(decoding: bytes[start..<end], as: UTF8.self))"
    }
}

/// The binary without custom sections.
func stripped(_ bytes: [UInt8]) throws -> [UInt8] {
    let module = try decode(ModuleBytes(bytes), features: [.all, .legacyExceptions])
    var result = Array(bytes.prefix(8))
    for section in module.sections where section.id != 0 {
        result += bytes[section.range.start..<section.range.end]
    }
    return result
}

/// Both texts must give the same binary, but for names.
func expectSame(
    _ short: String, _ long: String, sourceLocation: SourceLocation = #_sourceLocation
) throws {
    let first = try stripped(assemble(short, sourceLocation: sourceLocation))
    let second = try stripped(assemble(long, sourceLocation: sourceLocation))
    #expect(first == second, "\(short)", sourceLocation: sourceLocation)
}

/// The body of the only function of a module, without its locals and final `end`.
func body(_ instructions: String, fields: String = "") throws -> [UInt8] {
    let module = try decoded("(module \(fields) (func \(instructions)))")
    guard let last = module.bodies.last else { return [] }
    return Array(module.bytes[last].dropFirst().dropLast())
}
