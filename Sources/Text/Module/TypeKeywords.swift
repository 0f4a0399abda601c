import WasmDecoder

extension Keyword {
    /// The abstract heap type that the word stands for.
    var heapType: HeapType? {
        switch self {
        case .func: .func
        case .extern: .extern
        case .any: .any
        case .eq: .eq
        case .i31: .i31
        case .struct: .struct
        case .array: .array
        case .none: HeapType.none
        case .nofunc: .nofunc
        case .noextern: .noextern
        case .exn: .exn
        case .noexn: .noexn
        default: nil
        }
    }

    /// The heap type of `funcref` and other short forms of nullable reference types.
    var referencedType: HeapType? {
        switch self {
        case .funcref: .func
        case .externref: .extern
        case .anyref: .any
        case .eqref: .eq
        case .i31ref: .i31
        case .structref: .struct
        case .arrayref: .array
        case .nullref: HeapType.none
        case .nullfuncref: .nofunc
        case .nullexternref: .noextern
        case .exnref: .exn
        case .nullexnref: .noexn
        default: nil
        }
    }

    /// The number or vector type that the word stands for.
    var numericType: ValueType? {
        switch self {
        case .i32: .i32
        case .i64: .i64
        case .f32: .f32
        case .f64: .f64
        case .v128: .v128
        default: nil
        }
    }
}
