// Invariant: blocks do not overlap, and each ends with a word that holds no code: an address just after
// the code of one block is never the start of another.

import WasmMachine

/// Register code of one translated function.
struct CodeBlock {
    var start: CodePointer
    var words: Int
    var entry: Int
    var handlers: CatchTable?
    var counters: BlockCounters?
    var slotCount: Int
    /// What the code is charged to: the account of the program whose call caused the translation.
    private(set) var account: ResourceAccount?

    /// What there is beside a function's code, without its handlers of exceptions.
    private static let ownByteCount = 256
    var byteCount: Int { 8 * words + Self.ownByteCount }

    /// Copies code to where it stays, makes the counters that it asks for and tells it where they are.
    init(_ code: TranslatedCode) {
        start = .allocate(capacity: code.words.count + 1)
        start.initialize(from: code.words, count: code.words.count)
        words = code.words.count
        entry = code.entry
        handlers = code.handlers
        slotCount = code.slotCount
        guard !code.blocks.isEmpty else { return }
        let counters = BlockCounters(offsets: code.blocks.map(\.offset))
        for (index, block) in code.blocks.enumerated() {
            start[block.word + 1] = counters.address(of: index)
        }
        self.counters = counters
    }

    /// Charges the code; false if there is no room for it.
    mutating func charge(to account: ResourceAccount?) -> Bool {
        guard account?.charge(byteCount) ?? true else { return false }
        self.account = account
        return true
    }
}

/// Finds the block of code that an address is in, while blocks are added in between.
///
/// Blocks are in sorted lists, each longer than the next: adding one and asking for one costs, on
/// average, the logarithm of their number, in whatever order that happens.
struct CodePlaces {
    private typealias Place = (function: Int, block: CodeBlock)

    private var lists: [[Place]] = []
    /// What was added since the last question.
    private var added: [Place] = []

    mutating func add(_ block: CodeBlock, of function: Int) { added.append((function, block)) }

    /// The block that `code` points into, or just behind, and its function.
    mutating func place(of code: CodePointer) -> (function: Int, block: CodeBlock)? {
        if !added.isEmpty { merge() }
        for list in lists {
            var low = 0
            var high = list.count
            while low < high {
                let middle = (low + high) / 2
                if list[middle].block.start <= code { low = middle + 1 } else { high = middle }
            }
            guard low > 0 else { continue }
            let found = list[low - 1]
            if code <= found.block.start + found.block.words { return found }
        }
        return nil
    }

    private mutating func merge() {
        var list = added.sorted { $0.block.start < $1.block.start }
        added.removeAll()
        while let last = lists.last, last.count <= 2 * list.count {
            lists.removeLast()
            list = Self.merged(last, list)
        }
        lists.append(list)
    }

    private static func merged(_ a: [Place], _ b: [Place]) -> [Place] {
        var result: [Place] = []
        result.reserveCapacity(a.count + b.count)
        var (i, j) = (0, 0)
        while i < a.count, j < b.count {
            if a[i].block.start < b[j].block.start {
                result.append(a[i])
                i += 1
            } else {
                result.append(b[j])
                j += 1
            }
        }
        result.append(contentsOf: a[i...])
        result.append(contentsOf: b[j...])
        return result
    }
}
