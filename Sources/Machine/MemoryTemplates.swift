// The generic handlers of memory access and of bulk operations.
//
// Invariant: `md ..< md + ms` is readable and writable. Every access checks its end against the
// size first; addresses are sums of at most 33 bits, so that checking cannot overflow.

/// How a load or store converts between memory and register.
protocol MemoryAccess {
    associatedtype Stored: BitwiseCopyable
    associatedtype Output: RegisterValue
    static func extend(_ value: Stored) -> Output
    static func narrow(_ value: Output) -> Stored
}

enum Access<Stored: FixedWidthInteger & BitwiseCopyable, Output: RegisterInteger>: MemoryAccess {
    @inline(__always) static func extend(_ value: Stored) -> Output {
        Output(truncatingIfNeeded: value)
    }
    @inline(__always) static func narrow(_ value: Output) -> Stored {
        Stored(truncatingIfNeeded: value)
    }
}
enum FloatAccess<T: RegisterFloat & BitwiseCopyable>: MemoryAccess {
    @inline(__always) static func extend(_ value: T) -> T { value }
    @inline(__always) static func narrow(_ value: T) -> T { value }
}

@inline(__always) func load<O: MemoryAccess, A: Address, D: Destination>(
    _: O.Type, _: A.Type, _: D.Type, _ m: State
) {
    let address = A.effective(m)
    if _slowPath(address &+ UInt(bitPattern: MemoryLayout<O.Stored>.size) > m.ms) {
        return m.trap(.outOfBoundsMemoryAccess)
    }
    let value = O.extend(
        m.md.loadUnaligned(fromByteOffset: Int(bitPattern: address), as: O.Stored.self))
    D.put(m, value.bits)
    value.advance(m, 2)
}

@inline(__always) func store<O: MemoryAccess, A: Address, V: Source>(
    _: O.Type, _: A.Type, _: V.Type, _ m: State
) {
    let address = A.effective(m)
    if _slowPath(address &+ UInt(bitPattern: MemoryLayout<O.Stored>.size) > m.ms) {
        return m.trap(.outOfBoundsMemoryAccess)
    }
    m.md.storeBytes(
        of: O.narrow(V.get(m, O.Output.self)), toByteOffset: Int(bitPattern: address),
        as: O.Stored.self)
    m.next(2)
}

/// The value passes through the accumulator, which leaves enough machine registers for the rest.
@inline(__always) func moveMemory<T: FixedWidthInteger & BitwiseCopyable>(
    _: T.Type, _ m: State
) {
    let size = UInt(bitPattern: MemoryLayout<T>.size)
    let from = UInt(Slot1.get(m, UInt32.self)) &+ UInt(bitPattern: m.field(3))
    if _slowPath(from &+ size > m.ms) { return m.trap(.outOfBoundsMemoryAccess) }
    let value = m.md.loadUnaligned(fromByteOffset: Int(bitPattern: from), as: T.self)
    let after = State(
        m.pc, m.sp, m.md, m.ms, m.cx, UInt64(truncatingIfNeeded: value), m.f, m.g)
    let to = UInt(Slot0.get(m, UInt32.self)) &+ UInt(bitPattern: m.field(2))
    if _slowPath(to &+ size > m.ms) { return after.trap(.outOfBoundsMemoryAccess) }
    m.md.storeBytes(of: value, toByteOffset: Int(bitPattern: to), as: T.self)
    after.next(2)
}

@inline(__always)
func loadBranch<O: MemoryAccess, A: Address, C: Condition, N: Direction, D: Destination>(
    _: O.Type, _: A.Type, _: C.Type, _: N.Type, _: D.Type, _ m: State
) where O.Output == UInt32 {
    let address = A.effective(m)
    if _slowPath(address &+ UInt(bitPattern: MemoryLayout<O.Stored>.size) > m.ms) {
        return m.trap(.outOfBoundsMemoryAccess)
    }
    let value = O.extend(
        m.md.loadUnaligned(fromByteOffset: Int(bitPattern: address), as: O.Stored.self))
    D.put(m, value.bits)
    let after = State(m.pc, m.sp, m.md, m.ms, m.cx, value.bits, m.f, m.g)
    if C.holds(value) {
        N.take(after, after.farHalf)
    } else {
        after.next(3)
    }
}

/// slot 2 = the value at the address from slot 3, then slot 0 = the value at the one from slot 1.
/// If only the second address is out of bounds, the first load was made and can be made again: slot
/// 2 is neither address.
@inline(__always) func loadTwo<O: MemoryAccess, D: Destination>(
    _: O.Type, _: D.Type, _ m: State
) {
    let size = UInt(bitPattern: MemoryLayout<O.Stored>.size)
    let first = UInt(Slot3.get(m, UInt32.self)) &+ UInt(UInt32(bitPattern: m.farHalf))
    if _slowPath(first &+ size > m.ms) { return m.trap(.outOfBoundsMemoryAccess) }
    m.sp[m.field(2)] =
        O.extend(m.md.loadUnaligned(fromByteOffset: Int(bitPattern: first), as: O.Stored.self))
        .bits
    let second = UInt(Slot1.get(m, UInt32.self)) &+ UInt(UInt32(bitPattern: m.nearHalf))
    if _slowPath(second &+ size > m.ms) { return m.trap(.outOfBoundsMemoryAccess) }
    let value = O.extend(
        m.md.loadUnaligned(fromByteOffset: Int(bitPattern: second), as: O.Stored.self))
    D.put(m, value.bits)
    value.advance(m, 3)
}

/// The loaded value goes to the slot of field 4.
@inline(__always)
func loadCompareBranch<
    O: MemoryAccess, A: Address, C: ComparisonOperator, B: Source, N: Direction
>(
    _: O.Type, _: A.Type, _: C.Type, _: B.Type, _: N.Type, _ m: State
) where O.Output == UInt32, C.Operand == UInt32 {
    let address = A.effective(m)
    if _slowPath(address &+ UInt(bitPattern: MemoryLayout<O.Stored>.size) > m.ms) {
        return m.trap(.outOfBoundsMemoryAccess)
    }
    let value = O.extend(
        m.md.loadUnaligned(fromByteOffset: Int(bitPattern: address), as: O.Stored.self))
    let right = B.get(m, UInt32.self)
    m.sp[m.field(4)] = value.bits
    let after = State(m.pc, m.sp, m.md, m.ms, m.cx, value.bits, m.f, m.g)
    if C.apply(value, right) {
        N.take(after, after.farHalf)
    } else {
        after.next(3)
    }
}

// MARK: Other memories

extension State {
    @inline(__always) func memory(_ index: Int) -> MemoryRecord {
        cx.load(
            fromByteOffset: ContextOffset.memories,
            as: UnsafePointer<UnsafePointer<MemoryRecord>>.self)[index].pointee
    }

    @inline(__always) func table(_ index: Int) -> TableRecord {
        cx.load(
            fromByteOffset: ContextOffset.tables,
            as: UnsafePointer<UnsafePointer<TableRecord>>.self)[index].pointee
    }
}

/// The address as an offset into `memory`, or nil if any of `count` bytes is out of bounds.
@inline(__always) func farOffset(
    _ memory: MemoryRecord, _ address: UInt64, _ offset: UInt64, _ count: Int
) -> Int? {
    let (start, overflow) = address.addingReportingOverflow(offset)
    let size = UInt64(memory.byteCount), need = UInt64(truncatingIfNeeded: count)
    if overflow || size < need || start > size &- need { return nil }
    return Int(truncatingIfNeeded: start)
}

@inline(__always) func loadFar<O: MemoryAccess>(_: O.Type, _ m: State) {
    let memory = m.memory(m.field(2))
    guard
        let offset = farOffset(
            memory, m.sp[m.field(1)], m.word(2), MemoryLayout<O.Stored>.size)
    else { return m.trap(.outOfBoundsMemoryAccess) }
    let value = O.extend(memory.base.loadUnaligned(fromByteOffset: offset, as: O.Stored.self))
    m.sp[m.field(0)] = value.bits
    value.advance(m, 3)
}

@inline(__always) func storeFar<O: MemoryAccess>(_: O.Type, _ m: State) {
    let memory = m.memory(m.field(2))
    guard
        let offset = farOffset(
            memory, m.sp[m.field(1)], m.word(2), MemoryLayout<O.Stored>.size)
    else { return m.trap(.outOfBoundsMemoryAccess) }
    memory.base.storeBytes(
        of: O.narrow(Slot0.get(m, O.Output.self)), toByteOffset: offset, as: O.Stored.self)
    m.next(3)
}

// MARK: Size and growth

/// Pages of 64 KiB of memory 0.
@inline(__always) func memorySize(_ m: State) {
    UInt64(m.ms &>> 16).storeAndAdvance(m)
}

/// Field 3: the page size as a power of two.
@inline(__always) func memorySizeFar(_ m: State) {
    let pages = UInt64(m.memory(m.field(2)).byteCount) &>> UInt64(m.field(3))
    pages.storeAndAdvance(m)
}

extension UInt64 {
    @inline(__always) fileprivate func storeAndAdvance(_ m: State) {
        m.sp[m.field(0)] = self
        advance(m, 2)
    }
}

/// A 32-bit memory gets the lower half of the result, which is all ones after a failure.
@inline(__always) func memoryGrow(_ m: State) {
    let old = upcalls(m.cx).pointee.growMemory(m.cx, m.field(2), m.sp[m.field(1)])
    if _slowPath(old &>> 62 == 1) {
        return leave(m.pc, m.sp, m.md, UInt(old & 0xff), m.cx, m.r, m.f, m.g)
    }
    m.sp[m.field(0)] = m.field(3) == 0 ? old & 0xffff_ffff : old
    m.resume(m.pc + 2, m.sp, m.cx, m.sp[m.field(0)])
}

// MARK: Bulk operations

/// From this many bytes on the runtime does the work: it takes budget for it, so that large fills
/// and copies cannot escape fuel, deadlines and interrupts.
private let bulkLimit: UInt = 65_536

/// Passes an operation on memory 0 to the runtime.
@inline(__always) private func bulk(_ operation: BulkOperation, _ m: State) {
    let code = BulkOperation.run(
        operation.rawValue, m.cx, 0, m.sp[m.field(0)], m.sp[m.field(1)], m.sp[m.field(2)])
    if _slowPath(code != 0) {
        return leave(m.pc, m.sp, m.md, UInt(code), m.cx, m.r, m.f, m.g)
    }
    m.next(2)
}

/// An i32 in a slot. The upper half is zero unless a host function wrote a result of the wrong
/// type; ignoring it keeps the sums below from overflowing.
@inline(__always) private func unsigned32(_ m: State, _ field: Int) -> UInt {
    UInt(UInt32(truncatingIfNeeded: m.sp[m.field(field)]))
}

/// Both ranges in memory 0, a 32-bit memory.
@inline(__always) func memoryCopy(_ m: State) {
    let to = unsigned32(m, 0), from = unsigned32(m, 1), count = unsigned32(m, 2)
    if _slowPath(to &+ count > m.ms || from &+ count > m.ms) {
        return m.trap(.outOfBoundsMemoryAccess)
    }
    guard isSmall(count) else {
        return copyByCall(m.pc, m.sp, m.md, m.ms, m.cx, m.r, m.f, m.g)
    }
    let target = m.md + Int(bitPattern: to), source = m.md + Int(bitPattern: from)
    let end = Int(bitPattern: count)
    // Everything is read before anything is written. The last bytes may be among the first ones.
    func word<T: BitwiseCopyable>(_ offset: Int, _ type: T.Type) -> T {
        source.loadUnaligned(fromByteOffset: offset, as: T.self)
    }
    if count < 16 {
        let first = word(0, UInt64.self), last = word(end &- 8, UInt64.self)
        target.storeBytes(of: first, as: UInt64.self)
        target.storeBytes(of: last, toByteOffset: end &- 8, as: UInt64.self)
        return m.next(2)
    }
    let first = word(0, U64x2.self), last = word(end &- 16, U64x2.self)
    if count > 32 {
        let second = word(16, U64x2.self), third = word(end &- 32, U64x2.self)
        target.storeBytes(of: second, toByteOffset: 16, as: U64x2.self)
        target.storeBytes(of: third, toByteOffset: end &- 32, as: U64x2.self)
    }
    target.storeBytes(of: first, as: U64x2.self)
    target.storeBytes(of: last, toByteOffset: end &- 16, as: U64x2.self)
    m.next(2)
}

/// Whether `count` is the size of a small structure (8 to 64 bytes): compilers copy and clear
/// structures by these instructions, and a call would cost too much.
@inline(__always) private func isSmall(_ count: UInt) -> Bool { count &- 8 <= 56 }

/// Other sizes; the operands are in bounds.
@inline(never) private func copyByCall(
    _ pc: CodePointer, _ sp: StackPointer, _ md: MemoryPointer, _ ms: UInt,
    _ cx: ContextPointer, _ r: UInt64, _ f: Double, _ g: Float
) {
    let m = State(pc, sp, md, ms, cx, r, f, g)
    let to = unsigned32(m, 0), from = unsigned32(m, 1), count = unsigned32(m, 2)
    if _slowPath(count >= bulkLimit) { return bulk(.memoryCopy, m) }
    (m.md + Int(bitPattern: to)).copyMemory(
        from: m.md + Int(bitPattern: from), byteCount: Int(bitPattern: count))
    m.next(2)
}

@inline(__always) func memoryFill(_ m: State) {
    let to = unsigned32(m, 0), count = unsigned32(m, 2)
    if _slowPath(to &+ count > m.ms) { return m.trap(.outOfBoundsMemoryAccess) }
    guard isSmall(count) else {
        return fillByCall(m.pc, m.sp, m.md, m.ms, m.cx, m.r, m.f, m.g)
    }
    let target = m.md + Int(bitPattern: to)
    let end = Int(bitPattern: count)
    let word = (m.sp[m.field(1)] & 0xff) &* 0x0101_0101_0101_0101
    if count < 16 {
        target.storeBytes(of: word, as: UInt64.self)
        target.storeBytes(of: word, toByteOffset: end &- 8, as: UInt64.self)
        return m.next(2)
    }
    let words = U64x2(repeating: word)
    if count > 32 {
        target.storeBytes(of: words, toByteOffset: 16, as: U64x2.self)
        target.storeBytes(of: words, toByteOffset: end &- 32, as: U64x2.self)
    }
    target.storeBytes(of: words, as: U64x2.self)
    target.storeBytes(of: words, toByteOffset: end &- 16, as: U64x2.self)
    m.next(2)
}

/// Other sizes; the operands are in bounds.
@inline(never) private func fillByCall(
    _ pc: CodePointer, _ sp: StackPointer, _ md: MemoryPointer, _ ms: UInt,
    _ cx: ContextPointer, _ r: UInt64, _ f: Double, _ g: Float
) {
    let m = State(pc, sp, md, ms, cx, r, f, g)
    let to = unsigned32(m, 0), count = unsigned32(m, 2)
    if _slowPath(count >= bulkLimit) { return bulk(.memoryFill, m) }
    (m.md + Int(bitPattern: to)).initializeMemory(
        as: UInt8.self, repeating: UInt8(truncatingIfNeeded: m.sp[m.field(1)]),
        count: Int(bitPattern: count))
    m.next(2)
}

/// Operations of the runtime on three slots and two indices.
@usableFromInline package enum BulkOperation: Int {
    case memoryCopy
    case memoryFill
    case memoryInit
    case tableCopy
    case tableFill
    case tableInit

    /// Returns a trap code, or 0.
    @inline(never)
    static func run(
        _ operation: Int, _ cx: ContextPointer, _ indices: UInt64, _ a: UInt64, _ b: UInt64,
        _ c: UInt64
    ) -> UInt64 {
        let first = Int(UInt32(truncatingIfNeeded: indices)), second = Int(indices &>> 32)
        switch BulkOperation(rawValue: operation) {
        case .memoryCopy: return upcalls(cx).pointee.copyMemory(cx, first, second, a, b, c)
        case .memoryFill: return upcalls(cx).pointee.fillMemory(cx, first, a, b, c)
        case .memoryInit: return upcalls(cx).pointee.initMemory(cx, first, second, a, b, c)
        case .tableCopy: return upcalls(cx).pointee.copyTable(cx, first, second, a, b, c)
        case .tableFill: return upcalls(cx).pointee.fillTable(cx, first, a, b, c)
        case .tableInit: return upcalls(cx).pointee.initTable(cx, first, second, a, b, c)
        case nil: return UInt64(TrapCode.unreachable.rawValue)
        }
    }
}

@inline(__always) func bulk(_ m: State) {
    let code = BulkOperation.run(
        m.field(3), m.cx, m.word(2), m.sp[m.field(0)], m.sp[m.field(1)], m.sp[m.field(2)])
    if _slowPath(code != 0) {
        return leave(m.pc, m.sp, m.md, UInt(code), m.cx, m.r, m.f, m.g)
    }
    m.next(3)
}

@inline(__always) func dropSegment(_ m: State) {
    let segment = Int(bitPattern: m.unsignedHalf)
    if m.field(0) == 0 {
        upcalls(m.cx).pointee.dropData(m.cx, segment)
    } else {
        upcalls(m.cx).pointee.dropElements(m.cx, segment)
    }
    m.next(2)
}
