import WasmMachine

/// Bytes of a memory that an instruction reads or writes.
struct BytesOfMemory {
    var memory = 0
    var address: UInt64
    var byteCount: UInt64
}

extension FaultingInstruction {
    /// The accesses to memories that the instruction makes, in their order.
    var memoryAccesses: [BytesOfMemory] {
        switch family {
        case Instruction.Base.move:
            [
                BytesOfMemory(address: address(["s1", "n3"]), byteCount: accessSize),
                BytesOfMemory(address: address(["s0", "n2"]), byteCount: accessSize),
            ]
        case Instruction.Base.loadTwo:
            [
                BytesOfMemory(address: address(["s3", "u2"]), byteCount: accessSize),
                BytesOfMemory(
                    address: UInt64(UInt32(truncatingIfNeeded: slot(1)))
                        + UInt64(UInt32(truncatingIfNeeded: word(2))), byteCount: accessSize),
            ]
        case Instruction.Base.loadFar, Instruction.Base.storeFar,
            Instruction.Base.vectorLoadFar, Instruction.Base.vectorStoreFar:
            [BytesOfMemory(memory: field(2), address: farAddress, byteCount: accessSize)]
        case Instruction.Base.atomicLoad...Instruction.Base.atomicWait:
            [
                BytesOfMemory(
                    memory: Int(UInt32(truncatingIfNeeded: word(3))), address: farAddress,
                    byteCount: accessSize)
            ]
        case Instruction.Base.memoryCopy:
            [
                BytesOfMemory(address: unsigned32(1), byteCount: unsigned32(2)),
                BytesOfMemory(address: unsigned32(0), byteCount: unsigned32(2)),
            ]
        case Instruction.Base.memoryFill:
            [BytesOfMemory(address: unsigned32(0), byteCount: unsigned32(2))]
        case Instruction.Base.bulk: bulkAccesses
        // These read segments.
        case Instruction.Base.aggregate: []
        case Instruction.Base.loadScaled, Instruction.Base.storeScaled:
            [BytesOfMemory(address: address(tokens(0)), byteCount: accessSize)]
        case Instruction.Base.vectorMultiplyLoads:
            [
                BytesOfMemory(address: address(tokens(1)), byteCount: accessSize),
                BytesOfMemory(address: address(tokens(2)), byteCount: accessSize),
            ]
        case Instruction.Base.vectorMultiplyUpdate:
            [
                BytesOfMemory(address: address(tokens(1)), byteCount: accessSize),
                BytesOfMemory(address: address(["s5", "u2"]), byteCount: 16),
            ]
        default: [BytesOfMemory(address: address(tokens(1)), byteCount: accessSize)]
        }
    }

    private func unsigned32(_ field: Int) -> UInt64 {
        UInt64(UInt32(truncatingIfNeeded: slot(field)))
    }

    /// Slot 1 and the 64-bit offset in word 2; the largest number if that is more.
    private var farAddress: UInt64 {
        let (sum, overflow) = slot(1).addingReportingOverflow(word(2))
        return overflow ? .max : sum
    }

    private var bulkAccesses: [BytesOfMemory] {
        let first = Int(UInt32(truncatingIfNeeded: word(2))), second = Int(upperHalf(2))
        let target = BytesOfMemory(memory: first, address: slot(0), byteCount: slot(2))
        switch BulkOperation(rawValue: field(3)) {
        case .memoryCopy:
            return [BytesOfMemory(memory: second, address: slot(1), byteCount: slot(2)), target]
        case .memoryFill, .memoryInit: return [target]
        default: return []
        }
    }

    /// Bytes of one access. The name contains the number: `i32.load8_s`, `v128.load32x2_u`,
    /// `i16x8.add.load8x8_s`; without a number as many as the type has.
    private var accessSize: UInt64 {
        if family == Instruction.Base.atomicWait { return UInt64(upperHalf(3)) }
        if family == Instruction.Base.atomicNotify { return 4 }
        var name = name
        // Two factors from memory: `i16x8.mul.load8x8_s.loads`.
        if name.hasSuffix(".loads") { name = name.dropLast(6) }
        // Two loads in one: `i32.load2`.
        if family == Instruction.Base.loadTwo { name = name.dropLast() }
        if name.hasPrefix("atomic.") || name.hasPrefix("move") {
            return UInt64(name.reversed().prefix(while: \.isNumber).reversed().digits) / 8
        }
        if let end = name.endOfLast("load") ?? name.endOfLast("store") {
            let digits = name[end...].prefix(while: \.isNumber)
            if name[end...].dropFirst(digits.count).first == "x" { return 8 }
            if !digits.isEmpty { return UInt64(digits.digits) / 8 }
        }
        switch name.prefix(3) {
        case "i32", "f32": return name.contains("x") ? 16 : 4
        case "i64", "f64": return name.contains("x") ? 16 : 8
        default: return 16
        }
    }
}

extension Sequence where Element == Character {
    /// The decimal number with these digits.
    fileprivate var digits: Int { reduce(0) { $0 * 10 + ($1.wholeNumberValue ?? 0) } }
}

extension Substring {
    /// The index after the last occurrence of `word`, compared by bytes. (Without the standard
    /// library's searches, whose regular expressions would be part of the program.)
    func endOfLast(_ word: String) -> Index? {
        var start = utf8.endIndex
        while start > utf8.startIndex {
            start = utf8.index(before: start)
            if utf8[start...].starts(with: word.utf8) {
                return utf8.index(start, offsetBy: word.utf8.count)
            }
        }
        return nil
    }
}
