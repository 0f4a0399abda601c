import WasmDecoder

/// What `(@wasmd.padding ...)` says: how the module's encoding differs from that of its text.
extension ModulePrinter {
    /// What is known of the padding of sections before custom sections are printed.
    struct SectionPaddings {
        var known: [(kind: SectionKind, padding: Padding)] = []
        /// By the place among the custom sections that are printed.
        var custom: [(ordinal: Int, size: Int?, name: Int?)] = []
        var name: Padding?
    }

    // MARK: Functions

    /// The annotation at the end of a function, in a line of its own.
    ///
    /// - Parameter isRedundant: whether something in the body was not in its shortest form.
    mutating func printPadding(
        of body: ByteRange, isRedundant: Bool
    ) throws(DecodingError) {
        let sizeLength = body.start - codeOffset
        codeOffset = body.end
        let isSizePadded =
            sizeLength > PaddingFinder.length(unsigned: UInt64(truncatingIfNeeded: body.count))
        guard isRedundant || isSizePadded else { return }
        var padding = Padding()
        if isRedundant {
            var finder = PaddingFinder(module, body)
            try finder.body()
            padding = finder.finished()
        }
        if isSizePadded { padding.sizeWidth = sizeLength }
        if padding.isEmpty { return }
        isPadded = true
        guard options.keepsPadding else { return }
        out.newline(2)
        out.write("(@wasmd.padding")
        write(padding)
        out.byte(0x29)
    }

    // MARK: Sections

    mutating func findSectionPaddings() throws(DecodingError) -> SectionPaddings {
        var result = SectionPaddings()
        for kind in SectionKind.allCases {
            let padding = try padding(of: kind)
            if !padding.isEmpty { result.known.append((kind, padding)) }
        }
        let spans = module.sections.filter { $0.id == 0 }
        var ordinal = 0
        for (section, span) in zip(module.customSections, spans) {
            if options.names != .section, section.name == "name" { continue }
            defer { ordinal += 1 }
            let name = section.name.utf8.count
            let sizeLength = sizeLength(of: span)
            let content = span.range.start + 1 + sizeLength
            let nameLength = section.content.start - name - content
            let size = PaddingFinder.length(unsigned: UInt64(span.range.end - content))
            let isNamePadded = nameLength > PaddingFinder.length(unsigned: UInt64(name))
            if sizeLength > size || isNamePadded {
                result.custom.append(
                    (ordinal, sizeLength > size ? sizeLength : nil, isNamePadded ? nameLength : nil)
                )
            }
        }
        if let section = identifiedNameSection { result.name = try namePadding(section) }
        if !result.known.isEmpty || !result.custom.isEmpty { isPadded = true }
        return result
    }

    /// How many bytes the size of a section takes.
    private func sizeLength(of span: SectionSpan) -> Int {
        var reader = module.reader(of: span.range)
        let start = span.range.start + 1
        reader.offset = start
        return (try? reader.unsigned32()).map { _ in reader.offset - start } ?? 1
    }

    private func padding(of kind: SectionKind) throws(DecodingError) -> Padding {
        let isWritten = isWritten(kind)
        guard let span = module.sections.first(where: { $0.id == kind.id }) else {
            guard isWritten else { return Padding() }
            // Instructions need the data count, but the module does not have it.
            var written = ByteWriter()
            written.count(module.dataSegments.count)
            let edit = Padding.Edit(
                position: 0, change: .replacement(count: written.count, bytes: []))
            return Padding(check: checksum(written.bytes), edits: [edit])
        }
        let sizeLength = sizeLength(of: span)
        var content = span.range
        content.start += 1 + sizeLength
        let size = content.count
        if kind == .code {
            // Bodies say themselves how they are encoded; what is left is how many they are.
            var reader = module.reader(of: content)
            _ = try reader.unsigned32()
            content.end = reader.offset
        }
        var finder = PaddingFinder(module, content)
        try finder.section(kind, isWritten: isWritten)
        var padding = finder.finished()
        if sizeLength > PaddingFinder.length(unsigned: UInt64(size)) {
            padding.sizeWidth = sizeLength
        }
        return padding
    }

    /// Whether the parser writes a section.
    private func isWritten(_ kind: SectionKind) -> Bool {
        switch kind {
        case .type: !module.recursionGroupEnds.isEmpty
        case .import: !module.imports.isEmpty
        case .function, .code: !module.bodies.isEmpty
        case .table: !module.tableDefinitions.isEmpty
        case .memory: module.memories.count > module.importedMemoryCount
        case .tag: module.tags.count > module.importedTagCount
        case .global: !module.globalDefinitions.isEmpty
        case .export: !module.exports.isEmpty
        case .start: module.start != nil
        case .element: !module.elementSegments.isEmpty
        case .dataCount: needsDataCount
        case .data: !module.dataSegments.isEmpty
        }
    }

    /// How the name section differs from the one that identifiers give, if it does.
    private func namePadding(_ section: CustomSection) throws(DecodingError) -> Padding? {
        var check = NameSectionCheck(module, labelCounts)
        if try check.isWritten(section.content) { return nil }
        let written = try NameSectionCheck.written(module, labelCounts)
        let original = module.bytes[section.content]
        // Everything from the first byte that differs to the last.
        let limit = min(written.count, original.count)
        let start = (0..<limit).first { written[$0] != original[$0] } ?? limit
        var end = 0
        while end < limit - start,
            written[written.count - 1 - end] == original[original.count - 1 - end]
        {
            end += 1
        }
        let edit = Padding.Edit(
            position: start,
            change: .replacement(
                count: written.count - start - end,
                bytes: Array(original[start..<original.count - end])))
        return Padding(check: checksum(written), edits: [edit])
    }

    // MARK: Printing

    mutating func print(_ paddings: SectionPaddings) {
        guard options.keepsPadding else { return }
        for (kind, padding) in paddings.known {
            field("@wasmd.padding ")
            write(kind)
            write(padding)
            out.byte(0x29)
        }
        for (ordinal, size, name) in paddings.custom {
            field("@wasmd.padding custom ")
            out.number(UInt64(truncatingIfNeeded: ordinal))
            if let size { write("size:", size) }
            if let name { write("name:", name) }
            out.byte(0x29)
        }
        if let name = paddings.name {
            field("@wasmd.padding name")
            write(name)
            out.byte(0x29)
        }
    }

    private mutating func write(_ word: StaticString, _ width: Int) {
        out.space()
        out.write(word)
        out.number(UInt64(truncatingIfNeeded: width))
    }

    private mutating func write(_ padding: Padding) {
        if let width = padding.sizeWidth { write("size:", width) }
        guard !padding.edits.isEmpty else { return }
        out.space()
        out.hexadecimal(UInt64(padding.check), digits: 8)
        var last = 0
        for edit in padding.edits {
            breakLongLine()
            out.space()
            out.number(UInt64(truncatingIfNeeded: edit.position - last))
            last = edit.position
            switch edit.change {
            case .padding(5, isNegative: false): break
            case .padding(let width, let isNegative):
                out.write(isNegative ? ":-" : ":")
                out.number(UInt64(truncatingIfNeeded: width))
            case .replacement(let count, let bytes):
                out.byte(0x2f)
                out.number(UInt64(truncatingIfNeeded: count))
                strings(bytes)
            }
        }
    }

    // MARK: Offsets

    /// What sections with offsets were made for.
    mutating func printOffsetChecks() {
        var checks = OffsetChecks()
        module.bytes.withUnsafeBytes { file in
            checks = OffsetChecks(
                file,
                module.sections.map {
                    ($0.id, $0.range.start + 1 + sizeLength(of: $0)..<$0.range.end)
                })
        }
        field("@wasmd.offsets code:")
        out.hexadecimal(UInt64(checks.code), digits: 8)
        out.write(" sections:")
        out.hexadecimal(UInt64(checks.sections), digits: 8)
        out.write(" start:")
        out.number(UInt64(checks.start))
        out.byte(0x29)
    }
}
