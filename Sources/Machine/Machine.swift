// The table of handlers, the fixed pieces of register code, and the drivers.
//
// Invariants: tables and fixed code are allocated once, filled before the lazy global publishes
// them, and never freed; every word of the table is the address of a function of type `Handler`.

/// The number of a register instruction, an index into the table of handlers.
@usableFromInline package struct Instruction: Hashable, Sendable {
    @usableFromInline let compactNumber: UInt16
    @inlinable @inline(__always) package init(_ number: Int) {
        compactNumber = UInt16(truncatingIfNeeded: number)
    }

    @inlinable @inline(__always) package var number: Int { Int(compactNumber) }

    /// The variant of an instruction with a slot destination that only sets the accumulator.
    @inlinable package var registerOnly: Instruction { Instruction(number &+ 1) }

    /// Address of the handler: the first code word of every such instruction.
    package var handler: CodeWord { Machine.handlers[number] }
}

@inline(__always) func address(_ handler: Handler) -> UInt64 {
    UInt64(UInt(bitPattern: unsafeBitCast(handler, to: UnsafeRawPointer.self)))
}

@usableFromInline package enum Machine {
    /// Handler addresses by instruction number; filled once, then only read.
    package nonisolated(unsafe) static let handlers: UnsafeMutablePointer<UInt64> = {
        let table = UnsafeMutablePointer<UInt64>.allocate(capacity: Instruction.count)
        registerAllHandlers(table)
        return table
    }()

    /// A return to this code ends the run.
    package nonisolated(unsafe) static let haltCode: CodePointer = fixedCode(.halt)
    /// A return to this code goes back to the instance that called, see `crossCall`.
    package nonisolated(unsafe) static let crossReturnCode: CodePointer = fixedCode(.crossReturn)

    private static func fixedCode(_ instruction: Instruction) -> CodePointer {
        let code = CodePointer.allocate(capacity: 2)
        code[0] = instruction.handler
        code[1] = 0
        return code
    }

    /// Runs register code until it returns to `haltCode` or traps; what happened is then in the
    /// context's `MachineExchange`.
    ///
    /// `stack` is a frame with its arguments, whose header holds `haltCode` and the frame's own
    /// address; or it is the frame where a run was suspended.
    package static func run(
        code: CodePointer, stack: StackPointer, context: ContextPointer,
        accumulators: Accumulators = Accumulators()
    ) {
        let memory = context.load(
            fromByteOffset: ContextOffset.memory0, as: UnsafePointer<MemoryRecord>.self)
        dispatch(
            code, stack, memory.pointee.base, memory.pointee.byteCount, context, accumulators.r,
            accumulators.f, accumulators.g)
        #if DEBUG || DRIVER_LOOP
            let exchange = context.load(
                fromByteOffset: ContextOffset.exchange,
                as: UnsafeMutablePointer<MachineExchange>.self)
            while let m = exchange.pointee.next {
                exchange.pointee.dispatchCount &+= 1
                #if COUNT_DISPATCHES
                    DispatchCounts.note(m.pc)
                #endif
                unsafeBitCast(UInt(m.pc.pointee), to: Handler.self)(
                    m.pc, m.sp, m.md, m.ms, m.cx, m.r, m.f, m.g)
            }
        #endif
    }
}
