import WasmDecoder

/// The known sections in the order of the binary format; the raw value is the place in it.
enum SectionKind: Int, CaseIterable {
    case type = 1
    case `import`, function, table, memory, tag, global, export, start, element, dataCount, code
    case data

    /// The number that the section starts with.
    var id: UInt8 {
        switch self {
        case .type: 1
        case .import: 2
        case .function: 3
        case .table: 4
        case .memory: 5
        case .tag: 13
        case .global: 6
        case .export: 7
        case .start: 8
        case .element: 9
        case .dataCount: 12
        case .code: 10
        case .data: 11
        }
    }
}

/// How many bytes the numbers before a custom section take, where they are more than needed.
struct CustomPadding {
    var size: Int?
    var name: Int?
}

/// The sections of a module while they grow.
///
/// Specification: 5.5.
struct ModuleSections {
    private struct Section {
        var entries = 0
        var content = ByteWriter()
        var padding: Padding?
    }

    /// Where a custom section goes: twice the place of a section, plus one if after it.
    struct Placement: Equatable {
        let slot: Int

        static let first = Placement(slot: 0)
        static let last = Placement(slot: (SectionKind.data.rawValue + 1) * 2)

        init(slot: Int) { self.slot = slot }
        init(before kind: SectionKind) { slot = kind.rawValue * 2 }
        init(after kind: SectionKind) { slot = kind.rawValue * 2 + 1 }
    }

    private struct CustomSection {
        var placement: Placement
        var name: [UInt8]
        var content: [UInt8]
        /// What offsets in it count from.
        var base: OffsetSections.Base?
        /// Whether it is left out.
        var isDropped = false
    }

    private var sections = [Section](repeating: Section(), count: SectionKind.allCases.count + 1)
    private var customSections: [CustomSection] = []
    /// The place in `customSections` that waits for the names.
    private var reservedForNames: Int?
    /// By the place among the custom sections of the module.
    var customPaddings: [Int: CustomPadding] = [:]
    /// Of the content of the name section.
    var namePadding: Padding?
    /// What sections with offsets were made for, if the text says so.
    var offsetChecks: OffsetChecks?

    /// How many entries a section has.
    func count(_ kind: SectionKind) -> Int { sections[kind.rawValue].entries }

    /// Adds an entry to a section that is a vector of them.
    mutating func add(_ kind: SectionKind, _ write: (inout ByteWriter) -> Void) {
        sections[kind.rawValue].entries += 1
        write(&sections[kind.rawValue].content)
    }

    mutating func addCustom(_ name: [UInt8], _ content: [UInt8], at placement: Placement) {
        customSections.append(
            CustomSection(
                placement: placement, name: name, content: content,
                base: OffsetSections.base(ofSection: name)))
    }

    /// False if the section has one.
    mutating func setPadding(_ padding: Padding, _ kind: SectionKind) -> Bool {
        guard sections[kind.rawValue].padding == nil else { return false }
        sections[kind.rawValue].padding = padding
        return true
    }

    /// The name section goes here, after the custom sections that were added before. False if its
    /// place is known.
    mutating func reserveNames(at placement: Placement) -> Bool {
        guard reservedForNames == nil else { return false }
        reservedForNames = customSections.count
        addCustom(Array("name".utf8), [], at: placement)
        return true
    }

    /// Adds the name section; nil if there is nothing to be said in it.
    mutating func addNames(_ names: [UInt8]?) {
        var names = names
        if let namePadding, let padded = namePadding.applied(to: names ?? []) { names = padded }
        guard let names else {
            if let place = reservedForNames { customSections[place].isDropped = true }
            return
        }
        if let place = reservedForNames {
            customSections[place].content = names
        } else {
            addCustom(Array("name".utf8), names, at: Placement(after: .data))
        }
    }

    /// Notes that what sections grew by was made of a token.
    func notePlaces(of token: Int, in recorder: inout PlaceRecorder) {
        for kind in SectionKind.allCases {
            recorder.note(kind, upTo: size(kind), token)
        }
    }

    /// How many entries a section has, and how many bytes they have.
    func size(_ kind: SectionKind) -> (bytes: Int, entries: Int) {
        (sections[kind.rawValue].content.count, sections[kind.rawValue].entries)
    }

    /// Where the entries of a section are in the encoded module.
    struct EntryOffsets {
        fileprivate var content: Int
        fileprivate var headCount: Int
        fileprivate var shifts = PaddingShifts()

        func offset(_ entry: Int) -> Int { content + shifts.shifted(headCount + entry) }
    }

    /// Nil for a section that the encoded module has not.
    func entryOffsets(_ kind: SectionKind, in module: EncodedModule) -> EntryOffsets? {
        guard let content = module.layout.first(where: { $0.id == kind.id })?.content else {
            return nil
        }
        let section = sections[kind.rawValue]
        let head = head(kind)
        var offsets = EntryOffsets(content: content.lowerBound, headCount: head.count)
        let written = kind == .code ? head.bytes : head.bytes + section.content.bytes
        if let padding = section.padding, padding.applied(to: written) != nil {
            offsets.shifts = PaddingShifts(padding, in: written)
        }
        return offsets
    }

    // MARK: The module

    /// The whole module; custom sections at the same place are in the order they were added in.
    ///
    /// Sections with offsets that were made for other code are left out: `dropped` are their names.
    mutating func encode() -> (module: EncodedModule, dropped: [Name]) {
        var module = EncodedModule()
        write(to: &module)
        guard let wanted = offsetChecks else { return (module, []) }
        let checks = module.bytes.bytes.withUnsafeBytes { OffsetChecks($0, module.layout) }
        var dropped: [Name] = []
        for (index, section) in customSections.enumerated() {
            guard let base = section.base, !wanted.hold(for: base, in: checks) else { continue }
            customSections[index].isDropped = true
            dropped.append(Name(utf8: section.name))
        }
        guard !dropped.isEmpty else { return (module, []) }
        module = EncodedModule()
        write(to: &module)
        return (module, dropped)
    }

    struct EncodedModule {
        var bytes = ByteWriter()
        var layout: [(id: UInt8, content: Range<Int>)] = []
        fileprivate var customCount = 0

        init() { bytes.append([0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]) }

        fileprivate mutating func add(_ id: UInt8, _ parts: [ByteWriter], sizeWidth: Int?) {
            bytes.byte(id)
            bytes.count(parts.reduce(0) { $0 + $1.count }, width: sizeWidth ?? 1)
            let start = bytes.count
            for part in parts { bytes.append(part) }
            layout.append((id, start..<bytes.count))
        }
    }

    private func write(to module: inout EncodedModule) {
        writeCustoms(at: .first, to: &module)
        for kind in SectionKind.allCases {
            writeCustoms(at: Placement(before: kind), to: &module)
            write(kind, to: &module)
            writeCustoms(at: Placement(after: kind), to: &module)
        }
        writeCustoms(at: .last, to: &module)
    }

    private func writeCustoms(at placement: Placement, to module: inout EncodedModule) {
        for section in customSections where section.placement == placement {
            let padding = customPaddings.isEmpty ? nil : customPaddings[module.customCount]
            module.customCount += 1
            if section.isDropped { continue }
            var content = ByteWriter()
            content.count(section.name.count, width: padding?.name ?? 1)
            content.append(section.name)
            content.append(section.content)
            module.add(0, [content], sizeWidth: padding?.size)
        }
    }

    /// The number of entries, where it is before them.
    private func head(_ kind: SectionKind) -> ByteWriter {
        var head = ByteWriter()
        let count = sections[kind.rawValue].entries
        if count > 0, kind != .start && kind != .dataCount { head.count(count) }
        return head
    }

    private func write(_ kind: SectionKind, to module: inout EncodedModule) {
        let section = sections[kind.rawValue]
        let head = head(kind)
        guard let padding = section.padding else {
            guard section.entries > 0 else { return }
            return module.add(kind.id, [head, section.content], sizeWidth: nil)
        }
        var parts = [head, section.content]
        if kind == .code {
            // Bodies have theirs already.
            parts[0].bytes = padding.applied(to: head.bytes) ?? head.bytes
        } else if let padded = padding.applied(to: head.bytes + section.content.bytes) {
            parts = [ByteWriter(bytes: padded)]
        }
        if parts.contains(where: { $0.count > 0 }) {
            module.add(kind.id, parts, sizeWidth: padding.sizeWidth)
        }
    }
}
