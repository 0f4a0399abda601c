// The generic handlers of atomic accesses.
//
// Words of an instruction: 1 = fields, 2 = offset, 3 = index of the memory.
//
// Invariant: an address that was checked lies in a memory whose bytes stay accessible while the
// store lives, and is a multiple of the access's size.

import Synchronization

/// What a read-modify-write instruction does.
protocol AtomicOperator {
    associatedtype Value: AtomicInteger
    /// Returns the value before.
    static func apply(_ operand: Value, _ place: UnsafeMutableRawPointer) -> Value
}

enum AtomicAdd<Value: AtomicInteger>: AtomicOperator {
    @inline(__always)
    static func apply(_ operand: Value, _ place: UnsafeMutableRawPointer) -> Value {
        Value.add(operand, place)
    }
}
enum AtomicSubtract<Value: AtomicInteger>: AtomicOperator {
    @inline(__always)
    static func apply(_ operand: Value, _ place: UnsafeMutableRawPointer) -> Value {
        Value.add(0 &- operand, place)
    }
}
enum AtomicExchange<Value: AtomicInteger>: AtomicOperator {
    @inline(__always)
    static func apply(_ operand: Value, _ place: UnsafeMutableRawPointer) -> Value {
        Value.exchange(operand, place)
    }
}

/// Repeats until no other thread changed the value in between, as processors without an instruction
/// that returns the old value must.
@inline(__always)
private func modify<Value: AtomicInteger>(
    _ place: UnsafeMutableRawPointer, _ change: (Value) -> Value
) -> Value {
    var old = Value.load(place)
    while true {
        let found = Value.compareExchange(old, change(old), place)
        if found == old { return old }
        old = found
    }
}

enum AtomicAnd<Value: AtomicInteger>: AtomicOperator {
    @inline(__always)
    static func apply(_ operand: Value, _ place: UnsafeMutableRawPointer) -> Value {
        modify(place) { $0 & operand }
    }
}
enum AtomicOr<Value: AtomicInteger>: AtomicOperator {
    @inline(__always)
    static func apply(_ operand: Value, _ place: UnsafeMutableRawPointer) -> Value {
        modify(place) { $0 | operand }
    }
}
enum AtomicXor<Value: AtomicInteger>: AtomicOperator {
    @inline(__always)
    static func apply(_ operand: Value, _ place: UnsafeMutableRawPointer) -> Value {
        modify(place) { $0 ^ operand }
    }
}

/// The place of an access of `size` bytes, or the trap code if there is none.
@inline(__always)
private func atomicPlace(_ m: State, _ size: UInt) -> (UnsafeMutableRawPointer?, TrapCode) {
    let memory = m.memory(Int(UInt32(truncatingIfNeeded: m.word(3))))
    let (address, overflow) = m.sp[m.field(1)].addingReportingOverflow(m.word(2))
    let available = UInt64(memory.byteCount)
    if overflow || available < UInt64(size) || address > available &- UInt64(size) {
        return (nil, .outOfBoundsMemoryAccess)
    }
    if address & UInt64(size &- 1) != 0 { return (nil, .unalignedAtomic) }
    return (memory.base + Int(truncatingIfNeeded: address), .unalignedAtomic)
}

@inline(__always) private func finish<T: AtomicInteger>(_ value: T, _ m: State) {
    m.sp[m.field(0)] = UInt64(value)
    UInt64(value).advance(m, 4)
}

@inline(__always) private func operand<T: AtomicInteger>(_ m: State, _ field: Int, _: T.Type) -> T {
    T(truncatingIfNeeded: m.sp[m.field(field)])
}

@inline(__always) func atomicLoad<T: AtomicInteger>(_: T.Type, _ m: State) {
    let (place, code) = atomicPlace(m, UInt(bitPattern: MemoryLayout<T>.size))
    guard let place else { return m.trap(code) }
    finish(T.load(place), m)
}

@inline(__always) func atomicStore<T: AtomicInteger>(_: T.Type, _ m: State) {
    let (place, code) = atomicPlace(m, UInt(bitPattern: MemoryLayout<T>.size))
    guard let place else { return m.trap(code) }
    T.store(operand(m, 0, T.self), place)
    m.next(4)
}

@inline(__always) func atomicModify<O: AtomicOperator>(_: O.Type, _ m: State) {
    let (place, code) = atomicPlace(m, UInt(bitPattern: MemoryLayout<O.Value>.size))
    guard let place else { return m.trap(code) }
    finish(O.apply(operand(m, 2, O.Value.self), place), m)
}

/// The expected value is wrapped to the width of the access before it is compared.
@inline(__always) func atomicCompareExchange<T: AtomicInteger>(_: T.Type, _ m: State) {
    let (place, code) = atomicPlace(m, UInt(bitPattern: MemoryLayout<T>.size))
    guard let place else { return m.trap(code) }
    finish(T.compareExchange(operand(m, 2, T.self), operand(m, 3, T.self), place), m)
}

// MARK: Waiting

/// `memory.atomic.notify`: field 2 has how many to wake.
@inline(__always) func atomicNotify(_ m: State) {
    let (place, code) = atomicPlace(m, 4)
    guard place != nil else { return m.trap(code) }
    let memory = Int(UInt32(truncatingIfNeeded: m.word(3)))
    let woken = upcalls(m.cx).pointee.notify(
        m.cx, memory, m.sp[m.field(1)] &+ m.word(2), m.sp[m.field(2)])
    m.sp[m.field(0)] = woken
    woken.advance(m, 4)
}

/// `memory.atomic.wait32` and `wait64`: expected value in field 2, nanoseconds in field 3.
@inline(__always) func atomicWait(_ m: State) {
    let size = UInt(truncatingIfNeeded: m.word(3) &>> 32)
    let (place, code) = atomicPlace(m, size)
    guard place != nil else { return m.trap(code) }
    let memory = Int(UInt32(truncatingIfNeeded: m.word(3)))
    let answer = upcalls(m.cx).pointee.wait(
        m.cx, memory, m.sp[m.field(1)] &+ m.word(2), size == 8, m.sp[m.field(2)],
        m.sp[m.field(3)])
    // The upper half may hold a trap code or `suspended`.
    if _slowPath(answer > 2) {
        return leave(m.pc, m.sp, m.md, UInt(answer &>> 32), m.cx, m.r, m.f, m.g)
    }
    m.sp[m.field(0)] = answer
    answer.advance(m, 4)
}

/// Atomic accesses are sequentially consistent already; the fence orders the plain ones too.
@inline(__always) func atomicFence(_ m: State) {
    atomicMemoryFence(ordering: .sequentiallyConsistent)
    m.next(2)
}
