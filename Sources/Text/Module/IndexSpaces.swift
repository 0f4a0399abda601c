/// Indices by identifier; as large as the number of symbols once it holds one.
struct IdentifierMap {
    private var indices: [UInt32] = []
    private static let absent = UInt32.max

    subscript(symbol: Symbol) -> UInt32? {
        let index = Int(symbol)
        guard index < indices.count, indices[index] != Self.absent else { return nil }
        return indices[index]
    }

    /// Sets or removes (nil) an index; `symbolCount` is the number of all symbols.
    mutating func set(_ symbol: Symbol, to index: UInt32?, symbolCount: Int) {
        if indices.isEmpty { indices = [UInt32](repeating: Self.absent, count: symbolCount) }
        guard Int(symbol) < indices.count else { return }
        indices[Int(symbol)] = index ?? Self.absent
    }
}

/// What identifiers stand for, and how much of each kind there is.
struct IndexSpaces {
    private struct Space {
        var count: UInt32 = 0
        var identifiers = IdentifierMap()
    }

    private var spaces = [Space](
        repeating: Space(), count: TextError.IndexSpace.allCases.count)
    private let symbolCount: Int

    init(symbolCount: Int) { self.symbolCount = symbolCount }

    /// Adds the next thing of a kind; false if the identifier is taken.
    mutating func define(_ symbol: Symbol?, in space: TextError.IndexSpace) -> Bool {
        let number = space.number
        let index = spaces[number].count
        spaces[number].count += 1
        guard let symbol else { return true }
        if spaces[number].identifiers[symbol] != nil { return false }
        spaces[number].identifiers.set(symbol, to: index, symbolCount: symbolCount)
        return true
    }

    func index(of symbol: Symbol, in space: TextError.IndexSpace) -> UInt32? {
        spaces[space.number].identifiers[symbol]
    }
}

extension TextError.IndexSpace {
    fileprivate var number: Int {
        switch self {
        case .function: 0
        case .table: 1
        case .memory: 2
        case .global: 3
        case .tag: 4
        case .type: 5
        case .local: 6
        case .label: 7
        case .field: 8
        case .elementSegment: 9
        case .dataSegment: 10
        }
    }
}
