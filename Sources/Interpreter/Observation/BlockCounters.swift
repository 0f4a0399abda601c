// Invariants: `base` points at as many initialised counters as there are `offsets`, as long as this
// object lives. The code that counts lives in the same `CodeTable` and not longer.

import Synchronization
import WasmMachine

/// How often each block of a function ran: code that runs from its first instruction to its last,
/// unless it traps.
final class BlockCounters: Sendable {
    /// Where in the module's file each block begins, ascending.
    let offsets: [Int]
    private nonisolated(unsafe) let base: UnsafeMutablePointer<Atomic<UInt>>

    init(offsets: [Int]) {
        self.offsets = offsets
        base = .allocate(capacity: max(offsets.count, 1))
        for index in offsets.indices { (base + index).initialize(to: Atomic(0)) }
    }

    deinit {
        base.deinitialize(count: offsets.count)
        base.deallocate()
    }

    /// What the code of block `index` adds to.
    func address(of index: Int) -> CodeWord { UInt64(UInt(bitPattern: base + index)) }

    /// How often each block was begun so far.
    var counts: [UInt64] {
        offsets.indices.map { UInt64(base[$0].load(ordering: .relaxed)) }
    }
}
