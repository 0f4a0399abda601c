import WasmDecoder

/// Parts of the binary format, written one after another.
///
/// Specification: 5.2 (values), 5.3 (types), 5.4.10 (expressions).
package struct BinaryWriter {
    package var bytes: [UInt8] = []
    /// Whether constants and sizes have the width that the largest of their type needs, so that
    /// what follows stays in its place if only the value changes.
    let isPadded: Bool

    package init(padded: Bool = false) { isPadded = padded }

    package mutating func byte(_ byte: UInt8) { bytes.append(byte) }

    package mutating func append(_ content: some Collection<UInt8>) {
        bytes.append(contentsOf: content)
    }

    /// LEB128 in at least `width` bytes.
    package mutating func unsigned(_ value: UInt64, width: Int = 1) {
        var rest = value
        var left = width
        while rest >= 0x80 || left > 1 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
            left -= 1
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    package mutating func count(_ count: Int) { unsigned(UInt64(UInt(bitPattern: count))) }

    package mutating func index(_ index: UInt32) { unsigned(UInt64(index)) }

    /// A size of up to 32 bits, in five bytes if the writer pads.
    mutating func size(_ size: Int) {
        unsigned(UInt64(UInt(bitPattern: size)), width: isPadded ? 5 : 1)
    }

    /// Signed LEB128 in at least `width` bytes.
    mutating func signed(_ value: Int64, width: Int = 1) {
        var rest = value
        var left = width
        while !(-64..<64).contains(rest) || left > 1 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
            left -= 1
        }
        bytes.append(UInt8(truncatingIfNeeded: rest) & 0x7f)
    }

    mutating func littleEndian(_ value: UInt64, count: Int) {
        for index in 0..<count {
            bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(index * 8)))
        }
    }

    /// A vector of bytes: its length, then the bytes.
    package mutating func vector(_ content: some Collection<UInt8>) {
        count(content.count)
        append(content)
    }

    // MARK: Types

    mutating func heapType(_ type: HeapType) {
        if let opcode = type.opcode {
            byte(opcode)
        } else {
            signed(Int64(type.typeIndex ?? 0))
        }
    }

    mutating func referenceType(_ type: ReferenceType) {
        if type.isNullable, let opcode = type.heapType.opcode {
            byte(opcode)
        } else {
            byte(type.isNullable ? 0x63 : 0x64)
            heapType(type.heapType)
        }
    }

    mutating func valueType(_ type: ValueType) {
        switch type {
        case .i32: byte(0x7f)
        case .i64: byte(0x7e)
        case .f32: byte(0x7d)
        case .f64: byte(0x7c)
        case .v128: byte(0x7b)
        default: if let reference = type.reference { referenceType(reference) }
        }
    }

    package mutating func globalType(_ type: GlobalType) {
        valueType(type.value)
        byte(type.isMutable ? 1 : 0)
    }

    mutating func tableType(_ type: TableType) {
        referenceType(type.element)
        limits(type.limits, flags: type.addressType == .i64 ? 4 : 0)
    }

    package mutating func memoryType(_ type: MemoryType) {
        var flags: UInt8 = type.addressType == .i64 ? 4 : 0
        if type.isShared { flags |= 2 }
        if type.pageSizeLog2 != 16 { flags |= 8 }
        limits(type.limits, flags: flags)
        if type.pageSizeLog2 != 16 { unsigned(UInt64(type.pageSizeLog2)) }
    }

    private mutating func limits(_ limits: Limits, flags: UInt8) {
        byte(flags | (limits.maximum == nil ? 0 : 1))
        unsigned(limits.minimum)
        if let maximum = limits.maximum { unsigned(maximum) }
    }

    // MARK: Constant expressions

    private static let end: UInt8 = 0x0b

    /// The constant of a number or vector, from the bits of its slots.
    package mutating func constant(_ type: ValueType, low: UInt64, high: UInt64 = 0) {
        switch type {
        case .i32:
            byte(0x41)
            signed(
                Int64(Int32(truncatingIfNeeded: low)), width: isPadded ? 5 : 1)
        case .i64:
            byte(0x42)
            signed(Int64(bitPattern: low), width: isPadded ? 10 : 1)
        case .f32:
            byte(0x43)
            littleEndian(low, count: 4)
        case .f64:
            byte(0x44)
            littleEndian(low, count: 8)
        default:
            append([0xfd, 0x0c])
            littleEndian(low, count: 8)
            littleEndian(high, count: 8)
        }
        byte(Self.end)
    }

    mutating func null(_ type: HeapType) {
        byte(0xd0)
        heapType(type)
        byte(Self.end)
    }

    mutating func function(_ index: Int) {
        byte(0xd2)
        count(index)
        byte(Self.end)
    }

    /// An i31, as a reference of the host's side if `isExternal`.
    mutating func i31(_ value: UInt32, isExternal: Bool) {
        byte(0x41)
        signed(Int64(Int32(bitPattern: value)))
        append([0xfb, 0x1c])
        if isExternal { append([0xfb, 0x1b]) }
        byte(Self.end)
    }
}
