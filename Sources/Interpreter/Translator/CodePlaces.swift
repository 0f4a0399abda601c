// Invariant: blocks do not overlap, and each ends with a word that holds no code: an address just
// after the code of one block is never the start of another.

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

    /// Bytes that each block needs beside its code, not counting exception handlers.
    private static let ownByteCount = 256
    var byteCount: Int { 8 * words + Self.ownByteCount }

    /// Copies code to its final place, allocates the counters that it needs and fills in their
    /// addresses.
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

/// Finds the block of code that contains an address. Blocks may be added between searches.
///
/// Blocks are in sorted lists, each longer than the next: adding and finding one takes, on average,
/// the logarithm of their number, in any order of these calls.
struct CodePlaces {
    private typealias Place = (function: Int, block: CodeBlock)

    private var lists: [[Place]] = []
    /// Blocks added since the last search, not sorted yet.
    private var added: [Place] = []

    mutating func add(_ block: CodeBlock, of function: Int) { added.append((function, block)) }

    /// The block that `code` points into, or just after, and its function.
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
