import WasmDecoder

/// Custom sections that say where something is in the code or the file. They are right only for the
/// module that they were made for.
enum OffsetSections {
    /// What the offsets in a section count from.
    enum Base {
        /// The start of the code section.
        case code
        /// The start of any section; sections are numbered, too.
        case sections
        /// The start of the file.
        case file
    }

    /// Nil for sections that hold no offsets, as far as the tool conventions tell.
    static func base(ofSection name: [UInt8]) -> Base? {
        func starts(_ prefix: StaticString) -> Bool {
            prefix.withUTF8Buffer { name.starts(with: $0) }
        }
        func equals(_ text: StaticString) -> Bool {
            text.withUTF8Buffer { name.elementsEqual($0) }
        }
        if starts(".debug_") || starts("metadata.code.") { return .code }
        if equals("external_debug_info") || equals(".gdb_index") { return .code }
        // An object whose relocations are gone must not be linked: both go or stay.
        if starts("reloc.") || equals("linking") { return .sections }
        if equals("sourceMappingURL") { return .file }
        return nil
    }
}

/// What sections with offsets were made for, as `(@wasmd.offsets ...)` says it.
struct OffsetChecks: Equatable {
    /// The checksum of the content of the code section.
    var code: UInt32 = 0
    /// The checksum of the sections' numbers and of the content of the data section.
    var sections: UInt32 = 0
    /// Where the content of the code section starts in the file.
    var start: UInt32 = 0

    init() {}

    /// - Parameters:
    ///   - file: a module.
    ///   - sections: its sections, in order.
    init(_ file: UnsafeRawBufferPointer, _ sections: [(id: UInt8, content: Range<Int>)]) {
        var layout = ByteWriter()
        layout.append(sections.lazy.map(\.id))
        for (id, content) in sections {
            let bytes = UnsafeRawBufferPointer(rebasing: file[content])
            if id == SectionKind.code.id {
                code = checksum(bytes)
                start = UInt32(truncatingIfNeeded: content.lowerBound)
            } else if id == SectionKind.data.id {
                layout.littleEndian(UInt64(checksum(bytes)), count: 4)
            }
        }
        self.sections = checksum(layout.bytes)
    }

    /// Whether a section that was made for `self` is right in a module with other checks.
    func hold(for base: OffsetSections.Base, in other: OffsetChecks) -> Bool {
        guard code == other.code else { return false }
        switch base {
        case .code: return true
        case .sections: return sections == other.sections
        case .file: return start == other.start
        }
    }
}
