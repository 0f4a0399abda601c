import WasmDecoder

/// Bytes of the binary format, written one after another.
struct ByteWriter {
    var bytes: [UInt8] = []

    var count: Int { bytes.count }

    mutating func byte(_ byte: UInt8) { bytes.append(byte) }

    mutating func append(_ other: ByteWriter) { bytes.append(contentsOf: other.bytes) }

    mutating func append(_ other: some Collection<UInt8>) { bytes.append(contentsOf: other) }

    mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }

    /// LEB128 of an unsigned integer.
    mutating func unsigned(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    mutating func index(_ value: UInt32) { unsigned(UInt64(value)) }

    mutating func count(_ value: Int) { unsigned(UInt64(truncatingIfNeeded: value)) }

    /// LEB128 in `width` bytes, or more if that is too few.
    mutating func count(_ value: Int, width: Int) {
        var rest = UInt64(truncatingIfNeeded: value)
        var left = width
        while rest >= 0x80 || left > 1 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
            left -= 1
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    /// LEB128 of a signed integer.
    mutating func signed(_ value: Int64) {
        var rest = value
        while !(-64..<64).contains(rest) {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest) & 0x7f)
    }

    /// The lowest bytes of `value`, the lowest first.
    mutating func littleEndian(_ value: UInt64, count: Int) {
        for index in 0..<count {
            bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(index * 8)))
        }
    }

    /// A vector of bytes: its length, then the bytes.
    mutating func vector(_ content: some Collection<UInt8>) {
        count(content.count)
        bytes.append(contentsOf: content)
    }

    /// Opcode, with its prefix if it has one.
    mutating func opcode(_ opcode: Opcode) {
        let raw = opcode.rawValue
        switch raw {
        case 0..<0x100: byte(UInt8(truncatingIfNeeded: raw))
        case 0x100..<0x200: prefixed(0xfb, raw - 0x100)
        case 0x200..<0x300: prefixed(0xfc, raw - 0x200)
        case 0x300..<0x400: prefixed(0xfe, raw - 0x300)
        default: prefixed(0xfd, raw - 0x400)
        }
    }

    private mutating func prefixed(_ prefix: UInt8, _ number: UInt16) {
        byte(prefix)
        unsigned(UInt64(number))
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
        if !type.isNullable {
            byte(0x64)
        } else if !type.heapType.isAbstract {
            byte(0x63)
        }
        heapType(type.heapType)
    }

    mutating func valueType(_ type: ValueType) {
        switch type {
        case .i32: byte(0x7f)
        case .i64: byte(0x7e)
        case .f32: byte(0x7d)
        case .f64: byte(0x7c)
        case .v128: byte(0x7b)
        default: referenceType(type.reference ?? .funcref)
        }
    }

    mutating func globalType(_ type: GlobalType) {
        valueType(type.value)
        byte(type.isMutable ? 1 : 0)
    }

    mutating func tableType(_ type: TableType) {
        referenceType(type.element)
        limits(type.limits, flags: type.addressType == .i64 ? 4 : 0)
    }

    mutating func memoryType(_ type: MemoryType) {
        let hasPageSize = type.pageSizeLog2 != 16
        let flags: UInt8 =
            (type.isShared ? 2 : 0) | (type.addressType == .i64 ? 4 : 0) | (hasPageSize ? 8 : 0)
        limits(type.limits, flags: flags)
        if hasPageSize { unsigned(UInt64(type.pageSizeLog2)) }
    }

    private mutating func limits(_ limits: Limits, flags: UInt8) {
        byte(flags | (limits.maximum == nil ? 0 : 1))
        unsigned(limits.minimum)
        if let maximum = limits.maximum { unsigned(maximum) }
    }
}
