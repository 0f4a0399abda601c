import WasmDecoder

/// What a token of small letters means.
enum WordMeaning: Equatable {
    case instruction(Opcode)
    case keyword(Keyword)
    /// Neither; maybe a number (`inf`, `nan:0x1`) or an option (`offset=4`).
    case other
}

/// All words that mean something, by a hash of their bytes.
///
/// `ref.test` and `ref.cast` stand for both of their instructions and give the one without null;
/// `select` gives the one without types.
struct WordTable: Sendable {
    private struct Entry {
        var start: UInt32 = 0
        var length: UInt32 = 0
        var word: WordMeaning = .other
    }

    static let shared = WordTable()

    /// A power of two, several times as many as there are words.
    private static let slotCount = 4096
    private var slots = [Entry](repeating: Entry(), count: slotCount)
    /// All words, one after another.
    private var text: [UInt8] = []

    private init() {
        text.reserveCapacity(16 << 10)
        for opcode in Opcode.allCases where opcode != .selectTyped {
            let name = opcode.info.name
            name.withUTF8Buffer { add($0, .instruction(opcode)) }
        }
        for keyword in Keyword.allCases {
            var name = keyword.rawValue
            name.withUTF8 { add($0, .keyword(keyword)) }
        }
    }

    private mutating func add(_ name: UnsafeBufferPointer<UInt8>, _ word: WordMeaning) {
        var slot = Self.slot(of: name)
        while slots[slot].length != 0 { slot = (slot + 1) & (Self.slotCount - 1) }
        slots[slot] = Entry(
            start: UInt32(text.count), length: UInt32(name.count), word: word)
        text.append(contentsOf: name)
    }

    /// FNV-1a.
    @inline(__always)
    private static func slot(of name: UnsafeBufferPointer<UInt8>) -> Int {
        var hash: UInt32 = 0x811c_9dc5
        for byte in name { hash = (hash ^ UInt32(byte)) &* 0x0100_0193 }
        return Int(truncatingIfNeeded: hash ^ hash >> 15) & (slotCount - 1)
    }

    func word(_ name: UnsafeBufferPointer<UInt8>) -> WordMeaning {
        var slot = Self.slot(of: name)
        while true {
            let entry = slots[slot]
            if entry.length == 0 { return .other }
            if Int(entry.length) == name.count, matches(entry, name) { return entry.word }
            slot = (slot + 1) & (Self.slotCount - 1)
        }
    }

    @inline(__always)
    private func matches(_ entry: Entry, _ name: UnsafeBufferPointer<UInt8>) -> Bool {
        let start = Int(entry.start)
        for index in 0..<name.count where text[start + index] != name[index] { return false }
        return true
    }
}
