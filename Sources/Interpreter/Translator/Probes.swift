// Instructions that observe the guest; see `docs/observation.md`.

/// A counter in the code: its instruction, and the file offset of its block.
struct BlockProbe {
    var word: Int
    var offset: Int
}

extension Translator {
    /// Reports the call of the function to the observer or, just before it returns, the return.
    /// Changes neither slots nor accumulators.
    mutating func probeCall(isReturn: Bool) {
        guard options.contains(.callProbes) else { return }
        let index = UInt32(truncatingIfNeeded: functionIndex)
        emit(.observeCall, word: codeWord(isReturn ? 1 : 0, 0, unsigned: index))
    }

    /// Counts the block that begins with the next instruction, if one does. Records whether another
    /// begins after that.
    mutating func probeBlock() {
        if beginsBlock, !isUnreachable {
            blocks.append(BlockProbe(word: emit(.countBlock, word: 0), offset: reader.offset))
        }
        var ahead = reader
        // The instruction is read again later, which reports errors in it.
        beginsBlock = (try? ahead.opcode()).map(Self.endsBlock) ?? false
    }

    /// Whether code after an instruction may not run although the instruction did. That includes
    /// calls, which may not return.
    private static func endsBlock(_ opcode: Opcode) -> Bool {
        switch opcode {
        case .loop, .if, .else, .end, .try, .catch, .catchAll, .delegate, .tryTable, .brIf,
            .brOnNull, .brOnNonNull, .brOnCast, .brOnCastFail, .call, .callIndirect, .callRef:
            true
        default: false
        }
    }
}
