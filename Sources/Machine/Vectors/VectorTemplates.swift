// The generic handlers of vector instructions. The operations are function values, which the
// optimiser inlines: the table names an operator or a function of `Lanes` for every instruction.
//
// Operands are slots; vectors have no accumulator. A result may overlap operands, so all of them
// are read before it is written.
//
// Invariants: those of `State.swift`; slots of a vector are two, both in the frame.

@inline(__always) func vectorUnary<T: Vector, R: Vector>(
    _: T.Type, _ apply: (T) -> R, _ m: State
) {
    m.setVector(apply(m.vector(1, T.self)))
    m.next(2)
}

@inline(__always) func vectorBinary<T: Vector, R: Vector, B: VectorSource>(
    _: T.Type, _ apply: (T, T) -> R, _: B.Type, _ m: State
) {
    m.setVector(apply(m.vector(1, T.self), B.get(m, T.self)))
    m.next(2 &+ B.extraWords)
}

@inline(__always) func vectorTernary<T: Vector, R: Vector>(
    _: T.Type, _ apply: (T, T, T) -> R, _ m: State
) {
    m.setVector(apply(m.vector(1, T.self), m.vector(2, T.self), m.vector(3, T.self)))
    m.next(2)
}

@inline(__always) func vectorCompare<T: Vector, B: VectorSource>(
    _: T.Type, _ compare: (T, T) -> SIMDMask<T.MaskStorage>, _: B.Type, _ m: State
) {
    m.setVector(Lanes.bits(compare(m.vector(1, T.self), B.get(m, T.self))))
    m.next(2 &+ B.extraWords)
}

/// Lanes of the second vector where the comparison of second and first holds, else of the first.
@inline(__always) func vectorChoose<T: Vector>(
    _: T.Type, _ compare: (T, T) -> SIMDMask<T.MaskStorage>, _ m: State
) {
    let a = m.vector(1, T.self), b = m.vector(2, T.self)
    m.setVector(Lanes.select(compare(b, a), b, a))
    m.next(2)
}

/// An operation on lanes of twice the width.
@inline(__always) func vectorExtended<T: Vector, R: Vector>(
    _: T.Type, _ extend: (T) -> R, _ apply: (R, R) -> R, _ m: State
) {
    m.setVector(apply(extend(m.vector(1, T.self)), extend(m.vector(2, T.self))))
    m.next(2)
}

/// The operator takes the count modulo the width of a lane.
@inline(__always) func vectorShift<T: Vector, C: Source>(
    _: T.Type, _ shift: (T, T) -> T, _: C.Type, _ m: State
) where T.Scalar: FixedWidthInteger {
    let count = T(repeating: T.Scalar(truncatingIfNeeded: C.get(m, UInt32.self)))
    m.setVector(shift(m.vector(1, T.self), count))
    m.next(2)
}

/// A test or `bitmask`: the result is an i32.
@inline(__always) func vectorTest<T: Vector, D: Destination>(
    _: T.Type, _ test: (T) -> UInt32, _: D.Type, _ m: State
) {
    let value = test(m.vector(1, T.self))
    D.put(m, value.bits)
    value.advance(m, 2)
}

@inline(__always) func vectorTestBranch<T: Vector, C: Condition, D: Direction>(
    _: T.Type, _ test: (T) -> UInt32, _: C.Type, _: D.Type, _ m: State
) {
    if C.holds(test(m.vector(1, T.self))) { D.take(m, m.signedHalf) } else { m.next(2) }
}

/// ((slot 1) first (slot 2)) second (slot 3); floats are rounded twice, as by two instructions.
@inline(__always) func vectorPair<T: Vector, R: Vector, U: Vector>(
    _: T.Type, _ first: (T, T) -> R, _: U.Type, _ second: (U, U) -> U, _ m: State
) {
    let value = Lanes.cast(first(m.vector(1, T.self), m.vector(2, T.self)), to: U.self)
    m.setVector(second(value, m.vector(3, U.self)))
    m.next(2)
}

/// ((slot 1) shifted by field 2) second (slot 3)
@inline(__always) func vectorShiftPair<T: Vector, U: Vector>(
    _: T.Type, _ shift: (T, T) -> T, _: U.Type, _ second: (U, U) -> U, _ m: State
) where T.Scalar: FixedWidthInteger {
    let count = T(repeating: T.Scalar(truncatingIfNeeded: m.field(2)))
    let value = Lanes.cast(shift(m.vector(1, T.self), count), to: U.self)
    m.setVector(second(value, m.vector(3, U.self)))
    m.next(2)
}

/// ((slot 1) first (slot 2)) shifted by field 3
@inline(__always) func vectorPairShift<T: Vector>(
    _: T.Type, _ first: (T, T) -> T, _ shift: (T, T) -> T, _ m: State
) where T.Scalar: FixedWidthInteger {
    let count = T(repeating: T.Scalar(truncatingIfNeeded: m.field(3)))
    m.setVector(shift(first(m.vector(1, T.self), m.vector(2, T.self)), count))
    m.next(2)
}

/// (slot 3) = (slot 1) first (slot 2), then (slot 0) = (slot 4) second (slot 5), which may be or
/// use what the first has written.
@inline(__always) func vectorTwo<T: Vector>(
    _: T.Type, _ first: (T, T) -> T, _ second: (T, T) -> T, _ m: State
) {
    UnsafeMutableRawPointer(m.sp + m.field(3)).storeBytes(
        of: first(m.vector(1, T.self), m.vector(2, T.self)), as: T.self)
    m.setVector(second(m.vector(4, T.self), m.vector(5, T.self)))
    m.next(3)
}

/// A comparison that keeps its result, and a branch on whether any lane holds.
@inline(__always)
func vectorCompareBranch<T: Vector, B: VectorSource, C: Condition, D: Direction>(
    _: T.Type, _ compare: (T, T) -> SIMDMask<T.MaskStorage>, _: B.Type, _: C.Type, _: D.Type,
    _ m: State
) {
    let mask = Lanes.bits(compare(m.vector(1, T.self), B.get(m, T.self)))
    m.setVector(mask)
    if C.holds(Lanes.anyTrue(mask)) { D.take(m, B.offset(m)) } else { m.next(B.branchWords) }
}

/// Where the second operand of a binary instruction is.
protocol VectorSource {
    static func get<T: Vector>(_ m: State, _ type: T.Type) -> T
    static var extraWords: Int { get }
    /// The offset of a branch, and the words of an instruction with one.
    static func offset(_ m: State) -> Int32
    static var branchWords: Int { get }
}
enum VectorSlot2: VectorSource {
    @inline(__always) static func get<T: Vector>(_ m: State, _ type: T.Type) -> T {
        m.vector(2, T.self)
    }
    @inline(__always) static var extraWords: Int { 0 }
    @inline(__always) static func offset(_ m: State) -> Int32 { m.farHalf }
    @inline(__always) static var branchWords: Int { 3 }
}
/// In words 2 and 3.
enum VectorConstant: VectorSource {
    @inline(__always) static func get<T: Vector>(_ m: State, _ type: T.Type) -> T {
        m.vectorImmediate(T.self)
    }
    @inline(__always) static var extraWords: Int { 2 }
    @inline(__always) static func offset(_ m: State) -> Int32 { m.signedHalf }
    @inline(__always) static var branchWords: Int { 4 }
}

// MARK: Lanes

@inline(__always) func vectorSplat<T: RegisterValue, R: Vector, A: Source>(
    _: T.Type, _ splat: (T) -> R, _: A.Type, _ m: State
) {
    m.setVector(splat(A.get(m, T.self)))
    m.next(2)
}

/// Upper half of word 1: byte offset of the lane from slot 0.
@inline(__always) func vectorExtract<Lane: BitwiseCopyable, T: RegisterValue, D: Destination>(
    _: Lane.Type, _ extend: (Lane) -> T, _: D.Type, _ m: State
) {
    let value = extend(m.lane(Lane.self, m.unsignedHalf))
    D.put(m, value.bits)
    value.advance(m, 2)
}

extension State {
    /// A lane of a vector in the frame, by its byte offset from slot 0.
    @inline(__always)
    func lane<T: BitwiseCopyable>(_ type: T.Type, _ offset: some BinaryInteger) -> T {
        UnsafeRawPointer(sp).loadUnaligned(
            fromByteOffset: Int(truncatingIfNeeded: offset), as: T.self)
    }
}

/// Words 2 and 3 have ones in the lane that is replaced. (Writing the lane alone would make the
/// next load of the vector wait for the two stores.)
@inline(__always) func vectorReplace<T: RegisterValue, R: Vector, A: Source>(
    _: T.Type, _ splat: (T) -> R, _: A.Type, _ m: State
) {
    let new = Lanes.cast(splat(A.get(m, T.self)), to: U64x2.self)
    m.setVector(Lanes.bitselect(new, m.vector(1, U64x2.self), m.vectorImmediate(U64x2.self)))
    m.next(4)
}

@inline(__always) func vectorConstant(_ m: State) {
    m.setVector(m.vectorImmediate(U64x2.self))
    m.next(4)
}

@inline(__always) func vectorCopy(_ m: State) {
    m.setVector(m.vector(1, U64x2.self))
    m.next(2)
}

@inline(__always) func vectorSelect<C: Source>(_: C.Type, _ m: State) {
    let condition = C.get(m, UInt32.self)
    let source = m.sp + (condition != 0 ? m.field(1) : m.field(2))
    m.setVector(UnsafeRawPointer(source).loadUnaligned(as: U64x2.self))
    m.next(2)
}

@inline(__always) func vectorGlobalGet<P: GlobalPlace>(_: P.Type, _ m: State) {
    m.setVector(UnsafeRawPointer(P.cell(m)).loadUnaligned(as: U64x2.self))
    m.next(2)
}

@inline(__always) func vectorGlobalSet<P: GlobalPlace>(_: P.Type, _ m: State) {
    UnsafeMutableRawPointer(P.cell(m)).storeBytes(of: m.vector(1, U64x2.self), as: U64x2.self)
    m.next(2)
}

// MARK: Shuffles

/// Words 2 and 3: byte offsets of the four lanes from slot 0, 32 bits each.
@inline(__always) func vectorShuffle32(_ m: State) {
    m.setVector(
        U32x4(
            m.shuffled(0, UInt32.self), m.shuffled(1, UInt32.self), m.shuffled(2, UInt32.self),
            m.shuffled(3, UInt32.self)))
    m.next(4)
}

@inline(__always) func vectorShuffle16(_ m: State) {
    m.setVector(
        U16x8(
            m.shuffled(0, UInt16.self), m.shuffled(1, UInt16.self), m.shuffled(2, UInt16.self),
            m.shuffled(3, UInt16.self), m.shuffled(4, UInt16.self), m.shuffled(5, UInt16.self),
            m.shuffled(6, UInt16.self), m.shuffled(7, UInt16.self)))
    m.next(6)
}

@inline(__always) func vectorShuffle8(_ m: State) {
    m.setVector(
        U8x16(
            m.shuffled(0, UInt8.self), m.shuffled(1, UInt8.self), m.shuffled(2, UInt8.self),
            m.shuffled(3, UInt8.self), m.shuffled(4, UInt8.self), m.shuffled(5, UInt8.self),
            m.shuffled(6, UInt8.self), m.shuffled(7, UInt8.self), m.shuffled(8, UInt8.self),
            m.shuffled(9, UInt8.self), m.shuffled(10, UInt8.self), m.shuffled(11, UInt8.self),
            m.shuffled(12, UInt8.self), m.shuffled(13, UInt8.self), m.shuffled(14, UInt8.self),
            m.shuffled(15, UInt8.self)))
    m.next(10)
}

extension State {
    @inline(__always)
    fileprivate func shuffled<T: BitwiseCopyable>(_ index: Int, _ type: T.Type) -> T {
        lane(T.self, raw.load(fromByteOffset: 16 &+ 4 &* index, as: UInt32.self))
    }
}

/// Two slots next to each other: a shuffle of 64-bit lanes.
@inline(__always) func vectorJoin(_ m: State) {
    m.setVector(U64x2(m.sp[m.field(1)], m.sp[m.field(2)]))
    m.next(2)
}

/// Upper half of word 1: byte offset from slot 0 of eight bytes; word 2: that of a byte, which
/// fills the upper half. (Compilers fill lanes that do not matter with the first byte.)
@inline(__always) func vectorHalf(_ m: State) {
    let low = m.lane(UInt64.self, m.unsignedHalf)
    let byte = UInt64(m.lane(UInt8.self, m.word(2)))
    m.setVector(U64x2(low, byte &* 0x0101_0101_0101_0101))
    m.next(3)
}

/// 16 adjacent bytes of two vectors. Field 3 is the number of bits to skip, 1 to 63, counted from
/// the start of the first vector or from its upper half.
@inline(__always) func vectorWindow(_ window: (U64x2, U64x2, UInt64) -> U64x2, _ m: State) {
    let bits = UInt64(truncatingIfNeeded: m.field(3))
    m.setVector(window(m.vector(1, U64x2.self), m.vector(2, U64x2.self), bits))
    m.next(2)
}

/// Bytes of the first vector, selected by the bytes of the second; zero for numbers above 15.
@inline(__always) func vectorSwizzle(_ m: State) {
    let bytes = UnsafeRawPointer(m.sp + m.field(1))
    let numbers = m.vector(2, U8x16.self)
    let inside = Lanes.bits(numbers .< U8x16(repeating: 16))
    let places = Lanes.cast(numbers & U8x16(repeating: 15), to: U64x2.self)
    let picked = U64x2(Lanes.gather(bytes, places[0]), Lanes.gather(bytes, places[1]))
    m.setVector(picked & inside)
    m.next(2)
}

extension Lanes {
    /// The eight bytes of `bytes` whose numbers are the bytes of `places`.
    @inline(__always)
    fileprivate static func gather(_ bytes: UnsafeRawPointer, _ places: UInt64) -> UInt64 {
        var result: UInt64 = 0
        var shift: UInt64 = 0
        while shift < 64 {
            let place = Int(truncatingIfNeeded: places &>> shift & 0xff)
            result |= UInt64(bytes.load(fromByteOffset: place, as: UInt8.self)) &<< shift
            shift &+= 8
        }
        return result
    }
}
