import WasmDecoder

/// A module that is in a script. It is parsed only when ``encode()`` is called.
public struct ScriptModule: Sendable {
    public enum Form: Sendable, Hashable {
        /// Module fields, in this range of the script.
        case text(Range<Int>)
        /// The bytes of a binary module, joined from all strings.
        case binary([UInt8])
        /// The text of a module, joined from all strings.
        case quote([UInt8])
    }

    /// The identifier, without the dollar sign.
    public var name: [UInt8]?
    /// Whether the module is only defined, not instantiated.
    public var isDefinition: Bool
    public var form: Form
    let source: ModuleBytes

    /// The module in the binary format. Binary modules are given as they are, unchecked.
    ///
    /// - Throws: the first error of the text. Its position is one of the script, but for quoted
    ///   modules one of the quoted text.
    public func encode() throws(TextError) -> [UInt8] {
        switch form {
        case .binary(let bytes): return bytes
        case .quote(let text): return try parseQuotedModule(text)
        case .text(let range): return try parseModule(source, range)
        }
    }

    /// Where in the script an instruction is, if the module is there as text.
    ///
    /// - Parameters:
    ///   - function: the index of the function, imports counted.
    ///   - offset: of the instruction in the function's body, from the body's first byte.
    public func placeOfInstruction(function: UInt32, offset: Int) -> TextPlace? {
        guard case .text(let range) = form else { return nil }
        return WasmText.placeOfInstruction(in: source, range, function: function, offset: offset)
    }
}
