import WasmDecoder

// Memory, tables, references.

extension BodyGenerator {
    // MARK: Addresses

    /// Locals that hold addresses get numbers from 256 to 8,191.
    mutating func assignAddress(_ local: Int) {
        value(.i32, 2)
        code.i32(0x1fff)
        code.opcode(.i32And)
        code.i32(0x100)
        code.opcode(.i32Or)
        code.opcode(.localSet, local)
    }

    /// Leaves an address below 80,000.
    private mutating func address(_ depth: Int) {
        remaining -= 1
        guard let local = random.element(of: addressLocals) else { return code.i32(512) }
        switch random.weighted([8, 8, 6, 6, 6, 3, 2]) {
        case 0: code.opcode(.localGet, local)
        case 1:
            code.opcode(.localGet, local)
            code.i32(Int32(random.element(of: [1, 4, 8, 12, 255, 32_767, 40_000, -4, -200]) ?? 4))
            code.opcode(.i32Add)
        case 2:
            code.opcode(.localGet, local)
            code.opcode(.localGet, random.element(of: addressLocals) ?? local)
            code.opcode(.i32Add)
        case 3:
            let isFirst = random.oneIn(2)
            if isFirst { code.opcode(.localGet, local) }
            index(depth, mask: 0xfff)
            code.i32(Int32(random.between(1...4)))
            code.opcode(.i32Shl)
            if !isFirst { code.opcode(.localGet, local) }
            code.opcode(.i32Add)
        case 4:
            let isFirst = random.oneIn(2)
            if isFirst { code.opcode(.localGet, local) }
            index(depth, mask: 0x7fff)
            if !isFirst { code.opcode(.localGet, local) }
            code.opcode(.i32Add)
        case 5:
            index(depth, mask: 0x7fff)
            if random.oneIn(2) {
                code.i32(Int32(random.between(0...300)))
                code.opcode(.i32Add)
            }
        default:
            // Some addresses are there only once the memory has grown.
            let isLate = random.oneIn(20)
            code.i32(Int32(random.between(isLate ? 196_000...262_100 : 0...70_000)))
        }
    }

    private mutating func index(_ depth: Int, mask: Int32) {
        if random.oneIn(2), let local = random.element(of: addressLocals) {
            code.opcode(.localGet, local)
        } else {
            value(.i32, depth - 1)
            code.i32(mask)
            code.opcode(.i32And)
        }
    }

    /// The immediates of an access to the first or the second memory.
    ///
    /// - Parameter alignment: of an atomic access, as a power of two; its offset is a multiple of 8.
    mutating func memoryArgument(isFar: Bool, alignment: UInt8? = nil) {
        if let alignment {
            code.byte(alignment | (isFar ? 0x40 : 0))
            if isFar { code.byte(1) }
            code.unsigned(8 * random.below(0x40))
        } else if isFar {
            code.byte(0x40)
            code.byte(1)
            code.unsigned(random.below(0x800))
        } else {
            code.byte(0)
            let offsets = [0, 0, 0, 4, 8, 100, 0xffff, 0x1_0000, 0x1_0008]
            code.unsigned(random.oneIn(3) ? random.below(0x400) : random.element(of: offsets) ?? 0)
        }
    }

    /// Leaves the address; answers whether it is one of the second memory.
    mutating func anyAddress(_ depth: Int) -> Bool {
        guard program.hasSecondMemory, random.oneIn(4) else {
            address(depth)
            return false
        }
        value(.i64, depth - 1)
        code.i64(0x1fff)
        code.opcode(.i64And)
        return true
    }

    // MARK: Loads and stores

    mutating func loaded(_ type: ValueType, _ depth: Int) {
        remaining -= 1
        let choices: [Opcode]
        switch type {
        case .i32:
            choices = [
                .i32Load, .i32Load, .i32Load8S, .i32Load8U, .i32Load8U, .i32Load16S, .i32Load16U,
            ]
        case .i64:
            choices = [
                .i64Load, .i64Load, .i64Load8S, .i64Load8U, .i64Load16S, .i64Load16U, .i64Load32S,
                .i64Load32U,
            ]
        case .f32: choices = [.f32Load]
        case .f64: choices = [.f64Load]
        default: return leaf(type)
        }
        let isFar = anyAddress(depth)
        code.opcode(random.element(of: choices) ?? .nop)
        memoryArgument(isFar: isFar)
    }

    mutating func store() {
        let isFar = anyAddress(2)
        let type = ProgramGenerator.numberType(&random)
        if random.oneIn(12) { statement() }
        let choices: [Opcode]
        switch type {
        case .i32:
            value(.i32, random.below(4))
            choices = [.i32Store, .i32Store, .i32Store8, .i32Store16]
        case .i64:
            value(.i64, random.below(4))
            choices = [.i64Store, .i64Store, .i64Store8, .i64Store16, .i64Store32]
        default:
            withoutNaN(type, 3)
            choices = [type == .f32 ? .f32Store : .f64Store]
        }
        code.opcode(random.element(of: choices) ?? .nop)
        memoryArgument(isFar: isFar)
    }

    // MARK: Bulk operations

    private mutating func small(_ limit: Int) {
        if random.oneIn(2) {
            code.i32(Int32(random.below(limit)))
        } else {
            value(.i32, 1)
            code.i32(Int32(limit - 1))
            code.opcode(.i32And)
        }
    }

    mutating func bulkOperation() {
        guard program.hasBulkOperations else { return }
        switch random.below(4) {
        case 0:
            address(2)
            value(.i32, 1)
            small(64)
            code.opcode(.memoryFill)
            code.byte(0)
        case 1:
            address(2)
            address(2)
            small(256)
            code.opcode(.memoryCopy)
            code.bytes.append(contentsOf: [0, 0])
        case 2:
            address(2)
            small(16)
            small(32)
            code.opcode(.memoryInit, 1)
            code.byte(0)
        default:
            // Elements behind those that calls use.
            code.i32(13)
            code.i32(12)
            code.i32(Int32(random.below(3)))
            code.opcode(.tableCopy)
            code.bytes.append(contentsOf: [0, 0])
        }
    }

    mutating func growOrSize() {
        let hasFarMemory = program.hasSecondMemory && random.oneIn(2)
        let hasFarTable = program.hasSecondTable && random.oneIn(2)
        var type = ValueType.i32
        switch random.weighted([3, 2, 3, 2, 1]) {
        case 0:
            if hasFarMemory { type = .i64 }
            code.opcode(.memorySize, hasFarMemory ? 1 : 0)
        case 1:
            if hasFarMemory { type = .i64 }
            number(type, Int64(random.below(2)))
            code.opcode(.memoryGrow, hasFarMemory ? 1 : 0)
        case 2:
            if hasFarTable { type = .i64 }
            code.opcode(.tableSize, hasFarTable ? 1 : 0)
        case 3:
            guard program.hasReferences else { return }
            if hasFarTable { type = .i64 }
            value(.funcref, 1)
            number(type, Int64(random.below(2)))
            code.opcode(.tableGrow, hasFarTable ? 1 : 0)
        default:
            guard program.hasBulkOperations, random.oneIn(4) else { return }
            return code.opcode(.dataDrop, 1)
        }
        consume([type])
    }

    // MARK: References

    /// A reference to any function.
    mutating func functionReference() {
        switch random.below(3) {
        case 0: constant(.funcref)
        case 1: code.opcode(.refFunc, random.element(of: program.elements) ?? 0)
        default:
            code.i32(Int32(random.below(ProgramGenerator.tableSize)))
            code.opcode(.tableGet, 0)
        }
    }

    mutating func reference() {
        guard program.hasReferences else { return assignAddressLocal() }
        switch random.below(3) {
        case 0:
            code.i32(Int32(random.between(12...15)))
            value(.funcref, 2)
            code.opcode(.tableSet, 0)
        case 1:
            value(.funcref, 2)
            code.opcode(.refIsNull)
            consume([.i32])
        default: callUnlessNull()
        }
    }

    private mutating func assignAddressLocal() {
        if let local = random.element(of: addressLocals) { assignAddress(local) }
    }

    /// A reference to this function, not null, by its type.
    mutating func typedReference(_ function: Int, type: Int) {
        switch random.below(3) {
        case 0: code.opcode(.refFunc, function)
        case 1:
            code.opcode(.refFunc, function)
            code.opcode(.refAsNonNull)
        default:
            // Through a block that is left with the reference.
            let block = BinaryWriter.build { writer in
                writer.byte(0x64)
                writer.signed(Int64(type))
            }
            construct(.block, block, branch: [], isTarget: false) { body in
                if body.random.oneIn(2) {
                    body.code.opcode(.refNull)
                    body.code.signed(Int64(type))
                } else {
                    body.code.opcode(.refFunc, function)
                }
                body.code.opcode(.brOnNonNull, 0)
                body.code.opcode(.refFunc, function)
            }
        }
    }

    /// A call in a block that is left if the reference is null.
    private mutating func callUnlessNull() {
        guard let function = random.element(of: program.elements) else { return }
        let type = program.functions[function]
        let callee = program.types[type]
        construct(.block, [0x40], branch: []) { body in
            body.values(callee.parameters)
            let isNull = body.random.oneIn(3)
            body.code.opcode(isNull ? .refNull : .refFunc)
            body.code.signed(Int64(isNull ? type : function))
            body.code.opcode(.brOnNull, 0)
            body.code.opcode(.callRef, type)
            body.consume(callee.results)
        }
    }

    // MARK: Wide arithmetic

    mutating func wideArithmetic() {
        guard program.hasWideArithmetic else { return assignAddressLocal() }
        let isSum = random.oneIn(2)
        values(Array(repeating: .i64, count: isSum ? 4 : 2))
        code.opcode(
            isSum
                ? (random.oneIn(2) ? .i64Add128 : .i64Sub128)
                : (random.oneIn(2) ? .i64MulWideS : .i64MulWideU))
        consume([.i64, .i64])
    }
}
