import WasmDecoder

/// Prints modules in the text format.
///
/// The text can be parsed, and gives the same module, byte for byte. Where the binary is not encoded
/// as the parser does it (numbers that leave room for a linker, empty sections), annotations say so;
/// without them, see `keepsPadding`, the module means the same but may have other bytes. Modules that
/// are not valid are printed too, as long as they can be decoded.
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
    /// Annotations `(@wasmd.padding ...)` for what is encoded in a longer form than need be, so that
    /// the text gives the same bytes. If there is something to be said and this is false, custom
    /// sections with offsets into the code (`.debug_line`, `reloc.CODE`, ...) are left out.
    public var keepsPadding = true

    public init() {}

    /// The text of a module, in UTF-8. Cost: proportional to the size of the module and its text.
    public func print(_ module: ParsedModule) throws(PrintingError) -> [UInt8] {
        try print(module) { Array($0) }
    }

    /// The same piece by piece, in memory that does not depend on the length of the text.
    ///
    /// - Parameters:
    ///   - module: the module.
    ///   - body: gets the next piece of the text; the buffer must not be used after it has returned.
    ///     If it returns false, no more is printed.
    /// - Returns: what was left out.
    /// - Throws: `PrintingError`, also after pieces of the text were handed out.
    @discardableResult
    public func print(
        _ module: ParsedModule, pieces body: (UnsafeBufferPointer<UInt8>) -> Bool
    ) throws(PrintingError) -> PrintingReport {
        let result: Result<PrintingReport, PrintingError> = withoutActuallyEscaping(body) { body in
            Result { () throws(PrintingError) in
                var printer = ModulePrinter(module, self, sink: body)
                try self.run(&printer)
                printer.out.flush()
                return PrintingReport(droppedSections: printer.droppedSections)
            }
        }
        return try result.get()
    }

    private func print<Result>(
        _ module: ParsedModule, _ body: (UnsafeBufferPointer<UInt8>) -> Result
    ) throws(PrintingError) -> Result {
        var printer = ModulePrinter(module, self)
        try run(&printer)
        return printer.out.withText(body)
    }

    private func run(_ printer: inout ModulePrinter) throws(PrintingError) {
        do throws(DecodingError) {
            try printer.printModule()
        } catch {
            throw .malformed(error)
        }
        if printer.out.isFull { throw .textTooLarge }
    }
}

/// What a printed text does not say of its module.
public struct PrintingReport: Hashable, Sendable {
    /// Custom sections with offsets that are not those of the module that the text gives; see
    /// ``TextPrinter/keepsPadding``.
    public var droppedSections: [Name]
}

/// Why a module that could be decoded cannot be printed.
public enum PrintingError: Error, Hashable, Sendable {
    /// The body of a function is malformed; `decode` has not looked there.
    case malformed(DecodingError)
    /// The text would be larger than `TextLimits.bytes`.
    case textTooLarge
}
