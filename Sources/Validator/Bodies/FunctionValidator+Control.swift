import WasmDecoder

// Soundness of `results(of:)`: a frame lives in `frames` and starts with its single result;
// lists that point there are used before anything is pushed on `frames`, also when the frame was
// popped just before.

/// Blocks and branches (3.4.2).
extension FunctionValidator {
    // MARK: Frames

    /// The innermost open block. There is one as long as instructions are validated.
    @inline(__always)
    var frame: UnsafeMutablePointer<Frame> { frames.top - 1 }

    @inline(__always)
    var isUnreachable: Bool { frame.pointee.isUnreachable }

    /// The rest of the block cannot be reached.
    @inline(__always)
    mutating func markUnreachable() {
        operands.dropAvailable()
        frame.pointee.isUnreachable = true
    }

    @inline(__always)
    func results(of frame: UnsafeMutablePointer<Frame>) -> ModuleTables.TypeList {
        let single = UnsafeRawPointer(frame).assumingMemoryBound(to: ValueType.self)
        switch frame.pointee.signature {
        case Frame.empty: return ModuleTables.TypeList(base: single, count: 0)
        case Frame.single: return ModuleTables.TypeList(base: single, count: 1)
        case let type: return module.results(type)
        }
    }

    @inline(__always)
    func parameters(of frame: UnsafeMutablePointer<Frame>) -> ModuleTables.TypeList {
        let single = UnsafeRawPointer(frame).assumingMemoryBound(to: ValueType.self)
        let signature = frame.pointee.signature
        return signature >= Frame.single
            ? ModuleTables.TypeList(base: single, count: 0) : module.parameters(signature)
    }

    /// The block that a label means, which is counted from the innermost.
    @inline(__always)
    mutating func labelled(_ label: UInt32) throws(Stop) -> UnsafeMutablePointer<Frame> {
        let target = frame - Int(label)
        guard target >= frames.base else { throw fail(.unknown(.label, label)) }
        return target
    }

    /// What a branch to the label takes.
    @inline(__always)
    mutating func labelTypes(_ label: UInt32) throws(Stop) -> ModuleTables.TypeList {
        let target = try labelled(label)
        return target.pointee.kind == .loop ? parameters(of: target) : results(of: target)
    }

    /// Reads a block type and enters a block with the parameters that are on the stack.
    @inline(__always)
    mutating func enter(_ kind: Frame.Kind) throws(Stop) {
        let type: BlockType
        do { type = try reader.blockType() } catch { throw malformed(error) }
        try enter(kind, type)
    }

    @inline(__always)
    mutating func enter(_ kind: Frame.Kind, _ type: BlockType) throws(Stop) {
        switch type {
        case .empty:
            if kind == .if { try pop(.i32) }
            push(kind, signature: Frame.empty, single: .bottom)
        case .value(let type):
            let result = try canonical(type)
            if kind == .if { try pop(.i32) }
            push(kind, signature: Frame.single, single: result)
        case .type(let index): try enter(kind, type: index)
        }
    }

    private mutating func enter(_ kind: Frame.Kind, type index: TypeIndex) throws(Stop) {
        guard module.types.contains(index) else { throw fail(.unknown(.type, index)) }
        guard module.types[Int(index)].kind == .function else {
            throw mismatch(.kindOfType(index))
        }
        required |= Features.multiValue.rawValue
        if kind == .if { try pop(.i32) }
        let parameters = module.parameters(index)
        try pop(parameters)
        push(kind, signature: index, single: .bottom)
        try push(parameters)
    }

    @inline(__always)
    private mutating func push(_ kind: Frame.Kind, signature: UInt32, single: ValueType) {
        frames.push(
            Frame(
                single: single, signature: signature,
                height: UInt32(truncatingIfNeeded: operands.height),
                initializedCount: locals.initializedCount, kind: kind))
        operands.raiseFloor()
    }

    /// Checks that a block ends with its results and takes them.
    @inline(__always)
    mutating func finishBlock() throws(Stop) {
        try pop(results(of: frame))
        if operands.available != 0 { throw mismatch(.operandsRemain(operands.available)) }
        locals.forget(to: frame.pointee.initializedCount)
    }

    /// Leaves a finished block: its results are on the stack of the block around it.
    @inline(__always)
    mutating func leaveBlock() throws(Stop) {
        let results = results(of: frame)
        _ = frames.pop()
        guard !frames.isEmpty else {
            checkpoint = 0
            return
        }
        operands.lowerFloor(to: Int(frame.pointee.height))
        try push(results)
    }

    /// Begins another branch of the current block: `else` or `catch`.
    @inline(__always)
    mutating func beginBranch(_ kind: Frame.Kind) {
        frame.pointee.kind = kind
        frame.pointee.isUnreachable = false
    }

    // MARK: Blocks

    @inline(__always)
    mutating func block() throws(Stop) { try enter(.block) }

    @inline(__always)
    mutating func loop() throws(Stop) { try enter(.loop) }

    @inline(__always)
    mutating func ifBlock() throws(Stop) { try enter(.if) }

    @inline(__always)
    mutating func elseBlock() throws(Stop) {
        guard frame.pointee.kind == .if else { throw misplaced() }
        try finishBlock()
        beginBranch(.else)
        try push(parameters(of: frame))
    }

    @inline(__always)
    mutating func end() throws(Stop) {
        try finishBlock()
        if frame.pointee.kind == .if { try checkMissingElse() }
        try leaveBlock()
    }

    private mutating func checkMissingElse() throws(Stop) {
        if !matches(parameters(of: frame), results(of: frame)) {
            throw mismatch(.missingElse)
        }
    }

    // MARK: Branches

    @inline(__always)
    mutating func br() throws(Stop) {
        try pop(try labelTypes(try unsigned32()))
        markUnreachable()
    }

    @inline(__always)
    mutating func brIf() throws(Stop) {
        let label = try unsigned32()
        try pop(.i32)
        try convert(to: try labelTypes(label))
    }

    mutating func brTable() throws(Stop) {
        let count: Int
        do { count = try reader.labelCount() } catch { throw malformed(error) }
        try pop(.i32)
        var arity: Int?
        var last: UInt32?
        // The labels and the default.
        for _ in 0...count {
            let label = try unsigned32()
            if label == last { continue }
            last = label
            let types = try labelTypes(label)
            if types.count != arity ?? types.count { throw mismatch(.labelArity) }
            arity = types.count
            try check(types)
        }
        markUnreachable()
    }

    // MARK: Parametric instructions (3.4.1)

    mutating func select() throws(Stop) {
        try pop(.i32)
        let second = try popAny()
        let first = try popAny()
        guard !first.isReference, !second.isReference,
            first == second || first == .bottom || second == .bottom
        else { throw mismatch(.select(first, second)) }
        operands.push(first == .bottom ? second : first)
    }

    mutating func selectTyped() throws(Stop) {
        var types: Int
        var type = ValueType.bottom
        do {
            types = try reader.count()
            if types == 1 { type = try reader.valueType() }
        } catch { throw malformed(error) }
        guard types == 1 else { throw fail(.invalidResultArity) }
        type = try canonical(type)
        try pop(.i32)
        try pop(type)
        try pop(type)
        operands.push(type)
    }
}
