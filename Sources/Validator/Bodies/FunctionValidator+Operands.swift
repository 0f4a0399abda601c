import WasmDecoder

/// Reading immediates, popping and pushing operands.
extension FunctionValidator {
    /// An index or another u32.
    @inline(__always)
    mutating func unsigned32() throws(Stop) -> UInt32 {
        do { return try reader.unsigned32() } catch { throw malformed(error) }
    }

    // MARK: Types

    /// A type of this module in canonical form.
    @inline(__always)
    mutating func canonical(_ type: ValueType) throws(Stop) -> ValueType {
        type.isReference ? try canonicalReference(type) : vectorNoted(type)
    }

    @inline(__always)
    private mutating func vectorNoted(_ type: ValueType) -> ValueType {
        if type.isVector { required |= Features.simd.rawValue }
        return type
    }

    @inline(never)
    private mutating func canonicalReference(_ type: ValueType) throws(Stop) -> ValueType {
        guard let reference = type.reference else { return type }
        required |= reference.requiredFeatures.rawValue
        return .ref(try canonical(reference.heapType), nullable: reference.isNullable)
    }

    mutating func canonical(_ type: HeapType) throws(Stop) -> HeapType {
        required |= type.requiredFeatures.rawValue
        guard let index = type.typeIndex else { return type }
        guard module.types.contains(index) else { throw fail(.unknown(.type, index)) }
        return .index(module.types[Int(index)].id)
    }

    /// Reads a type index that must name a type of this kind.
    mutating func type(_ kind: TypeStorage.Kind) throws(Stop) -> TypeIndex {
        let index = try unsigned32()
        guard module.types.contains(index) else { throw fail(.unknown(.type, index)) }
        guard module.types[Int(index)].kind == kind else { throw mismatch(.kindOfType(index)) }
        return index
    }

    /// Reads a heap type.
    mutating func heapType() throws(Stop) -> HeapType {
        let type: HeapType
        do { type = try reader.heapType() } catch { throw malformed(error) }
        return try canonical(type)
    }

    // MARK: Operands

    @inline(__always)
    mutating func pop(_ expected: ValueType) throws(Stop) {
        if !operands.pop(exactly: expected) { try popOther(expected) }
    }

    /// An operand of a subtype, or one that unreachable code makes up.
    @inline(never)
    private mutating func popOther(_ expected: ValueType) throws(Stop) {
        guard let found = operands.popAvailable() else {
            if isUnreachable { return }
            throw mismatch(.operand(expected: expected, found: nil))
        }
        if !matches(found, expected) {
            throw mismatch(.operand(expected: expected, found: found))
        }
    }

    /// Whether a value of one type can be where another is expected.
    @inline(__always)
    private mutating func matches(_ a: ValueType, _ b: ValueType) -> Bool {
        if a.word == b.word || knownMatches.contains(a, b) { return true }
        guard registry.matches(a, b) else { return false }
        knownMatches.insert(a, b)
        return true
    }

    /// An operand of any type: bottom if unreachable code makes it up.
    @inline(__always)
    mutating func popAny() throws(Stop) -> ValueType {
        if let type = operands.popAvailable() { return type }
        if isUnreachable { return .bottom }
        throw mismatch(.operand(expected: .bottom, found: nil))
    }

    /// An operand that is some reference.
    mutating func popReference() throws(Stop) -> ReferenceType {
        guard let type = operands.popAvailable() else {
            if isUnreachable { return ReferenceType(.bottom, nullable: false) }
            throw mismatch(.reference(found: nil))
        }
        if let reference = type.reference { return reference }
        if type == .bottom { return ReferenceType(.bottom, nullable: false) }
        throw mismatch(.reference(found: type))
    }

    @inline(__always)
    mutating func pop(_ types: ModuleTables.TypeList) throws(Stop) {
        if operands.ends(with: types) {
            operands.drop(types.count)
        } else {
            try popOthers(types)
        }
    }

    @inline(never)
    private mutating func popOthers(_ types: ModuleTables.TypeList) throws(Stop) {
        if types.count >= ListMatches.shortest {
            checkpoint &-= types.count / 4
            if matchesLongList(types) { return operands.drop(types.count) }
        }
        var position = types.count
        while position > 0 {
            // Unreachable code makes up whatever is missing.
            if operands.available == 0, isUnreachable { return }
            position -= 1
            try pop(types[position])
        }
    }

    /// Whether the last operands, all of the current block, match a long list; false where an
    /// operand at a time has to say what is wrong.
    private mutating func matchesLongList(_ types: ModuleTables.TypeList) -> Bool {
        guard types.count <= operands.available else { return false }
        let found = ModuleTables.TypeList(
            base: operands.top - types.count, count: types.count)
        if knownMatches.contains(found, types) { return true }
        for index in 0..<types.count where !matches(found[index], types[index]) { return false }
        knownMatches.insert(found, types)
        return true
    }

    @inline(__always)
    mutating func push(_ types: ModuleTables.TypeList) throws(Stop) {
        if types.count > 1 {
            if types.count > Self.maximumOperands - operands.height {
                throw fail(.limitExceeded(.operands(Self.maximumOperands)))
            }
            checkpoint &-= types.count / 32
        }
        operands.push(types)
    }

    /// Pops and pushes: afterwards the operands have exactly these types.
    @inline(__always)
    mutating func convert(to types: ModuleTables.TypeList) throws(Stop) {
        if operands.ends(with: types) { return }
        try pop(types)
        try push(types)
    }

    /// Checks the last operands without changing them.
    mutating func check(_ types: ModuleTables.TypeList) throws(Stop) {
        checkpoint &-= types.count / 32
        if operands.ends(with: types) { return }
        if types.count >= ListMatches.shortest {
            checkpoint &-= types.count / 4
            if matchesLongList(types) { return }
        }
        for depth in 0..<types.count {
            let expected = types[types.count - 1 - depth]
            guard let found = operands.peek(depth) else {
                if isUnreachable { return }
                throw mismatch(.operand(expected: expected, found: nil))
            }
            if !matches(found, expected) {
                throw mismatch(.operand(expected: expected, found: found))
            }
        }
    }

    /// Whether operands of types `a` fit where `b` are expected.
    mutating func matches(_ a: ModuleTables.TypeList, _ b: ModuleTables.TypeList) -> Bool {
        guard a.count == b.count else { return false }
        if a.base == b.base { return true }
        guard a.count >= ListMatches.shortest else {
            for index in 0..<a.count where !matches(a[index], b[index]) { return false }
            return true
        }
        checkpoint &-= a.count / 32
        if a.hasSameTypes(as: b) || knownMatches.contains(a, b) { return true }
        checkpoint &-= a.count / 4
        for index in 0..<a.count where !matches(a[index], b[index]) { return false }
        knownMatches.insert(a, b)
        return true
    }
}
