/// What a memory instruction says about its access.
public struct MemoryArgument: Hashable, Sendable {
    /// The alignment that the program promises, as a power of two: 0 to 63. A hint without meaning.
    public var alignLog2: UInt32
    public var memory: UInt32
    /// Added to the address. That it fits the memory's address type is for validation.
    public var offset: UInt64

    @inlinable
    public init(alignLog2: UInt32, memory: UInt32 = 0, offset: UInt64) {
        self.alignLog2 = alignLog2
        self.memory = memory
        self.offset = offset
    }
}

/// Parameters and results of a block.
public enum BlockType: Hashable, Sendable {
    case empty
    /// No parameters and one result.
    case value(ValueType)
    case type(TypeIndex)
}

/// One way in which `try_table` catches exceptions.
public struct CatchClause: Hashable, Sendable {
    public enum Kind: UInt8, Hashable, Sendable {
        case `catch` = 0
        case catchRef = 1
        case catchAll = 2
        case catchAllRef = 3
    }

    public var kind: Kind
    /// The tag, for `catch` and `catchRef`; else 0.
    public var tag: UInt32
    /// The label, counted from the one outside of the `try_table`.
    public var label: UInt32

    public init(kind: Kind, tag: UInt32 = 0, label: UInt32) {
        self.kind = kind
        self.tag = tag
        self.label = label
    }

    /// Whether the clause names a tag.
    public var hasTag: Bool { kind == .catch || kind == .catchRef }
}

/// Instructions (5.4).
extension BinaryReader {
    /// The next opcode; its immediates follow.
    ///
    /// - Throws: `illegalOpcode` and `featureRequired` at its first byte; where the range ends,
    ///   `endExpected`, or `unexpectedEnd` if the file ends there too.
    @inlinable @inline(__always)
    public mutating func opcode() throws(DecodingError) -> Opcode {
        if cursor != end {
            let entry = entries[Int(cursor.pointee)]
            if entry.feature & refused == 0 {
                cursor += 1
                return entry.opcode
            }
        }
        return try prefixedOpcode()
    }

    /// Opcodes of two parts, and all errors.
    @usableFromInline @inline(never)
    mutating func prefixedOpcode() throws(DecodingError) -> Opcode {
        let position = offset
        if isAtEnd { throw failure(end == fileEnd ? .unexpectedEnd : .endExpected) }
        let first = try byte()
        var page: OpcodePage?
        switch first {
        case 0xfb: page = OpcodePage.references
        case 0xfc: page = OpcodePage.miscellaneous
        case 0xfe: page = OpcodePage.atomics
        case 0xfd: page = OpcodePage.vectors
        default: break
        }
        var entry = entries[Int(first)]
        var number: UInt32 = 0
        if let page {
            number = try unsigned32()
            // Without a number of an opcode it stays the entry of the prefix, which is illegal.
            if number < page.size { entry = page.entries[Int(number)] }
        }
        if entry.feature & refused == 0 { return entry.opcode }
        if !entry.isIllegal {
            throw .requires(Features(rawValue: entry.feature & refused), at: position)
        }
        throw DecodingError(
            .illegalOpcode, at: position, payload: number, detail: UInt16(first))
    }

    @inlinable
    public mutating func blockType() throws(DecodingError) -> BlockType {
        if cursor != end, cursor.pointee == 0x40 {
            cursor += 1
            return .empty
        }
        return try otherBlockType()
    }

    /// One byte with the sign bit set is a value type; else it must be an index.
    @usableFromInline
    mutating func otherBlockType() throws(DecodingError) -> BlockType {
        let position = offset
        if let byte = nextByte, (0x40..<0x80).contains(byte) {
            switch byte {
            case 0x7f, 0x7e, 0x7d, 0x7c: return .value(try valueType())
            default: return .value(try otherValueType(orElse: .malformedBlockType))
            }
        }
        let index = try signed33()
        guard let index = UInt32(exactly: index) else {
            throw DecodingError(.malformedBlockType, at: position)
        }
        try require(.multiValue, at: position)
        return .type(index)
    }

    @inlinable
    public mutating func memoryArgument() throws(DecodingError) -> MemoryArgument {
        if remaining >= 2, cursor[0] < 0x40, cursor[1] < 0x80 {
            let argument = MemoryArgument(
                alignLog2: UInt32(truncatingIfNeeded: cursor[0]),
                offset: UInt64(truncatingIfNeeded: cursor[1]))
            cursor += 2
            return argument
        }
        return try longMemoryArgument()
    }

    @usableFromInline @inline(never)
    mutating func longMemoryArgument() throws(DecodingError) -> MemoryArgument {
        let position = offset
        let flags = try unsigned32()
        guard flags < 0x80 else { throw DecodingError(.malformedMemoryArgument, at: position) }
        var argument = MemoryArgument(alignLog2: flags & 0x3f, offset: 0)
        if flags >= 0x40 {
            try require(.multiMemory, at: position)
            argument.memory = try unsigned32()
            if argument.memory == 0 { hasRedundantForms = true }
        }
        argument.offset =
            Features.memory64.rawValue & refused == 0
            ? try unsigned64() : UInt64(try unsigned32())
        return argument
    }

    /// The memory index of `memory.size` and others: without multi-memory a zero byte.
    @inlinable
    public mutating func memoryIndex() throws(DecodingError) -> UInt32 {
        try indexOrZero(.multiMemory)
    }

    /// The table index of `call_indirect`: without reference types a zero byte.
    @inlinable
    public mutating func tableIndexOfCall() throws(DecodingError) -> UInt32 {
        try indexOrZero(.referenceTypes)
    }

    @inlinable
    mutating func indexOrZero(_ feature: Features) throws(DecodingError) -> UInt32 {
        if cursor != end, cursor.pointee == 0 {
            cursor += 1
            return 0
        }
        let position = offset
        let index = try unsigned32()
        if feature.rawValue & refused != 0 {
            if index == 0 { throw DecodingError(.zeroByteExpected, at: position) }
            throw .requires(feature, at: position)
        }
        return index
    }

    /// The byte of `atomic.fence`, which must be zero.
    public mutating func zeroByte() throws(DecodingError) {
        let position = offset
        guard try byte() == 0 else { throw DecodingError(.zeroByteExpected, at: position) }
    }

    /// How many labels `br_table` has without the default: that many and one u32 follow.
    @inlinable
    public mutating func labelCount() throws(DecodingError) -> Int {
        let position = offset
        // Counting the default, there are more bytes than labels: if not, the labels come to an
        // end, and that error is theirs.
        let count = try unsigned32()
        if count > maximumLabels {
            throw .exceeds(.labels, Int(maximumLabels), at: position)
        }
        return Int(count)
    }

    /// How many catch clauses `try_table` has; they follow.
    public mutating func catchClauseCount() throws(DecodingError) -> Int { try count() }

    public mutating func catchClause() throws(DecodingError) -> CatchClause {
        let position = offset
        guard let kind = CatchClause.Kind(rawValue: try byte()) else {
            throw DecodingError(.malformedCatchClause, at: position)
        }
        var clause = CatchClause(kind: kind, tag: 0, label: 0)
        if clause.hasTag { clause.tag = try unsigned32() }
        clause.label = try unsigned32()
        return clause
    }

    /// The flags of `br_on_cast`: whether the type of the operand and the type it is cast to
    /// are nullable.
    public mutating func castFlags() throws(DecodingError) -> (source: Bool, target: Bool) {
        let position = offset
        let flags = try byte()
        guard flags < 4 else { throw DecodingError(.malformedCastFlags, at: position) }
        return (flags & 1 != 0, flags & 2 != 0)
    }

    // MARK: Locals (5.5.13)

    /// At the start of a function body: how many groups of locals there are; they follow.
    public mutating func localGroupCount() throws(DecodingError) -> Int { try count() }

    /// One group of locals; `total` is the number of locals in the groups before, and in this one
    /// afterwards.
    ///
    /// - Throws: `tooManyLocals` if the function has more than the limit, or 2^32 and more.
    public mutating func localGroup(
        total: inout UInt32
    ) throws(DecodingError) -> (count: UInt32, type: ValueType) {
        let position = offset
        let count = try unsigned32()
        let (sum, overflow) = total.addingReportingOverflow(count)
        if overflow || sum > maximumLocals { throw DecodingError(.tooManyLocals, at: position) }
        total = sum
        return (count, try valueType())
    }

    /// Reads the groups of locals at the start of a function body; returns how many locals they
    /// declare.
    @discardableResult
    public mutating func forEachLocalGroup(
        _ body: (_ count: UInt32, _ type: ValueType) throws(DecodingError) -> Void
    ) throws(DecodingError) -> UInt32 {
        var total: UInt32 = 0
        var groups = try localGroupCount()
        while groups > 0 {
            let (count, type) = try localGroup(total: &total)
            try body(count, type)
            groups -= 1
        }
        return total
    }
}
