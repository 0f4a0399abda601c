// The generic handlers of vector loads and stores. The invariants are those of `MemoryTemplates`.

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
