// Invariants: `base` ..< `end` is a mapping of the kernel that lives until `release`; `limit` is in
// it with at least `slack` bytes after it, and everything before those bytes' end is charged to the
// store's account; `top` is at most `end`. Only the fields of the store describe the stack that
// guests run on now, no other value does.

import WasmMachine
import WasmSystem

/// A value stack that no guest runs on at the moment.
///
/// The store has one for calls. Every `Execution` has one of its own, so that waiting guests are
/// independent and may continue in any order; while it runs, it holds the stack that it replaced.
struct ValueStack {
    var base: UnsafeMutableRawPointer
    /// No frame starts above this address at the moment.
    var limit: UnsafeMutableRawPointer
    var end: UnsafeMutableRawPointer
    /// The first slot that no frame in use covers.
    var top: StackPointer

    /// Room after the limit: the largest frame, and some for the entry from the host.
    private static let slack = 65_536 * 8 + 4096
    /// Bytes of a stack that can be used at first; more are charged when they are needed.
    private static let firstPart = 64 << 10

    /// Maps a stack; memory is used as it is touched.
    init(
        byteCount: Int, from pool: ReservationPool, _ account: ResourceAccount
    ) throws(ResourceError) {
        let wanted = min(max(byteCount, 4096), 1 << 40)
        let charged = min(wanted, Self.firstPart) + Self.slack
        guard account.charge(charged) else { throw .totalExceeded(limit: account.limit) }
        guard let usable = SystemMemory.roundedUp(wanted),
            let mapped = SystemMemory.roundedUp(usable + Self.slack),
            let base = pool.takeMapping(mapped)
        else {
            account.release(charged)
            throw .outOfMemory
        }
        self.base = base
        limit = base + (charged - Self.slack)
        end = base + mapped
        top = base.bindMemory(to: Slot.self, capacity: mapped / 8)
    }

    fileprivate init(
        base: UnsafeMutableRawPointer, limit: UnsafeMutableRawPointer,
        end: UnsafeMutableRawPointer, top: StackPointer
    ) {
        self.base = base
        self.limit = limit
        self.end = end
        self.top = top
    }

    func release(to pool: ReservationPool, _ account: ResourceAccount) {
        // Frames end before the slack's end, so that nothing after it was touched.
        pool.giveMapping(base, end - base, touched: limit - base + Self.slack)
        account.release(limit - base + Self.slack)
    }

    /// Raises the limit to `wanted` at least.
    ///
    /// - Returns: nil, or what forbids it.
    mutating func grow(
        to wanted: UnsafeMutableRawPointer, _ account: ResourceAccount
    ) -> TrapCode? {
        let most = end - Self.slack
        guard wanted <= most else { return .stackExhausted }
        let used = limit - base
        // Doubling keeps growing rare; without room for that, as much as is needed.
        for size in [max(2 * used, wanted - base), wanted - base] {
            let next = min(size, most - base)
            guard account.charge(next - used) else { continue }
            limit = base + next
            return nil
        }
        return .totalExhausted
    }
}

extension Store {
    /// Maps the value stack if that was not done yet.
    func prepareStack() throws(ResourceError) {
        guard valueStack == nil else { return }
        use(try makeStack())
    }

    func makeStack() throws(ResourceError) -> ValueStack {
        try ValueStack(
            byteCount: limits.stackBytes, from: engine.reservations, account)
    }

    /// The stack that guests run on; nil if none was needed yet.
    var currentStack: ValueStack? {
        guard let valueStack else { return nil }
        return ValueStack(
            base: valueStack, limit: stackLimit, end: stackEnd, top: exchange.pointee.top)
    }

    /// Lets guests run on another stack, and returns the one before; nil for none: the store's own
    /// is mapped when a call needs it. Constant time: the limit is passed to instances when their
    /// code is entered.
    func exchangeStack(_ other: ValueStack?) -> ValueStack? {
        let before = currentStack
        if let other { use(other) } else { useNone() }
        return before
    }

    /// Lets frames start up to `wanted`, if the stack is as large and the program may have it.
    ///
    /// - Returns: nil, or why not: `stackExhausted` or `totalExhausted`.
    func growStack(to wanted: UnsafeMutableRawPointer) -> TrapCode? {
        guard var stack = currentStack else { return .stackExhausted }
        if wanted > stackLimit, let code = stack.grow(to: wanted, account) { return code }
        // The store must not change the stack pointer of the running guest.
        stackLimit = stack.limit
        return nil
    }

    private func use(_ stack: ValueStack) {
        valueStack = stack.base
        stackLimit = stack.limit
        stackEnd = stack.end
        exchange.pointee.top = stack.top
    }

    /// As in a new store.
    private func useNone() {
        let nowhere = UnsafeMutableRawPointer(exchange)
        valueStack = nil
        stackLimit = nowhere
        stackEnd = nowhere
        exchange.pointee.top = nowhere.assumingMemoryBound(to: Slot.self)
    }
}
