/// Changes to sections and bodies that keep all sizes right.
enum StructureMutations {
    static func mutate(
        _ module: inout EditableModule, other: EditableModule, _ random: inout RandomNumbers
    ) {
        guard !module.sections.isEmpty else { return }
        let index = random.below(module.sections.count)
        switch random.weighted([3, 3, 4, 4, 5, 14, 6, 6, 5, 3, 3]) {
        case 0: module.sections.remove(at: index)
        case 1: module.sections.insert(module.sections[index], at: index)
        case 2: module.sections.swapAt(index, random.below(module.sections.count))
        case 3:
            let section = module.sections.remove(at: index)
            module.sections.insert(section, at: random.below(module.sections.count + 1))
        case 4: replaceByOther(&module, other, &random)
        case 5: mutateContent(&module, index, other, &random)
        case 6: mutateCount(&module, index, &random)
        case 7: swapBodies(&module, &random)
        case 8: replaceBody(&module, other, &random)
        case 9:
            guard !module.bodies.isEmpty else { return }
            let body = random.below(module.bodies.count)
            ByteMutations.mutate(&module.bodies[body], other: other.bodies.first ?? [], &random)
        default: addCustomSection(&module, &random)
        }
    }

    /// A section of another module in the place of the section with the same id, or where it
    /// belongs.
    private static func replaceByOther(
        _ module: inout EditableModule, _ other: EditableModule, _ random: inout RandomNumbers
    ) {
        guard let section = random.element(of: other.sections) else { return }
        if section.id == 10 { module.bodies = other.bodies }
        if let index = module.sections.firstIndex(where: { $0.id == section.id }) {
            module.sections[index] = section
        } else {
            let place = module.sections.firstIndex { $0.id > section.id }
            module.sections.insert(section, at: place ?? module.sections.count)
        }
    }

    private static func mutateContent(
        _ module: inout EditableModule, _ index: Int, _ other: EditableModule,
        _ random: inout RandomNumbers
    ) {
        guard module.sections[index].id != 10 else { return }
        let source = random.element(of: other.sections)?.content ?? []
        ByteMutations.mutate(&module.sections[index].content, other: source, &random)
    }

    /// The count at the start of a section gets a value that may be far too large.
    private static func mutateCount(
        _ module: inout EditableModule, _ index: Int, _ random: inout RandomNumbers
    ) {
        var content = module.sections[index].content
        var end = 0
        guard module.sections[index].id != 10, let count = readUnsigned(content, &end) else {
            return
        }
        var writer = BinaryWriter()
        switch random.below(3) {
        case 0: writer.unsigned(random.element(of: InterestingValues.words) ?? 0)
        case 1: writer.unsigned(count &+ 1)
        default: writer.unsigned(count &- 1)
        }
        content.replaceSubrange(0..<end, with: writer.bytes)
        module.sections[index].content = content
    }

    private static func swapBodies(_ module: inout EditableModule, _ random: inout RandomNumbers) {
        guard module.bodies.count > 1 else { return }
        module.bodies.swapAt(random.below(module.bodies.count), random.below(module.bodies.count))
    }

    private static func replaceBody(
        _ module: inout EditableModule, _ other: EditableModule, _ random: inout RandomNumbers
    ) {
        guard !module.bodies.isEmpty, let body = random.element(of: other.bodies) else { return }
        module.bodies[random.below(module.bodies.count)] = body
    }

    private static func addCustomSection(
        _ module: inout EditableModule, _ random: inout RandomNumbers
    ) {
        let names = ["name", "producers", "metadata.code.branch_hint", "target_features", "x"]
        let content = BinaryWriter.build { writer in
            writer.name(random.element(of: names) ?? "")
            for _ in 0..<random.below(40) {
                writer.byte(random.oneIn(2) ? UInt8(random.below(8)) : random.byte())
            }
        }
        module.sections.insert(
            EditableModule.Section(id: 0, content: content),
            at: random.below(module.sections.count + 1))
    }
}
