import WasmDecoder

/// The functions of one unit, and the calls in them that the compiler replaced by bodies.
struct SourceFunctions {
    /// A function, or a body that is in one.
    struct Node {
        /// Where its entry, or the entry that it refers to, can be found for its name.
        var name: AttributeValue?
        var origin: AttributeValue?
        /// The node around it, or -1 for a function.
        var parent: Int
        var ranges: Range<Int>
        var callFile: UInt64
        var callLine: UInt64
        var callColumn: UInt64
    }

    /// Functions before what is in them.
    private(set) var nodes: [Node] = []
    private var ranges: [Range<UInt32>] = []
    /// The nodes of each function, by its address.
    private var functions: [(code: Range<UInt32>, nodes: Range<Int>)] = []

    /// Reads all entries of a unit, up to where they are damaged, or have too many functions.
    init(
        _ unit: DebugUnit, _ abbreviations: AbbreviationTable, _ sections: DebugSections,
        _ budget: inout Int, limit: Int
    ) {
        try? read(unit, abbreviations, sections, &budget, limit)
        functions.sort { $0.code.lowerBound < $1.code.lowerBound }
    }

    private mutating func read(
        _ unit: DebugUnit, _ abbreviations: AbbreviationTable, _ sections: DebugSections,
        _ budget: inout Int, _ limit: Int
    ) throws(Damaged) {
        var cursor = Cursor(sections.bytes, unit.entries)
        /// The innermost node around the entries of each level.
        var levels: [Int] = []
        while !cursor.isAtEnd {
            let code = try cursor.unsigned()
            if code == 0 {
                _ = levels.popLast()
                if levels.isEmpty { break }
                continue
            }
            guard let abbreviation = abbreviations[code] else { throw Damaged() }
            let entry = try DebugEntry(&cursor, abbreviation, unit.forms, sections)
            var node = levels.last ?? -1
            if entry.tag == DebugEntry.Tag.subprogram { node = -1 }
            let isInlined = entry.tag == DebugEntry.Tag.inlinedSubroutine && node >= 0
            if entry.tag == DebugEntry.Tag.subprogram || isInlined {
                let code = (try? unit.ranges(of: entry, sections, &budget)) ?? []
                guard nodes.count < limit else { throw Damaged() }
                if !code.isEmpty { node = add(entry, code, parent: node) }
            }
            if entry.hasChildren { levels.append(node) } else if levels.isEmpty { break }
        }
    }

    private mutating func add(_ entry: DebugEntry, _ code: [Range<UInt32>], parent: Int) -> Int {
        let index = nodes.count
        let start = ranges.count
        ranges += code
        nodes.append(
            Node(
                name: entry.name ?? entry.linkageName, origin: entry.origin, parent: parent,
                ranges: start..<ranges.count, callFile: entry.callFile,
                callLine: entry.callLine, callColumn: entry.callColumn))
        if parent < 0 {
            for range in code { functions.append((range, index..<index + 1)) }
        } else if let last = functions.indices.last, functions[last].nodes.upperBound == index {
            // A function of several pieces has what is in it noted at the last.
            functions[last].nodes = functions[last].nodes.lowerBound..<index + 1
        }
        return index
    }

    /// The innermost node whose code is at an address.
    func node(at address: UInt32) -> Int? {
        guard
            let function = functions[..<functions.partition { $0.code.lowerBound > address }].last,
            function.code.contains(address)
        else { return nil }
        // What is in another node comes after it.
        return function.nodes.last { node in
            ranges[nodes[node].ranges].contains { $0.contains(address) }
        }
    }
}
