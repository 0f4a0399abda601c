import Testing

@testable import WasmdStorage

/// The tree against a dictionary.
@Suite struct IndexTests {
    func location(_ number: Int) -> Location {
        Location(
            segment: 1, offset: number, size: number & 0xffff, hasDigests: false, checksum: 0,
            version: UInt64(number))
    }

    func key(_ random: inout Randomness, _ style: Int) -> [UInt8] {
        switch style {
        case 0: Array("key/\(Int.random(in: 0..<3000, using: &random))".utf8)
        // Long keys with a long common start.
        case 1:
            [UInt8](repeating: 7, count: Int.random(in: 1...500, using: &random))
                + [UInt8.random(in: 0...20, using: &random)]
        default: (0..<8).map { _ in UInt8.random(in: 0...255, using: &random) }
        }
    }

    func check(_ index: Index, _ model: [[UInt8]: Location]) {
        #expect(index.count == model.count)
        var keys: [[UInt8]] = []
        unsafe index.forEach(from: UnsafeRawBufferPointer(start: nil, count: 0)) { key, location in
            unsafe keys.append([UInt8](key))
            return true
        }
        #expect(keys == model.keys.sorted { $0.lexicographicallyPrecedes($1) })
        for (key, location) in model { #expect(index.find(key) == location) }
        for (rank, key) in keys.enumerated() where rank % 7 == 0 {
            #expect(index.rank(key) == rank)
            #expect(index.rank(key + [0]) == rank + 1)
        }
        #expect(index.rank([]) == 0)
        #expect(index.rank([UInt8](repeating: 255, count: 513)) == keys.count)
    }

    @Test(arguments: [0, 1, 2]) func agreesWithADictionary(_ style: Int) {
        var random = Randomness(UInt64(style) + 1)
        var index = Index()
        var model: [[UInt8]: Location] = [:]
        var snapshots: [(Index, [[UInt8]: Location])] = []
        for step in 0..<12_000 {
            let key = key(&random, style)
            // Grows first and shrinks then.
            if Int.random(in: 0..<10, using: &random) < (step < 7000 ? 2 : 8) {
                let victim = step % 2 == 0 ? key : model.keys.first ?? key
                #expect(index.remove(victim) == model.removeValue(forKey: victim))
            } else {
                let location = location(step)
                #expect(index.set(key, location) == model.updateValue(location, forKey: key))
            }
            if step % 2500 == 0 { snapshots.append((index, model)) }
        }
        check(index, model)
        for (index, model) in snapshots { check(index, model) }
        for key in Array(model.keys) { index.remove(key) }
        check(index, [:])
        #expect(index.shape.pages == 1)
    }

    /// Ascending keys fill their pages.
    @Test func ascendingKeysFillPages() {
        var index = Index()
        for number in 0..<20_000 {
            index.set(Array(String(1_000_000 + number).utf8), location(number))
        }
        // 2 for the slot, 2 for the size, 24 for the location, 7 for the key.
        #expect(index.shape.pages < 20_000 * 35 / 4096 * 11 / 10)
        #expect(index.shape.depth <= 3)
    }
}
