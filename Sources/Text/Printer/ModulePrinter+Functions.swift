import WasmDecoder

/// Functions (6.6.8) and their instructions, one on each line.
extension ModulePrinter {
    mutating func printFunctions() throws(DecodingError) {
        if let first = module.bodies.first { codeOffset = entryOffset(before: first) }
        // Constant expressions do not count.
        namesDataSegments = false
        defer { needsDataCount = namesDataSegments }
        for (position, body) in module.bodies.enumerated() where !out.isStopped {
            let index = module.importedFunctionCount + position
            guard module.functions.indices.contains(index) else { break }
            try printFunction(UInt32(truncatingIfNeeded: index), body)
        }
        locals = .none
        labels.reset(LabelNames(nil, generates: false))
    }

    /// Where the entry of the first body starts: after the number of bodies.
    private func entryOffset(before first: ByteRange) -> Int {
        guard let section = module.sections.first(where: { $0.id == SectionKind.code.id }) else {
            return first.start
        }
        var reader = module.reader(of: section.range)
        reader.offset = section.range.start + 1
        _ = try? reader.unsigned32()
        _ = try? reader.unsigned32()
        return reader.offset
    }

    private mutating func printFunction(
        _ index: FunctionIndex, _ body: ByteRange
    ) throws(DecodingError) {
        var reader = module.reader(of: body)
        var types: [(count: UInt32, type: ValueType)] = []
        // In other groups than the parser makes.
        var isRedundant = false
        let count = try reader.forEachLocalGroup { count, type in
            if count == 0 || types.last?.type == type { isRedundant = true }
            types.append((count, type))
        }
        let type = module.functions[Int(index)]
        let parameters = module.functionType(typeIndex: type)?.parameters.count ?? 0
        locals = names.locals(of: index, count: parameters + Int(count))
        labels.reset(names.labels(of: index))

        field("func")
        definition(Int(index), names.functions)
        typeUse(type, locals)
        if count > 0 {
            // The list begins with a space of its own.
            out.newline(1)
            out.space()
            list(
                "local",
                types.lazy.flatMap { repeatElement($0.type, count: Int($0.count)) },
                from: parameters, locals)
        }
        let hints = self.hints[index]
        if options.isFolded, Folding.canHold(body) {
            try folding.prepare(reader, arities, results: arities.type(type).results)
            var state = FoldedState(level: 2)
            try printFolded(body, hints, &state)
            noteLabels(of: index, state.ordinal)
            if folding.hasRedundantForms { isRedundant = true }
        } else {
            noteLabels(of: index, try printFlat(&reader, body, hints))
        }
        if reader.hasRedundantForms { isRedundant = true }
        try printPadding(of: body, isRedundant: isRedundant)
        out.byte(0x29)
    }

    private mutating func noteLabels(of function: FunctionIndex, _ count: Int) {
        if names.hasLabels(of: function) {
            labelCounts[function] = UInt32(truncatingIfNeeded: count)
        }
    }

    /// - Returns: how many blocks there were.
    /// - Throws: `endExpected` if blocks and `end` do not match.
    private mutating func printFlat(
        _ reader: inout BinaryReader, _ body: ByteRange, _ hints: BranchHintMap.Hints?
    ) throws(DecodingError) -> Int {
        var ordinal = 0
        while !out.isStopped {
            let start = reader.offset
            let opcode = try reader.opcode()
            if opcode == .end, labels.depth == 0 {
                guard reader.isAtEnd else { throw DecodingError(.endExpected, at: reader.offset) }
                return ordinal
            }
            let level = 2 + labels.depth
            if let hint = hints?[start - body.start] {
                out.newline(level)
                write(hint: hint)
            }
            switch opcode {
            case .block, .loop, .if, .tryTable, .try:
                line(level, start)
                let label = labels.label(ordinal)
                try blockStart(opcode, label, &reader)
                labels.push(opcode, label)
                ordinal += 1
            case .else, .catch, .catchAll:
                guard labels.proceed(to: opcode) else {
                    throw DecodingError(.endExpected, at: start)
                }
                line(level - 1, start)
                try instruction(opcode, &reader)
            case .end:
                _ = labels.pop()
                line(level - 1, start)
                out.write("end")
            case .delegate:
                // Its label is counted outside of the `try` that it ends.
                guard labels.pop()?.opcode == .try else {
                    throw DecodingError(.endExpected, at: start)
                }
                line(level - 1, start)
                try instruction(opcode, &reader)
            default:
                line(level, start)
                try instruction(opcode, &reader)
            }
        }
        return ordinal
    }

    private mutating func line(_ level: Int, _ start: Int) {
        out.newline(level)
        offset(start)
    }

    /// The comment that says where an instruction is.
    mutating func offset(_ start: Int) {
        guard options.showsOffsets else { return }
        out.write("(;")
        out.hexadecimal(UInt64(start))
        out.write(";) ")
    }

    /// The instruction that begins a block, with its label. The handlers of a `try_table` are
    /// outside of it, and so are the operands of an `if`: the caller enters the block.
    mutating func blockStart(
        _ opcode: Opcode, _ label: LabelNames.Label?, _ reader: inout BinaryReader
    ) throws(DecodingError) {
        out.write(opcode.info.name)
        if let label {
            out.space()
            out.write(labels.identifier(label))
        } else {
            out.write(" (;@")
            out.number(UInt64(labels.depth + 1))
            out.write(";)")
        }
        try immediates(opcode.info, &reader)
    }

    mutating func write(hint isLikely: Bool) {
        out.write("(@metadata.code.branch_hint \"\\0")
        out.byte(isLikely ? 0x31 : 0x30)
        out.write("\")")
    }
}
