/// Types (5.3).
extension BinaryReader {
    /// A value type: number, vector or reference.
    @inlinable
    public mutating func valueType() throws(DecodingError) -> ValueType {
        switch nextByte {
        case 0x7f: cursor += 1; return .i32
        case 0x7e: cursor += 1; return .i64
        case 0x7d: cursor += 1; return .f32
        case 0x7c: cursor += 1; return .f64
        default: return try otherValueType(orElse: .malformedValueType)
        }
    }

    @usableFromInline
    mutating func otherValueType(
        orElse reason: DecodingError.Reason
    ) throws(DecodingError) -> ValueType {
        let position = offset
        guard let byte = nextByte else { throw failure(.unexpectedEnd) }
        if byte == 0x7b {
            try require(.simd, at: position)
            cursor += 1
            return .v128
        }
        guard isReferenceType(byte) else { throw failure(reason) }
        try require(.referenceTypes, at: position)
        return ValueType(try referenceType())
    }

    private func isReferenceType(_ byte: UInt8) -> Bool {
        byte == 0x63 || byte == 0x64 || HeapType.abstract(opcode: byte) != nil
    }

    /// A reference type. `funcref` needs no feature here: as the type of a table it is in 1.0.
    public mutating func referenceType() throws(DecodingError) -> ReferenceType {
        let position = offset
        switch try byte() {
        case 0x70:
            return .funcref
        case 0x63:
            try require(.functionReferences, at: position)
            let type = try heapType()
            if type.typeIndex == nil { hasRedundantForms = true }
            return ReferenceType(type, nullable: true)
        case 0x64:
            try require(.functionReferences, at: position)
            return ReferenceType(try heapType(), nullable: false)
        case let byte:
            guard let type = HeapType.abstract(opcode: byte) else {
                throw DecodingError(.malformedReferenceType, at: position)
            }
            try require(type.feature, at: position)
            return ReferenceType(type, nullable: true)
        }
    }

    /// An abstract heap type or a type index (s33).
    ///
    /// Indices above the largest that a `HeapType` holds become that one: no module may define
    /// so many types, so they stay unknown types.
    public mutating func heapType() throws(DecodingError) -> HeapType {
        let position = offset
        if let byte = nextByte, let type = HeapType.abstract(opcode: byte) {
            try require(type.feature, at: position)
            cursor += 1
            return type
        }
        let index = try signed33()
        guard index >= 0 else { throw DecodingError(.malformedHeapType, at: position) }
        try require(.functionReferences, at: position)
        if index >= HeapType.indexLimit { hasRedundantForms = true }
        return .index(UInt32(clamping: min(index, Int64(HeapType.indexLimit) - 1)))
    }

    /// A packed type or value type, as fields have it.
    package mutating func storageType() throws(DecodingError) -> StorageType {
        switch nextByte {
        case 0x78:
            cursor += 1
            return .i8
        case 0x77:
            cursor += 1
            return .i16
        case 0x7f, 0x7e, 0x7d, 0x7c:
            return .value(try valueType())
        default:
            return .value(try otherValueType(orElse: .malformedStorageType))
        }
    }

    package mutating func fieldType() throws(DecodingError) -> FieldType {
        let storage = try storageType()
        return FieldType(storage, mutable: try mutability())
    }

    package mutating func mutability() throws(DecodingError) -> Bool {
        let position = offset
        switch try byte() {
        case 0: return false
        case 1: return true
        default: throw DecodingError(.malformedMutability, at: position)
        }
    }

    package mutating func globalType() throws(DecodingError) -> GlobalType {
        let value = try valueType()
        return GlobalType(value, mutable: try mutability())
    }

    mutating func tableType() throws(DecodingError) -> TableType {
        let element = try referenceType()
        let limits = try limits(allowed: LimitsFlags.table)
        return TableType(element: element, limits: limits.limits, addressType: limits.address)
    }

    mutating func memoryType() throws(DecodingError) -> MemoryType {
        let limits = try limits(allowed: LimitsFlags.memory)
        var type = MemoryType(
            limits: limits.limits, addressType: limits.address,
            shared: limits.flags & LimitsFlags.shared != 0)
        if limits.flags & LimitsFlags.pageSize != 0 {
            type.pageSizeLog2 = try pageSizeLog2()
        }
        return type
    }

    /// The proposal custom-page-sizes lets the format say any power of two below 2^64; one that is
    /// neither 0 nor 16 is for validation to refuse.
    private mutating func pageSizeLog2() throws(DecodingError) -> UInt8 {
        let position = offset
        let log2 = try unsigned32()
        guard log2 < 64 else { throw DecodingError(.invalidCustomPageSize, at: position) }
        return UInt8(truncatingIfNeeded: log2)
    }

    /// The byte before limits; bits above are not in use.
    private enum LimitsFlags {
        static let maximum: UInt8 = 1
        static let shared: UInt8 = 2
        static let address64: UInt8 = 4
        static let pageSize: UInt8 = 8
        static let table = maximum | address64
        static let memory = maximum | shared | address64 | pageSize
    }

    private mutating func limits(
        allowed: UInt8
    ) throws(DecodingError) -> (limits: Limits, address: AddressType, flags: UInt8) {
        let position = offset
        let flags = try byte()
        guard flags & ~allowed == 0 else {
            throw DecodingError(.malformedLimitsFlags, at: position)
        }
        if flags & LimitsFlags.shared != 0 { try require(.threads, at: position) }
        if flags & LimitsFlags.address64 != 0 { try require(.memory64, at: position) }
        if flags & LimitsFlags.pageSize != 0 { try require(.customPageSizes, at: position) }
        var limits = Limits(minimum: try bound())
        if flags & LimitsFlags.maximum != 0 { limits.maximum = try bound() }
        return (limits, flags & LimitsFlags.address64 != 0 ? .i64 : .i32, flags)
    }

    /// Since 3.0 bounds are u64 for every address type; that they fit it is for validation.
    private mutating func bound() throws(DecodingError) -> UInt64 {
        Features.memory64.rawValue & refused == 0
            ? try unsigned64() : UInt64(try unsigned32())
    }
}

extension HeapType {
    /// What a module needs to name this abstract heap type.
    var feature: Features {
        switch self {
        case .func, .extern: .referenceTypes
        case .exn, .noexn: [.referenceTypes, .exceptions]
        default: .garbageCollection
        }
    }
}
