import WasmDecoder

/// Why a module is not valid, and where.
public struct ValidationError: Error, Hashable, Sendable {
    public let reason: Reason
    /// Position from the start of the file: of the instruction, or of the section whose
    /// rule is broken.
    public let offset: Int
    /// The function whose body is wrong, or nil if it is nothing in a body.
    public let function: FunctionIndex?
    /// The instruction that is wrong, where there is one.
    public let opcode: Opcode?
    /// What is wrong outside of instructions, where it is known.
    public let entry: Entry?

    /// An entry of a section.
    public struct Entry: Hashable, Sendable {
        /// The number of the section in the binary format.
        public var section: UInt8
        /// The place of the entry in the section, from 0.
        public var position: Int
    }

    init(
        _ reason: Reason, at offset: Int, function: FunctionIndex? = nil, opcode: Opcode? = nil,
        entry: Entry? = nil
    ) {
        self.entry = entry
        self.reason = reason
        self.offset = offset
        self.function = function
        self.opcode = opcode
    }

    /// The bytes are no instructions at all: what the decoder left for validation to find.
    public var isMalformed: Bool {
        if case .malformed = reason { true } else { false }
    }

    /// The rule that is broken. Types are written in terms of the module's own type indices.
    public enum Reason: Error, Hashable, Sendable {
        /// Instructions of a body are not well-formed.
        case malformed(DecodingError)
        case typeMismatch(TypeMismatch)
        case unknown(Entity, UInt32)

        // Instructions
        case uninitializedLocal(UInt32)
        case immutableGlobal(UInt32)
        case immutableField(UInt32)
        case immutableArray
        case arrayTypesDoNotMatch
        case arrayTypeIsNotNumericOrVector
        case alignmentTooLarge
        case atomicAlignmentNotNatural
        case offsetOutOfRange
        case invalidLaneIndex
        case invalidResultArity
        case undeclaredFunctionReference(FunctionIndex)
        case constantExpressionRequired
        case invalidRethrowLabel

        // Types
        /// Type `sub` declares a supertype that it does not match, or that is final.
        case subtypeDoesNotMatch(sub: TypeIndex, super: TypeIndex)
        case severalSupertypes(TypeIndex)
        case nonEmptyTagResultType
        case minimumGreaterThanMaximum
        /// More pages than the address type allows.
        case memorySize(MemoryType)
        /// More elements than the address type allows.
        case tableSize(AddressType)
        case sharedMemoryWithoutMaximum
        case invalidCustomPageSize

        // Module
        case duplicateExport(Name)
        /// The start function takes parameters or has results.
        case startFunction

        // Limits of this implementation
        case limitExceeded(Limit)
        /// Nothing is wrong: validation was to end before it was done. See `Cancellation`.
        case cancelled
    }

    /// What an index should have named.
    public enum Entity: String, Hashable, Sendable {
        case type, function, table, memory, global, tag, local, label, field
        case dataSegment = "data segment"
        case elementSegment = "elem segment"
    }

    /// Types that should match, but do not.
    public enum TypeMismatch: Hashable, Sendable {
        /// An operand has another type; `found` is nil if there is none.
        case operand(expected: ValueType, found: ValueType?)
        /// An operand should be some reference; `found` is nil if there is none.
        case reference(found: ValueType?)
        /// The operands of `select` differ, or are references.
        case select(ValueType, ValueType)
        /// That many operands are left at the end of a block.
        case operandsRemain(Int)
        /// The labels of `br_table` take different numbers of operands.
        case labelArity
        /// The label does not take what the branch brings.
        case labelTypes
        /// The function that is tail-called has other results.
        case calleeResults
        /// An `if` without `else` has other results than parameters.
        case missingElse
        /// The elements of the tables or segments do not match.
        case elements
        /// The table does not hold functions.
        case tableOfFunctionsExpected
        /// The type index names another kind of type.
        case kindOfType(TypeIndex)
        /// The type to cast to is no subtype of the operand's.
        case cast
        /// A packed field is read without saying how to extend it, or an unpacked one with that.
        case packing
        /// Values of this type have no default.
        case noDefault
        /// The elements of the table have no default, and there is no initializer.
        case tableWithoutInitializer
    }

    /// What has to stay small for memory and time to stay in proportion to the file.
    public enum Limit: Hashable, Sendable {
        /// Levels of declared subtypes.
        case subtypingDepth(Int)
        /// Types in one `TypeRegistry`.
        case types(Int)
        /// Operands on the stack at one point of a function.
        case operands(Int)
    }
}

extension ValidationError.Reason {
    static func mismatch(_ mismatch: ValidationError.TypeMismatch) -> Self {
        .typeMismatch(mismatch)
    }
}
