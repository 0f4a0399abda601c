import WasmDecoder

// Soundness: `base` + 2 <= `floor` <= `top` <= `limit`, all into one allocation that this value
// owns. The two elements at the bottom are never popped, so that eight bytes below `top` can
// always be read at once. Growing moves the elements: pointers into the stack do not survive
// a push. Elements are trivial.

/// The types of the operands on the stack. Those above the floor belong to the current block.
struct OperandStack: ~Copyable {
    private var base: UnsafeMutablePointer<ValueType>
    private(set) var top: UnsafeMutablePointer<ValueType>
    private var floor: UnsafeMutablePointer<ValueType>
    private var limit: UnsafeMutablePointer<ValueType>

    private static var padding: Int { 2 }

    init(capacity: Int) {
        let capacity = max(capacity, 1) + Self.padding
        base = .allocate(capacity: capacity)
        base.initialize(repeating: .bottom, count: Self.padding)
        top = base + Self.padding
        floor = top
        limit = base + capacity
    }

    deinit { base.deallocate() }

    /// Operands of the current block.
    @inline(__always) var available: Int { top - floor }
    /// Operands of all blocks.
    @inline(__always) var height: Int { top - base - Self.padding }

    @inline(__always)
    mutating func removeAll() {
        top = base + Self.padding
        floor = top
    }

    /// Starts a block above all operands.
    @inline(__always)
    mutating func raiseFloor() { floor = top }

    /// Returns to the block that started at `height`, which must not be above the floor.
    @inline(__always)
    mutating func lowerFloor(to height: Int) { floor = base + Self.padding + height }

    /// Takes all operands of the current block.
    @inline(__always)
    mutating func dropAvailable() { top = floor }

    @inline(__always)
    mutating func push(_ type: ValueType) {
        if top == limit { grow(by: 1) }
        top.initialize(to: type)
        top += 1
    }

    /// Pushes a list, which must not be part of the stack.
    @inline(__always)
    mutating func push(_ types: ModuleTables.TypeList) {
        if limit - top < types.count { grow(by: types.count) }
        top.initialize(from: types.base, count: types.count)
        top += types.count
    }

    mutating func push(_ type: ValueType, repeated count: Int) {
        if limit - top < count { grow(by: count) }
        top.initialize(repeating: type, count: count)
        top += count
    }

    /// Takes the last operand if it is exactly `type`.
    @inline(__always)
    mutating func pop(exactly type: ValueType) -> Bool {
        guard top != floor, top[-1].word == type.word else { return false }
        top -= 1
        return true
    }

    /// Takes the last operand of the current block, or nil if there is none.
    @inline(__always)
    mutating func popAvailable() -> ValueType? {
        guard top != floor else { return nil }
        top -= 1
        return top.pointee
    }

    /// The operand `depth` below the last, or nil if the current block has none there.
    @inline(__always)
    func peek(_ depth: Int) -> ValueType? { depth < available ? top[-1 - depth] : nil }

    /// Whether the last operands are exactly those of `types`.
    @inline(__always)
    func ends(with types: ModuleTables.TypeList) -> Bool {
        guard types.count <= available else { return false }
        let start = top - types.count
        // Without a way out of the loop, long lists are compared by vectors.
        var difference: UInt32 = 0
        for index in 0..<types.count { difference |= start[index].word ^ types[index].word }
        return difference == 0
    }

    /// Takes `count` operands, of which there must be as many.
    @inline(__always)
    mutating func drop(_ count: Int) { top -= count }

    /// Replaces operands by the result of an instruction if they are exactly those of its rule,
    /// which must have at most two.
    @inline(__always)
    mutating func apply(_ rule: UnsafePointer<InstructionRule>) -> Bool {
        let count = Int(rule.pointee.operandCount)
        let last = UnsafeRawPointer(top - 2).loadUnaligned(as: UInt64.self)
        guard (last ^ rule.pointee.pattern) & rule.pointee.mask == 0, count <= available else {
            return false
        }
        top -= count
        if rule.pointee.hasResult { push(rule.pointee.result) }
        return true
    }

    @inline(never)
    private mutating func grow(by additional: Int) {
        let count = top - base
        let floorIndex = floor - base
        let capacity = max((limit - base) &* 2, count &+ additional)
        let larger = UnsafeMutablePointer<ValueType>.allocate(capacity: capacity)
        larger.initialize(from: base, count: count)
        base.deallocate()
        base = larger
        top = larger + count
        floor = larger + floorIndex
        limit = larger + capacity
    }
}
