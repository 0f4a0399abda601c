// Invariants: those of `MemoryTemplates`; slots are the frame's, as the translator numbered them.
//
// The generic handlers of vector loads and stores.

@inline(__always) func vectorLoad<Stored: BitwiseCopyable, R: Vector, A: Address>(
    _: Stored.Type, _ extend: (Stored) -> R, _: A.Type, _ m: State
) {
    let address = A.effective(m)
    if _slowPath(address &+ UInt(bitPattern: MemoryLayout<Stored>.size) > m.ms) {
        return m.trap(.outOfBoundsMemoryAccess)
    }
    m.setVector(
        extend(m.md.loadUnaligned(fromByteOffset: Int(bitPattern: address), as: Stored.self)))
    m.next(2)
}

@inline(__always) func vectorStore<A: Address>(_: A.Type, _ m: State) {
    let address = A.effective(m)
    if _slowPath(address &+ 16 > m.ms) { return m.trap(.outOfBoundsMemoryAccess) }
    m.md.storeBytes(
        of: m.vector(0, U64x2.self), toByteOffset: Int(bitPattern: address), as: U64x2.self)
    m.next(2)
}

// MARK: Operands in memory

/// (field 4) op (memory)
@inline(__always) func vectorBinaryLoad<T: Vector, R: Vector, A: Address>(
    _: T.Type, _ apply: (T, T) -> R, _: A.Type, _ m: State
) {
    let address = A.effective(m)
    if _slowPath(address &+ 16 > m.ms) { return m.trap(.outOfBoundsMemoryAccess) }
    let loaded = m.md.loadUnaligned(fromByteOffset: Int(bitPattern: address), as: T.self)
    m.setVector(apply(m.vector(4, T.self), loaded))
    m.next(3)
}

@inline(__always) func vectorCompareLoad<T: Vector, A: Address>(
    _: T.Type, _ compare: (T, T) -> SIMDMask<T.MaskStorage>, _: A.Type, _ m: State
) {
    vectorBinaryLoad(T.self, { Lanes.bits(compare($0, $1)) }, A.self, m)
}

/// (field 4) op (memory, extended)
@inline(__always)
func vectorBinaryExtend<Stored: BitwiseCopyable, E: Vector, T: Vector, A: Address>(
    _: Stored.Type, _ extend: (Stored) -> E, _: T.Type, _ apply: (T, T) -> T, _: A.Type, _ m: State
) {
    let address = A.effective(m)
    if _slowPath(address &+ UInt(bitPattern: MemoryLayout<Stored>.size) > m.ms) {
        return m.trap(.outOfBoundsMemoryAccess)
    }
    let loaded = m.md.loadUnaligned(fromByteOffset: Int(bitPattern: address), as: Stored.self)
    m.setVector(apply(m.vector(4, T.self), Lanes.cast(extend(loaded), to: T.self)))
    m.next(3)
}

/// (field 5) + (field 4) * (memory), with two roundings.
@inline(__always)
func vectorMultiplyAddLoad<
    Stored: BitwiseCopyable, E: Vector, T: Vector, R: Vector, A: Address
>(
    _: Stored.Type, _ extend: (Stored) -> E, _: T.Type, _ multiply: (T, T) -> R,
    _ add: (R, R) -> R, _: A.Type, _ m: State
) {
    let address = A.effective(m)
    if _slowPath(address &+ UInt(bitPattern: MemoryLayout<Stored>.size) > m.ms) {
        return m.trap(.outOfBoundsMemoryAccess)
    }
    let loaded = m.md.loadUnaligned(fromByteOffset: Int(bitPattern: address), as: Stored.self)
    let product = multiply(m.vector(4, T.self), Lanes.cast(extend(loaded), to: T.self))
    m.setVector(add(m.vector(5, R.self), product))
    m.next(3)
}

/// (slot 0) = (memory) * (memory). The value loaded first goes to slot 4, which no operand uses:
/// the first address is then no longer needed when the second one takes the same registers.
@inline(__always)
func vectorMultiplyLoads<
    Stored: BitwiseCopyable, E: Vector, T: Vector, R: Vector, A: Address, B: Address
>(
    _: Stored.Type, _ extend: (Stored) -> E, _: T.Type, _ multiply: (T, T) -> R,
    _: A.Type, _: B.Type, _ m: State
) {
    let size = UInt(bitPattern: MemoryLayout<Stored>.size)
    let address = A.effective(m)
    if _slowPath(address &+ size > m.ms) { return m.trap(.outOfBoundsMemoryAccess) }
    let first = extend(
        m.md.loadUnaligned(fromByteOffset: Int(bitPattern: address), as: Stored.self))
    UnsafeMutableRawPointer(m.sp + m.field(4)).storeBytes(of: first, as: E.self)
    let other = B.effective(m)
    if _slowPath(other &+ size > m.ms) { return m.trap(.outOfBoundsMemoryAccess) }
    let second = extend(
        m.md.loadUnaligned(fromByteOffset: Int(bitPattern: other), as: Stored.self))
    m.setVector(multiply(Lanes.cast(first, to: T.self), Lanes.cast(second, to: T.self)))
    m.next(3)
}

/// (memory at slot 5 plus the upper half of word 2) += (field 4) * (memory), with two roundings.
/// The product goes to slot 0, which no operand uses, for the same reason.
@inline(__always)
func vectorMultiplyUpdate<
    Stored: BitwiseCopyable, E: Vector, T: Vector, R: Vector, A: Address
>(
    _: Stored.Type, _ extend: (Stored) -> E, _: T.Type, _ multiply: (T, T) -> R,
    _ add: (R, R) -> R, _: A.Type, _ m: State
) {
    let address = A.effective(m)
    if _slowPath(address &+ UInt(bitPattern: MemoryLayout<Stored>.size) > m.ms) {
        return m.trap(.outOfBoundsMemoryAccess)
    }
    let loaded = m.md.loadUnaligned(fromByteOffset: Int(bitPattern: address), as: Stored.self)
    let product = multiply(m.vector(4, T.self), Lanes.cast(extend(loaded), to: T.self))
    m.setVector(product)
    let target = AtSlot5.effective(m)
    if _slowPath(target &+ 16 > m.ms) { return m.trap(.outOfBoundsMemoryAccess) }
    let place = m.md + Int(bitPattern: target)
    place.storeBytes(of: add(product, place.loadUnaligned(as: R.self)), as: R.self)
    m.next(3)
}

/// (memory) = (field 4) op (field 5)
@inline(__always) func vectorBinaryStore<T: Vector, R: Vector, A: Address>(
    _: T.Type, _ apply: (T, T) -> R, _: A.Type, _ m: State
) {
    let address = A.effective(m)
    if _slowPath(address &+ 16 > m.ms) { return m.trap(.outOfBoundsMemoryAccess) }
    m.md.storeBytes(
        of: apply(m.vector(4, T.self), m.vector(5, T.self)),
        toByteOffset: Int(bitPattern: address), as: R.self)
    m.next(3)
}

/// (memory) = (field 4) op (memory)
@inline(__always) func vectorUpdate<T: Vector, A: Address>(
    _: T.Type, _ apply: (T, T) -> T, _: A.Type, _ m: State
) {
    let address = A.effective(m)
    if _slowPath(address &+ 16 > m.ms) { return m.trap(.outOfBoundsMemoryAccess) }
    let place = m.md + Int(bitPattern: address)
    place.storeBytes(
        of: apply(m.vector(4, T.self), place.loadUnaligned(as: T.self)), as: T.self)
    m.next(3)
}

// MARK: Other memories

@inline(__always) func vectorLoadFar<Stored: BitwiseCopyable, R: Vector>(
    _: Stored.Type, _ extend: (Stored) -> R, _ m: State
) {
    let memory = m.memory(m.field(2))
    guard
        let offset = farOffset(memory, m.sp[m.field(1)], m.word(2), MemoryLayout<Stored>.size)
    else { return m.trap(.outOfBoundsMemoryAccess) }
    m.setVector(extend(memory.base.loadUnaligned(fromByteOffset: offset, as: Stored.self)))
    m.next(3)
}

@inline(__always) func vectorStoreFar(_ m: State) {
    let memory = m.memory(m.field(2))
    guard let offset = farOffset(memory, m.sp[m.field(1)], m.word(2), 16) else {
        return m.trap(.outOfBoundsMemoryAccess)
    }
    memory.base.storeBytes(
        of: m.vector(0, U64x2.self), toByteOffset: offset, as: U64x2.self)
    m.next(3)
}
