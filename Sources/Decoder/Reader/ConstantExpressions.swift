extension BinaryReader {
    /// Finds the end of a constant expression.
    ///
    /// Instructions that are not constant are for validation to refuse; blocks are counted,
    /// so that it meets the whole expression.
    ///
    /// Specification: 5.4.10 (expressions).
    public mutating func constantExpression() throws(DecodingError) -> ConstantExpression {
        let start = offset
        var depth = 0
        while true {
            let position = offset
            if isAtEnd { throw failure(.unexpectedEnd) }
            let opcode = try opcode()
            switch opcode {
            case .end:
                if depth == 0 {
                    return ConstantExpression(range: ByteRange(start: start, end: offset))
                }
                depth -= 1
            case .delegate where depth > 0:
                depth -= 1
            case .block, .loop, .if, .tryTable, .try:
                depth += 1
            case .i32Add, .i32Sub, .i32Mul, .i64Add, .i64Sub, .i64Mul:
                try require(.extendedConstants, at: position)
            default:
                break
            }
            try skipImmediates(of: opcode)
        }
    }
}
