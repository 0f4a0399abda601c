// Soundness: a table is allocated once, at first use, filled before the pointer is published by its
// lazy global, never written again and never freed. Indices of entries are the low eight bits of a
// raw value of `Opcode` or checked against `size`; a page has an entry for each. An entry of a raw
// value that is an opcode has the index of its row, and there is a row for each opcode.

/// What the binary reader must know about an opcode.
@usableFromInline
struct OpcodeEntry {
    /// Features needed; every bit for raw values that are no instruction, so that one test is
    /// enough to send both to the slow path.
    @usableFromInline let feature: UInt32
    /// Meaningless if `isIllegal`.
    @usableFromInline let opcode: Opcode
    @usableFromInline let row: UInt16
    @usableFromInline let immediates: Immediates

    @inlinable var isIllegal: Bool { feature == UInt32.max }
}

/// The entries of a page of opcodes, by number in the page. Each page is made when a module first
/// uses it: most use plain opcodes and few others.
struct OpcodePage: @unchecked Sendable {
    let entries: UnsafePointer<OpcodeEntry>
    let size: UInt32

    static let plain = OpcodePage(0x000)
    static let references = OpcodePage(0x100)
    static let miscellaneous = OpcodePage(0x200)
    static let atomics = OpcodePage(0x300)
    static let vectors = OpcodePage(0x400)

    /// The page of a raw value of `Opcode`.
    static func page(of raw: UInt16) -> OpcodePage {
        switch raw >> 8 {
        case 0: plain
        case 1: references
        case 2: miscellaneous
        case 3: atomics
        default: vectors
        }
    }

    static func entry(_ opcode: Opcode) -> OpcodeEntry {
        let raw = opcode.rawValue
        return page(of: raw).entries[number(raw)]
    }

    /// The number in its page of a raw value of `Opcode`. The last page has more than 0x100.
    static func number(_ raw: UInt16) -> Int { Int(raw - min(raw & 0xff00, 0x400)) }

    private init(_ start: UInt16) {
        size = start < 0x400 ? 0x100 : Opcode.rawLimit - 0x400
        let entries = UnsafeMutablePointer<OpcodeEntry>.allocate(capacity: Int(size))
        entries.initialize(
            repeating: OpcodeEntry(
                feature: .max, opcode: .unreachable, row: 0, immediates: .none),
            count: Int(size))
        var row: UInt16 = 0
        InstructionInfo.forEach(inPage: start >> 8) { info in
            entries[Int(info.opcode.rawValue - start)] = OpcodeEntry(
                feature: info.feature.rawValue, opcode: info.opcode, row: row,
                immediates: info.immediates)
            row += 1
        }
        self.entries = UnsafePointer(entries)
    }
}

/// The rows of a page, each page made when one of its rows is first asked for: validation of most
/// modules needs none.
struct InstructionRows: @unchecked Sendable {
    private let rows: UnsafePointer<InstructionInfo>
    private let entries: UnsafePointer<OpcodeEntry>

    static let plain = InstructionRows(0)
    static let references = InstructionRows(1)
    static let miscellaneous = InstructionRows(2)
    static let atomics = InstructionRows(3)
    static let vectors = InstructionRows(4)

    static func row(_ opcode: Opcode) -> InstructionInfo {
        let raw = opcode.rawValue
        let page =
            switch raw >> 8 {
            case 0: plain
            case 1: references
            case 2: miscellaneous
            case 3: atomics
            default: vectors
            }
        return page.rows[Int(page.entries[OpcodePage.number(raw)].row)]
    }

    private init(_ page: UInt16) {
        var count = 0
        InstructionInfo.forEach(inPage: page) { _ in count += 1 }
        let rows = UnsafeMutablePointer<InstructionInfo>.allocate(capacity: count)
        count = 0
        InstructionInfo.forEach(inPage: page) { info in
            rows.advanced(by: count).initialize(to: info)
            count += 1
        }
        self.rows = UnsafePointer(rows)
        entries = OpcodePage.page(of: page << 8).entries
    }
}

extension InstructionInfo {
    /// Calls a closure with each row of a page of the instruction table, in no particular order.
    ///
    /// The page is the high byte of the raw values of its opcodes: 0 for plain opcodes, 1 for those
    /// with the prefix 0xFB, 2 for 0xFC, 3 for 0xFE and 4 for 0xFD. The rows are made each time.
    package static func forEach(inPage page: UInt16, _ body: (InstructionInfo) -> Void) {
        func all(_ rows: [InstructionInfo], _ feature: Features) {
            for var row in rows {
                row.feature.formUnion(feature)
                body(row)
            }
        }
        switch page {
        case 0:
            all(controlInstructions, [])
            all(numericInstructions, [])
        case 1: all(referenceInstructions, .garbageCollection)
        case 2: all(miscellaneousInstructions, [])
        case 3: all(atomicInstructions, .threads)
        default: all(vectorInstructions, .simd)
        }
    }
}

extension Opcode {
    /// One more than the largest raw value.
    static var rawLimit: UInt32 { 0x514 }

    /// The row of the instruction table. Constant time; the first of a page makes the page's rows.
    public var info: InstructionInfo { InstructionRows.row(self) }

    /// The name in the text format.
    public var name: String { info.name.description }

    /// The bytes that stand for the opcode, for messages: `0x6a`, `0xfd 0x60`.
    public var encoding: String { Self.encoding(ofRawValue: rawValue) }

    static func encoding(ofRawValue raw: UInt16) -> String {
        let number = raw < 0x400 ? raw & 0xff : raw - 0x400
        let page: UInt16? =
            switch raw {
            case 0..<0x100: nil
            case 0x100..<0x200: 0xfb
            case 0x200..<0x300: 0xfc
            case 0x300..<0x400: 0xfe
            default: 0xfd
            }
        guard let page else { return "0x" + hexadecimal(number) }
        return "0x\(hexadecimal(page)) 0x\(hexadecimal(number))"
    }
}

/// At least two hexadecimal digits.
func hexadecimal(_ number: some BinaryInteger) -> String {
    let digits = String(number, radix: 16)
    return digits.utf8.count < 2 ? "0" + digits : digits
}
