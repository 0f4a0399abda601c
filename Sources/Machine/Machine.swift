// The table of handlers, the fixed pieces of register code, and the drivers.
//
// Invariants: fixed code is allocated once, filled before the lazy global publishes it, and never
// freed. The table of handlers is allocated once and never freed; a group of it is filled under the
// lock before its bit of `readyGroups` publishes it, is never written again, and is not read before.
// Every word of it is the address of a function of type `Handler`.

import Synchronization

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
    package var handler: CodeWord {
        let group = number / Instruction.groupSize
        if Machine.readyGroups.load(ordering: .acquiring) & 1 &<< UInt64(group) == 0 {
            Machine.makeGroup(group)
        }
        return Machine.table[number]
    }
}

@inline(__always) func address(_ handler: Handler) -> UInt64 {
    UInt64(UInt(bitPattern: unsafeBitCast(handler, to: UnsafeRawPointer.self)))
}

@usableFromInline package enum Machine {
    /// Handler addresses by instruction number, of the groups that are ready: those that a small
    /// module uses lie on few pages of memory, and the others are never written.
    fileprivate nonisolated(unsafe) static let table = UnsafeMutablePointer<UInt64>.allocate(
        capacity: Instruction.count)
    /// A bit for each group of the table that is filled.
    fileprivate static let readyGroups = Atomic<UInt64>(0)
    private static let filling = Mutex<Void>(())

    @inline(never)
    fileprivate static func makeGroup(_ group: Int) {
        filling.withLock { _ in
            let bit = 1 &<< UInt64(group)
            // Written once only: others may read it as soon as the bit is set.
            guard readyGroups.load(ordering: .relaxed) & bit == 0 else { return }
            registerHandlers(group, table)
            readyGroups.bitwiseOr(bit, ordering: .releasing)
        }
    }

    /// Handler addresses by instruction number, all of them: for those who look for a number.
    package static var handlers: UnsafePointer<UInt64> {
        for number in stride(from: 0, to: Instruction.count, by: Instruction.groupSize) {
            _ = Instruction(number).handler
        }
        return UnsafePointer(table)
    }

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
