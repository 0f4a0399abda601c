import WasmDecoder

/// The values that made a guest trap.
///
///     if case .memoryAccess(_, let address, let count, let size) = trap.detail {
///         print("\(count) bytes at \(address), but the memory has only \(size)")
///     }
///
/// They are read from the guest's frame after the trap, so they cost nothing before. Indices of
/// memories, tables and segments are those of the module that trapped.
public enum TrapDetail: Hashable, Sendable {
    /// An access that is not completely in the memory: `byteCount` bytes at `address`, offset
    /// included. A larger address is given as 2^64 - 1.
    case memoryAccess(memory: Int, address: UInt64, byteCount: UInt64, memoryByteCount: UInt64)
    /// An atomic access whose address is not a multiple of its size.
    case unalignedAccess(memory: Int, address: UInt64, byteCount: UInt64)
    /// Bytes of a data segment that it does not have; a dropped segment has 0.
    case dataSegment(segment: Int, offset: UInt64, byteCount: UInt64, segmentByteCount: UInt64)
    /// An access to `count` elements from `index` on that are not all in the table.
    case tableAccess(table: Int, index: UInt64, count: UInt64, tableCount: UInt64)
    /// Elements of an element segment that it does not have; a dropped segment has 0.
    case elementSegment(segment: Int, offset: UInt64, count: UInt64, segmentCount: UInt64)
    /// An indirect call of an element that is null; `expected` is the type of the call.
    case nullElement(table: Int, index: UInt64, expected: String)
    /// An indirect call of a function of another type.
    case functionType(table: Int, index: UInt64, expected: String, found: String)
    /// An access to `count` elements from `index` on that are not all in the array.
    case arrayAccess(index: UInt64, count: UInt64, arrayCount: UInt64)
    /// A failed cast of a reference; `found` is the type of its object.
    case cast(expected: String, found: String)
    /// A number that the integer type cannot represent.
    case conversion(value: Double, type: ValueType)
}

extension TrapDetail: CustomStringConvertible {
    /// `4 bytes at 0x10000 of a memory of 65536 bytes`
    public var description: String {
        switch self {
        case .memoryAccess(let memory, let address, let count, let size):
            "\(bytes(count)) at \(hex(address)) of memory \(memory), which has \(bytes(size))"
        case .unalignedAccess(let memory, let address, let count):
            "\(bytes(count)) at \(hex(address)) of memory \(memory)"
        case .dataSegment(let segment, let offset, let count, let size):
            "\(bytes(count)) at \(hex(offset)) of data segment \(segment), which has \(bytes(size))"
        case .tableAccess(let table, let index, let count, let size):
            "\(elements(index, count)) of table \(table), which has \(size)"
        case .elementSegment(let segment, let offset, let count, let size):
            "\(elements(offset, count)) of element segment \(segment), which has \(size)"
        case .nullElement(let table, let index, let expected):
            "element \(index) of table \(table) is null, expected \(expected)"
        case .functionType(let table, let index, let expected, let found):
            "element \(index) of table \(table): expected \(expected), found \(found)"
        case .arrayAccess(let index, let count, let size):
            "\(elements(index, count)) of an array, which has \(size)"
        case .cast(let expected, let found): "expected \(expected), found \(found)"
        // The sign of a NaN depends on the processor.
        case .conversion(let value, let type): "\(value.isNaN ? "nan" : "\(value)") is no \(type)"
        }
    }

    private func bytes(_ count: UInt64) -> String { "\(count) byte\(count == 1 ? "" : "s")" }
    private func hex(_ number: UInt64) -> String { "0x" + String(number, radix: 16) }
    private func elements(_ index: UInt64, _ count: UInt64) -> String {
        count == 1 ? "element \(index)" : "\(count) elements from \(index) on"
    }
}
