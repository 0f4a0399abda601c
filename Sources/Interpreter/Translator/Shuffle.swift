import WasmMachine

/// The lanes of an `i8x16.shuffle`, and the kinds of shuffles that they match.
struct Shuffle {
    /// Bytes 0 to 15 are those of the first vector, 16 to 31 those of the second.
    private var lanes: [Int] = []
    /// The first slots of both vectors.
    private let a: Int
    private let b: Int

    /// Lanes as the instruction has them, the first one in the lowest byte.
    init(lanes: (low: UInt64, high: UInt64), a: Int, b: Int) {
        self.a = a
        self.b = b
        for word in [lanes.low, lanes.high] {
            for index in 0..<8 {
                let lane = Int(word &>> UInt64(8 * index) & 31)
                // The same vector twice: use one name for it.
                self.lanes.append(a == b ? lane & 15 : lane)
            }
        }
    }

    /// The slot of the vector that `lane` is in.
    private func vector(_ lane: Int) -> Int { lane < 16 ? a : b }

    private func matches(_ expected: (Int) -> Int) -> Bool {
        lanes.indices.allSatisfy { lanes[$0] == expected($0) }
    }

    /// Byte offsets from slot 0 of all lanes of `width` bytes, two in each word; nil if the bytes
    /// of a lane are not adjacent.
    func offsets(width: Int) -> [UInt64]? {
        var words = [UInt64](repeating: 0, count: 8 / width)
        for (index, first) in stride(from: 0, to: 16, by: width).enumerated() {
            let lane = lanes[first]
            for byte in 0..<width where lanes[first + byte] != lane + byte { return nil }
            if lane & 15 + width > 16 { return nil }
            let offset = UInt64(8 * vector(lane) + lane & 15)
            words[index / 2] |= offset &<< UInt64(32 * (index & 1))
        }
        return words
    }

    /// Two halves of vectors: their slots.
    var halves: (low: Int, high: Int)? {
        guard lanes[0] & 7 == 0, lanes[8] & 7 == 0, offsets(width: 8) != nil else { return nil }
        func slot(_ lane: Int) -> Int { vector(lane) + (lane & 15) / 8 }
        return (slot(lanes[0]), slot(lanes[8]))
    }

    /// Alternating lanes, or every other lane: what kind, of which shape, and the operands.
    var zip: (kind: Instruction.ZipKind, shape: Instruction.ZipShape, a: Int, b: Int)? {
        for (kind, shape) in Self.zips {
            let width = shape.laneWidth
            // The first lane shows where the first operand is, some later lane the second one.
            let first = lanes[0] & 16
            let second = lanes[kind == .zipLow || kind == .zipHigh ? width : 8] & 16
            let isMatch = matches { byte in
                let lane = byte / width, within = byte % width
                switch kind {
                case .zipLow, .zipHigh:
                    let from = lane / 2 * width + (kind == .zipHigh ? 8 : 0)
                    return (lane & 1 == 0 ? first : second) + from + within
                case .evens, .odds:
                    let from = (lane * 2 * width) & 15 + (kind == .odds ? width : 0)
                    return (byte < 8 ? first : second) + from + within
                }
            }
            if isMatch { return (kind, shape, vector(first), vector(second)) }
        }
        return nil
    }

    private static let zips: [(kind: Instruction.ZipKind, shape: Instruction.ZipShape)] =
        [.zipLow, .zipHigh, .evens, .odds].flatMap { kind in
            [.i8x16, .i16x8, .i32x4].map { (kind, $0) }
        }

    /// Sixteen adjacent bytes of two vectors, one after the other: the vectors, whether the first
    /// byte is in the upper half of the first, and the bits to leave out before it there.
    var window: (isHigh: Bool, a: Int, b: Int, bits: Int)? {
        let first = lanes[0] & 16, start = lanes[0] & 15
        let second = lanes[15] & 16
        guard start & 7 != 0,
            matches({ ($0 + start < 16 ? first : second) + ($0 + start) & 15 })
        else { return nil }
        return (start > 8, vector(first), vector(second), start % 8 * 8)
    }

    /// Eight adjacent bytes of one vector, then one byte eight times: their offsets from slot 0.
    var half: (low: Int, byte: Int)? {
        let first = lanes[0], byte = lanes[8]
        guard first & 15 <= 8, matches({ $0 < 8 ? first + $0 : byte }) else { return nil }
        func offset(_ lane: Int) -> Int { 8 * vector(lane) + lane & 15 }
        return (offset(first), offset(byte))
    }
}

extension Instruction.ZipShape {
    /// Bytes of a lane.
    fileprivate var laneWidth: Int {
        switch self {
        case .i8x16: 1
        case .i16x8: 2
        case .i32x4: 4
        }
    }
}
