/// A family of register instructions: the cross product of its axes.
///
/// The number of an instruction is `base + mixed radix index` with the last axis varying fastest.
/// Every instruction is one concrete handler function that calls the family's generic template
/// with the type arguments of its choices.
///
/// # Fields
/// Where an operand is, as the disassembler reads it. Word 1 has four 16-bit fields 0 to 3;
/// its upper half is also one 32-bit field.
///
/// | token | meaning |
/// |---|---|
/// | `s0` ... `s3` | slot in 16-bit field 0 ... 3; `s4` ... `s7` those of word 2 |
/// | `r` | the accumulator of the operator's class |
/// | `i0` ... `i3` | signed 16-bit immediate in field 0 ... 3 |
/// | `i` | signed 32-bit immediate in the upper half of word 1 |
/// | `u`, `u2` | unsigned 32-bit immediate, there; in the upper half of word 2 |
/// | `n0` ... `n7` | unsigned 16-bit number in field 0 ... 7 |
/// | `h4`, `h5`, `u4`, `u5` | 32-bit immediate in the lower, upper half of word 2, (un)signed |
/// | `w` | 64-bit immediate in word 2 |
/// | `v` | vector immediate in words 2 and 3 |
/// | `b`, `b2`, `b16` | branch offset: upper half of word 1, of word 2, field 3 in words |
/// | `c` | absolute address in word 1 of the code table's entry: a function of the module |
public struct Family: Sendable {
    public let name: String
    /// The name of the generic function; empty for a family of one plain handler.
    public let template: String
    public let axes: [Axis]
    /// Operands that all instructions of the family have, after those of the choices.
    public let fields: String
    /// Code words of an instruction, without `extraWords` of its choices.
    public let words: Int
    public let comment: String
    /// Exceptions that the machine code of its handlers may contain; `Scripts/scan-handlers` checks
    /// it.
    public let code: HandlerCode

    /// Handlers end in a jump to the next one and use no native stack, with these exceptions.
    public enum HandlerCode: String, Sendable {
        case leaf
        /// May call functions and push values that are needed after the call: the runtime's
        /// operations, the C library, rounding.
        case mayCall = "may-call"
        /// May push values: in rare instructions with more live values than free registers.
        case mayPush = "may-push"
    }

    public init(
        _ name: String, _ template: String, _ axes: [Axis], fields: String = "", words: Int = 2,
        code: HandlerCode = .leaf, _ comment: String = ""
    ) {
        self.name = name
        self.template = template
        self.axes = axes
        self.fields = fields
        self.words = words
        self.comment = comment
        self.code = code
    }

    /// Number of instructions in the family.
    public var count: Int { axes.reduce(1) { $0 * $1.count } }

    /// The choices of instruction `index` of the family, one for each axis.
    public func choices(at index: Int) -> [Choice] {
        var rest = index
        var result: [Choice] = []
        for axis in axes.reversed() {
            result.append(axis.choices[rest % axis.count])
            rest /= axis.count
        }
        return result.reversed()
    }
}
