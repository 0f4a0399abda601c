import WasmDecoder

/// The branch hints that are printed as annotations of their instructions.
///
/// Either all of them or none: if annotations would not give back the section as it is (it is
/// elsewhere than before the code, or hints at other instructions than branches), it is printed as
/// any other custom section.
struct BranchHintMap {
    /// By the position of the instruction, counted from the start of the body: whether the branch
    /// is likely to be taken.
    typealias Hints = [Int: Bool]

    private var functions: [FunctionIndex: Hints] = [:]

    static let sectionName: Name = "metadata.code.branch_hint"

    init(_ module: ParsedModule) {
        guard let section = module.customSections.first(where: { $0.name == Self.sectionName })
        else { return }
        let known = module.sections.filter { $0.id != 0 }
        guard section.position < known.count, known[section.position].id == SectionKind.code.id
        else { return }
        // Hints that are written as annotations go after all else before the code.
        let isLast = !module.customSections.contains {
            $0.position == section.position && $0.content.start > section.content.start
        }
        guard isLast else { return }
        let hints = module.branchHints()
        guard !hints.isEmpty, Self.encode(hints) == module.bytes[section.content] else { return }
        for (function, hints) in hints {
            let position = Int(function) - module.importedFunctionCount
            guard module.bodies.indices.contains(position),
                Self.areBranches(hints, module.bodies[position], module)
            else {
                functions.removeAll()
                return
            }
            for hint in hints {
                functions[function, default: [:]][Int(hint.offset)] = hint.isLikely
            }
        }
    }

    var isEmpty: Bool { functions.isEmpty }

    subscript(function: FunctionIndex) -> Hints? {
        functions.isEmpty ? nil : functions[function]
    }

    private static func encode(_ hints: [FunctionIndex: [BranchHint]]) -> [UInt8] {
        var section = ByteWriter()
        section.count(hints.count)
        for (function, hints) in hints.sorted(by: { $0.key < $1.key }) {
            section.index(function)
            section.count(hints.count)
            for hint in hints {
                section.index(hint.offset)
                section.append([1, hint.isLikely ? 1 : 0])
            }
        }
        return section.bytes
    }

    /// Whether `hints` are in order, and all at an `if` or `br_if` of a body.
    private static func areBranches(
        _ hints: [BranchHint], _ body: ByteRange, _ module: ParsedModule
    ) -> Bool {
        var rest = hints[...]
        var reader = module.reader(of: body)
        do throws(DecodingError) {
            try reader.forEachLocalGroup { _, _ in }
            while !reader.isAtEnd, let next = rest.first {
                let offset = reader.offset - body.start
                if offset > next.offset { return false }
                let opcode = try reader.opcode()
                if offset == next.offset {
                    guard opcode == .if || opcode == .brIf else { return false }
                    rest.removeFirst()
                }
                try reader.skipImmediates(of: opcode)
            }
        } catch {
            return false
        }
        return !hints.isEmpty && rest.isEmpty
    }
}
