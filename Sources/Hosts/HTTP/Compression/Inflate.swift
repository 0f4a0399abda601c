/// Decompresses a stream (RFC 1951) from pieces of bytes, into pieces of a bounded size: a few
/// bytes can be a thousand times as many.
///
///     while true {
///         let state = try inflate.next(input.span, at: &position, into: &output, upTo: 65_536)
///         ... use and clear output ...
///         if state != .outputFull { break }
///     }
public struct Inflate: Sendable {
    public enum Fault: Error, Equatable, Sendable {
        /// The stream is damaged.
        case malformed
        /// The stream goes on after the last piece.
        case truncated
        /// More bytes come out than the limit allows.
        case tooLarge
        /// A checksum or size at the end differs, or the header is none of gzip.
        case gzip
    }

    public enum Progress: Equatable, Sendable {
        /// All of the input was taken.
        case needsInput
        /// The output has as many bytes as it should at most: call again.
        case outputFull
        /// The stream is complete. Input after it was not taken, but for the rest of its last byte.
        case finished
    }

    private enum State: Sendable {
        case block
        case storedLength
        case stored(Int)
        case header
        case codeLengths
        case lengths
        case symbols
        case copy(length: Int, distance: Int)
        case finished
        case failed(Fault)
    }

    private var state = State.block
    private var bits: UInt64 = 0
    private var bitCount: UInt64 = 0
    private var isLastBlock = false
    /// The last 32 KiB of output, as a ring.
    private var window: [UInt8] = []
    private var windowPosition = 0
    private var total: UInt64 = 0

    private var literalCount = 0
    private var distanceCount = 0
    private var codeLengthCount = 0
    private var lengths: [UInt8] = []
    private var codeLengths: HuffmanDecoder?
    private var literals: HuffmanDecoder?
    private var distances: HuffmanDecoder?

    /// The most bytes that may come out in all.
    public let limit: UInt64

    public init(limit: UInt64 = .max) { self.limit = limit }

    /// Decompresses until the input is used up, the output is full or the stream ends.
    ///
    /// - Parameters:
    ///   - output: appended to.
    ///   - maximum: `output` gets no longer than that.
    public mutating func next(
        _ input: borrowing Span<UInt8>, at position: inout Int, into output: inout [UInt8],
        upTo maximum: Int
    ) throws(Fault) -> Progress {
        do throws(Fault) {
            position = min(max(position, 0), input.count)
            let start = position
            let progress = try advance(input, at: &position, into: &output, upTo: maximum)
            if progress != .needsInput { returnBytes(to: &position, start: start) }
            return progress
        } catch {
            state = .failed(error)
            throw error
        }
    }

    private mutating func advance(
        _ input: borrowing Span<UInt8>, at position: inout Int, into output: inout [UInt8],
        upTo maximum: Int
    ) throws(Fault) -> Progress {
        while true {
            switch state {
            case .failed(let fault): throw fault
            case .finished: return .finished
            case .stored(let rest):
                guard try copyStored(rest, input, at: &position, into: &output, upTo: maximum)
                else { return output.count >= maximum ? .outputFull : .needsInput }
            case .copy(let length, let distance):
                guard try copyMatch(length, distance, into: &output, upTo: maximum) else {
                    return .outputFull
                }
            case .symbols:
                if let stop = try decode(input, at: &position, into: &output, upTo: maximum) {
                    return stop
                }
            case .block, .storedLength, .header, .codeLengths, .lengths:
                fill(input, at: &position)
                guard try readHeader() else {
                    // Header parts need at most 32 bits; what is there is less.
                    if position < input.count { continue }
                    return .needsInput
                }
            }
        }
    }

    /// Puts whole bytes of this call's input that were not decoded back, so that no input is held
    /// when the caller may go on with another one. Older bytes are never left: what they hold was
    /// decoded as soon as it was complete.
    private mutating func returnBytes(to position: inout Int, start: Int) {
        let count = min(Int(truncatingIfNeeded: bitCount / 8), position &- start)
        position &-= count
        bitCount &-= UInt64(count) &* 8
        bits &= 1 << bitCount &- 1
    }

    /// Fills the bit buffer up to 56 bits.
    @inline(__always)
    private mutating func fill(_ input: borrowing Span<UInt8>, at position: inout Int) {
        while bitCount <= 48, position < input.count {
            bits |= UInt64(input[position]) << bitCount
            bitCount &+= 8
            position &+= 1
        }
    }

    @inline(__always)
    private mutating func drop(_ count: UInt64) {
        bits >>= count
        bitCount &-= count
    }

    private mutating func take(_ count: UInt64) -> Int? {
        guard bitCount >= count else { return nil }
        let value = Int(truncatingIfNeeded: bits & (1 << count &- 1))
        drop(count)
        return value
    }

    /// One step of what comes before the data of a block; false if bits are missing.
    private mutating func readHeader() throws(Fault) -> Bool {
        switch state {
        case .block:
            if isLastBlock {
                state = .finished
                return true
            }
            guard let value = take(3) else { return false }
            isLastBlock = value & 1 == 1
            switch value >> 1 {
            case 0:
                drop(bitCount & 7)
                state = .storedLength
            case 1:
                literals = InflateFixed.literals
                distances = InflateFixed.distances
                state = .symbols
            case 2: state = .header
            default: throw .malformed
            }
        case .storedLength:
            guard let value = take(32) else { return false }
            guard value & 0xffff == ~(value >> 16) & 0xffff else { throw .malformed }
            state = .stored(value & 0xffff)
        case .header:
            guard let value = take(14) else { return false }
            literalCount = value & 31 + 257
            distanceCount = value >> 5 & 31 + 1
            codeLengthCount = value >> 10 + 4
            guard literalCount <= 286, distanceCount <= 30 else { throw .malformed }
            lengths = []
            state = .codeLengths
        case .codeLengths:
            guard let value = take(3) else { return false }
            lengths.append(UInt8(truncatingIfNeeded: value))
            guard lengths.count == codeLengthCount else { return true }
            var ordered = [UInt8](repeating: 0, count: 19)
            for (index, length) in lengths.enumerated() {
                ordered[HuffmanLengths.order[index]] = length
            }
            guard let decoder = HuffmanDecoder(ordered[...], allowsIncomplete: true) else {
                throw .malformed
            }
            codeLengths = decoder
            lengths = []
            state = .lengths
        case .lengths:
            return try readLength()
        default: break
        }
        return true
    }

    /// One length or run of the code lengths.
    private mutating func readLength() throws(Fault) -> Bool {
        guard let codeLengths else { throw .malformed }
        switch codeLengths.decode(bits, available: bitCount) {
        case .incomplete: return false
        case .invalid: throw .malformed
        case .symbol(let symbol, let length):
            let extra: UInt64 = symbol < 16 ? 0 : symbol == 16 ? 2 : symbol == 17 ? 3 : 7
            guard bitCount >= length &+ extra else { return false }
            drop(length)
            let count = take(extra) ?? 0
            switch symbol {
            case ..<16: lengths.append(UInt8(truncatingIfNeeded: symbol))
            case 16:
                guard let last = lengths.last else { throw .malformed }
                lengths.append(contentsOf: repeatElement(last, count: count + 3))
            case 17: lengths.append(contentsOf: repeatElement(0, count: count + 3))
            default: lengths.append(contentsOf: repeatElement(0, count: count + 11))
            }
        }
        let all = literalCount + distanceCount
        if lengths.count > all { throw .malformed }
        if lengths.count < all { return true }
        guard lengths[256] > 0,
            let literals = HuffmanDecoder(lengths[..<literalCount], allowsIncomplete: true),
            let distances = HuffmanDecoder(lengths[literalCount...], allowsIncomplete: true)
        else { throw .malformed }
        self.literals = literals
        self.distances = distances
        state = .symbols
        return true
    }

    /// Decodes symbols until the block ends or something is missing.
    private mutating func decode(
        _ input: borrowing Span<UInt8>, at position: inout Int, into output: inout [UInt8],
        upTo maximum: Int
    ) throws(Fault) -> Progress? {
        guard let literals, let distances else { throw .malformed }
        while true {
            if output.count >= maximum { return .outputFull }
            // A length and a distance with extra bits have at most 48 bits: nothing is dropped
            // before all of them are there.
            fill(input, at: &position)
            switch literals.decode(bits, available: bitCount) {
            case .incomplete: return .needsInput
            case .invalid: throw .malformed
            case .symbol(let symbol, let length):
                if symbol < 256 {
                    drop(length)
                    try put(UInt8(truncatingIfNeeded: symbol), into: &output)
                    continue
                }
                if symbol == 256 {
                    drop(length)
                    state = .block
                    return nil
                }
                guard let match = try match(symbol - 257, length, distances) else {
                    return .needsInput
                }
                state = .copy(length: match.length, distance: match.distance)
                guard try copyMatch(match.length, match.distance, into: &output, upTo: maximum)
                else { return .outputFull }
            }
        }
    }

    /// The rest of a match whose length symbol has `used` bits; nil if bits are missing.
    private mutating func match(_ symbol: Int, _ used: UInt64, _ distances: HuffmanDecoder)
        throws(Fault) -> (length: Int, distance: Int)?
    {
        guard symbol < 29 else { throw .malformed }
        var used = used
        let lengthExtra = UInt64(DeflateSymbols.lengthExtra[symbol])
        guard bitCount >= used &+ lengthExtra else { return nil }
        let length =
            Int(DeflateSymbols.lengthBase[symbol])
            + Int(truncatingIfNeeded: bits >> used & (1 << lengthExtra &- 1))
        used &+= lengthExtra
        switch distances.decode(bits >> used, available: bitCount &- used) {
        case .incomplete: return nil
        case .invalid: throw .malformed
        case .symbol(let symbol, let bitsOfCode):
            guard symbol < 30 else { throw .malformed }
            used &+= bitsOfCode
            let extra = UInt64(DeflateSymbols.distanceExtra[symbol])
            guard bitCount >= used &+ extra else { return nil }
            let distance =
                Int(DeflateSymbols.distanceBase[symbol])
                + Int(truncatingIfNeeded: bits >> used & (1 << extra &- 1))
            guard UInt64(distance) <= min(total, 32_768) else { throw .malformed }
            drop(used &+ extra)
            return (length, distance)
        }
    }

    @inline(__always)
    private mutating func put(_ byte: UInt8, into output: inout [UInt8]) throws(Fault) {
        if total >= limit { throw .tooLarge }
        total &+= 1
        output.append(byte)
        if window.count < 32_768 {
            window.append(byte)
        } else {
            window[windowPosition] = byte
        }
        windowPosition = (windowPosition &+ 1) & 32_767
    }

    /// Copies from the window; false if the output is full before the end.
    private mutating func copyMatch(
        _ length: Int, _ distance: Int, into output: inout [UInt8], upTo maximum: Int
    ) throws(Fault) -> Bool {
        var rest = length
        while rest > 0 {
            if output.count >= maximum {
                state = .copy(length: rest, distance: distance)
                return false
            }
            try put(window[(windowPosition &- distance) & 32_767], into: &output)
            rest &-= 1
        }
        state = .symbols
        return true
    }

    /// Copies bytes of a stored block; false if input or room is missing.
    private mutating func copyStored(
        _ length: Int, _ input: borrowing Span<UInt8>, at position: inout Int,
        into output: inout [UInt8], upTo maximum: Int
    ) throws(Fault) -> Bool {
        var rest = length
        defer { state = rest == 0 ? .block : .stored(rest) }
        while rest > 0 {
            guard output.count < maximum else { return false }
            if let byte = take(8) {
                try put(UInt8(truncatingIfNeeded: byte), into: &output)
            } else {
                guard position < input.count else { return false }
                try put(input[position], into: &output)
                position &+= 1
            }
            rest &-= 1
        }
        return true
    }
}

/// Decoders of the fixed codes.
private enum InflateFixed {
    static let literals = HuffmanDecoder(HuffmanLengths.fixedLiterals[...], allowsIncomplete: false)
    static let distances = HuffmanDecoder(
        [UInt8](repeating: 5, count: 32)[...], allowsIncomplete: false)
}
