import WasmDecoder

/// The blocks of a function that are open while it is printed.
struct LabelStack {
    struct Block {
        /// `block`, `loop`, `if`, `try` or `try_table`; later `else`, `catch` or `catch_all`.
        fileprivate(set) var opcode: Opcode
        fileprivate let label: LabelNames.Label?
        /// What `LabelNames.enter` answered.
        fileprivate let outer: Int
    }

    private var names = LabelNames(nil, generates: false)
    private var blocks: [Block] = []

    /// Starts a function.
    mutating func reset(_ names: LabelNames) {
        self.names = names
        blocks.removeAll(keepingCapacity: true)
    }

    /// How many blocks are open.
    var depth: Int { blocks.count }

    /// The label of the block that begins as number `ordinal` of the function.
    mutating func label(_ ordinal: Int) -> LabelNames.Label? { names.label(ordinal) }

    func identifier(_ label: LabelNames.Label) -> ArraySlice<UInt8> { names.identifier(label) }

    mutating func push(_ opcode: Opcode, _ label: LabelNames.Label?) {
        let outer = label.map { names.enter($0, depth: blocks.count + 1) } ?? 0
        blocks.append(Block(opcode: opcode, label: label, outer: outer))
    }

    /// Ends the innermost block; nil if there is none.
    mutating func pop() -> Block? {
        guard let block = blocks.popLast() else { return nil }
        if let label = block.label { names.leave(label, outer: block.outer) }
        return block
    }

    /// Goes on to the next part of the innermost block: `else`, `catch` or `catch_all`. False if
    /// the block has no such part, or not there.
    mutating func proceed(to opcode: Opcode) -> Bool {
        guard let current = blocks.last?.opcode, Self.may(opcode, follow: current) else {
            return false
        }
        blocks[blocks.count - 1].opcode = opcode
        return true
    }

    /// Whether a part of a block that begins with `opcode` may follow one that begins with `first`.
    static func may(_ opcode: Opcode, follow first: Opcode) -> Bool {
        switch opcode {
        case .else: first == .if
        case .catch, .catchAll: first == .try || first == .catch
        case .delegate: first == .try
        default: false
        }
    }

    /// The identifier that means the label with an index, if there is one.
    func identifier(_ index: UInt32) -> ArraySlice<UInt8>? {
        guard index < blocks.count else { return nil }
        let position = blocks.count - 1 - Int(index)
        guard let label = blocks[position].label, names.isVisible(label, depth: position + 1) else {
            return nil
        }
        return names.identifier(label)
    }

    /// How many blocks are open up to the one that a label means, it included; 0 for the function
    /// itself, nil for a label that there is not.
    func depth(_ index: UInt32) -> Int? {
        index <= blocks.count ? blocks.count - Int(index) : nil
    }
}
