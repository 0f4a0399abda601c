/// How a field of a structure or an element of an array is in memory.
enum FieldStorage: UInt8 {
    case i8, i16, i32, i64, f32, f64, v128, reference

    init(_ type: StorageType) {
        switch type {
        case .i8: self = .i8
        case .i16: self = .i16
        case .value(.i32): self = .i32
        case .value(.i64): self = .i64
        case .value(.f32): self = .f32
        case .value(.f64): self = .f64
        case .value(.v128): self = .v128
        case .value: self = .reference
        }
    }

    /// Size in bytes as a power of two.
    var byteCountLog2: Int {
        switch self {
        case .i8: 0
        case .i16: 1
        case .i32, .f32: 2
        case .i64, .f64, .reference: 3
        case .v128: 4
        }
    }

    var byteCount: Int { 1 << byteCountLog2 }
}

/// Where the fields of a structure are, in bytes from the object's address.
///
/// Fields follow each other in their order, each aligned to its size (v128 to 8 bytes), the first
/// right after the four bytes of the header. So a subtype's layout begins with its supertype's.
struct StructureLayout {
    struct Field {
        var storage: FieldStorage
        var offset: Int
    }

    private(set) var fields: [Field] = []
    /// With header, a multiple of 8.
    private(set) var byteCount = 8

    init(_ types: [FieldType]) {
        var end = 4
        fields.reserveCapacity(types.count)
        for type in types {
            let storage = FieldStorage(type.storage)
            let mask = min(storage.byteCount, 8) - 1
            let offset = (end + mask) & ~mask
            fields.append(Field(storage: storage, offset: offset))
            end = offset + storage.byteCount
        }
        byteCount = (end + 7) & ~7
    }
}
