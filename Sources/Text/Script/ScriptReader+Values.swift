import WasmDecoder

/// Arguments and expected results.
extension ScriptReader {
    private var numbers: NumberReader { NumberReader(bytes: tokens.bytes) }

    /// One argument.
    mutating func value() throws(TextError) -> ScriptValue {
        _ = try tokens.expectOpen(.value)
        let head = try tokens.next()
        let value: ScriptValue
        switch tokens.word(head) {
        case .instruction(.i32Const):
            value = .i32(UInt32(truncatingIfNeeded: try numbers.integer(try tokens.next(), 32)))
        case .instruction(.i64Const):
            value = .i64(try numbers.integer(try tokens.next(), 64))
        case .instruction(.f32Const):
            value = .f32(
                UInt32(truncatingIfNeeded: try numbers.float(try tokens.next(), .binary32)))
        case .instruction(.f64Const):
            value = .f64(try numbers.float(try tokens.next(), .binary64))
        case .instruction(.v128Const):
            let bits = try vector()
            value = .v128(low: bits.low, high: bits.high)
        case .instruction(.refNull): value = .refNull(try heapType())
        case .keyword(.refExtern): value = .refExtern(try hostNumber())
        case .keyword(.refHost): value = .refHost(try hostNumber())
        default: throw tokens.unexpected(head, .value)
        }
        try tokens.expectClose()
        return value
    }

    private mutating func vector() throws(TextError) -> VectorBits {
        let shape = try vectorShape()
        var bits = VectorBits()
        for lane in 0..<shape.laneCount {
            bits.set(lane, of: shape, to: try numbers.lane(try tokens.next(), of: shape))
        }
        return bits
    }

    private mutating func vectorShape() throws(TextError) -> VectorShape {
        let token = try tokens.next()
        guard let shape = VectorShape(tokens.word(token)) else {
            throw tokens.unexpected(token, .vectorShape)
        }
        return shape
    }

    private mutating func hostNumber() throws(TextError) -> UInt32 {
        UInt32(truncatingIfNeeded: try numbers.unsigned(try tokens.next(), 32))
    }

    private mutating func heapType() throws(TextError) -> HeapType {
        let token = try tokens.next()
        if case .keyword(let keyword) = tokens.word(token), let type = keyword.heapType {
            return type
        }
        guard token.kind == .number else { throw tokens.unexpected(token, .heapType) }
        return .index(UInt32(truncatingIfNeeded: try numbers.unsigned(token, 29)))
    }

    // MARK: Results

    /// All expected results up to the closing parenthesis, which stays.
    mutating func resultPatterns() throws(TextError) -> [ResultPattern] {
        var patterns: [ResultPattern] = []
        while try tokens.peek().kind != .close { patterns.append(try resultPattern(depth: 0)) }
        return patterns
    }

    private mutating func resultPattern(depth: Int) throws(TextError) -> ResultPattern {
        _ = try tokens.expectOpen(.resultPattern)
        let head = try tokens.next()
        let pattern: ResultPattern
        switch tokens.word(head) {
        case .instruction(.i32Const):
            pattern = .i32(UInt32(truncatingIfNeeded: try numbers.integer(try tokens.next(), 32)))
        case .instruction(.i64Const):
            pattern = .i64(try numbers.integer(try tokens.next(), 64))
        case .instruction(.f32Const): pattern = .f32(try number(lanesOf: .f32x4))
        case .instruction(.f64Const): pattern = .f64(try number(lanesOf: .f64x2))
        case .instruction(.v128Const): pattern = try vectorPattern()
        case .instruction(.refNull):
            pattern = .null(try tokens.peek().kind == .close ? nil : try heapType())
        case .keyword(.refExtern) where try tokens.peek().kind != .close:
            pattern = .refExtern(try hostNumber())
        case .keyword(.refHost): pattern = .refHost(try hostNumber())
        case .keyword(.ref): pattern = .anyReference
        case .keyword(.either):
            if depth >= TextLimits.patternNesting {
                throw TextError(.nestingTooDeep, head.range)
            }
            var alternatives: [ResultPattern] = []
            while try tokens.peek().kind != .close {
                alternatives.append(try resultPattern(depth: depth + 1))
            }
            pattern = .either(alternatives)
        case let word:
            guard let type = Self.referencePattern(word) else {
                throw tokens.unexpected(head, .resultPattern)
            }
            pattern = .reference(type)
        }
        try tokens.expectClose()
        return pattern
    }

    /// The heap type that `ref.func` and others ask for.
    private static func referencePattern(_ word: WordMeaning) -> HeapType? {
        switch word {
        case .instruction(.refFunc): .func
        case .instruction(.refEq): .eq
        case .instruction(.refI31): .i31
        case .keyword(.refExtern): .extern
        case .keyword(.refAny): .any
        case .keyword(.refStruct): .struct
        case .keyword(.refArray): .array
        case .keyword(.refExn): .exn
        default: nil
        }
    }

    private mutating func vectorPattern() throws(TextError) -> ResultPattern {
        let shape = try vectorShape()
        var lanes: [NumberPattern] = []
        lanes.reserveCapacity(shape.laneCount)
        for _ in 0..<shape.laneCount { lanes.append(try number(lanesOf: shape)) }
        return .v128(shape, lanes)
    }

    private mutating func number(lanesOf shape: VectorShape) throws(TextError) -> NumberPattern {
        let token = try tokens.next()
        if shape.isFloat {
            switch tokens.word(token) {
            case .keyword(.canonicalNaN): return .canonicalNaN
            case .keyword(.arithmeticNaN): return .arithmeticNaN
            default: break
            }
        }
        return .bits(try numbers.lane(token, of: shape))
    }
}
