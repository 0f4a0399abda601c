import WasmDecoder

/// A unit of `.debug_info`: what one run of the compiler made, and how to read it.
///
/// DWARF 5: 3.1 (unit entries), 7.5.1 (unit headers).
struct DebugUnit: Sendable {
    /// Offsets of the unit in the section, header included.
    let range: Range<UInt64>
    /// Where its first entry is in the file.
    let entries: ByteRange
    let forms: UnitForms
    let abbreviations: UInt64
    /// Of its line program in `.debug_line`.
    private(set) var lineProgram: UInt64?
    private(set) var compilationDirectory: StringPlace?
    /// What address ranges count from.
    private(set) var base: UInt64 = 0
    private(set) var stringOffsetsBase: UInt64 = 0
    private(set) var addressBase: UInt64 = 0
    private(set) var rangeListsBase: UInt64 = 0

    /// Reads a header; moves `cursor` after the unit. Nil for a unit that cannot be read.
    init?(_ cursor: inout Cursor, _ sections: DebugSections) throws(Damaged) {
        let start = UInt64(cursor.position - sections.information.start)
        let (length, offsetSize) = try cursor.unitLength()
        var content = try cursor.part(length)
        range = start..<UInt64(cursor.position - sections.information.start)
        do throws(Damaged) {
            let version = try content.unsigned(bytes: 2)
            guard 2...5 ~= version else { return nil }
            let addressSize: UInt8
            if version >= 5 {
                let kind = try content.byte()
                addressSize = try content.byte()
                abbreviations = try content.unsigned(bytes: offsetSize)
                // Units of types carry a signature and an offset, split ones an identifier.
                switch kind {
                case 2, 6: try content.skip(8 + UInt64(offsetSize))
                case 4, 5: try content.skip(8)
                default: break
                }
            } else {
                abbreviations = try content.unsigned(bytes: offsetSize)
                addressSize = try content.byte()
            }
            guard 1...8 ~= addressSize else { return nil }
            forms = UnitForms(
                offsetSize: offsetSize, addressSize: Int(addressSize), version: version)
            entries = ByteRange(start: content.position, end: content.end)
        } catch {
            return nil
        }
    }

    /// Stores what the unit's own entry says; returns that entry.
    mutating func read(
        _ abbreviation: (UInt64) -> Abbreviation?, _ sections: DebugSections
    ) throws(Damaged) -> DebugEntry {
        var cursor = Cursor(sections.bytes, entries)
        guard let found = abbreviation(try cursor.unsigned()) else { throw Damaged() }
        let entry = try DebugEntry(&cursor, found, forms, sections)
        lineProgram = entry.lineProgram
        stringOffsetsBase = entry.stringOffsetsBase
        addressBase = entry.addressBase
        rangeListsBase = entry.rangeListsBase
        compilationDirectory = entry.compilationDirectory.flatMap { try? string($0, sections) }
        base = entry.lowAddress.flatMap { try? address($0, sections) } ?? 0
        return entry
    }

    // MARK: Values

    func string(
        _ value: AttributeValue, _ sections: DebugSections
    ) throws(Damaged) -> StringPlace? {
        switch value {
        case .string(let place): return place
        case .stringIndex(let index):
            let offset = try indexed(
                index, size: forms.offsetSize, base: stringOffsetsBase, sections.stringOffsets,
                sections)
            return try sections.string(sections.strings, at: offset)
        default: return nil
        }
    }

    func address(_ value: AttributeValue, _ sections: DebugSections) throws(Damaged) -> UInt64? {
        switch value {
        case .address(let address): return address
        case .addressIndex(let index): return try address(at: index, sections)
        default: return nil
        }
    }

    private func address(at index: UInt64, _ sections: DebugSections) throws(Damaged) -> UInt64 {
        try indexed(
            index, size: forms.addressSize, base: addressBase, sections.addresses, sections)
    }

    private func indexed(
        _ index: UInt64, size: Int, base: UInt64, _ section: ByteRange, _ sections: DebugSections
    ) throws(Damaged) -> UInt64 {
        let (product, overflow) = index.multipliedReportingOverflow(by: UInt64(size))
        let (offset, tooFar) = product.addingReportingOverflow(base)
        guard !overflow, !tooFar else { throw Damaged() }
        var cursor = try sections.cursor(section, at: offset)
        return try cursor.unsigned(bytes: size)
    }

    /// The code of an entry, as ranges of addresses; those of functions that are gone are left out.
    ///
    /// - Parameter budget: bytes of lists that may be read, of all units together.
    func ranges(
        of entry: DebugEntry, _ sections: DebugSections, _ budget: inout Int
    ) throws(Damaged) -> [Range<UInt32>] {
        var found: [Range<UInt32>] = []
        func add(_ start: UInt64, _ end: UInt64) {
            guard sections.isCode(start), end > start else { return }
            found.append(
                UInt32(
                    truncatingIfNeeded: start)..<UInt32(
                        truncatingIfNeeded: min(end, UInt64(sections.code.count))))
        }
        if let ranges = entry.ranges {
            try forEachRange(ranges, sections, &budget, add)
        } else if let low = entry.lowAddress, let high = entry.highAddress,
            let start = try address(low, sections)
        {
            // A constant is the length.
            if let length = high.number {
                add(start, start &+ length)
            } else if let end = try address(high, sections) {
                add(start, end)
            }
        }
        return found
    }

    private func forEachRange(
        _ value: AttributeValue, _ sections: DebugSections, _ budget: inout Int,
        _ body: (UInt64, UInt64) -> Void
    ) throws(Damaged) {
        let section = forms.version >= 5 ? sections.rangeLists : sections.ranges
        var cursor: Cursor
        if case .listIndex(let index) = value {
            let offset = try indexed(
                index, size: forms.offsetSize, base: rangeListsBase, section, sections)
            cursor = try sections.cursor(section, at: offset &+ rangeListsBase)
        } else if let offset = value.number {
            cursor = try sections.cursor(section, at: offset)
        } else {
            return
        }
        let start = cursor.position
        // Lists that many entries share could be long ones.
        defer { budget -= cursor.position - start }
        if forms.version >= 5 {
            try readList(&cursor, sections, limit: budget, body)
        } else {
            try readPairs(&cursor, limit: budget, body)
        }
    }

    /// DWARF 4: 2.17.3.
    private func readPairs(
        _ cursor: inout Cursor, limit: Int, _ body: (UInt64, UInt64) -> Void
    ) throws(Damaged) {
        let size = forms.addressSize
        let largest = size == 8 ? UInt64.max : (1 << UInt64(8 * size)) - 1
        let start = cursor.position
        var base = base
        while cursor.position - start < limit {
            let (low, high) = (try cursor.unsigned(bytes: size), try cursor.unsigned(bytes: size))
            if low == 0, high == 0 { return }
            // Lists of what the linker dropped have the second largest number.
            if low == largest {
                base = high
            } else if low != largest - 1 {
                body(base &+ low, base &+ high)
            }
        }
    }

    /// DWARF 5: 7.25 (range lists).
    private func readList(
        _ cursor: inout Cursor, _ sections: DebugSections, limit: Int,
        _ body: (UInt64, UInt64) -> Void
    ) throws(Damaged) {
        let size = forms.addressSize
        let start = cursor.position
        var base = base
        while cursor.position - start < limit {
            switch try cursor.byte() {
            case 0: return
            case 1: base = try address(at: cursor.unsigned(), sections)
            case 2:
                let (low, high) = (try cursor.unsigned(), try cursor.unsigned())
                body(try address(at: low, sections), try address(at: high, sections))
            case 3:
                let low = try address(at: cursor.unsigned(), sections)
                body(low, low &+ (try cursor.unsigned()))
            case 4:
                let (low, high) = (try cursor.unsigned(), try cursor.unsigned())
                body(base &+ low, base &+ high)
            case 5: base = try cursor.unsigned(bytes: size)
            case 6:
                body(try cursor.unsigned(bytes: size), try cursor.unsigned(bytes: size))
            case 7:
                let low = try cursor.unsigned(bytes: size)
                body(low, low &+ (try cursor.unsigned()))
            default: throw Damaged()
            }
        }
    }
}
