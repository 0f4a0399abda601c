/// Operations on vectors that are one instruction with a second operation on their result, in the
/// order of the axes of `vectorPair`, `vectorShiftPair` and `vectorPairShift`.
enum VectorPairs {
    struct Pair: Hashable {
        var first: Opcode
        var second: Opcode
        /// The result of the first is the second's right operand, and the order matters.
        var isReversed = false
    }

    static let binary: [Pair] =
        floats(.f32x4Add, .f32x4Sub, .f32x4Mul) + floats(.f64x2Add, .f64x2Sub, .f64x2Mul)
        + integers(.i16x8Add, .i16x8Sub, .i16x8Mul) + integers(.i32x4Add, .i32x4Sub, .i32x4Mul)
        + [
            Pair(first: .i32x4DotI16x8S, second: .i32x4Add),
            Pair(first: .v128And, second: .v128Or), Pair(first: .v128And, second: .v128Xor),
            Pair(first: .v128Andnot, second: .v128Or), Pair(first: .v128Or, second: .v128Or),
            Pair(first: .v128Xor, second: .v128And), Pair(first: .v128Xor, second: .v128Xor),
        ]

    private static func floats(_ add: Opcode, _ sub: Opcode, _ mul: Opcode) -> [Pair] {
        [mul, add, sub].flatMap { first in
            [
                Pair(first: first, second: add), Pair(first: first, second: sub),
                Pair(first: first, second: sub, isReversed: true), Pair(first: first, second: mul),
            ]
        }
    }
    private static func integers(_ add: Opcode, _ sub: Opcode, _ mul: Opcode) -> [Pair] {
        [mul, add, sub].flatMap { first in
            [
                Pair(first: first, second: add), Pair(first: first, second: sub),
                Pair(first: first, second: sub, isReversed: true),
            ]
        }
    }

    /// The first is a shift by a constant.
    static let shifts: [Pair] = [
        (.i16x8Shl, .i16x8ShrU, .i16x8Add), (.i32x4Shl, .i32x4ShrU, .i32x4Add),
        (.i64x2Shl, .i64x2ShrU, .i64x2Add),
    ].flatMap { (left: Opcode, right: Opcode, add: Opcode) in
        [
            Pair(first: left, second: add), Pair(first: left, second: .v128Or),
            Pair(first: right, second: .v128Or), Pair(first: right, second: .v128Xor),
            Pair(first: right, second: .v128And),
        ]
    }

    /// The second is a shift by a constant.
    static let sums: [Pair] = [
        Pair(first: .i16x8Add, second: .i16x8ShrS), Pair(first: .i16x8Add, second: .i16x8ShrU),
        Pair(first: .i32x4Add, second: .i32x4ShrS), Pair(first: .i32x4Add, second: .i32x4ShrU),
    ]

    private static func positions(_ pairs: [Pair]) -> [Pair: Int] {
        Dictionary(uniqueKeysWithValues: pairs.enumerated().map { ($1, $0) })
    }
    private static let binaryPositions = positions(binary)
    private static let shiftPositions = positions(shifts)
    private static let sumPositions = positions(sums)

    /// - Parameter isReversed: the result of the first is the right operand of the second.
    static func position(_ first: Opcode, _ second: Opcode, isReversed: Bool) -> Int? {
        let isSubtraction =
            [.f32x4Sub, .f64x2Sub, .i16x8Sub, .i32x4Sub].contains(second)
        return binaryPositions[
            Pair(first: first, second: second, isReversed: isReversed && isSubtraction)]
    }
    static func shiftPosition(_ shift: Opcode, _ second: Opcode) -> Int? {
        shiftPositions[Pair(first: shift, second: second)]
    }
    static func sumPosition(_ sum: Opcode, _ shift: Opcode) -> Int? {
        sumPositions[Pair(first: sum, second: shift)]
    }
}
