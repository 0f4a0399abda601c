// The generic handlers of `ref.test`, `ref.cast` and the branches on casts.
//
// Words of all of them: 1 = [destination][source][header that an object of exactly the type has],
// 2 = [number of the type's supertypes][1 if null passes][branch offset (32 bits)].
//
// Invariants: those of `State.swift`. A reference that is neither 0 nor an i31 is the address of an
// object whose header has a number of the heap's table of types, or of a `FunctionRecord`; the
// instruction's types decide which.

extension State {
    @inline(__always) var nullPasses: Bool { field(5) != 0 }

    /// Whether a concrete type other than the instruction's is a subtype of it. `header` is the
    /// header of objects of exactly that type.
    @inline(__always) func isBelow(_ header: UInt32) -> Bool {
        let types = heap.load(fromByteOffset: HeapOffset.types, as: UnsafeRawPointer.self)
        // Records have 32 bytes; the shift removes the kind.
        let record = types + Int(header &<< 4) &* 2
        let depth = field(4)
        if depth >= Int(record.load(fromByteOffset: 16, as: UInt32.self)) { return false }
        let ancestors = record.load(as: UnsafePointer<UInt32>.self)
        return UInt(ancestors[depth]) == unsignedHalf
    }
}

/// Which references a cast accepts.
protocol CastTarget {
    /// Whether the reference is certain to pass; all others fail, unless `searches`.
    static func passes(_ m: State, _ reference: UInt64) -> Bool
    /// Whether a reference that `passes` refuses may still pass: `passesAfterSearch` decides, which
    /// needs more registers than the handler has.
    static var searches: Bool { get }
    static func passesAfterSearch(_ m: State, _ reference: UInt64) -> Bool
}

extension CastTarget {
    @inline(__always) static var searches: Bool { false }
    @inline(__always) static func passesAfterSearch(_ m: State, _ reference: UInt64) -> Bool {
        false
    }
}

/// The header of an object, or nil if the reference (not null) refers to none.
@inline(__always) private func header(_ reference: UInt64) -> UInt32? {
    if reference & 7 != 0 { return nil }
    return UnsafeRawPointer(bitPattern: UInt(reference)).unsafelyUnwrapped.load(as: UInt32.self)
}

/// A structure or array type of a module.
enum ConcreteObject: CastTarget {
    @inline(__always) static var searches: Bool { true }
    @inline(__always) static func passes(_ m: State, _ reference: UInt64) -> Bool {
        if reference == 0 { return false }
        guard let header = header(reference) else { return false }
        return UInt(header) == m.unsignedHalf
    }
    @inline(__always) static func passesAfterSearch(_ m: State, _ reference: UInt64) -> Bool {
        if reference == 0 { return m.nullPasses }
        guard let header = header(reference) else { return false }
        return m.isBelow(header)
    }
}
/// A function type of a module.
enum ConcreteFunction: CastTarget {
    @inline(__always) static var searches: Bool { true }
    @inline(__always) static func passes(_ m: State, _ reference: UInt64) -> Bool {
        guard let function = UnsafePointer<FunctionRecord>(bitPattern: UInt(reference)) else {
            return false
        }
        return UInt(function.pointee.typeID) == m.unsignedHalf
    }
    @inline(__always) static func passesAfterSearch(_ m: State, _ reference: UInt64) -> Bool {
        guard let function = UnsafePointer<FunctionRecord>(bitPattern: UInt(reference)) else {
            return m.nullPasses
        }
        return m.isBelow(function.pointee.typeID)
    }
}
/// Everything but null: any, func, extern, exn.
enum AnyTarget: CastTarget {
    @inline(__always) static func passes(_ m: State, _ reference: UInt64) -> Bool {
        reference != 0 || m.nullPasses
    }
}
/// Nothing but null: none, nofunc, noextern, noexn.
enum NoTarget: CastTarget {
    @inline(__always) static func passes(_ m: State, _ reference: UInt64) -> Bool {
        reference == 0 && m.nullPasses
    }
}
/// i31 and objects, but no values of the host.
enum EqTarget: CastTarget {
    @inline(__always) static func passes(_ m: State, _ reference: UInt64) -> Bool {
        if reference == 0 { return m.nullPasses }
        return reference & 1 != 0 || reference & 7 == 0
    }
}
enum I31Target: CastTarget {
    @inline(__always) static func passes(_ m: State, _ reference: UInt64) -> Bool {
        reference == 0 ? m.nullPasses : reference & 1 != 0
    }
}
/// struct or array: the upper half of word 1 is the header without type.
enum KindTarget: CastTarget {
    @inline(__always) static func passes(_ m: State, _ reference: UInt64) -> Bool {
        if reference == 0 { return m.nullPasses }
        guard let header = header(reference) else { return false }
        return header &>> ObjectKind.shift
            == UInt32(truncatingIfNeeded: m.unsignedHalf) &>> ObjectKind.shift
    }
}

// MARK: Tests

@inline(__always) func refTest<C: CastTarget, A: Source, D: Destination>(
    _: C.Type, _: A.Type, _: D.Type, _ m: State
) {
    let reference = A.get(m, UInt64.self)
    let passes = C.passes(m, reference)
    if C.searches && !passes {
        return searchingTest(
            C.self, D.self, m.pc, m.sp, m.md, m.ms, m.cx, reference, m.f, m.g)
    }
    finishTest(D.self, m, passes)
}

@inline(__always) private func finishTest<D: Destination>(_: D.Type, _ m: State, _ passes: Bool) {
    let value: UInt32 = passes ? 1 : 0
    D.put(m, value.bits)
    value.advance(m, 3)
}

/// The slow half of a test; the reference is in the accumulator.
@inline(never) private func searchingTest<C: CastTarget, D: Destination>(
    _: C.Type, _: D.Type,
    _ pc: CodePointer, _ sp: StackPointer, _ md: MemoryPointer, _ ms: UInt,
    _ cx: ContextPointer, _ r: UInt64, _ f: Double, _ g: Float
) {
    let m = State(pc, sp, md, ms, cx, r, f, g)
    finishTest(D.self, m, C.passesAfterSearch(m, r))
}

// MARK: Casts

/// Casts to abstract types; one to a concrete type is a branch on failure, see `searchingBranch`.
@inline(__always) func refCast<C: CastTarget, A: Source>(_: C.Type, _: A.Type, _ m: State) {
    if _slowPath(!C.passes(m, A.get(m, UInt64.self))) { return m.trap(.castFailure) }
    m.next(3)
}

// MARK: Branches

/// When a branch on a cast is taken.
protocol CastOutcome {
    static var branchesOnSuccess: Bool { get }
}
enum OnSuccess: CastOutcome {
    @inline(__always) static var branchesOnSuccess: Bool { true }
}
enum OnFailure: CastOutcome {
    @inline(__always) static var branchesOnSuccess: Bool { false }
}

@inline(__always) func castBranch<C: CastTarget, A: Source, W: CastOutcome>(
    _: C.Type, _: A.Type, _: W.Type, _ m: State
) {
    if C.passes(m, A.get(m, UInt64.self)) {
        if W.branchesOnSuccess { Forward.take(m, m.farHalf) } else { m.next(3) }
    } else if C.searches {
        searchingBranch(C.self, A.self, W.self, m.pc, m.sp, m.md, m.ms, m.cx, m.r, m.f, m.g)
    } else {
        if W.branchesOnSuccess { m.next(3) } else { Forward.take(m, m.farHalf) }
    }
}

/// The slow half of a branch on a cast. A branch on failure by 0 bytes is a cast, which traps: the
/// compiler would merge a separate handler with the branch's, at the cost of a real call.
@inline(never) private func searchingBranch<C: CastTarget, A: Source, W: CastOutcome>(
    _: C.Type, _: A.Type, _: W.Type,
    _ pc: CodePointer, _ sp: StackPointer, _ md: MemoryPointer, _ ms: UInt,
    _ cx: ContextPointer, _ r: UInt64, _ f: Double, _ g: Float
) {
    let m = State(pc, sp, md, ms, cx, r, f, g)
    let passes = C.passesAfterSearch(m, A.get(m, UInt64.self))
    if !W.branchesOnSuccess && !passes && m.farHalf == 0 { return m.trap(.castFailure) }
    if passes == W.branchesOnSuccess {
        Forward.take(m, m.farHalf)
    } else {
        m.next(3)
    }
}
