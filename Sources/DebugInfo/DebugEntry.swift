import WasmDecoder

/// What is read of a debugging information entry: the attributes that lead from an address to a
/// function, as they are there.
///
/// DWARF 5: 2.1 (debugging information entry).
struct DebugEntry {
    enum Tag {
        static let inlinedSubroutine: UInt64 = 0x1d
        static let subprogram: UInt64 = 0x2e
    }

    var tag: UInt64
    var hasChildren: Bool

    var name: AttributeValue?
    var linkageName: AttributeValue?
    /// The entry that has what this one leaves out.
    var origin: AttributeValue?
    var lowAddress: AttributeValue?
    var highAddress: AttributeValue?
    var ranges: AttributeValue?
    var callFile: UInt64 = 0
    var callLine: UInt64 = 0
    var callColumn: UInt64 = 0

    // Of units.
    var lineProgram: UInt64?
    var compilationDirectory: AttributeValue?
    var stringOffsetsBase: UInt64 = 0
    var addressBase: UInt64 = 0
    var rangeListsBase: UInt64 = 0

    /// Reads an entry whose code was read; moves `cursor` after it.
    init(
        _ cursor: inout Cursor, _ abbreviation: Abbreviation, _ forms: UnitForms,
        _ sections: DebugSections
    ) throws(Damaged) {
        tag = abbreviation.tag
        hasChildren = abbreviation.hasChildren
        for attribute in abbreviation.attributes {
            let value = try cursor.attribute(
                attribute.form, forms, sections, implicit: attribute.implicit)
            switch attribute.name {
            case 0x03: name = value
            case 0x10: lineProgram = value.number
            case 0x11: lowAddress = value
            case 0x12: highAddress = value
            case 0x1b: compilationDirectory = value
            case 0x31, 0x47: origin = value
            case 0x55: ranges = value
            case 0x57: callColumn = value.number ?? 0
            case 0x58: callFile = value.number ?? 0
            case 0x59: callLine = value.number ?? 0
            case 0x6e, 0x2007: linkageName = value
            case 0x72: stringOffsetsBase = value.number ?? 0
            case 0x73: addressBase = value.number ?? 0
            case 0x74: rangeListsBase = value.number ?? 0
            default: break
            }
        }
    }
}

extension AttributeValue {
    /// A constant or an offset.
    var number: UInt64? {
        switch self {
        case .constant(let value), .offset(let value): value
        default: nil
        }
    }
}
