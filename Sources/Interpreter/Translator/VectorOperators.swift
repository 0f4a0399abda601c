// Which register instruction a vector instruction of WebAssembly becomes. The lists have the order of
// the axes in `Sources/InstructionSet/VectorFamilies.swift`; a test compares them by name.

/// How the translator treats a vector instruction, with its position on the axis of its family.
enum VectorOperation {
    case load(Int)
    case store
    case constant
    case shuffle
    case swizzle
    case splat(Int)
    case extract(Int)
    case replace(Int)
    case unary(Instruction)
    case binary(Int)
    case compare(Int)
    /// Two operands, no other forms.
    case plain(Instruction)
    case ternary(Instruction)
    case shift(Int)
    case test(Int)
    /// By the opcode of the scalar instruction that does the access.
    case loadLane(scalar: Int, lane: Int)
    case storeLane(scalar: Int, lane: Int)

    /// The operation of an opcode of page 0xFD; nil for all others.
    init?(_ opcode: Opcode) {
        let index = Int(opcode.rawValue) - Self.firstOpcode
        guard Self.table.indices.contains(index), let operation = Self.table[index] else {
            return nil
        }
        self = operation
    }

    private static let firstOpcode = Int(Opcode.v128Load.rawValue)

    private static let table: [VectorOperation?] = {
        let count = Int(Opcode.i32x4RelaxedDotI8x16I7x16AddS.rawValue) - firstOpcode + 1
        var table = [VectorOperation?](repeating: nil, count: count)
        func fill(_ opcodes: [Opcode], _ operation: (Int) -> VectorOperation) {
            for (index, opcode) in opcodes.enumerated() {
                table[Int(opcode.rawValue) - firstOpcode] = operation(index)
            }
        }
        fill(VectorOpcodes.unary) { .unary(.vectorUnary($0)) }
        fill(VectorOpcodes.root) { .unary(.vectorRoot($0)) }
        fill(VectorOpcodes.binary) { .binary($0) }
        fill(VectorOpcodes.compare) { .compare($0) }
        fill(VectorOpcodes.choose) { .plain(.vectorChoose($0)) }
        fill(VectorOpcodes.extended) { .plain(.vectorExtended($0)) }
        fill(VectorOpcodes.ternary) { .ternary(.vectorTernary($0)) }
        fill(VectorOpcodes.shift) { .shift($0) }
        fill(VectorOpcodes.test) { .test($0) }
        fill(VectorOpcodes.load) { .load($0) }
        fill(VectorOpcodes.splat) { .splat($0) }
        fill(VectorOpcodes.extract) { .extract($0) }
        fill(VectorOpcodes.replace) { .replace($0) }
        // i32.load8_u, i32.load16_u, i32.load, i64.load; the stores of these widths.
        let loads = [0x2d, 0x2f, 0x28, 0x29], stores = [0x3a, 0x3b, 0x36, 0x37]
        fill([.v128Load8Lane, .v128Load16Lane, .v128Load32Lane, .v128Load64Lane]) {
            .loadLane(scalar: loads[$0], lane: $0)
        }
        // Unsigned lanes of 8 and 16 bits on the axis of `vectorExtract`.
        fill([.v128Store8Lane, .v128Store16Lane, .v128Store32Lane, .v128Store64Lane]) {
            .storeLane(scalar: stores[$0], lane: [1, 3, 4, 5][$0])
        }
        fill([.v128Store]) { _ in .store }
        fill([.v128Const]) { _ in .constant }
        fill([.i8x16Shuffle]) { _ in .shuffle }
        fill([.i8x16Swizzle]) { _ in .swizzle }
        for (product, multiply, add) in VectorOpcodes.productSums {
            guard let pair = VectorPairs.position(multiply, add, isReversed: false) else {
                continue
            }
            fill([product]) { _ in .ternary(.vectorPair(pair)) }
        }
        for (relaxed, strict) in VectorOpcodes.relaxed {
            table[Int(relaxed.rawValue) - firstOpcode] = table[Int(strict.rawValue) - firstOpcode]
        }
        return table
    }()
}

/// The opcodes of every family, in the order of its axis.
enum VectorOpcodes {
    static let load: [Opcode] = [
        .v128Load, .v128Load8x8S, .v128Load8x8U, .v128Load16x4S, .v128Load16x4U, .v128Load32x2S,
        .v128Load32x2U, .v128Load8Splat, .v128Load16Splat, .v128Load32Splat, .v128Load64Splat,
        .v128Load32Zero, .v128Load64Zero,
    ]
    static let splat: [Opcode] = [
        .i8x16Splat, .i16x8Splat, .i32x4Splat, .i64x2Splat, .f32x4Splat, .f64x2Splat,
    ]
    static let extract: [Opcode] = [
        .i8x16ExtractLaneS, .i8x16ExtractLaneU, .i16x8ExtractLaneS, .i16x8ExtractLaneU,
        .i32x4ExtractLane, .i64x2ExtractLane, .f32x4ExtractLane, .f64x2ExtractLane,
    ]
    static let replace: [Opcode] = [
        .i8x16ReplaceLane, .i16x8ReplaceLane, .i32x4ReplaceLane, .i64x2ReplaceLane,
        .f32x4ReplaceLane, .f64x2ReplaceLane,
    ]
    static let compare: [Opcode] = [
        .i8x16Eq, .i8x16Ne, .i8x16LtS, .i8x16LtU, .i8x16GtS, .i8x16GtU, .i8x16LeS, .i8x16LeU,
        .i8x16GeS, .i8x16GeU,
        .i16x8Eq, .i16x8Ne, .i16x8LtS, .i16x8LtU, .i16x8GtS, .i16x8GtU, .i16x8LeS, .i16x8LeU,
        .i16x8GeS, .i16x8GeU,
        .i32x4Eq, .i32x4Ne, .i32x4LtS, .i32x4LtU, .i32x4GtS, .i32x4GtU, .i32x4LeS, .i32x4LeU,
        .i32x4GeS, .i32x4GeU,
        .f32x4Eq, .f32x4Ne, .f32x4Lt, .f32x4Gt, .f32x4Le, .f32x4Ge,
        .f64x2Eq, .f64x2Ne, .f64x2Lt, .f64x2Gt, .f64x2Le, .f64x2Ge,
        .i64x2Eq, .i64x2Ne, .i64x2LtS, .i64x2GtS, .i64x2LeS, .i64x2GeS,
    ]
    static let binary: [Opcode] = [
        .v128And, .v128Or, .v128Xor,
        .i8x16Add, .i16x8Add, .i32x4Add, .i64x2Add, .f32x4Add, .f64x2Add,
        .i16x8Mul, .i32x4Mul, .f32x4Mul, .f64x2Mul, .i32x4DotI16x8S,
        .v128Andnot, .i8x16Sub, .i16x8Sub, .i32x4Sub, .f32x4Sub, .f64x2Sub,
        .i8x16NarrowI16x8S, .i8x16NarrowI16x8U, .i16x8NarrowI32x4S, .i16x8NarrowI32x4U,
        .i64x2Sub, .i64x2Mul,
        .f32x4Div, .f32x4Min, .f32x4Max, .f64x2Div, .f64x2Min, .f64x2Max,
        .i8x16AddSatS, .i8x16AddSatU, .i8x16SubSatS, .i8x16SubSatU, .i8x16AvgrU,
        .i16x8AddSatS, .i16x8AddSatU, .i16x8SubSatS, .i16x8SubSatU, .i16x8AvgrU,
        .i16x8Q15mulrSatS, .i16x8RelaxedDotI8x16I7x16S,
    ]
    /// Operands of the first ones may be swapped.
    static let commutativeCount = 14
    /// So many can replace an operand in memory by the result.
    static let updatingCount = 9
    /// So many can take an operand from memory, ...
    static let loadingCount = 20
    /// ... and so many can put the result there.
    static let storingCount = 24
    /// Positions of multiplications, and of the additions of their results; behind them those of
    /// multiplications by an extended factor, one for every extending load.
    static let multiplications = 9..<14
    static let additionsOfProducts = [4, 5, 7, 8, 5, 4, 4, 5, 5]
    /// Positions in `load` of loads that extend to i16x8 and i32x4.
    static let extendingLoads = 1...4
    /// Positions of what can take such an operand: sums, products and differences, which are first.
    private static let extendingBinaries = [4, 9, 16]

    /// The position on the axis of `vectorBinaryExtend` for an operand of an extending load.
    static func extendingBinary(_ binary: Int, load: Int) -> Int? {
        extendingBinaries.firstIndex(of: binary - load / 2).map { 3 * load + $0 }
    }

    /// The position on the axis of `vectorTwo` for two positions on that of `vectorBinary`.
    static func two(_ first: Int, _ second: Int) -> Int? {
        // add sub mul of f32x4, f64x2, i16x8, i32x4
        let operations = [7, 18, 11, 8, 19, 12, 4, 16, 9, 5, 17, 10]
        guard let a = operations.firstIndex(of: first), let b = operations.firstIndex(of: second),
            a / 3 == b / 3
        else { return nil }
        return 3 * a + b % 3
    }

    /// The position on the axis of `vectorCompareBranch` for one in `compare`.
    static func branchComparison(_ index: Int) -> Int? {
        switch index {
        case 0, 10, 20: index / 10
        case 30..<42: index - 27
        default: nil
        }
    }

    static let choose: [Opcode] = [
        .i8x16MinS, .i8x16MinU, .i8x16MaxS, .i8x16MaxU,
        .i16x8MinS, .i16x8MinU, .i16x8MaxS, .i16x8MaxU,
        .i32x4MinS, .i32x4MinU, .i32x4MaxS, .i32x4MaxU,
        .f32x4Pmin, .f32x4Pmax, .f64x2Pmin, .f64x2Pmax,
    ]
    static let extended: [Opcode] = [
        .i16x8ExtmulLowI8x16S, .i16x8ExtmulHighI8x16S,
        .i16x8ExtmulLowI8x16U, .i16x8ExtmulHighI8x16U,
        .i32x4ExtmulLowI16x8S, .i32x4ExtmulHighI16x8S,
        .i32x4ExtmulLowI16x8U, .i32x4ExtmulHighI16x8U,
        .i64x2ExtmulLowI32x4S, .i64x2ExtmulHighI32x4S,
        .i64x2ExtmulLowI32x4U, .i64x2ExtmulHighI32x4U,
    ]
    static let unary: [Opcode] = [
        .v128Not,
        .i8x16Abs, .i8x16Neg, .i16x8Abs, .i16x8Neg, .i32x4Abs, .i32x4Neg, .i64x2Abs, .i64x2Neg,
        .i8x16Popcnt,
        .f32x4Abs, .f32x4Neg, .f32x4Ceil, .f32x4Floor, .f32x4Trunc, .f32x4Nearest,
        .f64x2Abs, .f64x2Neg, .f64x2Ceil, .f64x2Floor, .f64x2Trunc, .f64x2Nearest,
        .i16x8ExtendLowI8x16S, .i16x8ExtendHighI8x16S,
        .i16x8ExtendLowI8x16U, .i16x8ExtendHighI8x16U,
        .i32x4ExtendLowI16x8S, .i32x4ExtendHighI16x8S,
        .i32x4ExtendLowI16x8U, .i32x4ExtendHighI16x8U,
        .i64x2ExtendLowI32x4S, .i64x2ExtendHighI32x4S,
        .i64x2ExtendLowI32x4U, .i64x2ExtendHighI32x4U,
        .i16x8ExtaddPairwiseI8x16S, .i16x8ExtaddPairwiseI8x16U,
        .i32x4ExtaddPairwiseI16x8S, .i32x4ExtaddPairwiseI16x8U,
        .f32x4ConvertI32x4S, .f32x4ConvertI32x4U,
        .f64x2ConvertLowI32x4S, .f64x2ConvertLowI32x4U,
        .f32x4DemoteF64x2Zero, .f64x2PromoteLowF32x4,
        .i32x4TruncSatF32x4S, .i32x4TruncSatF32x4U,
        .i32x4TruncSatF64x2SZero, .i32x4TruncSatF64x2UZero,
    ]
    static let root: [Opcode] = [.f32x4Sqrt, .f64x2Sqrt]
    static let ternary: [Opcode] = [
        .v128Bitselect, .f32x4RelaxedNmadd, .f64x2RelaxedNmadd, .i32x4RelaxedDotI8x16I7x16AddS,
    ]
    /// What is one instruction already is the same one when programs write it as two.
    static let productSums: [(product: Opcode, multiply: Opcode, add: Opcode)] = [
        (.f32x4RelaxedMadd, .f32x4Mul, .f32x4Add), (.f64x2RelaxedMadd, .f64x2Mul, .f64x2Add),
    ]
    static let shift: [Opcode] = [
        .i8x16Shl, .i8x16ShrS, .i8x16ShrU, .i16x8Shl, .i16x8ShrS, .i16x8ShrU,
        .i32x4Shl, .i32x4ShrS, .i32x4ShrU, .i64x2Shl, .i64x2ShrS, .i64x2ShrU,
    ]
    /// Position of `v128.any_true`.
    static let anyTrue = 0
    static let test: [Opcode] = [
        .v128AnyTrue, .i8x16AllTrue, .i8x16Bitmask, .i16x8AllTrue, .i16x8Bitmask,
        .i32x4AllTrue, .i32x4Bitmask, .i64x2AllTrue, .i64x2Bitmask,
    ]

    /// Relaxed instructions that do what another one does: what the deterministic profile prescribes.
    static let relaxed: [(relaxed: Opcode, strict: Opcode)] = [
        (.i8x16RelaxedSwizzle, .i8x16Swizzle),
        (.i32x4RelaxedTruncF32x4S, .i32x4TruncSatF32x4S),
        (.i32x4RelaxedTruncF32x4U, .i32x4TruncSatF32x4U),
        (.i32x4RelaxedTruncF64x2SZero, .i32x4TruncSatF64x2SZero),
        (.i32x4RelaxedTruncF64x2UZero, .i32x4TruncSatF64x2UZero),
        (.i8x16RelaxedLaneselect, .v128Bitselect),
        (.i16x8RelaxedLaneselect, .v128Bitselect),
        (.i32x4RelaxedLaneselect, .v128Bitselect),
        (.i64x2RelaxedLaneselect, .v128Bitselect),
        (.f32x4RelaxedMin, .f32x4Min), (.f32x4RelaxedMax, .f32x4Max),
        (.f64x2RelaxedMin, .f64x2Min), (.f64x2RelaxedMax, .f64x2Max),
        (.i16x8RelaxedQ15mulrS, .i16x8Q15mulrSatS),
    ]
}
