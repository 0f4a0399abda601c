import WasmDecoder

/// What the size of an attribute depends on, beside its form.
struct UnitForms {
    var offsetSize: Int
    var addressSize: Int
    var version: UInt64
}

/// The value of an attribute, as far as this room reads it.
enum AttributeValue {
    case address(UInt64)
    /// Index into the unit's part of `.debug_addr`.
    case addressIndex(UInt64)
    case constant(UInt64)
    /// Offset from the start of the unit.
    case unitReference(UInt64)
    /// Offset from the start of the section, here `.debug_info`.
    case reference(UInt64)
    /// Offset into the section that the attribute is about.
    case offset(UInt64)
    /// Index into the unit's part of `.debug_rnglists` (or of another table of lists).
    case listIndex(UInt64)
    case string(StringPlace)
    /// Index into the unit's part of `.debug_str_offsets`.
    case stringIndex(UInt64)
    case other
}

extension Cursor {
    /// Reads an attribute of a form.
    ///
    /// DWARF 5: 7.5.6 (form encodings).
    mutating func attribute(
        _ form: UInt64, _ unit: UnitForms, _ sections: DebugSections, implicit: Int64 = 0
    ) throws(Damaged) -> AttributeValue {
        switch form {
        case 0x01: return .address(try unsigned(bytes: unit.addressSize))
        case 0x03: return try block(try unsigned(bytes: 2))
        case 0x04: return try block(try unsigned(bytes: 4))
        case 0x05: return .constant(try unsigned(bytes: 2))
        case 0x06:
            // Offsets before version 4.
            let value = try unsigned(bytes: 4)
            return unit.version < 4 ? .offset(value) : .constant(value)
        case 0x07:
            let value = try unsigned(bytes: 8)
            return unit.version < 4 ? .offset(value) : .constant(value)
        case 0x08: return .string(try string())
        case 0x09, 0x18: return try block(try unsigned())
        case 0x0a: return try block(try unsigned(bytes: 1))
        case 0x0b, 0x0c: return .constant(try unsigned(bytes: 1))
        case 0x0d: return .constant(UInt64(bitPattern: try signed()))
        case 0x0e:
            let offset = try unsigned(bytes: unit.offsetSize)
            return .string(try sections.string(sections.strings, at: offset))
        case 0x0f: return .constant(try unsigned())
        case 0x10:
            let size = unit.version < 3 ? unit.addressSize : unit.offsetSize
            return .reference(try unsigned(bytes: size))
        case 0x11: return .unitReference(try unsigned(bytes: 1))
        case 0x12: return .unitReference(try unsigned(bytes: 2))
        case 0x13: return .unitReference(try unsigned(bytes: 4))
        case 0x14: return .unitReference(try unsigned(bytes: 8))
        case 0x15: return .unitReference(try unsigned())
        case 0x16:
            let actual = try unsigned()
            // A chain of them would be a recursion of the file's making.
            guard actual != 0x16, actual != 0x21 else { throw Damaged() }
            return try attribute(actual, unit, sections)
        case 0x17: return .offset(try unsigned(bytes: unit.offsetSize))
        case 0x19: return .constant(1)
        case 0x1a: return .stringIndex(try unsigned())
        case 0x1b: return .addressIndex(try unsigned())
        case 0x1c: return try block(4)
        case 0x1d: return try block(UInt64(unit.offsetSize))
        case 0x1e: return try block(16)
        case 0x1f:
            let offset = try unsigned(bytes: unit.offsetSize)
            return .string(try sections.string(sections.lineStrings, at: offset))
        case 0x20, 0x24: return try block(8)
        case 0x21: return .constant(UInt64(bitPattern: implicit))
        case 0x22, 0x23: return .listIndex(try unsigned())
        case 0x25...0x28: return .stringIndex(try unsigned(bytes: Int(form) - 0x24))
        case 0x29...0x2c: return .addressIndex(try unsigned(bytes: Int(form) - 0x28))
        default: throw Damaged()
        }
    }

    private mutating func block(_ count: UInt64) throws(Damaged) -> AttributeValue {
        try skip(count)
        return .other
    }
}

/// What entries with one code have in common: the tag, whether children follow, the attributes.
struct Abbreviation {
    struct Attribute {
        var name: UInt64
        var form: UInt64
        /// The value, for a form that has it here instead of in the entries.
        var implicit: Int64
    }

    var tag: UInt64
    var hasChildren: Bool
    var attributes: [Attribute]

    /// No compiler comes close. Entries of a byte with thousands of attributes of none would take
    /// as long as a file that is larger by as much.
    static let attributeLimit = 256
}

/// The abbreviations of a unit, by their code.
///
/// DWARF 5: 7.5.3 (abbreviations tables).
struct AbbreviationTable {
    private var byCode: [UInt64: Abbreviation] = [:]

    /// Reads a table; moves `cursor` after it.
    init(_ cursor: inout Cursor) throws(Damaged) {
        while !cursor.isAtEnd {
            let code = try cursor.unsigned()
            guard code != 0 else { return }
            var abbreviation = Abbreviation(
                tag: try cursor.unsigned(), hasChildren: try cursor.byte() != 0, attributes: [])
            while true {
                let name = try cursor.unsigned()
                let form = try cursor.unsigned()
                if name == 0, form == 0 { break }
                guard abbreviation.attributes.count < Abbreviation.attributeLimit else {
                    throw Damaged()
                }
                abbreviation.attributes.append(
                    .init(name: name, form: form, implicit: form == 0x21 ? try cursor.signed() : 0))
            }
            byCode[code] = abbreviation
        }
    }

    subscript(code: UInt64) -> Abbreviation? { byCode[code] }
}
