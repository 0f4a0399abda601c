/// 128 bits; lane 0 is in the lowest bits of `low`.
struct VectorBits {
    var low: UInt64 = 0
    var high: UInt64 = 0

    /// Sets a lane, which was 0, from the low bits of `value`; the others must be 0.
    mutating func set(_ lane: Int, of shape: VectorShape, to value: UInt64) {
        let position = lane * shape.laneBits
        if position < 64 {
            low |= value << UInt64(position)
        } else {
            high |= value << UInt64(position - 64)
        }
    }
}

/// Reads the numbers of constants.
struct NumberReader {
    let bytes: UnsafeBufferPointer<UInt8>

    /// The bits of an integer of a width.
    func integer(_ token: Token, _ width: Int) throws(TextError) -> UInt64 {
        guard token.kind == .number else { throw TextError(.expected(.integer), token.range) }
        return try IntegerReader(bytes: bytes).integer(token.range, width: width)
    }

    /// An integer without a sign.
    func unsigned(_ token: Token, _ width: Int) throws(TextError) -> UInt64 {
        guard token.kind == .number else { throw TextError(.expected(.integer), token.range) }
        return try IntegerReader(bytes: bytes).unsigned(token.range, width: width)
    }

    /// The bits of a floating-point number.
    func float(_ token: Token, _ format: FloatFormat) throws(TextError) -> UInt64 {
        guard token.kind == .number || token.kind == .word else {
            throw TextError(.expected(.number), token.range)
        }
        return try FloatReader(bytes: bytes).bits(token.range, format)
    }

    /// The bits of one lane.
    func lane(_ token: Token, of shape: VectorShape) throws(TextError) -> UInt64 {
        switch shape {
        case .f32x4: try float(token, .binary32)
        case .f64x2: try float(token, .binary64)
        default: try integer(token, shape.laneBits)
        }
    }
}

extension VectorShape {
    init?(_ word: WordMeaning) {
        switch word {
        case .keyword(.i8x16): self = .i8x16
        case .keyword(.i16x8): self = .i16x8
        case .keyword(.i32x4): self = .i32x4
        case .keyword(.i64x2): self = .i64x2
        case .keyword(.f32x4): self = .f32x4
        case .keyword(.f64x2): self = .f64x2
        default: return nil
        }
    }
}
