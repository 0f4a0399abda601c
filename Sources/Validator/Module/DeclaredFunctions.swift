/// The functions with bodies that `ref.func`, a segment, a global or an export refers to: those of
/// which an instance may need a reference. Most functions of a large module are only called.
package struct DeclaredFunctions: Sendable {
    /// A bit for each function with a body.
    private let words: [UInt64]
    /// How many bits are set before each word.
    private let ranks: [UInt32]
    /// How many there are.
    package let count: Int

    /// - Parameters:
    ///   - declared: 1 for each function, imported ones included, that something refers to.
    ///   - imported: the number of imported functions.
    init(_ declared: borrowing ModuleTables.Column<UInt8>, imported: Int) {
        let functionCount = max(declared.count - imported, 0)
        var words: [UInt64] = []
        var ranks: [UInt32] = []
        words.reserveCapacity((functionCount + 63) / 64)
        ranks.reserveCapacity((functionCount + 63) / 64)
        var count = 0
        var index = 0
        while index < functionCount {
            var word: UInt64 = 0
            for bit in 0..<min(64, functionCount - index)
            where declared[imported + index + bit] != 0 {
                word |= 1 << UInt64(bit)
            }
            words.append(word)
            ranks.append(UInt32(truncatingIfNeeded: count))
            count += word.nonzeroBitCount
            index += 64
        }
        self.words = words
        self.ranks = ranks
        self.count = count
    }

    /// The position of a function among the declared ones; nil if it is none of them.
    ///
    /// - Parameter index: of the function among those with bodies.
    package func position(of index: Int) -> Int? {
        let (word, bit) = (index >> 6, UInt64(index & 63))
        guard index >= 0, word < words.count, words[word] >> bit & 1 == 1 else { return nil }
        return Int(ranks[word]) + (words[word] & ((1 << bit) - 1)).nonzeroBitCount
    }
}
