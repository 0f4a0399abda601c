// Invariants: word 1 of `countBlock` is the address of a counter that lives as long as the code.
//
// Handlers for observing the guest; emitted only if the engine's configuration asks for it.

import Synchronization

/// Adds one to the counter at the address in word 1. Threads that share the code may lose counts,
/// but do not race.
@inline(__always) func countBlock(_ m: State) {
    let counter = UnsafePointer<Atomic<UInt>>(bitPattern: UInt(m.word(1))).unsafelyUnwrapped
    counter.pointee.store(counter.pointee.load(ordering: .relaxed) &+ 1, ordering: .relaxed)
    m.next(2)
}

/// Reports a call or a return to the store's observer, which may change the size of memory 0.
@inline(__always) func observeCall(_ m: State) {
    upcalls(m.cx).pointee.observeCall(m.cx, m.field(0), UInt32(truncatingIfNeeded: m.unsignedHalf))
    let memory = m.cx.load(
        fromByteOffset: ContextOffset.memory0, as: UnsafePointer<MemoryRecord>.self)
    dispatch(
        m.pc + 2, m.sp, memory.pointee.base, memory.pointee.byteCount, m.cx, m.r, m.f, m.g)
}
