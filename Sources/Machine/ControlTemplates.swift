// The generic handlers of branches, returns and moves.
//
// Invariants: those of `State.swift`. Branch offsets lead to instructions of the same function; a
// frame's header holds what the call wrote to it.

@inline(__always) func branch<D: Direction>(_: D.Type, _ m: State) { D.take(m, m.signedHalf) }

@inline(__always) func branchIf<C: Condition, A: Source, D: Direction>(
    _: C.Type, _: A.Type, _: D.Type, _ m: State
) {
    if C.holds(A.get(m, UInt32.self)) { D.take(m, m.signedHalf) } else { m.next(2) }
}

/// The upper half of word 1 is the number of targets without the default. Their 32-bit offsets
/// start at word 2, the default last.
@inline(__always) func branchTable<A: Source>(_: A.Type, _ m: State) {
    let index = min(UInt(A.get(m, UInt32.self)), m.unsignedHalf)
    let offset = m.raw.load(fromByteOffset: 16 &+ Int(bitPattern: index &* 4), as: Int32.self)
    // Offset 0 is a loop that begins with this instruction.
    if offset <= 0 { Loop.take(m, offset) } else { Forward.take(m, offset) }
}

@inline(__always) func copyBranch<D: Direction>(_: D.Type, _ m: State) {
    m.sp[m.field(0)] = m.sp[m.field(1)]
    D.take(m, m.signedHalf)
}

/// The constant is an unsigned 16-bit number.
@inline(__always) func constantBranch<D: Direction>(_: D.Type, _ m: State) {
    m.sp[m.field(0)] = UInt64(truncatingIfNeeded: m.field(1))
    D.take(m, m.signedHalf)
}

/// Takes budget for a long stretch without branches or calls.
@inline(__always) func charge(_ m: State) {
    if _slowPath(m.useBudget(Int64(m.unsignedHalf))) {
        return refillBudget(m.pc + 2, m.sp, m.md, m.ms, m.cx, m.r, m.f, m.g)
    }
    m.next(2)
}

@inline(__always) func unreachable(_ m: State) { m.trap(.unreachable) }

/// The saved code of the outermost frame points here: ends the run.
@inline(__always) func halt(_ m: State) { leave(m.pc, m.sp, m.md, 0, m.cx, m.r, m.f, m.g) }

// MARK: Returns

extension State {
    /// Caller's code and stack, from the frame header at slot `index`.
    @inline(__always) func header(_ index: Int) -> (CodePointer, StackPointer) {
        (
            CodePointer(bitPattern: UInt(sp[index])).unsafelyUnwrapped,
            StackPointer(bitPattern: UInt(sp[index &+ 1])).unsafelyUnwrapped
        )
    }
}

/// Field 0: index of the frame header. Results, if any, are in the slots from 0.
@inline(__always) func returnNone(_ m: State) {
    let (pc, sp) = m.header(m.field(0))
    dispatch(pc, sp, m.md, m.ms, m.cx, m.r, m.f, m.g)
}

/// One result: it goes to slot 0 and to its accumulator.
@inline(__always) func returnValue<T: RegisterValue, A: Source>(
    _: T.Type, _: A.Type, _ m: State
) {
    let value = A.get(m, T.self)
    let (pc, sp) = m.header(m.field(0))
    m.sp[0] = value.bits
    value.advance(m, to: pc, sp)
}

// MARK: Moves

@inline(__always) func copy(_ m: State) {
    m.sp[m.field(0)] = m.sp[m.field(1)]
    m.next(2)
}

@inline(__always) func copyTwo(_ m: State) {
    let a = m.sp[m.field(1)], b = m.sp[m.field(3)]
    m.sp[m.field(0)] = a
    m.sp[m.field(2)] = b
    m.next(2)
}

/// The constant is an unsigned 16-bit number.
@inline(__always) func copyConstant(_ m: State) {
    m.sp[m.field(0)] = m.sp[m.field(1)]
    m.sp[m.field(2)] = UInt64(truncatingIfNeeded: m.field(3))
    m.next(2)
}

/// Two unsigned 16-bit constants.
@inline(__always) func constantTwo(_ m: State) {
    m.sp[m.field(0)] = UInt64(truncatingIfNeeded: m.field(1))
    m.sp[m.field(2)] = UInt64(truncatingIfNeeded: m.field(3))
    m.next(2)
}

/// The ranges may overlap.
@inline(__always) func copyRange(_ m: State) {
    (m.sp + m.field(0)).update(from: m.sp + m.field(1), count: Int(bitPattern: m.unsignedHalf))
    m.next(2)
}

@inline(__always) func constant32(_ m: State) {
    m.sp[m.field(0)] = UInt64(m.unsignedHalf)
    m.next(2)
}

@inline(__always) func constant64(_ m: State) {
    m.sp[m.field(0)] = m.word(2)
    m.next(3)
}

/// At least one slot.
@inline(__always) func zero(_ m: State) {
    let slots = m.sp + m.field(0)
    let count = Int(bitPattern: m.unsignedHalf)
    var index = 0
    repeat {
        slots[index] = 0
        index &+= 1
    } while index < count
    m.next(2)
}

// MARK: Globals

protocol GlobalPlace {
    static func cell(_ m: State) -> UnsafeMutablePointer<UInt64>
}
/// The cell is in the context block.
enum OwnGlobal: GlobalPlace {
    @inline(__always) static func cell(_ m: State) -> UnsafeMutablePointer<UInt64> {
        (m.cx + Int(bitPattern: m.unsignedHalf)).assumingMemoryBound(to: UInt64.self)
    }
}
/// The context block has the address of the cell.
enum ImportedGlobal: GlobalPlace {
    @inline(__always) static func cell(_ m: State) -> UnsafeMutablePointer<UInt64> {
        m.cx.load(
            fromByteOffset: Int(bitPattern: m.unsignedHalf),
            as: UnsafeMutablePointer<UInt64>.self)
    }
}

@inline(__always) func globalGet<T: RegisterValue, P: GlobalPlace, D: Destination>(
    _: T.Type, _: P.Type, _: D.Type, _ m: State
) {
    let value = T(bits: P.cell(m).pointee)
    D.put(m, value.bits)
    value.advance(m, 2)
}

@inline(__always) func globalSet<T: RegisterValue, P: GlobalPlace, A: Source>(
    _: T.Type, _: P.Type, _: A.Type, _ m: State
) {
    P.cell(m).pointee = A.get(m, T.self).bits
    m.next(2)
}

/// Field 1: byte offset of the global in the context block.
@inline(__always) func globalAdd(_ m: State) {
    let offset = m.field(1)
    let sum =
        m.cx.load(fromByteOffset: offset, as: UInt32.self) &+ UInt32(bitPattern: m.signedHalf)
    m.cx.storeBytes(of: sum.bits, toByteOffset: offset, as: UInt64.self)
    m.sp[m.field(0)] = sum.bits
    sum.advance(m, 2)
}

/// Field 0: byte offset of the global in the context block.
@inline(__always) func globalSetSum(_ m: State) {
    let sum = Slot1.get(m, UInt32.self) &+ UInt32(bitPattern: m.signedHalf)
    m.cx.storeBytes(of: sum.bits, toByteOffset: m.field(0), as: UInt64.self)
    m.next(2)
}

// MARK: Tables and references

@inline(__always) func tableGet(_ m: State) {
    let table = m.table(m.field(2))
    let index = UInt(m.sp[m.field(1)])
    if _slowPath(index >= table.count) { return m.trap(.outOfBoundsTableAccess) }
    let value = table.elements[Int(bitPattern: index)]
    m.sp[m.field(0)] = value
    value.advance(m, 2)
}

/// table[slot 0] = slot 1
@inline(__always) func tableSet(_ m: State) {
    let table = m.table(m.field(2))
    let index = UInt(m.sp[m.field(0)])
    if _slowPath(index >= table.count) { return m.trap(.outOfBoundsTableAccess) }
    table.elements[Int(bitPattern: index)] = m.sp[m.field(1)]
    m.next(2)
}

@inline(__always) func tableSize(_ m: State) {
    let count = UInt64(m.table(m.field(2)).count)
    m.sp[m.field(0)] = count
    count.advance(m, 2)
}

/// slot 0 = grow(table of field 3 by slot 2 elements of value slot 1); -1 as an i32 where the
/// table is a 32-bit one, whose sizes fit 32 bits.
@inline(__always) func tableGrow(_ m: State) {
    let packed = m.field(3)
    let old = upcalls(m.cx).pointee.growTable(
        m.cx, packed &>> 1, m.sp[m.field(1)], m.sp[m.field(2)])
    if _slowPath(old &>> 62 == 1) {
        return leave(m.pc, m.sp, m.md, UInt(old & 0xff), m.cx, m.r, m.f, m.g)
    }
    let value = packed & 1 == 0 ? old & 0xffff_ffff : old
    m.sp[m.field(0)] = value
    value.advance(m, 2)
}

@inline(__always) func functionReference(_ m: State) {
    let reference = upcalls(m.cx).pointee.functionReference(m.cx, Int(bitPattern: m.unsignedHalf))
    m.sp[m.field(0)] = reference
    reference.advance(m, 2)
}

@inline(__always) func nullCheck(_ m: State) {
    if _slowPath(m.sp[m.field(1)] == 0) { return m.trap(.nullReference) }
    m.next(2)
}
