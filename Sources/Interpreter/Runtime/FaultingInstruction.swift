// Invariants: the code pointer is where the machine left a run by a trap, so it points at a whole
// instruction of a function's code; the stack pointer is that function's frame, unchanged since,
// and the instruction names slots of it only. Slots hold operands of the types that validation
// proved.

import WasmMachine

/// The instruction that trapped, with its operands: read from register code and frame afterwards,
/// so that the machine need not record anything.
struct FaultingInstruction {
    let context: ContextView
    let accumulators: Accumulators
    /// Number of the first instruction of its family.
    let family: Int
    /// The disassembler's descriptions of it.
    let choices: [InstructionChoice]
    /// Operands that all instructions of the family have.
    let fields: StaticString
    private let words: CodePointer
    private let slots: StackPointer

    /// Nil if there is no machine instruction at the place, as where a run has not begun.
    init?(at place: GuestPlace, _ accumulators: Accumulators) {
        guard let number = Self.number(of: place.code[0]),
            let family = instructionFamilies.last(where: { $0.base <= number })
        else { return nil }
        self.family = family.base
        fields = family.fields
        choices = family.choices(at: number - family.base)
        context = ContextView(place.context)
        words = place.code
        slots = place.stack
        self.accumulators = accumulators
    }

    private static func number(of handler: CodeWord) -> Int? {
        for number in 0..<Instruction.count where Machine.handlers[number] == handler {
            return number
        }
        return nil
    }

    /// The first label up to the first blank: the name of the operation, without the form of an
    /// address.
    var name: Substring { "\(choices[0].label)".prefix { $0 != " " } }

    // MARK: Operands

    /// A word of the instruction; 0 is its handler.
    func word(_ index: Int) -> UInt64 { words[index] }
    /// A 16-bit field of words 1 and 2.
    func field(_ index: Int) -> Int {
        Int(words[1 + index / 4] &>> UInt64(16 * (index % 4)) & 0xffff)
    }
    /// The slot that a field names.
    func slot(_ index: Int) -> UInt64 { slots[field(index)] }
    /// The slots from that one on.
    func slots(from index: Int) -> StackPointer { slots + field(index) }
    /// The upper half of a word.
    func upperHalf(_ index: Int) -> UInt32 { UInt32(truncatingIfNeeded: words[index] &>> 32) }

    /// The operand of an integer or reference that a token of the table of instructions names.
    func value(_ token: some StringProtocol) -> UInt64 {
        guard token.first == "s", let index = token.dropFirst().first?.wholeNumberValue else {
            return accumulators.r
        }
        return slot(index)
    }

    /// The operands that a choice names.
    func tokens(_ choice: Int) -> [Substring] {
        guard choices.indices.contains(choice) else { return [] }
        return "\(choices[choice].fields)".split(separator: " ")
    }

    /// The effective address in a 32-bit memory that tokens describe: slots, accumulator and signed
    /// immediates are added in 32 bits, then unsigned ones without overflow.
    func address(_ tokens: [Substring]) -> UInt64 {
        var base: UInt32 = 0
        var offset: UInt64 = 0
        for token in tokens {
            let shift = token.split(separator: "<").dropFirst().first?.first?.wholeNumberValue ?? 0
            let index = token.dropFirst().first?.wholeNumberValue
            switch (token.first, index) {
            case ("s", let index?):
                base &+= UInt32(truncatingIfNeeded: slot(index)) &<< UInt32(shift)
            case ("r", _): base &+= UInt32(truncatingIfNeeded: accumulators.r) &<< UInt32(shift)
            case ("i", let index?):
                base &+= UInt32(bitPattern: Int32(Int16(truncatingIfNeeded: field(index))))
            case ("i", nil): base &+= upperHalf(1)
            case ("n", let index?): offset += UInt64(field(index))
            case ("u", nil): offset += UInt64(upperHalf(1))
            case ("u", _): offset += UInt64(upperHalf(2))
            default: break
            }
        }
        return UInt64(base) + offset
    }
}
