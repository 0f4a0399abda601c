import WasmDecoder

/// Changes single instructions of a body, most of them so that the body stays valid: such mutants
/// get past the validator, into the translator and the machine.
struct InstructionMutations {
    private let body: EditableBody
    private let parameterCount: Int

    init(_ body: EditableBody, parameterCount: Int) {
        self.body = body
        self.parameterCount = parameterCount
    }

    /// Changes one body of the module once.
    static func mutate(
        _ module: inout EditableModule, other: EditableModule, _ random: inout RandomNumbers
    ) {
        guard !module.bodies.isEmpty else { return }
        let index = random.below(module.bodies.count)
        guard let body = EditableBody(module.bodies[index]), body.instructions.count > 1 else {
            ByteMutations.mutate(&module.bodies[index], other: [], &random)
            return
        }
        let parameters =
            index < module.parameterCounts.count ? module.parameterCounts[index] : 0
        let mutation = InstructionMutations(body, parameterCount: parameters)
        if random.oneIn(12) {
            module.bodies[index] = mutation.spliced(from: other, &random)
        } else {
            module.bodies[index] = mutation.changed(&random)
        }
    }

    private func changed(_ random: inout RandomNumbers) -> [UInt8] {
        switch random.weighted([10, 10, 8, 8, 6, 6, 5, 5, 4, 4, 3]) {
        case 0: sameSignature(&random)
        case 1: newImmediate(&random)
        case 2: extended(&random)
        case 3: neutralCode(&random)
        case 4: keptInLocal(&random)
        case 5: removed(&random)
        case 6: swapped(&random)
        case 7: repeated(&random)
        case 8: wrapped(&random)
        case 9: leftEarly(&random)
        default: otherOpcode(&random)
        }
    }

    // MARK: Editing

    private func replacing(_ range: Range<Int>, with bytes: [UInt8]) -> [UInt8] {
        var result = body.bytes
        result.replaceSubrange(range, with: bytes)
        return result
    }

    private func bytes(of instruction: InstructionSpan) -> ArraySlice<UInt8> {
        body.bytes[instruction.start..<instruction.end]
    }

    /// Any instruction but the last `end`.
    private func anyInstruction(_ random: inout RandomNumbers) -> InstructionSpan {
        body.instructions[random.below(body.instructions.count - 1)]
    }

    /// An instruction that passes the test, found near a random place.
    private func instruction(
        _ random: inout RandomNumbers, where test: (InstructionSpan) -> Bool
    ) -> InstructionSpan? {
        let start = random.below(body.instructions.count)
        return body.instructions[start...].first(where: test)
            ?? body.instructions[..<start].first(where: test)
    }

    // MARK: Opcodes

    /// Instructions that can stand for each other: equal immediates, operands and results.
    private static let alike: [Opcode: [Opcode]] = {
        var groups: [String: [Opcode]] = [:]
        for opcode in allOpcodes {
            guard let signature = opcode.info.signature else { continue }
            groups["\(opcode.info.immediates) \(signature)", default: []].append(opcode)
        }
        var result: [Opcode: [Opcode]] = [:]
        for group in groups.values {
            let sorted = group.sorted { $0.rawValue < $1.rawValue }
            for opcode in sorted { result[opcode] = sorted }
        }
        return result
    }()

    static let allOpcodes: [Opcode] = (0..<UInt16(0x514)).compactMap { Opcode(rawValue: $0) }

    private func sameSignature(_ random: inout RandomNumbers) -> [UInt8] {
        let found = instruction(&random) { Self.alike[$0.opcode] != nil }
        guard let old = found, let group = Self.alike[old.opcode],
            let opcode = random.element(of: group)
        else { return extended(&random) }
        return replacing(
            old.start..<old.end,
            with: BinaryWriter.build { writer in
                writer.opcode(opcode)
                var immediates = body.bytes[old.immediates..<old.end]
                if opcode.info.immediates == .memoryArgument, let first = immediates.first {
                    // The alignment must not be above the natural one.
                    immediates[immediates.startIndex] =
                        first & 0x40 | min(first & 0x3f, opcode.info.accessLog2)
                }
                writer.bytes.append(contentsOf: immediates)
            })
    }

    private func otherOpcode(_ random: inout RandomNumbers) -> [UInt8] {
        let old = anyInstruction(&random)
        let opcode = random.element(of: Self.allOpcodes) ?? .nop
        return replacing(
            old.start..<old.immediates, with: BinaryWriter.build { $0.opcode(opcode) })
    }

    // MARK: Immediates

    private func newImmediate(_ random: inout RandomNumbers) -> [UInt8] {
        let found = instruction(&random) {
            $0.immediates < $0.end && $0.opcode.info.immediates != .blockType
        }
        guard let old = found else { return neutralCode(&random) }
        let word = random.element(of: InterestingValues.words) ?? 0
        var writer = BinaryWriter()
        switch old.opcode {
        case .i32Const: writer.signed(Int64(Int32(truncatingIfNeeded: word)))
        case .i64Const: writer.signed(Int64(bitPattern: word))
        case .f32Const:
            writer.f32(bits: random.element(of: InterestingValues.float32Bits) ?? 0)
            writer.bytes.removeFirst()
        case .f64Const:
            writer.f64(bits: random.element(of: InterestingValues.float64Bits) ?? 0)
            writer.bytes.removeFirst()
        default: return newIndex(old, &random)
        }
        return replacing(old.immediates..<old.end, with: writer.bytes)
    }

    /// Another index, label, alignment or offset.
    private func newIndex(_ old: InstructionSpan, _ random: inout RandomNumbers) -> [UInt8] {
        var offset = old.immediates
        var numbers: [Range<Int>] = []
        while offset < old.end {
            let start = offset
            guard readUnsigned(body.bytes, &offset) != nil, offset <= old.end else { break }
            numbers.append(start..<offset)
        }
        guard let place = random.element(of: numbers) else { return body.bytes }
        var writer = BinaryWriter()
        switch random.below(4) {
        case 0: writer.unsigned(random.element(of: InterestingValues.words) ?? 0)
        case 1:
            // What the same instruction uses elsewhere is likely to exist.
            let same = instruction(&random) { $0.opcode == old.opcode }
            let source = same ?? old
            return replacing(
                old.immediates..<old.end, with: Array(body.bytes[source.immediates..<source.end]))
        default: writer.unsigned(random.below(6))
        }
        return replacing(place, with: writer.bytes)
    }

    // MARK: More instructions

    /// Goes on computing with the result of an instruction: as valid as before.
    private func extended(_ random: inout RandomNumbers) -> [UInt8] {
        let found = instruction(&random) { $0.opcode.info.signature?.result?.isNumber == true }
        guard let old = found, let type = old.opcode.info.signature?.result else {
            return neutralCode(&random)
        }
        let code = BinaryWriter.build { Snippets.extend(&$0, type, &random) }
        return replacing(old.end..<old.end, with: code)
    }

    /// Code that leaves the operand stack as it is, anywhere.
    private func neutralCode(_ random: inout RandomNumbers) -> [UInt8] {
        let place = anyInstruction(&random).start
        let localCount = parameterCount + body.localCount
        let code = BinaryWriter.build { Snippets.neutral(&$0, localCount: localCount, &random) }
        return replacing(place..<place, with: code)
    }

    /// Puts a result into a new local and reads it again here and further on.
    private func keptInLocal(_ random: inout RandomNumbers) -> [UInt8] {
        let found = instruction(&random) { $0.opcode.info.signature?.result?.isNumber == true }
        guard let old = found, let type = old.opcode.info.signature?.result,
            let code = Snippets.code(of: type), body.localsEnd > 0
        else { return neutralCode(&random) }
        let local = parameterCount + body.localCount
        var writer = BinaryWriter()
        var offset = 0
        guard let groups = readUnsigned(body.bytes, &offset) else { return body.bytes }
        writer.unsigned(groups &+ 1)
        writer.bytes.append(contentsOf: body.bytes[offset..<body.localsEnd])
        writer.byte(1)
        writer.byte(code)
        writer.bytes.append(contentsOf: body.bytes[body.localsEnd..<old.end])
        if random.oneIn(2) {
            writer.opcode(.localTee, local)
        } else {
            writer.opcode(.localSet, local)
            writer.opcode(.localGet, local)
        }
        let later =
            random.element(
                of: body.instructions.filter { $0.start >= old.end }.map(\.start)) ?? old.end
        writer.bytes.append(contentsOf: body.bytes[old.end..<later])
        writer.opcode(.localGet, local)
        if random.oneIn(2) { Snippets.extend(&writer, type, &random) }
        switch random.below(3) {
        case 0: writer.opcode(.localSet, local)
        default: writer.opcode(.drop)
        }
        writer.bytes.append(contentsOf: body.bytes[later...])
        return writer.bytes
    }

    // MARK: Fewer, other order

    private func removed(_ random: inout RandomNumbers) -> [UInt8] {
        let old = anyInstruction(&random)
        // A value that comes without operands can be replaced by any other of its type.
        if let type = old.opcode.info.signature?.result, random.oneIn(2),
            old.opcode.info.signature?.operandCount == 0
        {
            let code = BinaryWriter.build { Snippets.constant(&$0, type, &random) }
            return replacing(old.start..<old.end, with: code)
        }
        return replacing(old.start..<old.end, with: [])
    }

    private func swapped(_ random: inout RandomNumbers) -> [UInt8] {
        let index = random.below(body.instructions.count - 1)
        let first = body.instructions[index], second = body.instructions[index + 1]
        guard index + 2 < body.instructions.count else { return neutralCode(&random) }
        return replacing(
            first.start..<second.end, with: Array(bytes(of: second) + bytes(of: first)))
    }

    private func repeated(_ random: inout RandomNumbers) -> [UInt8] {
        let first = random.below(body.instructions.count - 1)
        let last = min(body.instructions.count - 2, first + random.below(6))
        let range = body.instructions[first].start..<body.instructions[last].end
        let target = anyInstruction(&random).start
        return replacing(target..<target, with: Array(body.bytes[range]))
    }

    /// A block, loop or if around some instructions.
    private func wrapped(_ random: inout RandomNumbers) -> [UInt8] {
        let first = random.below(body.instructions.count - 1)
        let last = min(body.instructions.count - 2, first + random.below(8))
        let range = body.instructions[first].start..<body.instructions[last].end
        let code = BinaryWriter.build { writer in
            switch random.below(4) {
            case 0: writer.opcode(.loop)
            case 1:
                writer.i32(Int32(random.below(2)))
                writer.opcode(.if)
            default: writer.opcode(.block)
            }
            writer.byte(random.element(of: [0x40, 0x40, 0x40, 0x7f, 0x7e, 0x7d, 0x7c]) ?? 0x40)
            writer.bytes.append(contentsOf: body.bytes[range])
            writer.opcode(.end)
        }
        return replacing(range, with: code)
    }

    private func leftEarly(_ random: inout RandomNumbers) -> [UInt8] {
        let place = anyInstruction(&random).start
        let code = BinaryWriter.build { writer in
            switch random.below(5) {
            case 0: writer.opcode(.unreachable)
            case 1: writer.opcode(.return)
            case 2: writer.opcode(.br, random.below(4))
            default:
                writer.i32(Int32(random.below(2)))
                writer.opcode(.brIf, random.below(4))
            }
        }
        return replacing(place..<place, with: code)
    }

    /// Instructions of a body of another module.
    private func spliced(
        from other: EditableModule, _ random: inout RandomNumbers
    ) -> [UInt8] {
        guard let source = random.element(of: other.bodies), let donor = EditableBody(source),
            donor.instructions.count > 1
        else { return changed(&random) }
        let first = random.below(donor.instructions.count - 1)
        let last = min(donor.instructions.count - 2, first + random.below(20))
        let range = donor.instructions[first].start..<donor.instructions[last].end
        let target = anyInstruction(&random)
        let isReplaced = random.oneIn(2)
        return replacing(
            target.start..<(isReplaced ? target.end : target.start),
            with: Array(donor.bytes[range]))
    }
}
