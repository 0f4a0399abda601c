import WasmDecoder

/// The custom sections of a module that hold its DWARF, and where its code is.
struct DebugSections: Sendable {
    let bytes: ModuleBytes
    let abbreviations: ByteRange
    let addresses: ByteRange
    let information: ByteRange
    let lines: ByteRange
    let lineStrings: ByteRange
    let rangeLists: ByteRange
    let ranges: ByteRange
    let stringOffsets: ByteRange
    let strings: ByteRange
    /// The content of the code section: addresses count from its start.
    let code: ByteRange

    // What is read costs the host memory beside the module's own, up to a hundred bytes for one of the
    // file. Compilers stay far below these limits; what is beyond them is left out.

    /// Rows of line tables: one for every byte of code.
    var rowLimit: Int { 1024 + code.count }
    /// Files and folders of all line tables.
    var fileLimit: Int { 65_536 + code.count / 16 }
    var unitLimit: Int { 65_536 + code.count / 64 }
    /// Functions, and bodies in others, of all units that were asked for.
    var functionLimit: Int { 65_536 + code.count / 8 }

    /// Nil if the module has no line table or no code.
    init?(_ module: ParsedModule) {
        var found: [Name: ByteRange] = [:]
        for section in module.customSections where found[section.name] == nil {
            found[section.name] = section.content
        }
        func section(_ name: Name) -> ByteRange { found[name] ?? ByteRange(start: 0, end: 0) }
        guard let lines = found[".debug_line"],
            let code = module.sections.first(where: { $0.id == 10 })
        else { return nil }
        bytes = module.bytes
        abbreviations = section(".debug_abbrev")
        addresses = section(".debug_addr")
        information = section(".debug_info")
        lineStrings = section(".debug_line_str")
        rangeLists = section(".debug_rnglists")
        ranges = section(".debug_ranges")
        stringOffsets = section(".debug_str_offsets")
        strings = section(".debug_str")
        self.lines = lines
        // After the section's id is its size.
        var header = Cursor(module.bytes, code.range)
        guard (try? header.byte()) != nil, (try? header.unsigned()) != nil else { return nil }
        self.code = ByteRange(start: header.position, end: code.range.end)
    }

    /// A cursor from `offset` to the end of a section.
    func cursor(_ section: ByteRange, at offset: UInt64) throws(Damaged) -> Cursor {
        guard offset <= UInt64(section.count) else { throw Damaged() }
        return Cursor(bytes, ByteRange(start: section.start + Int(offset), end: section.end))
    }

    func string(_ section: ByteRange, at offset: UInt64) throws(Damaged) -> StringPlace {
        guard offset < UInt64(section.count) else { throw Damaged() }
        return StringPlace(position: section.start + Int(offset))
    }

    /// Addresses of functions that the linker dropped are zero, or close to the largest number.
    func isCode(_ address: UInt64) -> Bool { address > 0 && address < UInt64(code.count) }
}
