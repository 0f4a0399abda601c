// Throwing. The store searches for a handler (`Runtime/Unwinding.swift`): it moves the payload and
// writes to the `MachineExchange` where to continue.
//
// Invariants: those of `State.swift`. The place that the store returns is in a frame that still
// exists, and the store has moved as many slots of payload as the handler's code expects.

/// Returned by a call or throw after which the machine continues at a handler; not a trap code.
@inlinable package var landed: UInt64 { 256 }

/// Field 0: the first slot of the payload; upper half of word 1: the tag.
@inline(__always) func throwException(_ m: State) {
    raise(
        m.pc, m.sp, UnsafeMutableRawPointer(m.sp + m.field(0)), m.unsignedHalf, m.cx, m.r, m.f, m.g)
}

/// Field 1: the slot of a reference to an exception.
@inline(__always) func throwReference(_ m: State) {
    let reference = m.sp[m.field(1)]
    if _slowPath(reference == 0) { return m.trap(.nullExceptionReference) }
    raiseAgain(m.pc, m.sp, m.md, m.ms, m.cx, reference, m.f, m.g)
}

/// Throws a new exception with the payload at `payload`; continues at its handler or ends the run.
@inline(never) func raise(
    _ pc: CodePointer, _ sp: StackPointer, _ payload: UnsafeMutableRawPointer, _ tag: UInt,
    _ cx: ContextPointer, _ r: UInt64, _ f: Double, _ g: Float
) {
    let m = State(pc, sp, payload, tag, cx, r, f, g)
    m.noteThrow()
    m.goOn(
        upcalls(cx).pointee.throwException(
            cx, Int(bitPattern: tag), payload.assumingMemoryBound(to: Slot.self)))
}

/// The same for an exception that was thrown before.
@inline(never) func raiseAgain(
    _ pc: CodePointer, _ sp: StackPointer, _ md: MemoryPointer, _ ms: UInt,
    _ cx: ContextPointer, _ reference: UInt64, _ f: Double, _ g: Float
) {
    let m = State(pc, sp, md, ms, cx, reference, f, g)
    m.noteThrow()
    m.goOn(upcalls(cx).pointee.throwReference(cx, reference))
}

extension State {
    /// Writes the guest's position and budget to the `MachineExchange`, for the store.
    @inline(__always) fileprivate func noteThrow() {
        let exchange = exchange
        exchange.pointee.code = pc
        exchange.pointee.stack = sp
        exchange.pointee.context = cx
        exchange.pointee.budget = cx.load(fromByteOffset: ContextOffset.budget, as: Int64.self)
    }

    /// Continues at the handler that was found, or ends the run if `code` is not 0.
    @inline(__always) fileprivate func goOn(_ code: UInt64) {
        cx.storeBytes(
            of: exchange.pointee.budget, toByteOffset: ContextOffset.budget, as: Int64.self)
        if code != 0 { return leave(pc, sp, md, UInt(code), cx, r, f, g) }
        land(exchange)
    }

    /// Continues where the `MachineExchange` says, with the budget in it.
    @inline(__always) func land(_ exchange: UnsafeMutablePointer<MachineExchange>) {
        let code = exchange.pointee.code.unsafelyUnwrapped
        let stack = exchange.pointee.stack.unsafelyUnwrapped
        let context = exchange.pointee.context.unsafelyUnwrapped
        context.storeBytes(
            of: exchange.pointee.budget, toByteOffset: ContextOffset.budget, as: Int64.self)
        passStackLimit(from: cx, to: context)
        resume(code, stack, context, 0)
    }
}
