// The generic handlers of arithmetic, comparison and selection. The generator instantiates them.
//
// Invariants: those of `State.swift`; a branch offset leads to an instruction of the same function.

@inline(__always) func binary<O: BinaryOperator, A: Source, B: Source, D: Destination>(
    _: O.Type, _: A.Type, _: B.Type, _: D.Type, _ m: State
) {
    let value = O.apply(A.get(m, O.Operand.self), B.get(m, O.Operand.self))
    D.put(m, value.bits)
    value.advance(m, 2 &+ A.extraWords &+ B.extraWords)
}

@inline(__always) func compare<O: ComparisonOperator, A: Source, B: Source, D: Destination>(
    _: O.Type, _: A.Type, _: B.Type, _: D.Type, _ m: State
) {
    let value: UInt32 = O.apply(A.get(m, O.Operand.self), B.get(m, O.Operand.self)) ? 1 : 0
    D.put(m, value.bits)
    value.advance(m, 2 &+ A.extraWords &+ B.extraWords)
}

// Two jumps, one for each arm: one jump to a selected instruction would be a conditional move into
// `pc`, which waits for the compared data before operands are fetched.
@inline(__always)
func compareBranch<O: ComparisonOperator, A: Source, B: Source, D: Direction>(
    _: O.Type, _: A.Type, _: B.Type, _: D.Type, _ m: State
) {
    if O.apply(A.get(m, O.Operand.self), B.get(m, O.Operand.self)) {
        D.take(m, m.signedHalf)
    } else {
        m.next(2 &+ A.extraWords &+ B.extraWords)
    }
}

@inline(__always) func unary<O: UnaryOperator, A: Source, D: Destination>(
    _: O.Type, _: A.Type, _: D.Type, _ m: State
) {
    let value = O.apply(A.get(m, O.Operand.self))
    D.put(m, value.bits)
    value.advance(m, 2)
}

@inline(__always) func division<O: DivisionOperator, A: Source, B: Source>(
    _: O.Type, _: A.Type, _: B.Type, _ m: State
) {
    let a = A.get(m, O.Operand.self), b = B.get(m, O.Operand.self)
    if _slowPath(b == 0) { return m.trap(.integerDivideByZero) }
    if _slowPath(O.overflows(a, b)) { return m.trap(.integerOverflow) }
    let value = O.apply(a, b)
    m.sp[m.field(0)] = value.bits
    value.advance(m, 2)
}

@inline(__always) func truncation<O: TruncationOperator, A: Source, D: Destination>(
    _: O.Type, _: A.Type, _: D.Type, _ m: State
) {
    let operand = A.get(m, O.Operand.self)
    if _slowPath(!O.fits(operand)) {
        return operand.isNaN ? m.trap(.invalidConversionToInteger) : m.trap(.integerOverflow)
    }
    let value = O.apply(operand)
    D.put(m, value.bits)
    value.advance(m, 2)
}

/// (third) op (slot 1 * slot 2)
@inline(__always) func multiplyAdd<O: TernaryOperator, C: Source, D: Destination>(
    _: O.Type, _: C.Type, _: D.Type, _ m: State
) {
    let value = O.apply(
        Slot1.get(m, O.Operand.self), Slot2.get(m, O.Operand.self), C.get(m, O.Operand.self))
    D.put(m, value.bits)
    value.advance(m, 2)
}

@inline(__always) func shiftAdd<T: RegisterInteger, A: Source, B: Source, D: Destination>(
    _: ShiftAdd<T>.Type, _: A.Type, _: B.Type, _: D.Type, _ m: State
) {
    let shift = T(truncatingIfNeeded: m.field(3))
    let value = ShiftAdd<T>.apply(A.get(m, T.self), B.get(m, T.self), shift)
    D.put(m, value.bits)
    value.advance(m, 2)
}

@inline(__always) func bitField<A: Source, D: Destination>(_: A.Type, _: D.Type, _ m: State) {
    let shift = UInt32(truncatingIfNeeded: m.field(3))
    let value = (A.get(m, UInt32.self) &>> shift) & UInt32(truncatingIfNeeded: m.field(2))
    D.put(m, value.bits)
    value.advance(m, 2)
}

@inline(__always) func select<T: RegisterValue, C: Source, D: Destination>(
    _: T.Type, _: C.Type, _: D.Type, _ m: State
) {
    let a = m.sp[m.field(1)], b = m.sp[m.field(2)]
    let value = T(bits: C.get(m, UInt32.self) != 0 ? a : b)
    D.put(m, value.bits)
    value.advance(m, 2)
}

/// The second operand is a signed 16-bit immediate.
@inline(__always) func selectImmediate<T: RegisterValue, C: Source, D: Destination>(
    _: T.Type, _: C.Type, _: D.Type, _ m: State
) {
    let a = T(bits: m.sp[m.field(1)]), b = T.immediate(m.signedField(2))
    let value = C.get(m, UInt32.self) != 0 ? a : b
    D.put(m, value.bits)
    value.advance(m, 2)
}

// MARK: Fused loop ends

/// Adds to slot 0, compares the sum and branches back: the end of a counting loop.
@inline(__always) func addBranch<O: ComparisonOperator, I: Source, B: Source>(
    _: O.Type, _: I.Type, _: B.Type, _ m: State
) where O.Operand: RegisterInteger {
    let slot = m.field(0)
    let value = O.Operand(bits: m.sp[slot]) &+ I.get(m, O.Operand.self)
    let limit = B.get(m, O.Operand.self)
    m.sp[slot] = value.bits
    if O.apply(value, limit) {
        loopBack(value, m, Int(m.signedField(3)) &* 8)
    } else {
        value.advance(m, 2)
    }
}

@inline(__always) func addBranchWide<O: ComparisonOperator, I: Source>(
    _: O.Type, _: I.Type, _ m: State
) where O.Operand: RegisterInteger {
    let slot = m.field(0)
    let value = O.Operand(bits: m.sp[slot]) &+ I.get(m, O.Operand.self)
    m.sp[slot] = value.bits
    if O.apply(value, O.Operand.immediate(m.signedHalf)) {
        loopBack(value, m, Int(m.farHalf))
    } else {
        value.advance(m, 3)
    }
}

/// Branches back by `offset` bytes with `value` in its accumulator.
@inline(__always) private func loopBack<T: RegisterValue>(_ value: T, _ m: State, _ offset: Int) {
    let pc = (UnsafeMutableRawPointer(m.pc) + offset).assumingMemoryBound(to: CodeWord.self)
    if _slowPath(m.useBudget()) {
        return refillBudget(pc, m.sp, m.md, m.ms, m.cx, value.bits, m.f, m.g)
    }
    value.advance(m, to: pc, m.sp)
}

@inline(__always) func addTwo<T: RegisterInteger>(_: T.Type, _ m: State) {
    let first = T(bits: m.sp[m.field(0)]) &+ T.immediate(m.signedField(1))
    m.sp[m.field(0)] = first.bits
    let second = T(bits: m.sp[m.field(2)]) &+ T.immediate(m.signedField(3))
    m.sp[m.field(2)] = second.bits
    second.advance(m, 2)
}

/// slot 2 = slot 3 + an immediate; slot 0 = slot 1 + an immediate
@inline(__always) func sumTwo(_ m: State) {
    let first = Slot3.get(m, UInt32.self) &+ UInt32(bitPattern: m.farHalf)
    m.sp[m.field(2)] = first.bits
    let second = Slot1.get(m, UInt32.self) &+ UInt32(bitPattern: m.nearHalf)
    m.sp[m.field(0)] = second.bits
    second.advance(m, 3)
}

/// slot 0 = slot 1; slot 1 += immediate
@inline(__always) func postIncrement(_ m: State) {
    let slot = m.field(1)
    let old = m.sp[slot]
    m.sp[m.field(0)] = old
    let value = UInt32(truncatingIfNeeded: old) &+ UInt32(bitPattern: m.signedHalf)
    m.sp[slot] = value.bits
    value.advance(m, 2)
}

// MARK: Wide arithmetic

protocol WideOperator {
    static func apply(
        _ a: UInt64, _ b: UInt64, _ c: UInt64, _ d: UInt64
    ) -> (low: UInt64, high: UInt64)
}
enum WideAdd: WideOperator {
    @inline(__always) static func apply(
        _ a: UInt64, _ b: UInt64, _ c: UInt64, _ d: UInt64
    ) -> (low: UInt64, high: UInt64) {
        let (low, carry) = a.addingReportingOverflow(c)
        return (low, b &+ d &+ (carry ? 1 : 0))
    }
}
enum WideSubtract: WideOperator {
    @inline(__always) static func apply(
        _ a: UInt64, _ b: UInt64, _ c: UInt64, _ d: UInt64
    ) -> (low: UInt64, high: UInt64) {
        let (low, borrow) = a.subtractingReportingOverflow(c)
        return (low, b &- d &- (borrow ? 1 : 0))
    }
}
enum WideMultiplySigned: WideOperator {
    @inline(__always) static func apply(
        _ a: UInt64, _ b: UInt64, _ c: UInt64, _ d: UInt64
    ) -> (low: UInt64, high: UInt64) {
        let product = Int64(bitPattern: a).multipliedFullWidth(by: Int64(bitPattern: b))
        return (product.low, UInt64(bitPattern: product.high))
    }
}
enum WideMultiplyUnsigned: WideOperator {
    @inline(__always) static func apply(
        _ a: UInt64, _ b: UInt64, _ c: UInt64, _ d: UInt64
    ) -> (low: UInt64, high: UInt64) {
        let product = a.multipliedFullWidth(by: b)
        return (product.low, product.high)
    }
}

/// Two results in the slots from field 0; four operands (the last two unused when multiplying).
@inline(__always) func wideArithmetic<O: WideOperator>(_: O.Type, _ m: State) {
    let (low, high) = O.apply(
        m.sp[m.field(1)], m.sp[m.field(2)], m.sp[m.field(4)], m.sp[m.field(5)])
    let slot = m.field(0)
    m.sp[slot] = low
    m.sp[slot &+ 1] = high
    m.next(3)
}
