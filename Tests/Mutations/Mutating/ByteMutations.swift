/// Damage that knows nothing of the format, and little of its numbers.
enum ByteMutations {
    /// Changes `bytes` once; `other` is a place to copy from.
    static func mutate(_ bytes: inout [UInt8], other: [UInt8], _ random: inout RandomNumbers) {
        guard !bytes.isEmpty else {
            bytes.append(random.byte())
            return
        }
        let index = random.below(bytes.count)
        switch random.weighted([12, 12, 6, 8, 8, 4, 6, 4, 4, 10, 8, 2, 3]) {
        case 0: bytes[index] ^= 1 << UInt8(random.below(8))
        case 1: bytes[index] = random.element(of: InterestingValues.bytes) ?? 0
        case 2: bytes[index] = random.byte()
        case 3:
            bytes.insert(
                contentsOf: (0..<random.between(1...4)).map { _ in random.byte() }, at: index)
        case 4: bytes.removeSubrange(index..<min(bytes.count, index + random.between(1...4)))
        case 5: bytes.removeSubrange(index...)
        case 6:
            let chunk = range(of: bytes, from: index, &random)
            bytes.insert(contentsOf: Array(bytes[chunk]), at: random.below(bytes.count))
        case 7:
            let chunk = range(of: bytes, from: index, &random)
            bytes.replaceSubrange(chunk, with: bytes[chunk].reversed())
        case 8:
            guard !other.isEmpty else { return }
            let chunk = range(of: other, from: random.below(other.count), &random)
            bytes.insert(contentsOf: other[chunk], at: index)
        case 9: replaceNumber(&bytes, at: index, &random)
        case 10: padNumber(&bytes, at: index, &random)
        case 11:
            let length = random.element(of: [16, 256, 4096, 70_000]) ?? 16
            let filler = random.element(of: InterestingValues.bytes) ?? 0
            bytes.insert(contentsOf: repeatElement(filler, count: length), at: index)
        default:
            let chunk = range(of: bytes, from: index, &random)
            let moved = Array(bytes[chunk])
            bytes.removeSubrange(chunk)
            bytes.insert(contentsOf: moved, at: random.below(bytes.count + 1))
        }
    }

    private static func range(
        of bytes: [UInt8], from index: Int, _ random: inout RandomNumbers
    ) -> Range<Int> {
        let longest = random.oneIn(4) ? 256 : 12
        return index..<min(bytes.count, index + 1 + random.below(longest))
    }

    /// The bytes of the LEB128 number that starts at `index`, if one does.
    private static func number(_ bytes: [UInt8], at index: Int) -> Range<Int> {
        var end = index
        while end < bytes.count - 1, bytes[end] & 0x80 != 0, end - index < 9 { end += 1 }
        return index..<(end + 1)
    }

    /// Inflates or deflates what may be a count, a size or an index.
    private static func replaceNumber(
        _ bytes: inout [UInt8], at index: Int, _ random: inout RandomNumbers
    ) {
        let place = number(bytes, at: index)
        let value = random.element(of: InterestingValues.words) ?? 0
        var writer = BinaryWriter()
        if random.oneIn(3) {
            writer.signed(Int64(bitPattern: value))
        } else {
            writer.unsigned(value)
        }
        bytes.replaceSubrange(place, with: writer.bytes)
    }

    /// The same number in more bytes than it needs: allowed up to five or ten of them.
    private static func padNumber(
        _ bytes: inout [UInt8], at index: Int, _ random: inout RandomNumbers
    ) {
        let place = number(bytes, at: index)
        var padded = Array(bytes[place])
        padded[padded.count - 1] |= 0x80
        padded.append(contentsOf: repeatElement(0x80, count: random.below(8)))
        padded.append(random.oneIn(8) ? random.byte() & 0x7f : 0)
        bytes.replaceSubrange(place, with: padded)
    }
}
