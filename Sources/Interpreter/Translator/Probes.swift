// Instructions that observe the guest; see `docs/observation.md`.

/// A counter in the code: its instruction, and where in the file its block begins.
struct BlockProbe {
    var word: Int
    var offset: Int
}

extension Translator {
    /// Tells the observer of the function's call or, before it, of its return. Leaves slots and
    /// accumulators alone.
    mutating func probeCall(isReturn: Bool) {
        guard options.contains(.callProbes) else { return }
        let index = UInt32(truncatingIfNeeded: functionIndex)
        emit(.observeCall, word: codeWord(isReturn ? 1 : 0, 0, unsigned: index))
    }

    /// Counts the block that begins with the next instruction, if one does. Notes whether another
    /// begins behind that.
    mutating func probeBlock() {
        if beginsBlock, !isUnreachable {
            blocks.append(BlockProbe(word: emit(.countBlock, word: 0), offset: reader.offset))
        }
        var ahead = reader
        // The instruction is read again in a moment; what is wrong with it is said there.
        beginsBlock = (try? ahead.opcode()).map(Self.endsBlock) ?? false
    }

    /// Whether what follows an instruction does not always run when the instruction does. Calls are
    /// among them: they may not return.
    private static func endsBlock(_ opcode: Opcode) -> Bool {
        switch opcode {
        case .loop, .if, .else, .end, .try, .catch, .catchAll, .delegate, .tryTable, .brIf,
            .brOnNull, .brOnNonNull, .brOnCast, .brOnCastFail, .call, .callIndirect, .callRef:
            true
        default: false
        }
    }
}
