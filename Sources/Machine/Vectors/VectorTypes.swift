// How the machine holds v128 values: 16 bytes in two adjacent slots, read and written as a whole.
//
// A slot is 8 bytes, so accesses are unaligned. Two stores of 8 bytes before a load of 16 would
// make the processor wait, so nothing here handles one half of a vector alone.
//
// Invariants: both slots are in the frame; types that are cast to each other are 16 bytes of plain
// integers or floats.

typealias I8x16 = SIMD16<Int8>
typealias U8x16 = SIMD16<UInt8>
typealias I16x8 = SIMD8<Int16>
typealias U16x8 = SIMD8<UInt16>
typealias I32x4 = SIMD4<Int32>
typealias U32x4 = SIMD4<UInt32>
typealias I64x2 = SIMD2<Int64>
typealias U64x2 = SIMD2<UInt64>
typealias F32x4 = SIMD4<Float>
typealias F64x2 = SIMD2<Double>

/// Any of the types above: 16 bytes without a meaning of their own.
typealias Vector = SIMD & BitwiseCopyable

extension State {
    /// The vector in the two slots from the one that field `index` names.
    @inline(__always) func vector<T: Vector>(_ index: Int, _ type: T.Type) -> T {
        UnsafeRawPointer(sp + field(index)).loadUnaligned(as: T.self)
    }

    /// The vector in words 2 and 3 of the instruction.
    @inline(__always) func vectorImmediate<T: Vector>(_ type: T.Type) -> T {
        raw.loadUnaligned(fromByteOffset: 16, as: T.self)
    }

    /// Writes the vector to the two slots from the one that field 0 names.
    @inline(__always) func setVector<T: Vector>(_ value: T) {
        UnsafeMutableRawPointer(sp + field(0)).storeBytes(of: value, as: T.self)
    }
}

/// The functions of vector instructions (section 4.6 of the specification), as far as Swift has no
/// operator for them.
///
/// They are written on whole vectors of 128 bits, in forms that the compiler turns into few
/// instructions of SSE2 and of NEON; lane by lane would be several times slower.
enum Lanes {
    /// The same 16 bytes as a vector of another type.
    @inline(__always) static func cast<A: Vector, B: Vector>(_ a: A, to type: B.Type) -> B {
        unsafeBitCast(a, to: B.self)
    }

    @inline(__always) static func same<T: Vector>(_ a: T) -> T { a }

    /// A comparison's result as v128 has it: all ones in a lane where it holds, else zero.
    @inline(__always) static func bits<S>(_ mask: SIMDMask<S>) -> U64x2 {
        unsafeBitCast(mask, to: U64x2.self)
    }

    /// Bits of `a` where `mask` has ones, of `b` where it has zeros.
    @inline(__always) static func bitselect(_ a: U64x2, _ b: U64x2, _ mask: U64x2) -> U64x2 {
        (a & mask) | (b & ~mask)
    }

    @inline(__always)
    static func select<T: Vector, S>(_ mask: SIMDMask<S>, _ a: T, _ b: T) -> T {
        cast(bitselect(cast(a, to: U64x2.self), cast(b, to: U64x2.self), bits(mask)), to: T.self)
    }
}
