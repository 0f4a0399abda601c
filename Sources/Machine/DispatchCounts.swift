// Invariants: both tables are allocated once, with as many entries as their masks say, and never
// freed; only one thread counts.

#if COUNT_DISPATCHES
    /// Exact counts of the instructions that ran, for `Benchmarks/count`: not in ordinary builds.
    ///
    /// Counts sequences of three instructions that follow each other in the code, since those are
    /// what a fused instruction could replace. After a taken branch a new sequence begins. Counts
    /// of pairs and of single instructions are sums of these.
    public enum DispatchCounts {
        /// Marks "none" where a sequence begins.
        private static let none: UInt64 = 0xffff
        private static let capacity = 1 << 20
        /// A hash table: three numbers of 16 bits, and how often; a count of 0 is a free place.
        nonisolated(unsafe) private static let table = {
            let table = UnsafeMutablePointer<(key: UInt64, count: UInt64)>.allocate(
                capacity: capacity)
            table.initialize(repeating: (0, 0), count: capacity)
            return table
        }()
        nonisolated(unsafe) private static let numbers = {
            var numbers: [CodeWord: UInt16] = [:]
            for number in 0..<Instruction.count {
                numbers[Machine.handlers[number]] = UInt16(truncatingIfNeeded: number)
            }
            return numbers
        }()
        /// A small cache of `numbers`, by the middle bits of the address.
        nonisolated(unsafe) private static let cache = {
            let cache = UnsafeMutablePointer<(handler: CodeWord, number: UInt16)>.allocate(
                capacity: 1 << 16)
            cache.initialize(repeating: (0, 0), count: 1 << 16)
            return cache
        }()
        nonisolated(unsafe) private static var window: UInt64 = none << 16 | none
        nonisolated(unsafe) private static var place: UInt = 0
        /// Sequences that the table had no place for, though it has more than any program needs.
        nonisolated(unsafe) private static var lost: UInt64 = 0

        /// The longest instruction whose successor is recognised; `br_table` is followed by jumps.
        private static let longest: UInt = 6 * 8

        static func note(_ pc: CodePointer) {
            let address = UInt(bitPattern: pc)
            if address <= place || address - place > longest { window = none << 16 | none }
            place = address
            let key = (window << 16 | UInt64(number(pc.pointee))) & 0xffff_ffff_ffff
            window = key & 0xffff_ffff
            var index = Int(truncatingIfNeeded: (key &* 0x9e37_79b9_7f4a_7c15) >> 44)
            for _ in 0..<64 {
                if table[index].count == 0 { table[index].key = key }
                if table[index].key == key {
                    table[index].count &+= 1
                    return
                }
                index = (index + 1) & (capacity - 1)
            }
            lost &+= 1
        }

        private static func number(_ handler: CodeWord) -> UInt16 {
            let entry = cache + Int(truncatingIfNeeded: (handler >> 4) & 0xffff)
            if entry.pointee.handler != handler {
                entry.pointee = (handler, numbers[handler] ?? UInt16(truncatingIfNeeded: none))
            }
            return entry.pointee.number
        }

        /// Every sequence: how often it ran and the names of its instructions, separated by tabs,
        /// with a dash where there was no instruction.
        public static func lines() -> [String] {
            var lines = ["dispatches\t\(lost)\tlost"]
            for index in 0..<capacity where table[index].count > 0 {
                let names = [32, 16, 0].map { name(table[index].key >> $0 & 0xffff) }
                lines.append(
                    "dispatches\t\(table[index].count)\t\(names.joined(separator: "\t"))")
            }
            return lines
        }

        private static func name(_ number: UInt64) -> String {
            guard
                let family = instructionFamilies.last(where: {
                    number < none && $0.base <= Int(number)
                })
            else { return "-" }
            return family.choices(at: Int(number) - family.base)
                .map { "\($0.label)" }.joined(separator: " ")
        }
    }
#endif
