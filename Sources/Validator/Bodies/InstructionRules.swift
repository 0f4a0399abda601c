import WasmDecoder

// Soundness: the rules of a page of opcodes are allocated once, filled before the pointer is
// published by their lazy global, never written again and never freed. A page has room for every
// raw value of it, and a rule for each that is an opcode; others are never asked for, so that their
// memory stays untouched.

/// How to check an instruction whose types the opcode alone fixes, in 32 bytes.
struct InstructionRule {
    /// The two operands on top of the stack as they lie in memory, the upper one in the high half.
    var pattern: UInt64 = 0
    /// The bits of `pattern` that count: 0, the high half or all.
    var mask: UInt64 = 0
    /// The features it needs beyond 1.0.
    var features: UInt32 = 0
    var result = ValueType.bottom
    /// How many operands; 3 do not fit the pattern.
    var operandCount: UInt8 = 0
    var hasResult = false
    /// Whether the opcode alone fixes the types.
    var isFixed = false
    var immediates = Immediates.none
    var accessLog2: UInt8 = 0
    var laneCount: UInt8 = 0
    /// Whether the alignment must be the natural one.
    var isAtomic = false

    /// The rules by opcode.
    ///
    /// Opcodes with a prefix have pages of their own, made when a module first uses one of them.
    struct Table: @unchecked Sendable {
        private let plain = InstructionRule.plain

        @inline(__always)
        subscript(opcode: Opcode) -> UnsafePointer<InstructionRule> {
            let raw = Int(opcode.rawValue)
            return raw < 0x100 ? plain + raw : InstructionRule.prefixed(raw)
        }
    }

    private nonisolated(unsafe) static let plain = page(0)
    private nonisolated(unsafe) static let references = page(1)
    private nonisolated(unsafe) static let miscellaneous = page(2)
    private nonisolated(unsafe) static let atomics = page(3)
    private nonisolated(unsafe) static let vectors = page(4)

    @inline(never)
    private static func prefixed(_ raw: Int) -> UnsafePointer<InstructionRule> {
        switch raw >> 8 {
        case 1: references + (raw - 0x100)
        case 2: miscellaneous + (raw - 0x200)
        case 3: atomics + (raw - 0x300)
        default: vectors + (raw - 0x400)
        }
    }

    private static func page(_ page: UInt16) -> UnsafePointer<InstructionRule> {
        // The last page of opcodes starts at 0x400 and has room for 0x200.
        let size = page < 4 ? 0x100 : 0x200
        let rules = UnsafeMutablePointer<InstructionRule>.allocate(capacity: size)
        InstructionInfo.forEach(inPage: page) { info in
            (rules + (Int(info.opcode.rawValue) - Int(page) << 8))
                .initialize(to: InstructionRule(info))
        }
        return UnsafePointer(rules)
    }

    private init(_ info: InstructionInfo) {
        immediates = info.immediates
        features = info.feature.rawValue
        accessLog2 = info.accessLog2
        laneCount = info.laneCount
        isAtomic = (0x300..<0x400).contains(info.opcode.rawValue)
        guard let signature = info.signature else { return }
        isFixed = true
        operandCount = signature.operandCount
        if let type = signature.result { (hasResult, result) = (true, type) }
        switch operandCount {
        case 0: break
        case 1:
            pattern = UInt64(signature.operand(at: 0).word) << 32
            mask = UInt64(UInt32.max) << 32
        default:
            let upper = signature.operand(at: Int(operandCount) - 1).word
            let lower = signature.operand(at: Int(operandCount) - 2).word
            pattern = UInt64(upper) << 32 | UInt64(lower)
            mask = UInt64.max
        }
    }
}
