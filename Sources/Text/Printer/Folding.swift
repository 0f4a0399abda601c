import WasmDecoder

/// Finds the trees that the instructions of one body form, for printing them folded.
///
/// A tree is an instruction and, directly before it, the trees that make its operands. Reading the
/// trees from left to right, the root last, gives the instructions in their order: whatever is
/// folded, the text means the same. Instructions whose operands are not all made by the trees
/// before them are alone.
///
/// Since a tree is a run of instructions, it is known by its root and its first instruction.
struct Folding {
    /// By instruction: its position in the file, and `isShort`.
    private var positions: [UInt32] = []
    /// By instruction: the root of the largest tree that begins with it, or -1.
    private var largest: [Int32] = []
    /// By instruction: the root of the next smaller tree that begins where its own tree does.
    private var smaller: [Int32] = []

    /// A tree whose values are still on the operand stack.
    private struct Tree {
        let start: Int
        let results: Int
        /// Of instructions in parentheses.
        let depth: Int
        let containsBlock: Bool
    }

    /// A block that has begun.
    private struct Block {
        var opcode: Opcode
        /// First instruction of its tree.
        let start: Int
        /// How many values a branch to it takes along.
        let labelArity: Int
        let results: Int
        /// Trees outside of it.
        let outerTrees: Int
    }

    private var trees: [Tree] = []
    private var blocks: [Block] = []
    /// How many blocks have begun.
    private var blockCount = 0
    /// By `if` with blocks in its condition: how many blocks begin before it.
    private var ordinals: [Int: Int] = [:]

    /// Set for roots whose tree fits into one line.
    private static let isShort: UInt32 = 1 << 31
    /// Instructions in one line.
    private static let shortCount = 4
    /// Trees do not get deeper; what would make them so is alone.
    private static let depthLimit = 100

    /// Whether positions in the body can be stored.
    static func canHold(_ body: ByteRange) -> Bool { body.end < isShort }

    // MARK: The result

    /// Whether the body has anything that is longer than it need be.
    private(set) var hasRedundantForms = false

    var count: Int { positions.count }

    /// Whether all instructions are one tree.
    var isOneTree: Bool { !positions.isEmpty && Int(largest[0]) == positions.count - 1 }

    /// How many blocks begin before an `if`, or nil if none begins between the first instruction
    /// of its tree and itself.
    func ordinal(ofIf root: Int) -> Int? { ordinals.isEmpty ? nil : ordinals[root] }

    func position(_ instruction: Int) -> Int { Int(positions[instruction] & ~Self.isShort) }

    /// Whether the tree of a root is small enough for one line.
    func isShort(_ root: Int) -> Bool { positions[root] & Self.isShort != 0 }

    /// The root of the largest tree that begins with an instruction.
    func largestTree(at instruction: Int) -> Int? {
        let root = largest[instruction]
        return root < 0 ? nil : Int(root)
    }

    /// The root of the next smaller tree that begins with the same instruction as that of `root`.
    func smallerTree(than root: Int) -> Int? {
        let next = smaller[root]
        return next < 0 ? nil : Int(next)
    }

    // MARK: Finding

    /// Reads the instructions of a body up to its last `end`, which is none of them.
    ///
    /// - Throws: also `endExpected` if blocks and `end` do not match.
    mutating func prepare(
        _ reader: BinaryReader, _ arities: ArityTable, results: Int
    ) throws(DecodingError) {
        var reader = reader
        positions.removeAll(keepingCapacity: true)
        largest.removeAll(keepingCapacity: true)
        smaller.removeAll(keepingCapacity: true)
        trees.removeAll(keepingCapacity: true)
        blocks.removeAll(keepingCapacity: true)
        blockCount = 0
        ordinals.removeAll()
        while true {
            let start = reader.offset
            let opcode = try reader.opcode()
            if opcode == .end, blocks.isEmpty {
                guard reader.isAtEnd else { throw DecodingError(.endExpected, at: reader.offset) }
                hasRedundantForms = reader.hasRedundantForms
                return
            }
            let instruction = positions.count
            positions.append(UInt32(truncatingIfNeeded: start))
            largest.append(-1)
            smaller.append(-1)
            switch opcode {
            case .block, .loop, .if, .tryTable, .try:
                let type = arities.block(try reader.blockType())
                if opcode == .tryTable { try skipCatchClauses(&reader) }
                begin(opcode, instruction, type)
            case .else, .catch, .catchAll:
                try reader.skipImmediates(of: opcode)
                guard let block = blocks.last, LabelStack.may(opcode, follow: block.opcode) else {
                    throw DecodingError(.endExpected, at: start)
                }
                blocks[blocks.count - 1].opcode = opcode
                seal()
            case .end, .delegate:
                try reader.skipImmediates(of: opcode)
                guard let block = blocks.popLast(),
                    opcode == .end || LabelStack.may(opcode, follow: block.opcode)
                else { throw DecodingError(.endExpected, at: start) }
                trees.removeSubrange(block.outerTrees...)
                leave(
                    Tree(
                        start: block.start, results: block.results, depth: 1, containsBlock: true))
            default:
                let arity = try arities.arity(of: opcode, &reader) { index in
                    labelArity(index, function: results)
                }
                let tree = take(arity, instruction)
                if !tree.containsBlock, instruction - tree.start < Self.shortCount {
                    positions[instruction] |= Self.isShort
                }
                plant(instruction, at: tree.start)
                leave(tree)
            }
        }
    }

    private mutating func skipCatchClauses(_ reader: inout BinaryReader) throws(DecodingError) {
        for _ in 0..<(try reader.catchClauseCount()) { _ = try reader.catchClause() }
    }

    private func labelArity(_ index: UInt32, function results: Int) -> Int {
        index < blocks.count ? blocks[blocks.count - 1 - Int(index)].labelArity : results
    }

    private mutating func begin(_ opcode: Opcode, _ instruction: Int, _ type: Arity) {
        var start = instruction
        if opcode == .if {
            let tree = take(Arity(type.operands + 1, 0), instruction)
            start = tree.start
            if tree.containsBlock { ordinals[instruction] = blockCount }
        } else if type.operands > 0 {
            // What a block takes is before its parenthesis.
            seal()
        }
        plant(instruction, at: start)
        blockCount += 1
        blocks.append(
            Block(
                opcode: opcode, start: start,
                labelArity: opcode == .loop ? type.operands : type.results, results: type.results,
                outerTrees: trees.count))
    }

    /// Takes the trees that make the operands of an instruction: all of them or none.
    private mutating func take(_ arity: Arity, _ instruction: Int) -> Tree {
        let alone = Tree(
            start: instruction, results: arity.results, depth: 1, containsBlock: false)
        guard arity.operands > 0 else { return alone }
        let bottom = blocks.last?.outerTrees ?? 0
        var first = trees.count
        var missing = arity.operands
        var depth = 0
        var containsBlock = false
        while missing > 0, first > bottom {
            first -= 1
            missing -= trees[first].results
            depth = max(depth, trees[first].depth)
            containsBlock = containsBlock || trees[first].containsBlock
        }
        guard missing == 0, depth < Self.depthLimit else {
            seal()
            return alone
        }
        let start = trees[first].start
        trees.removeSubrange(first...)
        return Tree(
            start: start, results: arity.results, depth: depth + 1, containsBlock: containsBlock)
    }

    /// What is before in the block becomes no operand of what follows.
    private mutating func seal() { trees.removeSubrange((blocks.last?.outerTrees ?? 0)...) }

    private mutating func leave(_ tree: Tree) {
        if tree.results > 0 { trees.append(tree) } else { seal() }
    }

    private mutating func plant(_ root: Int, at start: Int) {
        smaller[root] = largest[start]
        largest[start] = Int32(truncatingIfNeeded: root)
    }
}
