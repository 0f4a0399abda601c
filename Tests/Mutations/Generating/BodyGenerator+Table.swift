import WasmDecoder

// Vector and atomic instructions: operands, result and immediates are what the instruction table
// says.

/// Rows of the instruction table by the type of their result.
private struct Rows {
    var values: [ValueType: [InstructionInfo]] = [:]
    var statements: [InstructionInfo] = []

    init(_ opcodes: some Sequence<Opcode>) {
        for info in opcodes.map(\.info) {
            guard let signature = info.signature else { continue }
            if let result = signature.result {
                values[result, default: []].append(info)
            } else {
                statements.append(info)
            }
        }
    }

    static let vectors = Rows(Opcode.allCases.filter { $0.info.feature.contains(.simd) })
    /// Without those that may wait for ever.
    static let atomics = Rows(
        Opcode.allCases.filter {
            $0.info.feature.contains(.threads) && $0 != .memoryAtomicWait32
                && $0 != .memoryAtomicWait64
        })
}

extension BodyGenerator {
    /// Leaves a value that an instruction of the table makes; false if there is none.
    mutating func fromTable(_ type: ValueType, _ depth: Int) -> Bool {
        guard let rows = rows(), let info = random.element(of: rows.values[type] ?? []),
            isAllowed(info)
        else { return false }
        emit(info, depth)
        return true
    }

    /// A store or a fence.
    mutating func tableStatement() {
        guard let rows = rows(), let info = random.element(of: rows.statements), isAllowed(info)
        else { return store() }
        emit(info, 3)
    }

    private mutating func rows() -> Rows? {
        switch (program.hasVectors, program.hasAtomics) {
        case (false, false): nil
        case (true, false): .vectors
        case (false, true): .atomics
        case (true, true): random.oneIn(3) ? .atomics : .vectors
        }
    }

    private func isAllowed(_ info: InstructionInfo) -> Bool {
        program.usesRelaxed || !info.feature.contains(.relaxedSIMD)
    }

    private mutating func emit(_ info: InstructionInfo, _ depth: Int) {
        guard let signature = info.signature else { return }
        let isAtomic = info.feature.contains(.threads)
        let isAccess =
            info.immediates == .memoryArgument || info.immediates == .memoryArgumentLane
        var isFar = false
        for position in 0..<Int(signature.operandCount) {
            if isAccess, position == 0 {
                isFar = anyAddress(depth - 1)
                if isAtomic {
                    number(isFar ? .i64 : .i32, -8)
                    code.opcode(isFar ? .i64And : .i32And)
                }
            } else {
                value(signature.operand(at: position), depth - 1)
            }
        }
        code.opcode(info.opcode)
        remaining -= 1
        switch info.immediates {
        case .memoryArgument:
            memoryArgument(isFar: isFar, alignment: isAtomic ? info.accessLog2 : nil)
        case .memoryArgumentLane:
            memoryArgument(isFar: isFar)
            code.byte(UInt8(random.below(Int(info.laneCount))))
        case .lane: code.byte(UInt8(random.below(Int(info.laneCount))))
        case .shuffle: for _ in 0..<16 { code.byte(UInt8(random.below(32))) }
        case .v128: for _ in 0..<16 { code.byte(random.byte()) }
        case .fence: code.byte(0)
        default: break
        }
        if signature.result == .v128 { replaceNaN(info) }
    }

    /// Makes lanes zero that may be NaN: which NaN is for the engine to choose.
    private mutating func replaceNaN(_ info: InstructionInfo) {
        let name = "\(info.name)"
        let isSmall = name.hasPrefix("f32x4.")
        guard isSmall || name.hasPrefix("f64x2."),
            !Self.vectorComparisons.contains(info.opcode)
        else { return }
        let local = scratchLocal(.v128)
        code.opcode(.localTee, local)
        code.opcode(.localGet, local)
        code.opcode(.localGet, local)
        code.opcode(isSmall ? .f32x4Eq : .f64x2Eq)
        code.opcode(.v128And)
        // Others may read the local.
        code.opcode(.localTee, local)
        remaining -= 4
    }

    private static let vectorComparisons: Set<Opcode> = [
        .f32x4Eq, .f32x4Ne, .f32x4Lt, .f32x4Gt, .f32x4Le, .f32x4Ge, .f64x2Eq, .f64x2Ne, .f64x2Lt,
        .f64x2Gt, .f64x2Le, .f64x2Ge,
    ]
}
