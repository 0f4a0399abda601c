/// The checksum of a write-ahead log: two sums over pairs of words, from the header on. Section 4.2
/// of SQLite's file format.
struct LogChecksum {
    let isBigEndian: Bool
    private(set) var first: UInt32 = 0
    private(set) var second: UInt32 = 0

    init(isBigEndian: Bool) { self.isBigEndian = isBigEndian }

    /// Adds pairs of words of a range inside of the bytes.
    mutating func add(_ bytes: [UInt8], _ range: Range<Int>) {
        guard range.lowerBound >= 0, range.upperBound <= bytes.count else { return }
        var position = range.lowerBound
        while position + 8 <= range.upperBound {
            first &+= word(bytes, position) &+ second
            second &+= word(bytes, position + 4) &+ first
            position += 8
        }
    }

    @inline(__always)
    private func word(_ bytes: [UInt8], _ position: Int) -> UInt32 {
        var word: UInt32 = 0
        for index in 0..<4 {
            word |= UInt32(truncatingIfNeeded: bytes[position + index]) << (8 * UInt32(index))
        }
        return isBigEndian ? word.byteSwapped : word
    }

    func matches(_ bytes: [UInt8], at position: Int) -> Bool {
        let damage = ImageError.Damage(page: 1, .header)
        guard let one = try? bytes.number32(position, damage),
            let other = try? bytes.number32(position + 4, damage)
        else { return false }
        return one == first && other == second
    }

    /// The sums as the log has them.
    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.append32(first)
        bytes.append32(second)
        return bytes
    }
}
