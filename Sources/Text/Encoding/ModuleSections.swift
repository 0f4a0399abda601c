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

/// The sections of a module while they grow.
///
/// Specification: 5.5.
struct ModuleSections {
    private struct Section {
        var entries = 0
        var content = ByteWriter()
    }

    /// Where a custom section goes: twice the place of a section, plus one if behind it.
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
    }

    private var sections = [Section](repeating: Section(), count: SectionKind.allCases.count + 1)
    private var customSections: [CustomSection] = []

    /// How many entries a section has.
    func count(_ kind: SectionKind) -> Int { sections[kind.rawValue].entries }

    /// Adds an entry to a section that is a vector of them.
    mutating func add(_ kind: SectionKind, _ write: (inout ByteWriter) -> Void) {
        sections[kind.rawValue].entries += 1
        write(&sections[kind.rawValue].content)
    }

    mutating func addCustom(_ name: [UInt8], _ content: [UInt8], at placement: Placement) {
        customSections.append(CustomSection(placement: placement, name: name, content: content))
    }

    /// The whole module; custom sections at the same place stand in the order they were added in.
    func encode() -> [UInt8] {
        var module = ByteWriter()
        module.append([0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00])
        writeCustoms(at: .first, to: &module)
        for kind in SectionKind.allCases {
            writeCustoms(at: Placement(before: kind), to: &module)
            write(kind, to: &module)
            writeCustoms(at: Placement(after: kind), to: &module)
        }
        writeCustoms(at: .last, to: &module)
        return module.bytes
    }

    private func writeCustoms(at placement: Placement, to module: inout ByteWriter) {
        for section in customSections where section.placement == placement {
            var content = ByteWriter()
            content.vector(section.name)
            content.append(section.content)
            module.byte(0)
            module.vector(content.bytes)
        }
    }

    private func write(_ kind: SectionKind, to module: inout ByteWriter) {
        let section = sections[kind.rawValue]
        guard section.entries > 0 else { return }
        var content = ByteWriter()
        // These two are no vectors.
        if kind != .start && kind != .dataCount { content.count(section.entries) }
        module.byte(kind.id)
        module.count(content.count + section.content.count)
        module.append(content)
        module.append(section.content)
    }
}
