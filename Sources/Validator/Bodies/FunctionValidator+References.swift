import WasmDecoder

/// References of any kind: null, functions, casts (3.4.8, 3.4.9).
extension FunctionValidator {
    mutating func referenceInstruction(_ opcode: Opcode) throws(Stop) {
        switch opcode {
        case .refNull:
            operands.push(.ref(try heapType(), nullable: true))
        case .refIsNull:
            _ = try popReference()
            operands.push(.i32)
        case .refFunc: try refFunc()
        case .refAsNonNull:
            operands.push(.ref(try popReference().heapType, nullable: false))
        case .brOnNull: try brOnNull()
        case .brOnNonNull: try brOnNonNull()
        case .refTest: try cast(nullable: false, isTest: true)
        case .refTestNull: try cast(nullable: true, isTest: true)
        case .refCast: try cast(nullable: false, isTest: false)
        case .refCastNull: try cast(nullable: true, isTest: false)
        case .brOnCast: try brOnCast(branchesOnFailure: false)
        case .brOnCastFail: try brOnCast(branchesOnFailure: true)
        case .anyConvertExtern: try convert(from: .extern, to: .any)
        default: try convert(from: .any, to: .extern)
        }
    }

    private mutating func refFunc() throws(Stop) {
        let index = try unsigned32()
        guard module.functions.contains(index) else { throw fail(.unknown(.function, index)) }
        if constantGlobals != nil {
            module.declared[Int(index)] = 1
        } else if module.declared[Int(index)] == 0 {
            throw fail(.undeclaredFunctionReference(index))
        }
        let type = module.types[Int(module.functions[Int(index)])]
        operands.push(.ref(type.heapType, nullable: false))
    }

    private mutating func convert(from source: HeapType, to target: HeapType) throws(Stop) {
        let reference = try popReference()
        guard registry.matches(reference.heapType, source) else {
            throw mismatch(
                .operand(expected: .ref(source, nullable: true), found: ValueType(reference)))
        }
        operands.push(.ref(target, nullable: reference.isNullable))
    }

    // MARK: Branches

    private mutating func brOnNull() throws(Stop) {
        let types = try labelTypes(try unsigned32())
        let reference = try popReference()
        try convert(to: types)
        operands.push(.ref(reference.heapType, nullable: false))
    }

    /// The label takes the reference as its last operand.
    private mutating func brOnNonNull() throws(Stop) {
        let types = try labelTypes(try unsigned32())
        guard let last = types.last?.reference else { throw mismatch(.labelTypes) }
        try pop(.ref(last.heapType, nullable: true))
        try convert(to: types.withoutLast)
    }

    /// Both types are valid and the second is a subtype of the first; the label takes what
    /// branches as its last operand.
    private mutating func brOnCast(branchesOnFailure: Bool) throws(Stop) {
        let flags: (source: Bool, target: Bool)
        do { flags = try reader.castFlags() } catch { throw malformed(error) }
        let label = try unsigned32()
        let source = ReferenceType(try heapType(), nullable: flags.source)
        let target = ReferenceType(try heapType(), nullable: flags.target)
        let types = try labelTypes(label)
        guard registry.matches(target, source) else { throw mismatch(.cast) }
        // Null is among what passes the cast if the target is nullable: then it is not in the rest.
        let rest = ReferenceType(
            source.heapType, nullable: source.isNullable && !target.isNullable)
        let (branching, staying) = branchesOnFailure ? (rest, target) : (target, rest)
        guard let last = types.last, registry.matches(ValueType(branching), last) else {
            throw mismatch(.labelTypes)
        }
        try pop(ValueType(source))
        try convert(to: types.withoutLast)
        operands.push(ValueType(staying))
    }

    // MARK: Casts

    /// The operand may be of any type that is comparable with the immediate.
    private mutating func cast(nullable: Bool, isTest: Bool) throws(Stop) {
        let type = ReferenceType(try heapType(), nullable: nullable)
        try pop(.ref(registry.top(of: type.heapType), nullable: true))
        operands.push(isTest ? .i32 : ValueType(type))
    }
}
