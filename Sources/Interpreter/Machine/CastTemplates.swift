// The generic handlers of `ref.test`, `ref.cast` and the branches on casts.
//
// Words of all of them: 1 = [destination][source][header that an object of exactly the type has],
// 2 = [number of the type's supertypes][1 if null passes][branch offset (32 bits)].

extension State {
    @inline(__always) var nullPasses: Bool { field(5) != 0 }

    /// Whether a concrete type, not the one of this instruction, is a subtype of that.
    @inline(__always) func isBelow(_ type: UInt32) -> Bool {
        let heap = self.heap
        let index = Int(type & (1 &<< ObjectKind.shift &- 1))
        if UInt(bitPattern: index) >= heap.load(fromByteOffset: HeapOffset.typeCount, as: UInt.self)
        {
            return false
        }
        let record =
            heap.load(fromByteOffset: HeapOffset.types, as: UnsafePointer<TypeRecord>.self) + index
        let depth = field(4)
        guard depth < Int(record.pointee.depth) else { return false }
        let ancestor = record.pointee.ancestors.unsafelyUnwrapped[depth]
        return ancestor == UInt32(truncatingIfNeeded: unsignedHalf) & (1 &<< ObjectKind.shift &- 1)
    }
}

/// Which references a cast lets pass.
protocol CastTarget {
    static func holds(_ m: State, _ reference: UInt64) -> Bool
}

/// The header of an object, or nil if the reference (not null) refers to none.
@inline(__always) private func header(_ reference: UInt64) -> UInt32? {
    if reference & 7 != 0 { return nil }
    return UnsafeRawPointer(bitPattern: UInt(reference)).unsafelyUnwrapped.load(as: UInt32.self)
}

/// A structure or array type of a module.
enum ConcreteObject: CastTarget {
    @inline(__always) static func holds(_ m: State, _ reference: UInt64) -> Bool {
        if reference == 0 { return m.nullPasses }
        guard let header = header(reference) else { return false }
        return UInt(header) == m.unsignedHalf || m.isBelow(header)
    }
}
/// A function type of a module.
enum ConcreteFunction: CastTarget {
    @inline(__always) static func holds(_ m: State, _ reference: UInt64) -> Bool {
        guard let function = UnsafePointer<FunctionRecord>(bitPattern: UInt(reference)) else {
            return m.nullPasses
        }
        let type = function.pointee.typeID
        return UInt(type) == m.unsignedHalf || m.isBelow(type)
    }
}
/// Everything but null: any, func, extern, exn.
enum AnyTarget: CastTarget {
    @inline(__always) static func holds(_ m: State, _ reference: UInt64) -> Bool {
        reference != 0 || m.nullPasses
    }
}
/// Nothing but null: none, nofunc, noextern, noexn.
enum NoTarget: CastTarget {
    @inline(__always) static func holds(_ m: State, _ reference: UInt64) -> Bool {
        reference == 0 && m.nullPasses
    }
}
/// i31 and objects, but no values of the host.
enum EqTarget: CastTarget {
    @inline(__always) static func holds(_ m: State, _ reference: UInt64) -> Bool {
        if reference == 0 { return m.nullPasses }
        return reference & 1 != 0 || reference & 7 == 0
    }
}
enum I31Target: CastTarget {
    @inline(__always) static func holds(_ m: State, _ reference: UInt64) -> Bool {
        reference == 0 ? m.nullPasses : reference & 1 != 0
    }
}
/// struct or array: the upper half of word 1 is the header without type.
enum KindTarget: CastTarget {
    @inline(__always) static func holds(_ m: State, _ reference: UInt64) -> Bool {
        if reference == 0 { return m.nullPasses }
        guard let header = header(reference) else { return false }
        return header &>> ObjectKind.shift
            == UInt32(truncatingIfNeeded: m.unsignedHalf) &>> ObjectKind.shift
    }
}

@inline(__always) func refTest<C: CastTarget, A: Source, D: Destination>(
    _: C.Type, _: A.Type, _: D.Type, _ m: State
) {
    let value: UInt32 = C.holds(m, A.get(m, UInt64.self)) ? 1 : 0
    D.put(m, value.bits)
    value.advance(m, 3)
}

@inline(__always) func refCast<C: CastTarget, A: Source>(_: C.Type, _: A.Type, _ m: State) {
    if _slowPath(!C.holds(m, A.get(m, UInt64.self))) { return m.trap(.castFailure) }
    m.next(3)
}

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
    if C.holds(m, A.get(m, UInt64.self)) == W.branchesOnSuccess {
        Forward.take(m, m.farHalf)
    } else {
        m.next(3)
    }
}
