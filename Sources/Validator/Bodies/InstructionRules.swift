import WasmDecoder

// Soundness: the table is allocated once, filled before the pointer is published by the lazy
// global, never written again and never freed. It has room for every raw value, and an entry for
// each that is an opcode; others are never asked for, so that their memory stays untouched.

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

    /// The rules by raw value of `Opcode`.
    static let table: Table = {
        let rules = UnsafeMutablePointer<InstructionRule>.allocate(capacity: Table.count)
        let infos = InstructionInfos()
        for index in 0..<infos.count {
            let info = infos[at: index]
            (rules + Int(info.opcode.rawValue)).initialize(to: InstructionRule(info))
        }
        return Table(rules: UnsafePointer(rules))
    }()

    struct Table: @unchecked Sendable {
        fileprivate let rules: UnsafePointer<InstructionRule>
        /// The last page of opcodes starts at 0x400 and has room for 0x200.
        fileprivate static var count: Int { 0x600 }

        @inline(__always)
        subscript(opcode: Opcode) -> UnsafePointer<InstructionRule> {
            rules + Int(opcode.rawValue)
        }
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
