import WasmDecoder

/// A block that is open, in 20 bytes.
struct Frame {
    /// The result, if `signature` says that there is one. Must stay the first field: see
    /// `FunctionValidator.results`.
    var single: ValueType
    /// A type index, or one of the constants below.
    var signature: UInt32
    /// Height of the operand stack without the block's own operands.
    var height: UInt32
    /// How many locals had been initialized when the block was entered.
    var initializedCount: UInt32
    var kind: Kind
    /// Whether the end of the code so far cannot be reached.
    var isUnreachable = false

    /// Type indices are smaller: decoding allows fewer types.
    static var empty: UInt32 { .max }
    static var single: UInt32 { .max - 1 }

    enum Kind: UInt8 {
        case function, block, loop, `if`, `else`, tryTable
        // Before 3.0
        case `try`, `catch`, catchAll
    }
}

/// The types of the locals of one function.
///
/// Groups of equal locals come as a number, so that a few bytes can declare 50,000. Only as many
/// types are written out as the body has bytes to mention; the rest is found by search.
struct Locals: ~Copyable {
    private var types = RawStack<ValueType>(capacity: 256)
    private var groups = RawStack<Group>(capacity: 16)
    /// Parameters and locals.
    private(set) var count: UInt32 = 0

    /// Non-nullable references that have a value already: 1 for every local's index.
    private var initialized = RawStack<UInt8>(capacity: 1)
    /// The locals with a 1 in `initialized`, in the order in which they got their value.
    private var order = RawStack<UInt32>(capacity: 1)
    private var parameterCount: UInt32 = 0

    struct Group {
        /// One more than the index of its last local.
        var end: UInt32
        var type: ValueType
    }

    @inline(__always)
    mutating func begin(parameters: ModuleTables.TypeList) {
        forget(to: 0)
        types.removeAll()
        groups.removeAll()
        types.push(parameters.base, count: parameters.count)
        count = UInt32(truncatingIfNeeded: parameters.count)
        parameterCount = count
    }

    /// Appends locals; `bodySize` bytes can name at most as many different ones.
    mutating func append(_ type: ValueType, count: UInt32, bodySize: Int) {
        let isComplete = types.count == Int(self.count)
        self.count &+= count
        let room = Int(parameterCount) + bodySize - types.count
        if isComplete, Int(count) <= room {
            types.push(type, repeated: Int(count))
        } else {
            if isComplete { types.push(type, repeated: min(max(room, 0), Int(count))) }
            groups.push(Group(end: self.count, type: type))
        }
        if !type.isDefaultable {
            let missing = Int(self.count) - initialized.count
            if missing > 0 { initialized.push(0, repeated: missing) }
        }
    }

    /// The type of a local, or nil if there is none with this index.
    @inline(__always)
    subscript(index: UInt32) -> ValueType? {
        if Int(index) < types.count { return types[Int(index)] }
        return index < count ? search(index) : nil
    }

    @inline(never)
    private func search(_ index: UInt32) -> ValueType? {
        var low = 0
        var high = groups.count
        while low < high {
            let middle = (low + high) / 2
            if groups[middle].end <= index { low = middle + 1 } else { high = middle }
        }
        return low < groups.count ? groups[low].type : nil
    }

    // MARK: Initialization

    var initializedCount: UInt32 { UInt32(truncatingIfNeeded: order.count) }

    /// Whether a local of a type without default has a value.
    func isInitialized(_ index: UInt32) -> Bool {
        index < parameterCount
            || Int(index) < initialized.count && initialized[Int(index)] != 0
    }

    mutating func initialize(_ index: UInt32) {
        guard !isInitialized(index), Int(index) < initialized.count else { return }
        initialized[Int(index)] = 1
        order.push(index)
    }

    /// Locals that got their value after the first `count` have none any more.
    @inline(__always)
    mutating func forget(to count: UInt32) {
        while order.count > Int(count) {
            let index = Int(order.pop())
            initialized[index] = 0
        }
    }
}
