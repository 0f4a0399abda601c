// The generic handlers of structures, arrays and i31.
//
// Invariants: a reference is 0 or, as validation proved, the address of an object whose type has
// the field or elements in question. Operands of instructions that allocate are in slots, so that a
// collection finds them.

extension State {
    @inline(__always) var heap: UnsafeMutableRawPointer {
        cx.load(fromByteOffset: ContextOffset.heap, as: UnsafeMutableRawPointer.self)
    }
}

/// The object that a slot or accumulator refers to; nil for null.
@inline(__always)
private func object<A: Source>(_: A.Type, _ m: State) -> UnsafeMutableRawPointer? {
    UnsafeMutableRawPointer(bitPattern: UInt(A.get(m, UInt64.self)))
}

// MARK: Structures

/// The upper half of word 1 is the field's offset.
@inline(__always) func structGet<O: MemoryAccess, A: Source, D: Destination>(
    _: O.Type, _: A.Type, _: D.Type, _ m: State
) {
    guard let object = object(A.self, m) else { return m.trap(.nullStructureReference) }
    let value = O.extend(
        object.load(fromByteOffset: Int(bitPattern: m.unsignedHalf), as: O.Stored.self))
    D.put(m, value.bits)
    value.advance(m, 2)
}

@inline(__always) func structSet<O: MemoryAccess, A: Source, V: Source>(
    _: O.Type, _: A.Type, _: V.Type, _ m: State
) {
    guard let object = object(A.self, m) else { return m.trap(.nullStructureReference) }
    object.storeBytes(
        of: O.narrow(V.get(m, O.Output.self)), toByteOffset: Int(bitPattern: m.unsignedHalf),
        as: O.Stored.self)
    m.next(2)
}

@inline(__always) func structGetVector(_ m: State) {
    guard let object = object(Slot1.self, m) else { return m.trap(.nullStructureReference) }
    let field = object + Int(bitPattern: m.unsignedHalf)
    let target = m.sp + m.field(0)
    let low = field.load(as: UInt64.self), high = field.load(fromByteOffset: 8, as: UInt64.self)
    target[0] = low
    target[1] = high
    m.next(2)
}

@inline(__always) func structSetVector(_ m: State) {
    guard let object = object(Slot1.self, m) else { return m.trap(.nullStructureReference) }
    let field = object + Int(bitPattern: m.unsignedHalf)
    let source = m.sp + m.field(0)
    field.storeBytes(of: source[0], as: UInt64.self)
    field.storeBytes(of: source[1], toByteOffset: 8, as: UInt64.self)
    m.next(2)
}

/// Takes a cell off the free list that field 4 names; nil if it is empty.
@inline(__always) private func takeCell(_ m: State) -> UnsafeMutableRawPointer? {
    let list = m.heap + m.field(4)
    guard let cell = UnsafeMutableRawPointer(bitPattern: list.load(as: UInt.self)) else {
        return nil
    }
    list.storeBytes(of: cell.load(fromByteOffset: 8, as: UInt.self), as: UInt.self)
    return cell
}

/// Fields 5 and 6: how many fields are written with 8 bytes, and how many with their own size. From
/// word 3 on there is a word for each: slot, size as a power of two, offset (32 bits).
///
/// Fields are in the order of their offsets, so the excess bytes of a store of 8 bytes fall on
/// fields that are written after it.
@inline(__always) func structNew(_ m: State) {
    guard let cell = takeCell(m) else {
        return allocateCell(m.pc, m.sp, m.md, m.ms, m.cx, m.r, m.f, m.g)
    }
    cell.storeBytes(of: UInt32(truncatingIfNeeded: m.unsignedHalf), as: UInt32.self)
    var word = m.raw + 24
    var end = word + 8 &* m.field(5)
    while word < end {
        let offset = Int(word.load(fromByteOffset: 4, as: UInt32.self))
        cell.storeBytes(
            of: m.sp[Int(word.load(as: UInt16.self))], toByteOffset: offset, as: UInt64.self)
        word += 8
    }
    end = word + 8 &* m.field(6)
    while word < end {
        let place = cell + Int(word.load(fromByteOffset: 4, as: UInt32.self))
        let value = m.sp[Int(word.load(as: UInt16.self))]
        switch word.load(fromByteOffset: 2, as: UInt16.self) {
        case 0: place.storeBytes(of: UInt8(truncatingIfNeeded: value), as: UInt8.self)
        case 1: place.storeBytes(of: UInt16(truncatingIfNeeded: value), as: UInt16.self)
        default: place.storeBytes(of: UInt32(truncatingIfNeeded: value), as: UInt32.self)
        }
        word += 8
    }
    let reference = UInt64(UInt(bitPattern: cell))
    m.sp[m.field(0)] = reference
    dispatch(
        UnsafeMutableRawPointer(mutating: word).assumingMemoryBound(to: CodeWord.self), m.sp, m.md,
        m.ms, m.cx, reference, m.f, m.g)
}

/// Field 5: the object's size in words. Field 6 is 0; if the optimiser could see that, it would
/// call a function to write zeros.
@inline(__always) func structNewDefault(_ m: State) {
    guard let cell = takeCell(m) else {
        return allocateCell(m.pc, m.sp, m.md, m.ms, m.cx, m.r, m.f, m.g)
    }
    let words = cell.assumingMemoryBound(to: UInt64.self)
    words[0] = UInt64(m.unsignedHalf)
    var index = 1
    let count = m.field(5), zero = UInt64(truncatingIfNeeded: m.field(6))
    while index < count {
        words[index] = zero
        index &+= 1
    }
    let reference = UInt64(UInt(bitPattern: cell))
    m.sp[m.field(0)] = reference
    reference.advance(m, 3)
}

/// The slow half of allocating: puts a cell into the free list and runs the instruction again.
/// Field 1 is the first slot that is not in use, field 7 the size class.
@inline(never) private func allocateCell(
    _ pc: CodePointer, _ sp: StackPointer, _ md: MemoryPointer, _ ms: UInt,
    _ cx: ContextPointer, _ r: UInt64, _ f: Double, _ g: Float
) {
    let m = State(pc, sp, md, ms, cx, r, f, g)
    let type = UInt32(truncatingIfNeeded: m.unsignedHalf)
    let code = upcalls(cx).pointee.refillCells(cx, m.field(7), type, sp + m.field(1))
    if code != 0 { return leave(pc, sp, md, UInt(code), cx, r, f, g) }
    dispatch(pc, sp, md, ms, cx, r, f, g)
}

// MARK: Arrays

@inline(__always) private func length(_ array: UnsafeMutableRawPointer) -> UInt {
    UInt(array.load(fromByteOffset: ArrayLayout.lengthOffset, as: UInt32.self))
}

@inline(__always) private func element<T>(
    _ array: UnsafeMutableRawPointer, _ index: UInt, _: T.Type
) -> UnsafeMutableRawPointer {
    array
        + (ArrayLayout.elementsOffset &+ Int(bitPattern: index) &* MemoryLayout<T>.size)
}

@inline(__always) func arrayGet<O: MemoryAccess, A: Source, I: Source, D: Destination>(
    _: O.Type, _: A.Type, _: I.Type, _: D.Type, _ m: State
) {
    guard let array = object(A.self, m) else { return m.trap(.nullArrayReference) }
    let index = UInt(I.get(m, UInt32.self))
    if _slowPath(index >= length(array)) { return m.trap(.outOfBoundsArrayAccess) }
    let value = O.extend(element(array, index, O.Stored.self).load(as: O.Stored.self))
    D.put(m, value.bits)
    value.advance(m, 2)
}

@inline(__always) func arraySet<O: MemoryAccess, A: Source, I: Source, V: Source>(
    _: O.Type, _: A.Type, _: I.Type, _: V.Type, _ m: State
) {
    guard let array = object(A.self, m) else { return m.trap(.nullArrayReference) }
    let index = UInt(I.get(m, UInt32.self))
    if _slowPath(index >= length(array)) { return m.trap(.outOfBoundsArrayAccess) }
    element(array, index, O.Stored.self).storeBytes(
        of: O.narrow(V.get(m, O.Output.self)), as: O.Stored.self)
    m.next(2)
}

@inline(__always) func arrayGetVector(_ m: State) {
    guard let array = object(Slot1.self, m) else { return m.trap(.nullArrayReference) }
    let index = UInt(Slot2.get(m, UInt32.self))
    if _slowPath(index >= length(array)) { return m.trap(.outOfBoundsArrayAccess) }
    let place = element(array, index, SIMD2<UInt64>.self)
    let target = m.sp + m.field(0)
    let low = place.load(as: UInt64.self), high = place.load(fromByteOffset: 8, as: UInt64.self)
    target[0] = low
    target[1] = high
    m.next(2)
}

@inline(__always) func arraySetVector(_ m: State) {
    guard let array = object(Slot1.self, m) else { return m.trap(.nullArrayReference) }
    let index = UInt(Slot2.get(m, UInt32.self))
    if _slowPath(index >= length(array)) { return m.trap(.outOfBoundsArrayAccess) }
    let place = element(array, index, SIMD2<UInt64>.self)
    let source = m.sp + m.field(0)
    place.storeBytes(of: source[0], as: UInt64.self)
    place.storeBytes(of: source[1], toByteOffset: 8, as: UInt64.self)
    m.next(2)
}

@inline(__always) func arrayLength<A: Source, D: Destination>(_: A.Type, _: D.Type, _ m: State) {
    guard let array = object(A.self, m) else { return m.trap(.nullArrayReference) }
    let value = UInt32(truncatingIfNeeded: length(array))
    D.put(m, value.bits)
    value.advance(m, 2)
}

/// Results of `Upcalls.aggregate` below this are trap codes; no object has so low an address.
@inlinable package var lowestReference: UInt64 { 4096 }

/// Operations on whole arrays: see `AggregateOperation`. Operands in slots from field 1 on, field 3
/// is the first slot that is not in use. Slot 0 gets the array, if there is one.
@inline(__always) func aggregate(_ m: State) {
    let answer = upcalls(m.cx).pointee.aggregate(m.pc, m.sp, m.cx)
    if _slowPath(answer &- 1 < lowestReference &- 1) {
        return leave(m.pc, m.sp, m.md, UInt(answer), m.cx, m.r, m.f, m.g)
    }
    if answer != 0 { m.sp[m.field(0)] = answer }
    answer.advance(m, 4)
}

// MARK: i31

enum MakeI31: UnaryOperator {
    @inline(__always) static func apply(_ a: UInt32) -> UInt64 { UInt64((a &<< 1) | 1) }
}

protocol I31Extension {
    static func value(_ slot: UInt64) -> UInt32
}
enum I31Signed: I31Extension {
    @inline(__always) static func value(_ slot: UInt64) -> UInt32 {
        UInt32(bitPattern: Int32(truncatingIfNeeded: slot) &>> 1)
    }
}
enum I31Unsigned: I31Extension {
    @inline(__always) static func value(_ slot: UInt64) -> UInt32 {
        UInt32(truncatingIfNeeded: slot) &>> 1
    }
}

@inline(__always) func i31Get<E: I31Extension, A: Source, D: Destination>(
    _: E.Type, _: A.Type, _: D.Type, _ m: State
) {
    let slot = A.get(m, UInt64.self)
    if _slowPath(slot == 0) { return m.trap(.nullI31Reference) }
    let value = E.value(slot)
    D.put(m, value.bits)
    value.advance(m, 2)
}
