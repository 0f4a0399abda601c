// Invariants: `base` ..< `end` is a mapping of the kernel that lives until `release`; `limit` lies
// in it with `slack` bytes behind; `top` is at most `end`. The fields of the store describe the stack
// that guests run on now, and no other value does.

/// A value stack that no guest runs on at the moment.
///
/// The store has one for calls. Every `Execution` has one of its own, so that guests that wait lie
/// side by side and may go on in any order; while it runs, it holds the stack that it took the
/// place of.
struct ValueStack {
    var base: UnsafeMutableRawPointer
    /// No frame starts above this address.
    var limit: UnsafeMutableRawPointer
    var end: UnsafeMutableRawPointer
    /// The first slot that no frame in use covers.
    var top: StackPointer

    /// Room behind the limit: the largest frame, and some for the entry from the host.
    private static let slack = 65_536 * 8 + 4096

    /// Maps a stack; memory is used as it is touched.
    init(byteCount: Int, from pool: ReservationPool) throws(ResourceError) {
        let wanted = min(max(byteCount, 4096), 1 << 40)
        guard let usable = SystemMemory.roundedUp(wanted),
            let mapped = SystemMemory.roundedUp(usable + Self.slack),
            let base = pool.takeMapping(mapped)
        else { throw .outOfMemory }
        self.base = base
        limit = base + usable
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

    func release(to pool: ReservationPool) { pool.giveMapping(base, end - base) }
}

extension Store {
    /// Maps the value stack if that was not done yet.
    func prepareStack() throws(ResourceError) {
        guard valueStack == nil else { return }
        use(try makeStack())
    }

    func makeStack() throws(ResourceError) -> ValueStack {
        try ValueStack(
            byteCount: limits.stackBytes, from: engine.reservations)
    }

    /// Lets guests run on another stack, and answers the one before, which was prepared.
    func exchangeStack(_ other: ValueStack) -> ValueStack? {
        guard let valueStack else { return nil }
        let before = ValueStack(
            base: valueStack, limit: stackLimit, end: stackEnd, top: execution.pointee.top)
        use(other)
        return before
    }

    private func use(_ stack: ValueStack) {
        valueStack = stack.base
        stackLimit = stack.limit
        stackEnd = stack.end
        execution.pointee.top = stack.top
        for instance in instances {
            instance.context.storeBytes(
                of: stack.limit, toByteOffset: ContextOffset.stackLimit,
                as: UnsafeMutableRawPointer.self)
        }
    }
}
