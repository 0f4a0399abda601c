// Atomic accesses, any memory. Results are zero-extended, so that the same instruction serves i32 and
// i64. They are rare and slow by nature: one form each, operands in slots.

/// A choice for every width; `template` makes the type argument from the width's type.
private func widths(_ label: String, _ template: (String) -> String = { "\($0).self" }) -> Axis {
    [8, 16, 32, 64].map { Choice("\(label)\($0)", template("UInt\($0)")) }
}

let atomicFamilies = [
    Family(
        "atomicLoad", "atomicLoad", [widths("atomic.load")], fields: "s0 s1 w", words: 4,
        "offset in word 2, index of the memory in word 3"),
    Family(
        "atomicStore", "atomicStore", [widths("atomic.store")], fields: "s0 s1 w",
        words: 4, "the value in field 0"),
    Family(
        "atomicModify", "atomicModify",
        [
            [
                ("add", "AtomicAdd"), ("sub", "AtomicSubtract"), ("and", "AtomicAnd"),
                ("or", "AtomicOr"), ("xor", "AtomicXor"), ("xchg", "AtomicExchange"),
            ].flatMap { name, operation in
                widths("atomic.rmw.\(name)") { "\(operation)<\($0)>.self" }
            }
        ], fields: "s0 s1 s2 w", words: 4),
    Family(
        "atomicCompareExchange", "atomicCompareExchange",
        [widths("atomic.rmw.cmpxchg")], fields: "s0 s1 s2 s3 w", words: 4,
        "expected value in field 2, replacement in field 3"),
    Family(
        "atomicNotify", "atomicNotify", [[Choice("atomic.notify", "")]], fields: "s0 s1 s2 w",
        words: 4),
    Family(
        "atomicWait", "atomicWait", [[Choice("atomic.wait", "")]], fields: "s0 s1 s2 s3 w",
        words: 4, "word 3: the memory, and in its upper half the bytes to compare, 4 or 8"),
    Family("atomicFence", "atomicFence", [[Choice("atomic.fence", "")]]),
]
