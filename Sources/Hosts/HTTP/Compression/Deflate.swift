/// Compresses a stream (RFC 1951): matches in a window of 32 KiB, found through chains of hashes,
/// in blocks with fixed or dynamic codes, or stored where that is shorter.
///
/// Memory is about 450 KiB for each stream. Time is linear: at most 32 candidates are looked at for
/// each position.
public struct Deflate: Sendable {
    /// What a call ends with.
    public enum Flush: Sendable {
        /// Bytes may be kept for later.
        case none
        /// All bytes so far can be decoded from what was written.
        case sync
        /// The stream is complete.
        case finish
    }

    private static var windowSize: Int { 32_768 }
    private static var hashSize: Int { 32_768 }
    private static var maximumChain: Int { 32 }
    private static var maximumTokens: Int { 16_384 }
    private static var maximumLength: Int { 258 }

    /// The window and what follows it; cut when it has twice the window.
    private var buffer: [UInt8] = []
    /// The position in `buffer` that is compressed next.
    private var position = 0
    /// Where the block that is being collected starts.
    private var blockStart = 0
    /// The newest position with a hash, plus 1; 0 is none.
    private var heads = [UInt32](repeating: 0, count: Deflate.hashSize)
    /// For each position in the window, the one before with the same hash.
    private var previous = [UInt32](repeating: 0, count: Deflate.windowSize)
    /// Literals, and matches as length << 16 | distance with the highest bit set.
    private var tokens: [UInt32] = []
    private var writer = BitWriter()
    private var isFinished = false

    public init() { tokens.reserveCapacity(1024) }

    /// Compresses a piece and appends what is ready. After `.finish` nothing more is taken.
    public mutating func compress(
        _ piece: borrowing Span<UInt8>, flush: Flush = .none, to output: inout [UInt8]
    ) {
        if isFinished { return }
        var start = 0
        while start < piece.count {
            let end = min(start &+ Self.windowSize, piece.count)
            buffer.append(span: piece, start..<end)
            start = end
            advance(isLast: false, to: &output)
            cutWindow(to: &output)
        }
        if flush == .none { return }
        advance(isLast: true, to: &output)
        if flush == .finish {
            writeBlock(isFinal: true, to: &output)
            writer.align(to: &output)
            isFinished = true
            buffer = []
            return
        }
        if !tokens.isEmpty { writeBlock(isFinal: false, to: &output) }
        // An empty stored block ends on a byte: the mark of a flush.
        writeStored(0..<0, isFinal: false, to: &output)
    }

    /// Makes tokens of what is in the buffer. Unless it is the last, enough stays for a longest
    /// match.
    private mutating func advance(isLast: Bool, to output: inout [UInt8]) {
        let end = isLast ? buffer.count : buffer.count &- Self.maximumLength &- 1
        while position < end {
            var match = longestMatch(at: position)
            insert(position)
            // A longer match at the next byte is worth a literal.
            if match.length >= 3, match.length < 32, position &+ 1 < end {
                let next = longestMatch(at: position &+ 1)
                if next.length > match.length { match.length = 0 }
            }
            if match.length >= 3 {
                let symbol = UInt32(truncatingIfNeeded: match.length) << 16
                tokens.append(0x8000_0000 | symbol | UInt32(truncatingIfNeeded: match.distance))
                for offset in 1..<match.length { insert(position &+ offset) }
                position &+= match.length
            } else {
                tokens.append(UInt32(truncatingIfNeeded: buffer[position]))
                position &+= 1
            }
            if tokens.count >= Self.maximumTokens || position &- blockStart > 60_000 {
                writeBlock(isFinal: false, to: &output)
            }
        }
    }

    /// Drops what is before the window, so that the buffer stays below three windows.
    private mutating func cutWindow(to output: inout [UInt8]) {
        guard buffer.count >= 3 * Self.windowSize else { return }
        // The block's bytes are still needed if it should be stored.
        if blockStart < position { writeBlock(isFinal: false, to: &output) }
        let cut = (position &- Self.windowSize) / Self.windowSize * Self.windowSize
        guard cut > 0 else { return }
        buffer.removeSubrange(0..<cut)
        position &-= cut
        blockStart &-= cut
        let shift = UInt32(truncatingIfNeeded: cut)
        for index in heads.indices {
            heads[index] = heads[index] > shift ? heads[index] &- shift : 0
        }
        for index in previous.indices {
            previous[index] = previous[index] > shift ? previous[index] &- shift : 0
        }
    }

    @inline(__always)
    private func hash(_ index: Int) -> Int {
        let word =
            UInt32(truncatingIfNeeded: buffer[index])
            | UInt32(truncatingIfNeeded: buffer[index &+ 1]) << 8
            | UInt32(truncatingIfNeeded: buffer[index &+ 2]) << 16
        return Int((word &* 0x9e37_79b1) >> 17)
    }

    @inline(__always)
    private mutating func insert(_ index: Int) {
        guard index &+ 2 < buffer.count else { return }
        let hash = hash(index)
        previous[index & (Self.windowSize &- 1)] = heads[hash]
        heads[hash] = UInt32(truncatingIfNeeded: index &+ 1)
    }

    private func longestMatch(at index: Int) -> (length: Int, distance: Int) {
        let bytes = buffer.span
        let limit = min(Self.maximumLength, bytes.count &- index)
        guard limit >= 3 else { return (0, 0) }
        var best = (length: 0, distance: 0)
        var candidate = Int(heads[hash(index)])
        var steps = 0
        while candidate > 0, steps < Self.maximumChain {
            let start = candidate &- 1
            let distance = index &- start
            // Positions in `previous` are overwritten after one window.
            guard distance > 0, distance <= Self.windowSize &- 1 else { break }
            if best.length == 0 || bytes[start &+ best.length] == bytes[index &+ best.length] {
                var length = 0
                while length < limit, bytes[start &+ length] == bytes[index &+ length] {
                    length &+= 1
                }
                if length > best.length {
                    best = (length, distance)
                    if length == limit { break }
                }
            }
            let next = Int(previous[start & (Self.windowSize &- 1)])
            guard next < candidate else { break }
            candidate = next
            steps &+= 1
        }
        // A short match far away costs more than its literals.
        return best.length == 3 && best.distance > 4096 ? (0, 0) : best
    }

    /// Writes the tokens as the shortest of three kinds of blocks.
    private mutating func writeBlock(isFinal: Bool, to output: inout [UInt8]) {
        let block = DeflateBlock(tokens)
        let range = blockStart..<position
        let stored = (range.count &+ (range.count / 65_535 &+ 1) &* 5) &* 8
        if stored <= min(block.fixedBits, block.dynamicBits), !range.isEmpty {
            writeStored(range, isFinal: isFinal, to: &output)
        } else {
            writer.write(isFinal ? 1 : 0, 1, to: &output)
            block.write(tokens, &writer, to: &output)
        }
        tokens.removeAll(keepingCapacity: true)
        blockStart = position
    }

    /// Writes bytes of the buffer as they are, in as many blocks as are needed, at least one.
    private mutating func writeStored(
        _ range: Range<Int>, isFinal: Bool, to output: inout [UInt8]
    ) {
        var start = range.lowerBound
        repeat {
            let end = min(start &+ 65_535, range.upperBound)
            writer.write(isFinal && end == range.upperBound ? 1 : 0, 3, to: &output)
            writer.align(to: &output)
            let length = UInt16(truncatingIfNeeded: end &- start)
            for value in [length, ~length] {
                output.append(UInt8(truncatingIfNeeded: value))
                output.append(UInt8(truncatingIfNeeded: value >> 8))
            }
            output.append(contentsOf: buffer[start..<end])
            start = end
        } while start < range.upperBound
    }
}
