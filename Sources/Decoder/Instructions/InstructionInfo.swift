/// What follows the opcode of an instruction in the binary format.
///
/// Indices are LEB128 encoded u32 unless something else is said.
public enum Immediates: UInt8, Hashable, Sendable, CaseIterable {
    case none
    /// A block type: empty, a value type or a type index.
    case blockType
    /// A label, counted from the innermost.
    case label
    /// A vector of labels and the default label.
    case labelTable
    case function
    /// The type index of a function, structure or array.
    case type
    /// A type index and a table index.
    case callIndirect
    case local
    case global
    case table
    case memory
    /// Alignment, memory index and offset.
    case memoryArgument
    /// Alignment, memory index, offset and one byte: the lane.
    case memoryArgumentLane
    /// One byte: the lane.
    case lane
    /// Sixteen bytes, each the number of a lane of both operands together (0 to 31).
    case shuffle
    case i32
    case i64
    case f32
    case f64
    case v128
    /// A vector of value types.
    case valueTypes
    case heapType
    case dataSegment
    case elementSegment
    /// A data segment index and a memory index.
    case memoryInit
    /// Two memory indices: destination and source.
    case memoryCopy
    /// An element segment index and a table index.
    case tableInit
    /// Two table indices: destination and source.
    case tableCopy
    /// A type index and a field index.
    case typeField
    /// A type index and a number of operands.
    case typeCount
    /// A type index and a data segment index.
    case typeData
    /// A type index and an element segment index.
    case typeElement
    /// Two type indices: destination and source.
    case typeType
    /// A byte of flags (bit 0: the first type is nullable, bit 1: the second), a label and two heap
    /// types.
    case castBranch
    /// A block type and a vector of catch clauses.
    case tryTable
    case tag
    /// A byte that must be zero.
    case fence
}

/// Types of the operands and of the result of an instruction, where the opcode alone fixes them.
///
/// Instructions that access memory give their address, the first operand, as i32; the memory's
/// address type takes its place.
public struct InstructionSignature: Hashable, Sendable {
    /// How many of `operands` are there: 0 to 3.
    public let operandCount: UInt8
    /// The operands, the deepest on the operand stack first.
    public let operands: (ValueType, ValueType, ValueType)
    public let result: ValueType?

    @inlinable @inline(__always)
    init(_ count: UInt8, _ operands: (ValueType, ValueType, ValueType), _ result: ValueType?) {
        operandCount = count
        self.operands = operands
        self.result = result
    }

    /// The operand at a position from 0 (the deepest) to `operandCount` - 1.
    @inlinable
    public func operand(at position: Int) -> ValueType {
        switch position {
        case 0: operands.0
        case 1: operands.1
        default: operands.2
        }
    }

    public static func == (a: InstructionSignature, b: InstructionSignature) -> Bool {
        a.operandCount == b.operandCount && a.operands == b.operands && a.result == b.result
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(operandCount)
        hasher.combine(operands.0)
        hasher.combine(operands.1)
        hasher.combine(operands.2)
        hasher.combine(result)
    }
}

/// The shapes that the rows of the instruction table use. Operands that are not there are i32.
extension InstructionSignature {
    @inline(__always) static var nothing: InstructionSignature {
        InstructionSignature(0, (.i32, .i32, .i32), nil)
    }
    /// Operands 16 lanes and an i32, result 16 lanes.
    @inline(__always) static var shift: InstructionSignature {
        InstructionSignature(2, (.v128, .i32, .i32), .v128)
    }
    @inline(__always) static var loadLane: InstructionSignature {
        InstructionSignature(2, (.i32, .v128, .i32), .v128)
    }
    @inline(__always) static var notify: InstructionSignature {
        InstructionSignature(2, (.i32, .i32, .i32), .i32)
    }

    @inline(__always) static func constant(_ type: ValueType) -> InstructionSignature {
        InstructionSignature(0, (.i32, .i32, .i32), type)
    }
    @inline(__always) static func unary(_ type: ValueType) -> InstructionSignature {
        InstructionSignature(1, (type, .i32, .i32), type)
    }
    @inline(__always) static func binary(_ type: ValueType) -> InstructionSignature {
        InstructionSignature(2, (type, type, .i32), type)
    }
    @inline(__always) static func ternary(_ type: ValueType) -> InstructionSignature {
        InstructionSignature(3, (type, type, type), type)
    }
    @inline(__always) static func test(_ type: ValueType) -> InstructionSignature {
        InstructionSignature(1, (type, .i32, .i32), .i32)
    }
    @inline(__always) static func comparison(_ type: ValueType) -> InstructionSignature {
        InstructionSignature(2, (type, type, .i32), .i32)
    }
    @inline(__always) static func conversion(_ from: ValueType, to: ValueType)
        -> InstructionSignature
    {
        InstructionSignature(1, (from, .i32, .i32), to)
    }
    @inline(__always) static func replaceLane(_ type: ValueType) -> InstructionSignature {
        InstructionSignature(2, (.v128, type, .i32), .v128)
    }
    @inline(__always) static func load(_ type: ValueType) -> InstructionSignature {
        InstructionSignature(1, (.i32, .i32, .i32), type)
    }
    @inline(__always) static func store(_ type: ValueType) -> InstructionSignature {
        InstructionSignature(2, (.i32, type, .i32), nil)
    }
    /// Address and value in, the old value out.
    @inline(__always) static func exchange(_ type: ValueType) -> InstructionSignature {
        InstructionSignature(2, (.i32, type, .i32), type)
    }
    /// Address, expected and new value in, the old value out.
    @inline(__always) static func compareExchange(_ type: ValueType) -> InstructionSignature {
        InstructionSignature(3, (.i32, type, type), type)
    }
    /// Address, expected value and timeout in nanoseconds in; how it woke up out.
    @inline(__always) static func wait(_ type: ValueType) -> InstructionSignature {
        InstructionSignature(3, (.i32, type, .i64), .i32)
    }
}

/// One row of the instruction table: all that decoder, text format and validator share about an
/// instruction.
public struct InstructionInfo: Sendable {
    public let opcode: Opcode
    /// The name in the text format. `ref.test` and `ref.cast` with a nullable type are followed by
    /// " null" here; `select` is there twice, without and with types.
    public let name: StaticString
    public let immediates: Immediates
    /// Nil if operands or result depend on anything but the opcode and an address type, or if there
    /// are several results.
    public let signature: InstructionSignature?
    /// All the features that a module needs to use it.
    public internal(set) var feature: Features
    /// For instructions that access memory: bytes accessed, as a power of two (0 to 4), which is
    /// also the largest alignment that may be given, and the only one for atomics.
    public let accessLog2: UInt8
    /// For instructions with a lane as immediate: how many lanes there are. Else 0.
    public let laneCount: UInt8

    @inline(__always)
    init(
        _ opcode: Opcode, _ name: StaticString, _ immediates: Immediates,
        _ signature: InstructionSignature? = nil, _ feature: Features = Features(rawValue: 0),
        align: UInt8 = 0, lanes: UInt8 = 0
    ) {
        self.opcode = opcode
        self.name = name
        self.immediates = immediates
        self.signature = signature
        self.feature = feature
        accessLog2 = align
        laneCount = lanes
    }

    /// A row with a memory argument that accesses 2^`log2` bytes.
    @inline(__always)
    static func access(
        _ opcode: Opcode, _ name: StaticString, _ log2: UInt8, _ signature: InstructionSignature
    ) -> InstructionInfo {
        InstructionInfo(opcode, name, .memoryArgument, signature, align: log2)
    }
}
