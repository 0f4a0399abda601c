// The machine's state and how one instruction dispatches to the next.
//
// Invariants: `pc` points at an instruction that the translator wrote; `sp` at a frame whose slots
// (as many as the function's code names) lie within the value stack or the slack after it; `cx` at
// a context block; `md` and `ms` describe memory 0 of that context. Validation proved that the
// operands an instruction names have the types it expects.

typealias MemoryPointer = UnsafeMutableRawPointer

/// Every handler has this signature; its eight values travel in machine registers.
typealias Handler =
    @convention(c) (
        CodePointer, StackPointer, MemoryPointer, UInt, ContextPointer, UInt64, Double, Float
    ) -> Void

/// The eight values, as a struct that the optimiser takes apart.
struct State {
    /// The current instruction.
    let pc: CodePointer
    /// Slot 0 of the current frame.
    let sp: StackPointer
    /// Base and size in bytes of memory 0.
    let md: MemoryPointer
    let ms: UInt
    /// The context block of the running instance.
    let cx: ContextPointer
    /// The accumulators: integers and references, f64, f32.
    let r: UInt64
    let f: Double
    let g: Float

    @inline(__always) init(
        _ pc: CodePointer, _ sp: StackPointer, _ md: MemoryPointer, _ ms: UInt,
        _ cx: ContextPointer, _ r: UInt64, _ f: Double, _ g: Float
    ) {
        self.pc = pc
        self.sp = sp
        self.md = md
        self.ms = ms
        self.cx = cx
        self.r = r
        self.f = f
        self.g = g
    }
}

// MARK: Operand fields

// Each field is loaded on its own: one 64-bit load with shifts was up to twice as slow.
extension State {
    @inline(__always) var raw: UnsafeRawPointer { UnsafeRawPointer(pc) }

    @inline(__always) func field(_ index: Int) -> Int {
        Int(raw.load(fromByteOffset: 8 &+ 2 &* index, as: UInt16.self))
    }
    @inline(__always) func signedField(_ index: Int) -> Int32 {
        Int32(raw.load(fromByteOffset: 8 &+ 2 &* index, as: Int16.self))
    }
    @inline(__always) var signedHalf: Int32 { raw.load(fromByteOffset: 12, as: Int32.self) }
    @inline(__always) var unsignedHalf: UInt {
        UInt(raw.load(fromByteOffset: 12, as: UInt32.self))
    }
    /// Upper half of word 2.
    @inline(__always) var farHalf: Int32 { raw.load(fromByteOffset: 20, as: Int32.self) }
    /// Lower half of word 2.
    @inline(__always) var nearHalf: Int32 { raw.load(fromByteOffset: 16, as: Int32.self) }
    @inline(__always) func word(_ index: Int) -> UInt64 { pc[index] }
}

// MARK: Dispatch

#if DEBUG || DRIVER_LOOP
    /// Without the optimiser there are no tail calls, and counting needs to see every instruction:
    /// stores the state and returns to the driver loop.
    @inline(__always) func dispatch(
        _ pc: CodePointer, _ sp: StackPointer, _ md: MemoryPointer, _ ms: UInt,
        _ cx: ContextPointer, _ r: UInt64, _ f: Double, _ g: Float
    ) {
        let exchange = cx.load(
            fromByteOffset: ContextOffset.exchange, as: UnsafeMutablePointer<MachineExchange>.self)
        exchange.pointee.next = State(pc, sp, md, ms, cx, r, f, g)
    }
#else
    /// Jumps to the handler of the instruction at `pc`.
    @inline(__always) func dispatch(
        _ pc: CodePointer, _ sp: StackPointer, _ md: MemoryPointer, _ ms: UInt,
        _ cx: ContextPointer, _ r: UInt64, _ f: Double, _ g: Float
    ) {
        unsafeBitCast(UInt(pc.pointee), to: Handler.self)(pc, sp, md, ms, cx, r, f, g)
    }
#endif

extension State {
    /// Continues with the instruction `words` further.
    @inline(__always) func next(_ words: Int) {
        dispatch(pc + words, sp, md, ms, cx, r, f, g)
    }

    /// The instruction `offset` bytes from this one.
    @inline(__always) func target(_ offset: Int32) -> CodePointer {
        (UnsafeMutableRawPointer(pc) + Int(offset)).assumingMemoryBound(to: CodeWord.self)
    }

    /// Takes units of budget; returns true if there were fewer.
    @inline(__always) func useBudget(_ units: Int64 = 1) -> Bool {
        let left = cx.load(fromByteOffset: ContextOffset.budget, as: Int64.self) &- units
        cx.storeBytes(of: left, toByteOffset: ContextOffset.budget, as: Int64.self)
        return left < 0
    }

    @inline(__always) func trap(_ code: TrapCode) {
        leave(pc, sp, md, UInt(code.rawValue), cx, r, f, g)
    }

    /// Continues at `pc` after something that may have changed the size of memory 0.
    @inline(__always) func resume(
        _ pc: CodePointer, _ sp: StackPointer, _ cx: ContextPointer, _ first: Slot
    ) {
        let memory = cx.load(
            fromByteOffset: ContextOffset.memory0, as: UnsafePointer<MemoryRecord>.self)
        dispatch(
            pc, sp, memory.pointee.base, memory.pointee.byteCount, cx, first,
            Double(bitPattern: first), Float(bitPattern: UInt32(truncatingIfNeeded: first)))
    }

    @inline(__always) var exchange: UnsafeMutablePointer<MachineExchange> {
        cx.load(
            fromByteOffset: ContextOffset.exchange, as: UnsafeMutablePointer<MachineExchange>.self)
    }
}

/// Ends a run, unless the access was out of bounds only of a size of memory that is outdated.
@inline(never) func leave(
    _ pc: CodePointer, _ sp: StackPointer, _ md: MemoryPointer, _ code: UInt,
    _ cx: ContextPointer, _ r: UInt64, _ f: Double, _ g: Float
) {
    // Another thread may have grown a shared memory: then the instruction at `pc`, which has
    // changed nothing yet, runs again.
    if code == UInt(TrapCode.outOfBoundsMemoryAccess.rawValue), upcalls(cx).pointee.memoriesGrew(cx)
    {
        let memory = cx.load(
            fromByteOffset: ContextOffset.memory0, as: UnsafePointer<MemoryRecord>.self)
        return dispatch(
            pc, sp, memory.pointee.base, memory.pointee.byteCount, cx, r, f, g)
    }
    // An operand of the instruction that traps may be here: see `FaultingInstruction`.
    let exchange = cx.load(
        fromByteOffset: ContextOffset.exchange, as: UnsafeMutablePointer<MachineExchange>.self)
    exchange.pointee.accumulators = Accumulators(r: r, f: f, g: g)
    end(pc, sp, md, code, cx, r, f, g)
}

/// Ends a run: stores why (`code` is a `TrapCode`, 0 for none) and where, then returns.
@inline(__always) private func end(
    _ pc: CodePointer, _ sp: StackPointer, _ md: MemoryPointer, _ code: UInt,
    _ cx: ContextPointer, _ r: UInt64, _ f: Double, _ g: Float
) {
    let exchange = cx.load(
        fromByteOffset: ContextOffset.exchange, as: UnsafeMutablePointer<MachineExchange>.self)
    exchange.pointee.exitCode = UInt64(code)
    exchange.pointee.code = pc
    exchange.pointee.stack = sp
    exchange.pointee.context = cx
    exchange.pointee.budget = cx.load(fromByteOffset: ContextOffset.budget, as: Int64.self)
    #if DEBUG || DRIVER_LOOP
        exchange.pointee.next = nil
    #endif
}

/// The store's code for a run that ends now and can continue later; not a trap code.
@inlinable package var suspended: UInt64 { 257 }

/// Asks the store for more budget and continues at `pc`, or traps or is suspended there.
@inline(never) func refillBudget(
    _ pc: CodePointer, _ sp: StackPointer, _ md: MemoryPointer, _ ms: UInt,
    _ cx: ContextPointer, _ r: UInt64, _ f: Double, _ g: Float
) {
    let exchange = cx.load(
        fromByteOffset: ContextOffset.exchange, as: UnsafeMutablePointer<MachineExchange>.self)
    exchange.pointee.budget = cx.load(fromByteOffset: ContextOffset.budget, as: Int64.self)
    exchange.pointee.code = pc
    exchange.pointee.stack = sp
    exchange.pointee.context = cx
    let code = exchange.pointee.upcalls.pointee.refillBudget(cx)
    if code != 0 {
        if code == suspended { exchange.pointee.accumulators = Accumulators(r: r, f: f, g: g) }
        return leave(pc, sp, md, UInt(code), cx, r, f, g)
    }
    cx.storeBytes(
        of: exchange.pointee.budget, toByteOffset: ContextOffset.budget, as: Int64.self)
    dispatch(pc, sp, md, ms, cx, r, f, g)
}
