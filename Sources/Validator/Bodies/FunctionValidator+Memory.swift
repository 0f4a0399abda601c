// Soundness: rules are entries of an `InstructionRule.Table`, which are never freed.

import WasmDecoder

/// Memories, tables and their segments (3.4.5 to 3.4.7).
extension FunctionValidator {
    // MARK: Memories

    /// Reads a memory argument and checks it; returns the address type.
    @inline(__always)
    mutating func memoryArgument(
        _ rule: UnsafePointer<InstructionRule>
    ) throws(Stop) -> ValueType {
        let argument: MemoryArgument
        do { argument = try reader.memoryArgument() } catch { throw malformed(error) }
        guard module.memories.contains(argument.memory) else {
            throw fail(.unknown(.memory, argument.memory))
        }
        let natural = UInt32(rule.pointee.accessLog2)
        if rule.pointee.isAtomic {
            if argument.alignLog2 != natural { throw fail(.atomicAlignmentNotNatural) }
        } else if argument.alignLog2 > natural {
            throw fail(.alignmentTooLarge)
        }
        let address = module.memories[Int(argument.memory)]
        if argument.offset > UInt64(UInt32.max), address.word == ValueType.i32.word {
            throw fail(.offsetOutOfRange)
        }
        return address
    }

    /// Reads a memory index; returns the address type.
    private mutating func memory() throws(Stop) -> ValueType {
        let index: UInt32
        do { index = try reader.memoryIndex() } catch { throw malformed(error) }
        guard module.memories.contains(index) else { throw fail(.unknown(.memory, index)) }
        return module.memories[Int(index)]
    }

    mutating func memoryInstruction(_ opcode: Opcode) throws(Stop) {
        switch opcode {
        case .memorySize:
            operands.push(try memory())
        case .memoryGrow:
            let address = try memory()
            try pop(address)
            operands.push(address)
        case .memoryFill:
            let address = try memory()
            try pop(address)
            try pop(.i32)
            try pop(address)
        case .memoryCopy:
            let destination = try memory()
            let source = try memory()
            try pop(Self.smaller(destination, source))
            try pop(source)
            try pop(destination)
        default:
            let segment = try unsigned32()
            let address = try memory()
            try checkDataSegment(segment)
            try pop(.i32)
            try pop(.i32)
            try pop(address)
        }
    }

    /// The type of a length that must fit both address types.
    private static func smaller(_ a: ValueType, _ b: ValueType) -> ValueType {
        a == .i64 && b == .i64 ? .i64 : .i32
    }

    /// Reads the index of a data segment.
    mutating func dataSegment() throws(Stop) { try checkDataSegment(try unsigned32()) }

    /// Data segments may be named in the code only if their number is before it.
    private mutating func checkDataSegment(_ index: UInt32) throws(Stop) {
        guard let count = module.dataCount else {
            throw malformed(DecodingError(.dataCountRequired, at: startOffset))
        }
        guard index < count else { throw fail(.unknown(.dataSegment, index)) }
    }

    // MARK: Tables

    private mutating func table() throws(Stop) -> ModuleTables.TableEntry {
        let index = try unsigned32()
        guard module.tables.contains(index) else { throw fail(.unknown(.table, index)) }
        return module.tables[Int(index)]
    }

    mutating func tableInstruction(_ opcode: Opcode) throws(Stop) {
        switch opcode {
        case .tableInit:
            let segment = try unsigned32()
            let table = try table()
            let element = try elementSegment(segment)
            guard registry.matches(element, table.element) else { throw mismatch(.elements) }
            try pop(.i32)
            try pop(.i32)
            try pop(table.address)
        case .tableCopy:
            let destination = try table()
            let source = try table()
            guard registry.matches(source.element, destination.element) else {
                throw mismatch(.elements)
            }
            try pop(Self.smaller(destination.address, source.address))
            try pop(source.address)
            try pop(destination.address)
        default:
            try tableAccess(opcode, try table())
        }
    }

    private mutating func tableAccess(
        _ opcode: Opcode, _ table: ModuleTables.TableEntry
    ) throws(Stop) {
        switch opcode {
        case .tableGet:
            try pop(table.address)
            operands.push(table.element)
        case .tableSet:
            try pop(table.element)
            try pop(table.address)
        case .tableSize:
            operands.push(table.address)
        case .tableGrow:
            try pop(table.address)
            try pop(table.element)
            operands.push(table.address)
        default:
            try pop(table.address)
            try pop(table.element)
            try pop(table.address)
        }
    }

    /// Reads the index of an element segment; returns its type.
    mutating func elementSegment() throws(Stop) -> ValueType {
        try elementSegment(try unsigned32())
    }

    private mutating func elementSegment(_ index: UInt32) throws(Stop) -> ValueType {
        guard module.elementSegments.contains(index) else {
            throw fail(.unknown(.elementSegment, index))
        }
        return module.elementSegments[Int(index)]
    }
}
