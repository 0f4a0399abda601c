// Writing code words, and the window of the last two instructions, which fusions examine.

import WasmMachine

/// A code word of four 16-bit fields.
func codeWord(_ f0: Int, _ f1: Int = 0, _ f2: Int = 0, _ f3: Int = 0) -> CodeWord {
    let low = field(f0) | field(f1) &<< 16
    let high = field(f2) | field(f3) &<< 16
    return low | high &<< 32
}

/// A code word of two 16-bit fields and one of 32 bits.
func codeWord(_ f0: Int, _ f1: Int, unsigned: UInt32) -> CodeWord {
    field(f0) | field(f1) &<< 16 | UInt64(unsigned) &<< 32
}

func codeWord(_ f0: Int, _ f1: Int, signed: Int) -> CodeWord {
    codeWord(f0, f1, unsigned: UInt32(truncatingIfNeeded: signed))
}

private func field(_ value: Int) -> CodeWord { UInt64(UInt16(truncatingIfNeeded: value)) }

extension Translator {
    // MARK: Instructions

    /// Emits an instruction of two words and clears the window. Returns where it starts.
    @discardableResult
    mutating func emit(_ instruction: Instruction, word: CodeWord) -> Int {
        let start = code.count
        code.append(instruction.handler)
        code.append(word)
        note(.other, start)
        return start
    }

    /// The same with a third word.
    @discardableResult
    mutating func emit(_ instruction: Instruction, word: CodeWord, _ third: CodeWord) -> Int {
        let start = code.count
        code.append(instruction.handler)
        code.append(word)
        code.append(third)
        note(.other, start)
        return start
    }

    /// Makes the instruction from `start` to the end of the code the last one of the window.
    mutating func note(_ kind: Emitted.Kind, _ start: Int) {
        previous = last
        last = Emitted()
        last.kind = kind
        last.start = start
        last.end = code.count
    }

    /// Removes the last instruction. The accumulators then hold what they held before it.
    mutating func rewind() {
        code.removeSubrange(last.start...)
        registers = last.before
        last = previous
        previous = Emitted()
    }

    /// A jump may lead here, so the accumulators and the instructions before are unknown.
    mutating func bindLabel() {
        registers = Registers()
        last = Emitted()
        previous = Emitted()
    }

    /// Emits an instruction with a result in slot `code word field 0` and in its accumulator, and
    /// pushes the result.
    ///
    /// - Parameters:
    ///   - word: word 1 without the destination.
    ///   - before: what the accumulators held before operands were taken from them.
    ///   - droppable: the next instruction number is the variant that does not write the slot.
    mutating func pushResult(
        _ instruction: Instruction, word: CodeWord, third: CodeWord? = nil,
        _ valueClass: ValueClass, before: Registers, kind: Emitted.Kind = .other,
        droppable: Bool = true
    ) {
        let destination = push(.temporary, valueClass)
        let start = code.count
        code.append(instruction.handler)
        code.append(word & ~0xffff | UInt64(UInt16(truncatingIfNeeded: destination)))
        if let third { code.append(third) }
        note(kind, start)
        last.destination = destination
        last.valueClass = valueClass
        last.before = before
        registers.forget(slot: destination)
        registers[valueClass] = RegisterContent(
            slot: destination, producer: droppable ? start : -1, instruction: instruction)
    }

    // MARK: Moves

    /// Copies the value of an entry that is not a constant.
    mutating func emitCopy(to destination: Int, of entry: Entry) {
        let source = slot(of: entry)
        if entry.valueClass == .vector {
            emitVectorCopy(to: destination, from: source)
        } else {
            emitCopy(to: destination, from: source)
        }
    }

    mutating func emitCopy(to destination: Int, from source: Int) {
        if destination == source { return }
        // Two copies in a row are one instruction, unless the second reads what the first wrote.
        if last.kind == .copy, last.end == code.count, last.destination != source {
            let first = code[last.start + 1]
            code[last.start] = Instruction.copyTwo.handler
            code[last.start + 1] = first & 0xffff_ffff | codeWord(0, 0, destination, source)
            // It writes two slots, so it must not be taken for the producer of one operand.
            last.kind = .other
            last.destination = -1
        } else if last.kind == .constant, last.end == code.count, last.destination != source,
            last.destination != destination
        {
            let constant = code[last.start + 1]
            code[last.start] = Instruction.copyConstant.handler
            code[last.start + 1] =
                codeWord(destination, source) | (constant & 0xffff) &<< 32
                | (constant &>> 32) &<< 48
            last.kind = .other
            last.destination = -1
        } else {
            emit(.copy, word: codeWord(destination, source))
            last.kind = .copy
            last.a.slot = source
            last.destination = destination
        }
        registers.forget(slot: destination)
    }

    mutating func emitConstant(to destination: Int, _ bits: UInt64) {
        if bits <= 0xffff, last.end == code.count,
            last.kind == .copy || last.kind == .constant
        {
            // One instruction together with the copy or the constant before.
            let first = code[last.start + 1]
            let isCopy = last.kind == .copy
            code[last.start] =
                (isCopy ? Instruction.copyConstant : Instruction.constantTwo).handler
            code[last.start + 1] =
                first & 0xffff | (isCopy ? first & 0xffff_0000 : (first &>> 32) &<< 16)
                | codeWord(0, 0, destination, Int(truncatingIfNeeded: bits))
            last.kind = .other
            last.destination = -1
            registers.forget(slot: destination)
            return
        }
        if bits <= 0xffff_ffff {
            emit(
                .constant32,
                word: codeWord(destination, 0, unsigned: UInt32(truncatingIfNeeded: bits)))
            if bits <= 0xffff { last.kind = .constant }
        } else {
            emit(.constant64, word: codeWord(destination), bits)
        }
        last.destination = destination
        registers.forget(slot: destination)
    }

    /// Copies a range of slots; destination and source may overlap.
    mutating func emitCopyRange(to destination: Int, from source: Int, _ count: Int) {
        if destination == source || count == 0 { return }
        emit(
            .copyRange,
            word: codeWord(destination, source, unsigned: UInt32(truncatingIfNeeded: count))
        )
        registers.forget(slots: destination..<(destination + count))
        noteWork(count / 8)
    }

    // MARK: Branch offsets

    /// Stores the byte offset from `instruction` to `target` in one half of a code word.
    mutating func setOffset(_ half: Int, from instruction: Int, to target: Int) {
        let offset = UInt64(UInt32(truncatingIfNeeded: (target - instruction) * 8))
        if half & 1 == 1 {
            code[half / 2] = code[half / 2] & 0xffff_ffff | offset &<< 32
        } else {
            code[half / 2] = code[half / 2] & ~0xffff_ffff | offset
        }
    }

    /// The branch at `instruction` goes to `label`: sets its offset now if the place of the label
    /// is known, else at the label's end.
    mutating func connect(_ label: Int, _ instruction: Int, half: Int) {
        if labels[label].kind == .loop {
            setOffset(half, from: instruction, to: labels[label].start)
            return
        }
        noteAssigned(label)
        fixups.append(Fixup(next: labels[label].fixup, instruction: instruction, half: half))
        labels[label].fixup = fixups.count - 1
    }

    /// Connects all forward branches of a label, which lead here.
    mutating func resolve(_ first: Int) {
        var index = first
        while index >= 0 {
            let fixup = fixups[index]
            setOffset(fixup.half, from: fixup.instruction, to: code.count)
            index = fixup.next
        }
    }

    /// Adds a path to the label's end, where a local counts as assigned if it is on all paths.
    mutating func noteAssigned(_ label: Int) {
        if labels[label].assignedAtEnd == nil {
            labels[label].assignedAtEnd = assigned
        } else {
            labels[label].assignedAtEnd?.formIntersection(assigned)
        }
    }
}
