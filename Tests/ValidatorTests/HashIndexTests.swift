import Testing

@testable import WasmValidator

@Suite struct HashIndexTests {
    @Test func emptyFindsNothing() {
        var index = HashIndex()
        #expect(index.first(hash: 0) { _ in true } == nil)
        index.remove(0, hash: 0)
        #expect(index.count == 0)
    }

    @Test func numbersOfOneHashAreToldApart() {
        var index = HashIndex()
        for number in 0..<20 { index.insert(number, hash: -1) }
        for number in 0..<20 {
            #expect(index.first(hash: -1) { $0 == number } == number)
        }
        #expect(index.first(hash: -1) { $0 == 20 } == nil)
        #expect(index.first(hash: 1) { _ in true } == nil)
    }

    @Test func hashesThatDifferInTheirUpperHalvesOnlyAreKept() {
        var index = HashIndex()
        index.insert(1, hash: 5)
        index.insert(2, hash: 5 | 1 << 40)
        #expect(index.first(hash: 5 | 1 << 40) { $0 == 2 } == 2)
        #expect(index.first(hash: 5) { $0 == 1 } == 1)
    }

    /// Beside a dictionary, with few hashes and many, so that runs of slots go around the end.
    @Test(arguments: [3, 64, 1_000_000])
    func doesWhatADictionaryDoes(hashes: Int) {
        var generator = Generator(state: 0x1234_5678)
        var index = HashIndex()
        var model: [Int: Int] = [:]
        let keyCount = hashes == 3 ? 60 : 3000
        for _ in 0..<20_000 {
            let key = generator.next() % keyCount
            let hash = key % hashes &* 0x9e37_79b9
            if model[key] == nil {
                index.insert(key, hash: hash)
                model[key] = hash
            } else if generator.next() % 3 > 0 {
                index.remove(key, hash: hash)
                model[key] = nil
            }
            let asked = generator.next() % keyCount
            let found = index.first(hash: asked % hashes &* 0x9e37_79b9) { $0 == asked }
            #expect(found == (model[asked] == nil ? nil : asked))
            #expect(index.count == model.count)
        }
    }

    @Test func roomOfWhatWasTakenOutIsGivenBack() {
        var index = HashIndex()
        for number in 0..<100_000 { index.insert(number, hash: HashIndex.hash(of: number)) }
        #expect(index.slots.count >= 100_000)
        for number in 10..<100_000 { index.remove(number, hash: HashIndex.hash(of: number)) }
        #expect(index.slots.count <= 4096)
        for number in 0..<10 {
            #expect(index.first(hash: HashIndex.hash(of: number)) { $0 == number } == number)
        }
    }

    private struct Generator {
        var state: UInt64
        mutating func next() -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33)
        }
    }
}
