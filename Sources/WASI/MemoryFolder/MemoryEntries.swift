/// The entries of a directory in memory, in the order in which they were made. A change moves at
/// most some hundred entries and hashes some thousand, also in a directory with a million.
struct MemoryEntries {
    struct Entry {
        /// Ascending; the position to continue reading from.
        var number: UInt64
        var name: GuestPath
        var node: MemoryNode
    }

    /// Ascending by number; none is empty.
    private var chunks: [[Entry]] = []
    private var numbers = NameTable()
    /// `.` and `..` count as the first two.
    private var nextNumber: UInt64 = 2

    private static let chunkCount = 256

    var isEmpty: Bool { chunks.isEmpty }

    /// The capacities for entries and names.
    var capacities: (entries: Int, names: Int) {
        (chunks.reduce(0) { $0 + $1.capacity }, numbers.capacity)
    }

    /// All entries, ascending by number.
    var all: some Sequence<Entry> { chunks.joined() }

    subscript(name: GuestPath) -> MemoryNode? {
        guard let (chunk, index) = place(of: name) else { return nil }
        return chunks[chunk][index].node
    }

    private func place(of name: GuestPath) -> (chunk: Int, index: Int)? {
        guard let number = numbers[name] else { return nil }
        let chunk = chunk(with: number)
        return (
            chunk, Self.firstIndex(chunks[chunk].indices) { chunks[chunk][$0].number >= number }
        )
    }

    /// The first index of `range` for which `isFound` is true, as it is for all after it; the end
    /// if there is none.
    private static func firstIndex(_ range: Range<Int>, _ isFound: (Int) -> Bool) -> Int {
        var (low, high) = (range.lowerBound, range.upperBound)
        while low < high {
            let middle = (low + high) / 2
            if isFound(middle) { high = middle } else { low = middle + 1 }
        }
        return low
    }

    /// The chunk in which a number is, if there is such an entry.
    private func chunk(with number: UInt64) -> Int {
        max(0, Self.firstIndex(chunks.indices) { (chunks[$0].first?.number ?? 0) > number } - 1)
    }

    /// Some of the entries with at least this number, ascending; empty if there are none.
    func some(from number: UInt64) -> ArraySlice<Entry> {
        guard !chunks.isEmpty else { return [] }
        let chunk = chunk(with: number)
        let entries = chunks[chunk]
        let start = Self.firstIndex(entries.indices) { entries[$0].number >= number }
        if start < entries.count { return entries[start...] }
        return chunk + 1 < chunks.count ? chunks[chunk + 1][...] : []
    }

    /// Adds an entry, or changes the node of a name.
    mutating func insert(_ name: GuestPath, _ node: MemoryNode) {
        if let (chunk, index) = place(of: name) {
            chunks[chunk][index].node = node
            return
        }
        let name = name.compact
        numbers[name] = nextNumber
        if chunks.last.map({ $0.count >= Self.chunkCount }) ?? true { chunks.append([]) }
        chunks[chunks.count - 1].append(Entry(number: nextNumber, name: name, node: node))
        nextNumber &+= 1
    }

    mutating func remove(_ name: GuestPath) {
        guard let (chunk, index) = place(of: name) else { return }
        numbers[name] = nil
        chunks[chunk].remove(at: index)
        // A directory that was large must free memory that no entry is charged for.
        if chunks[chunk].isEmpty {
            chunks.remove(at: chunk)
            if chunks.isEmpty { (chunks, numbers) = ([], NameTable()) }
        } else if chunks[chunk].count < chunks[chunk].capacity / 4, chunks[chunk].capacity > 16 {
            // A full slice would share the array; this makes a compact copy.
            chunks[chunk] = chunks[chunk].map { $0 }
        }
    }

    /// Removes and returns all nodes of a directory that is no longer in use.
    mutating func takeNodes() -> [MemoryNode] {
        let nodes = all.map(\.node)
        chunks = []
        return nodes
    }
}

/// Numbers of names. A large dictionary is slow to grow, since it hashes all its keys again: from
/// some thousand names on they are distributed over many small ones.
private struct NameTable {
    private var tables: [[GuestPath: UInt64]] = [[:]]
    /// Random, so that a guest cannot choose names that all go to one table.
    private var seed: UInt32 = 0

    var capacity: Int { tables.reduce(0) { $0 + $1.capacity } }

    private static let smallCount = 4096
    private static let tableCount = 64

    subscript(name: GuestPath) -> UInt64? {
        get { tables[index(of: name)][name] }
        set {
            let index = index(of: name)
            tables[index][name] = newValue
            if tables.count == 1, tables[0].count > Self.smallCount { return spread() }
            // Many names were removed.
            let (count, capacity) = (tables[index].count, tables[index].capacity)
            guard newValue == nil, count < capacity / 4, capacity > 64 else { return }
            tables[index] = Dictionary(
                tables[index].map { ($0.key, $0.value) }, uniquingKeysWith: { first, _ in first })
        }
    }

    private func index(of name: GuestPath) -> Int {
        guard tables.count > 1 else { return 0 }
        // Not the dictionaries' hash: each dictionary would then have only a sixty-fourth of its
        // values.
        var sum = seed
        for byte in name.bytes { sum = (sum ^ UInt32(truncatingIfNeeded: byte)) &* 16_777_619 }
        return Int(sum >> 16) % tables.count
    }

    private mutating func spread() {
        let names = tables[0]
        seed = .random(in: .min ... .max)
        tables = Array(repeating: [:], count: Self.tableCount)
        for (name, number) in names { tables[index(of: name)][name] = number }
    }
}
