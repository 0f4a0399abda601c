import WasmDecoder

/// Prints modules in the text format.
///
/// The text can be parsed, and gives the same module: equal bytes if the binary is encoded in the
/// usual way (integers and types as short as possible; neighbours of one type in one group of
/// locals; no section that is empty or, like a data count without use, not needed; names sorted and
/// of things that are there). Modules that are not valid are printed too, as long as they can be
/// decoded.
///
/// Specification: 6 (text format), 7.6 (custom annotations).
public struct TextPrinter: Sendable {
    /// What stands for functions, locals and everything else that has an index.
    public enum Names: Hashable, Sendable {
        /// Indices only; the name section is left out.
        case none
        /// The names of the name section; indices for what has none.
        case section
        /// The same, and names made up for the rest: the text makes a module that has them.
        case generated
    }

    public var names = Names.section
    /// Operands in the parentheses of the instruction that takes them, instead of a line for each
    /// instruction.
    public var isFolded = false
    /// A comment with its byte offset in the file before each instruction.
    public var showsOffsets = false

    public init() {}

    /// The text of a module, in UTF-8. Cost: proportional to the size of the module and its text.
    public func print(_ module: ParsedModule) throws(PrintingError) -> [UInt8] {
        try print(module) { Array($0) }
    }

    /// The same without a copy: calls `body` with the text, once it is complete. The buffer must not
    /// be used after `body` has returned.
    public func print<Result>(
        _ module: ParsedModule, _ body: (UnsafeBufferPointer<UInt8>) -> Result
    ) throws(PrintingError) -> Result {
        var printer = ModulePrinter(module, self)
        do throws(DecodingError) {
            try printer.printModule()
        } catch {
            throw .malformed(error)
        }
        if printer.out.isFull { throw .textTooLarge }
        return printer.out.withText(body)
    }
}

/// Why a module that could be decoded cannot be printed.
public enum PrintingError: Error, Hashable, Sendable {
    /// The body of a function is malformed; `decode` has not looked there.
    case malformed(DecodingError)
    /// The text would be larger than `TextLimits.bytes`.
    case textTooLarge
}
