import WasmDecoder

/// Custom sections as annotations (7.6.1), those aside that the rest of the text says already.
extension ModulePrinter {
    mutating func printCustomSections() {
        let known = module.sections.filter { $0.id != 0 }
        // Identifiers say what is in the name section.
        let nameSection =
            options.names == .section && !names.hasSection
            ? nil : module.customSections.firstIndex { $0.name == "name" }
        var hasOffsets = false
        for (index, section) in module.customSections.enumerated() {
            if index == nameSection {
                printPlaceOfNames(section, known)
                continue
            }
            if !hints.isEmpty, section.name == BranchHintMap.sectionName { continue }
            if OffsetSections.base(ofSection: section.name.utf8) != nil {
                if isPadded, !options.keepsPadding {
                    droppedSections.append(section.name)
                    continue
                }
                hasOffsets = true
            }
            field("@custom ")
            out.string(utf8: section.name.utf8)
            // The parser puts names after the last known section, and after them what has no
            // place.
            let isLast = section.position == known.count && index > nameSection ?? -1
            if !isLast { place(section.position, known) }
            strings(section.content)
            out.byte(0x29)
        }
        if hasOffsets { printOffsetChecks() }
    }

    /// Names are after all known sections, unless the text says something else.
    private mutating func printPlaceOfNames(_ section: CustomSection, _ known: [SectionSpan]) {
        guard options.names == .section, section.position < known.count else { return }
        field("@wasmd.names")
        place(section.position, known)
        out.byte(0x29)
    }

    /// ` (after section)`, for a position that counts known sections.
    private mutating func place(_ position: Int, _ known: [SectionSpan]) {
        guard position > 0, position <= known.count,
            let kind = SectionKind.allCases.first(where: { $0.id == known[position - 1].id })
        else { return out.write(" (before first)") }
        out.write(" (after ")
        write(kind)
        out.byte(0x29)
    }

    /// The word for a section in placements.
    mutating func write(_ kind: SectionKind) {
        switch kind {
        case .type: out.write("type")
        case .import: out.write("import")
        case .function: out.write("func")
        case .table: out.write("table")
        case .memory: out.write("memory")
        case .tag: out.write("tag")
        case .global: out.write("global")
        case .export: out.write("export")
        case .start: out.write("start")
        case .element: out.write("elem")
        case .dataCount: out.write("datacount")
        case .code: out.write("code")
        case .data: out.write("data")
        }
    }
}
