// Soundness: both tables are allocated once, at first use, filled before the pointers are published
// by the lazy global, never written again and never freed. `entries` has `Opcode.rawLimit`
// elements; all indices are raw values of `Opcode`, which stay below it, bytes or checked. There are
// fewer rows than raw values; `InstructionInfos` has an index of a row from a loop up to `count`.

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

/// The instruction table, by raw value of `Opcode`.
@usableFromInline
struct InstructionTable: @unchecked Sendable {
    @usableFromInline let entries: UnsafePointer<OpcodeEntry>
    @usableFromInline let rows: UnsafePointer<InstructionInfo>
    @usableFromInline let rowCount: Int

    @usableFromInline static let shared = InstructionTable()

    private init() {
        let limit = Int(Opcode.rawLimit)
        let entries = UnsafeMutablePointer<OpcodeEntry>.allocate(capacity: limit)
        let rows = UnsafeMutablePointer<InstructionInfo>.allocate(capacity: limit)
        entries.initialize(
            repeating: OpcodeEntry(
                feature: .max, opcode: .unreachable, row: 0, immediates: .none),
            count: limit)
        var count = 0
        func add(_ page: [InstructionInfo], _ feature: Features) {
            for var info in page {
                info.feature.formUnion(feature)
                entries[Int(info.opcode.rawValue)] = OpcodeEntry(
                    feature: info.feature.rawValue, opcode: info.opcode,
                    row: UInt16(truncatingIfNeeded: count), immediates: info.immediates)
                rows.advanced(by: count).initialize(to: info)
                count += 1
            }
        }
        add(controlInstructions, [])
        add(numericInstructions, [])
        add(referenceInstructions, .garbageCollection)
        add(miscellaneousInstructions, [])
        add(atomicInstructions, .threads)
        add(vectorInstructions, .simd)
        self.entries = UnsafePointer(entries)
        self.rows = UnsafePointer(rows)
        rowCount = count
    }
}

/// The rows of the instruction table for those who need one for each instruction of a module:
/// `Opcode.info` asks each time whether the table is made.
package struct InstructionInfos: Sendable {
    @usableFromInline let table = InstructionTable.shared

    package init() {}

    /// How many rows there are.
    @inlinable package var count: Int { table.rowCount }

    /// The row at an index below `count`, in no particular order.
    @inlinable package subscript(at index: Int) -> InstructionInfo { table.rows[index] }

    @inlinable package subscript(opcode: Opcode) -> InstructionInfo {
        table.rows[Int(table.entries[Int(opcode.rawValue)].row)]
    }
}

extension Opcode {
    /// One more than the largest raw value.
    @usableFromInline static var rawLimit: UInt32 { 0x514 }

    /// The row of the instruction table. Constant time, no allocation.
    @inlinable public var info: InstructionInfo {
        let table = InstructionTable.shared
        return table.rows[Int(table.entries[Int(rawValue)].row)]
    }

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
