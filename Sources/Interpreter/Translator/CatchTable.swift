// Invariant: a table changes only while its function is translated, by the thread that does so;
// once the code is published, the table lives unchanged as long as the code.

import WasmMachine

/// What the code of one function catches; read only when an exception is thrown.
///
/// A `try_table` or `try` is a region of code with clauses in order. Regions are nested: if none of
/// a region's own clauses fits, the search continues in the region around it.
final class CatchTable: @unchecked Sendable {
    struct Clause {
        /// The tag's index in the module, or -1 for all exceptions.
        var tag: Int32
        /// The slot of the frame that the payload's first value goes to.
        var payload: Int32
        /// The slot that a reference to the exception goes to, or -1 for none.
        var reference: Int32
        /// The word of the code that runs next. While the place of the label is not known: the
        /// previous clause with the same label.
        var target: Int32
        /// The clause of the region that is tried next, or -1.
        var next: Int32 = -1
    }

    private struct Region {
        var parent: Int32
        var first: Int32 = -1
        var last: Int32 = -1
    }

    /// From `start` on code belongs to `region`.
    private struct Transition {
        var start: Int32
        var region: Int32
    }

    /// No region: exceptions leave the function.
    static let none = -1

    private(set) var clauses: [Clause] = []
    private var regions: [Region] = []
    private var transitions: [Transition] = []

    var isEmpty: Bool { clauses.isEmpty }

    // MARK: Building

    /// A new region without clauses.
    func addRegion(in parent: Int) -> Int {
        regions.append(Region(parent: Int32(truncatingIfNeeded: parent)))
        return regions.count - 1
    }

    /// Exceptions that fit no clause of `region` go to `parent` next.
    func setParent(_ parent: Int, of region: Int) {
        regions[region].parent = Int32(truncatingIfNeeded: parent)
    }

    /// Adds a clause after those that the region has.
    @discardableResult
    func add(_ clause: Clause, to region: Int) -> Int {
        let index = Int32(truncatingIfNeeded: clauses.count)
        clauses.append(clause)
        let last = Int(regions[region].last)
        if last < 0 { regions[region].first = index } else { clauses[last].next = index }
        regions[region].last = index
        return clauses.count - 1
    }

    /// The catch body of `clause` needs a reference to the exception.
    func keepReference(of clause: Int, in slot: Int) {
        clauses[clause].reference = Int32(truncatingIfNeeded: slot)
    }

    /// All clauses of a label, linked by their targets, lead to `word`.
    func resolve(_ first: Int, to word: Int) {
        var index = first
        while index >= 0 {
            let next = Int(clauses[index].target)
            clauses[index].target = Int32(truncatingIfNeeded: word)
            index = next
        }
    }

    /// Code from `word` on belongs to `region`. Returns whether that is a change.
    @discardableResult
    func mark(_ word: Int, _ region: Int) -> Bool {
        let current = transitions.last.map { Int($0.region) } ?? Self.none
        guard region != current else { return false }
        if let last = transitions.last, Int(last.start) == word { transitions.removeLast() }
        transitions.append(
            Transition(
                start: Int32(truncatingIfNeeded: word),
                region: Int32(truncatingIfNeeded: region)))
        return true
    }

    // MARK: Lookup

    /// The innermost region that the code at `word` belongs to, or `none`.
    func region(at word: Int) -> Int {
        var low = 0
        var high = transitions.count
        while low < high {
            let middle = (low + high) / 2
            if Int(transitions[middle].start) <= word { low = middle + 1 } else { high = middle }
        }
        return low > 0 ? Int(transitions[low - 1].region) : Self.none
    }

    /// All stretches of code that belong to a region, in order.
    func stretches(wordCount: Int) -> [(words: Range<Int>, region: Int)] {
        transitions.indices.compactMap { index in
            let start = Int(transitions[index].start)
            let isLast = index + 1 == transitions.count
            let end = isLast ? wordCount : Int(transitions[index + 1].start)
            let region = Int(transitions[index].region)
            return region == Self.none || end <= start ? nil : (start..<end, region)
        }
    }

    /// The clauses of a region in the order in which they are tried.
    func clauses(of region: Int) -> [Clause] {
        var result: [Clause] = []
        var index = contents(of: region).first
        while index >= 0 {
            result.append(clauses[index])
            index = Int(clauses[index].next)
        }
        return result
    }

    /// The first clause of a region, or -1, and the region around it.
    func contents(of region: Int) -> (first: Int, parent: Int) {
        (Int(regions[region].first), Int(regions[region].parent))
    }
}

/// What unwinding needs of a place in the code.
struct UnwindingSite {
    var code: CodePointer
    /// The first word of the function's code.
    var start: CodePointer
    /// Index of the function's frame header.
    var headerIndex: Int
    var handlers: Unmanaged<CatchTable>?
    /// The innermost region around the place.
    var region: Int
}
