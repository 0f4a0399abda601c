import WasmDecoder

/// Short pieces of valid code.
enum Snippets {
    /// The byte of a number type or vector, or nil for references.
    static func code(of type: ValueType) -> UInt8? {
        switch type {
        case .i32: 0x7f
        case .i64: 0x7e
        case .f32: 0x7d
        case .f64: 0x7c
        case .v128: 0x7b
        default: nil
        }
    }

    static func constant(
        _ writer: inout BinaryWriter, _ type: ValueType, _ random: inout RandomNumbers
    ) {
        let word = random.element(of: InterestingValues.words) ?? 0
        switch type {
        case .i32: writer.i32(Int32(truncatingIfNeeded: word))
        case .i64: writer.i64(Int64(bitPattern: word))
        case .f32: writer.f32(bits: random.element(of: InterestingValues.float32Bits) ?? 0)
        case .f64: writer.f64(bits: random.element(of: InterestingValues.float64Bits) ?? 0)
        default:
            writer.opcode(.v128Const)
            for _ in 0..<16 { writer.byte(random.byte()) }
        }
    }

    static let integerOperators: [Opcode] = [
        .i32Add, .i32Sub, .i32Mul, .i32And, .i32Or, .i32Xor, .i32Shl, .i32ShrS, .i32ShrU,
        .i32Rotl, .i32Rotr, .i32DivS, .i32DivU, .i32RemS, .i32RemU,
    ]
    static let longOperators: [Opcode] = [
        .i64Add, .i64Sub, .i64Mul, .i64And, .i64Or, .i64Xor, .i64Shl, .i64ShrS, .i64ShrU,
        .i64Rotl, .i64Rotr, .i64DivS, .i64DivU, .i64RemS, .i64RemU,
    ]
    static let floatOperators: [Opcode] = [
        .f32Add, .f32Sub, .f32Mul, .f32Div, .f32Min, .f32Max, .f32Copysign,
    ]
    static let doubleOperators: [Opcode] = [
        .f64Add, .f64Sub, .f64Mul, .f64Div, .f64Min, .f64Max, .f64Copysign,
    ]
    private static let integerUnary: [[Opcode]] = [
        [.i32Eqz], [.i32Clz], [.i32Ctz], [.i32Popcnt], [.i32Extend8S], [.i32Extend16S],
        [.i32Eqz, .i32Eqz], [.i64ExtendI32S, .i32WrapI64],
        [.f32ReinterpretI32, .i32ReinterpretF32],
        [.f64ConvertI32U, .i32TruncSatF64U],
    ]
    private static let longUnary: [[Opcode]] = [
        [.i64Clz], [.i64Ctz], [.i64Popcnt], [.i64Extend8S], [.i64Extend16S], [.i64Extend32S],
        [.i64Eqz, .i64ExtendI32U], [.i32WrapI64, .i64ExtendI32S],
        [.f64ReinterpretI64, .i64ReinterpretF64], [.f64ConvertI64S, .i64TruncSatF64S],
    ]
    private static let floatUnary: [[Opcode]] = [
        [.f32Abs], [.f32Neg], [.f32Ceil], [.f32Floor], [.f32Trunc], [.f32Nearest], [.f32Sqrt],
        [.f64PromoteF32, .f32DemoteF64], [.i32ReinterpretF32, .f32ReinterpretI32],
        [.i32TruncF32S, .f32ConvertI32S],
    ]
    private static let doubleUnary: [[Opcode]] = [
        [.f64Abs], [.f64Neg], [.f64Ceil], [.f64Floor], [.f64Trunc], [.f64Nearest], [.f64Sqrt],
        [.f32DemoteF64, .f64PromoteF32], [.i64ReinterpretF64, .f64ReinterpretI64],
        [.i64TruncF64S, .f64ConvertI64S],
    ]

    /// Turns a number on top of the operand stack into another of its type.
    static func extend(
        _ writer: inout BinaryWriter, _ type: ValueType, _ random: inout RandomNumbers
    ) {
        let (unary, binary): ([[Opcode]], [Opcode])
        switch type {
        case .i32: (unary, binary) = (integerUnary, integerOperators)
        case .i64: (unary, binary) = (longUnary, longOperators)
        case .f32: (unary, binary) = (floatUnary, floatOperators)
        case .f64: (unary, binary) = (doubleUnary, doubleOperators)
        default: return
        }
        if random.oneIn(3) {
            for opcode in random.element(of: unary) ?? [] { writer.opcode(opcode) }
        } else {
            constant(&writer, type, &random)
            writer.opcode(random.element(of: binary) ?? .nop)
        }
    }

    /// Code that neither takes nor leaves operands.
    static func neutral(
        _ writer: inout BinaryWriter, localCount: Int, _ random: inout RandomNumbers
    ) {
        let types: [ValueType] = [.i32, .i64, .f32, .f64]
        let type = random.element(of: types) ?? .i32
        let local = random.below(max(localCount, 1))
        switch random.below(9) {
        case 0:
            writer.opcode(.localGet, local)
            writer.opcode(.localSet, local)
        case 1:
            writer.opcode(.localGet, local)
            writer.opcode(.localTee, local)
            writer.opcode(.drop)
        case 2:
            writer.opcode(.loop)
            writer.byte(0x40)
            writer.opcode(.end)
        case 3:
            constant(&writer, type, &random)
            extend(&writer, type, &random)
            writer.opcode(.drop)
        case 4:
            writer.opcode(.block)
            writer.byte(code(of: type) ?? 0x7f)
            constant(&writer, type, &random)
            constant(&writer, .i32, &random)
            writer.opcode(.brIf, 0)
            writer.opcode(.end)
            writer.opcode(.drop)
        case 5:
            constant(&writer, .i32, &random)
            writer.opcode(.if)
            writer.byte(0x40)
            if random.oneIn(2) { writer.opcode(.else) }
            writer.opcode(.end)
        case 6:
            // Grows at most by a few pages, or fails.
            writer.i32(Int32(random.element(of: [0, 1, 2, 65_536, -1]) ?? 0))
            writer.opcode(.memoryGrow)
            writer.byte(0)
            writer.opcode(.drop)
        case 7:
            writer.i32(Int32(random.below(64)))
            writer.opcode(.i32Load)
            writer.bytes.append(contentsOf: [2, UInt8(random.below(128))])
            writer.opcode(.drop)
        default:
            writer.i32(Int32(random.below(64)))
            constant(&writer, type, &random)
            let stores: [ValueType: Opcode] = [
                .i32: .i32Store, .i64: .i64Store, .f32: .f32Store, .f64: .f64Store,
            ]
            writer.opcode(stores[type] ?? .i32Store)
            writer.bytes.append(contentsOf: [0, UInt8(random.below(128))])
        }
    }
}
