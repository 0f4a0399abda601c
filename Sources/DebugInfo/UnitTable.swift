import WasmDecoder

/// All units of a module's `.debug_info`, with what was read of them so far.
struct UnitTable {
    private let sections: DebugSections
    /// By their place in the section.
    private(set) var units: [DebugUnit] = []
    /// Which unit the code belongs to, by address.
    private var code: [(range: Range<UInt32>, unit: Int)] = []
    private var functions: [Int: SourceFunctions] = [:]
    private var abbreviations: [UInt64: AbbreviationTable] = [:]

    // Units may share tables and lists. A file in which all of them share all of a large one would
    // take as long as its square: these are bytes that may still be read.
    private var abbreviationBudget: Int
    private var rangeBudget: Int
    /// Functions that may still be read.
    private var functionsLeft: Int

    /// Reads the first entry of every unit.
    init(_ sections: DebugSections) {
        self.sections = sections
        let allowance = 1 << 20
        abbreviationBudget = allowance + sections.abbreviations.count
        rangeBudget = allowance + 2 * (sections.ranges.count + sections.rangeLists.count)
        functionsLeft = sections.functionLimit
        var cursor = Cursor(sections.bytes, sections.information)
        while !cursor.isAtEnd, units.count < sections.unitLimit {
            do throws(Damaged) {
                guard let unit = try DebugUnit(&cursor, sections) else { continue }
                add(unit)
            } catch {
                break
            }
        }
        code.sort { $0.range.lowerBound < $1.range.lowerBound }
    }

    private mutating func add(_ unit: DebugUnit) {
        var unit = unit
        let table = abbreviationTable(at: unit.abbreviations)
        guard let entry = try? unit.read({ table?[$0] }, sections) else { return }
        let ranges = (try? unit.ranges(of: entry, sections, &rangeBudget)) ?? []
        for range in ranges { code.append((range, units.count)) }
        units.append(unit)
    }

    private mutating func abbreviationTable(at offset: UInt64) -> AbbreviationTable? {
        if let known = abbreviations[offset] { return known }
        guard abbreviationBudget > 0,
            var cursor = try? sections.cursor(sections.abbreviations, at: offset)
        else { return nil }
        let start = cursor.position
        let table = try? AbbreviationTable(&cursor)
        abbreviationBudget -= cursor.position - start
        abbreviations[offset] = table
        return table
    }

    /// The unit that the code at an address was made from, and its functions.
    mutating func functions(at address: UInt32) -> (unit: DebugUnit, functions: SourceFunctions)? {
        guard let found = code[..<code.partition { $0.range.lowerBound > address }].last,
            found.range.contains(address)
        else { return nil }
        let unit = units[found.unit]
        if let known = functions[found.unit] { return (unit, known) }
        guard let table = abbreviationTable(at: unit.abbreviations) else { return nil }
        let made = SourceFunctions(unit, table, sections, &rangeBudget, limit: functionsLeft)
        functionsLeft -= made.nodes.count
        functions[found.unit] = made
        return (unit, made)
    }

    /// The name of a function: its own, or that of the entry that it refers to.
    mutating func name(of node: SourceFunctions.Node, in unit: DebugUnit) -> String? {
        if let name = node.name, let place = try? unit.string(name, sections) {
            return place.text(in: sections.bytes)
        }
        var unit = unit
        var origin = node.origin
        // The body refers to the function, and that to its declaration: no chain is longer.
        for _ in 0..<4 {
            guard let reference = origin, let (found, entry) = entry(reference, from: unit) else {
                return nil
            }
            if let name = entry.name ?? entry.linkageName,
                let place = try? found.string(name, sections)
            {
                return place.text(in: sections.bytes)
            }
            unit = found
            origin = entry.origin
        }
        return nil
    }

    private mutating func entry(
        _ reference: AttributeValue, from unit: DebugUnit
    ) -> (DebugUnit, DebugEntry)? {
        let offset: UInt64
        switch reference {
        case .unitReference(let distance): offset = unit.range.lowerBound &+ distance
        case .reference(let place): offset = place
        default: return nil
        }
        guard let unit = units[..<units.partition { $0.range.lowerBound > offset }].last,
            unit.range.contains(offset), let table = abbreviationTable(at: unit.abbreviations),
            var cursor = try? sections.cursor(sections.information, at: offset),
            let code = try? cursor.unsigned(), let abbreviation = table[code],
            let entry = try? DebugEntry(&cursor, abbreviation, unit.forms, sections)
        else { return nil }
        return (unit, entry)
    }
}
