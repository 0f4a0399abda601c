// Atomic accesses, any memory. Results are zero-extended, so that the same instruction serves i32
// and i64. They are rare and slow, so each has one form, with operands in slots.

private let bits = [8, 16, 32, 64]
private let widthNames = bits.map { "bits\($0)" }

/// The instructions of WebAssembly that access this number of bits.
private func executing(_ choice: Choice, _ operation: String, _ bits: Int, _ suffix: String = "_u")
    -> Choice
{
    let parts = operation.split(separator: ".", omittingEmptySubsequences: false)
    let narrow = { (type: String) -> String in
        // `i32.atomic.load8_u`, `i32.atomic.rmw8.add_u`, `i32.atomic.store8`
        parts.count == 1
            ? "\(type).atomic.\(parts[0])\(bits)\(suffix)"
            : "\(type).atomic.\(parts[0])\(bits).\(parts[1])\(suffix)"
    }
    switch bits {
    case 32: return choice.executing("i32.atomic.\(operation)", narrow("i64"))
    case 64: return choice.executing("i64.atomic.\(operation)")
    default: return choice.executing(narrow("i32"), narrow("i64"))
    }
}

/// A choice for every width; `template` makes the type argument from the width's type.
private func widths(
    _ label: String, _ operation: String, _ suffix: String = "_u",
    _ template: (String) -> String = { "\($0).self" }
) -> Choices {
    bits.map {
        executing(
            Choice("\(label)\($0)", template("UInt\($0)")).named("bits\($0)"), operation, $0, suffix
        )
    }
}

private let modifications = [
    ("add", "AtomicAdd"), ("sub", "AtomicSubtract"), ("and", "AtomicAnd"), ("or", "AtomicOr"),
    ("xor", "AtomicXor"), ("xchg", "AtomicExchange"),
]

let atomicFamilies = [
    Family(
        "atomicLoad", "atomicLoad", [Axis("AtomicWidth", widths("atomic.load", "load"))],
        fields: "s0 s1 w", words: 4, code: .mayPush,
        "offset in word 2, index of the memory in word 3"),
    Family(
        "atomicStore", "atomicStore", [Axis("AtomicWidth", widths("atomic.store", "store", ""))],
        fields: "s0 s1 w", words: 4, code: .mayPush, "the value in field 0"),
    Family(
        "atomicModify", "atomicModify",
        [
            Axis(
                modifications.flatMap { name, operation in
                    widths("atomic.rmw.\(name)", "rmw.\(name)") { "\(operation)<\($0)>.self" }
                }, product: [("AtomicModify", modifications.map(\.0)), ("AtomicWidth", widthNames)])
        ], fields: "s0 s1 s2 w", words: 4, code: .mayPush),
    Family(
        "atomicCompareExchange", "atomicCompareExchange",
        [Axis("AtomicWidth", widths("atomic.rmw.cmpxchg", "rmw.cmpxchg"))],
        fields: "s0 s1 s2 s3 w", words: 4, code: .mayPush,
        "expected value in field 2, replacement in field 3"),
    Family(
        "atomicNotify", "atomicNotify", [[Choice("atomic.notify", "")]], fields: "s0 s1 s2 w",
        words: 4, code: .mayCall),
    Family(
        "atomicWait", "atomicWait", [[Choice("atomic.wait", "")]], fields: "s0 s1 s2 s3 w",
        words: 4, code: .mayCall,
        "word 3: the memory, and in its upper half the bytes to compare, 4 or 8"),
    Family("atomicFence", "atomicFence", [[Choice("atomic.fence", "")]]),
]
