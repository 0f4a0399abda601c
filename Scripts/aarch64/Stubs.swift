// What handlers call in the runtime. Each notes its arguments and, where it can, does what the
// engine's own function does to the state that handlers see; `Script` says how it ends.

import Synchronization
import WasmMachine

/// How the calls out of the current run end, and a digest of their arguments.
enum Script {
    nonisolated(unsafe) static var log = Digest()
    nonisolated(unsafe) static var calls = 0
    /// Chooses the outcome.
    nonisolated(unsafe) static var choice = 0
    /// The instance that runs, where a whole module does.
    nonisolated(unsafe) static var guest: Guest?

    static func note(_ name: UInt64, _ arguments: UInt64...) {
        calls += 1
        log.add(name)
        for argument in arguments { log.add(argument) }
    }

    /// 0, or a trap code in a quarter of the runs.
    static func outcome(_ code: TrapCode) -> UInt64 {
        choice % 4 == 3 ? UInt64(code.rawValue) : 0
    }

    /// Says where the machine goes on after an exception.
    static func land() {
        Stage.exchange.pointee.code = Stage.code + Landing.handler
        Stage.exchange.pointee.stack = Stage.frame - 32
        Stage.exchange.pointee.context = Stage.context(choice / 4 % 2)
    }
}

/// As in the engine.
private let growthStopped: UInt64 = 1 << 62

private func number(_ value: Int) -> UInt64 { UInt64(truncatingIfNeeded: value) }

func runtimeMemoryGrow(_ cx: ContextPointer, _ memory: Int, _ delta: UInt64) -> UInt64 {
    if let guest = Script.guest { return guest.growMemory(memory, delta) }
    Script.note(1, number(memory), delta)
    let old = Stage.memories[memory].byteCount
    if Script.choice % 4 == 1 { return .max }
    if Script.choice % 4 == 3 { return growthStopped | UInt64(TrapCode.interrupted.rawValue) }
    Stage.memories[memory].byteCount += 8
    return UInt64(old)
}
func runtimeMemoryInit(
    _ cx: ContextPointer, _ memory: Int, _ segment: Int, _ d: UInt64, _ s: UInt64, _ n: UInt64
) -> UInt64 {
    if let guest = Script.guest { return guest.initializeMemory(memory, segment, d, s, n) }
    Script.note(2, number(memory), number(segment), d, s, n)
    return Script.outcome(.outOfBoundsMemoryAccess)
}
func runtimeMemoryCopy(
    _ cx: ContextPointer, _ to: Int, _ from: Int, _ d: UInt64, _ s: UInt64, _ n: UInt64
) -> UInt64 {
    if let guest = Script.guest { return guest.copyMemory(to, from, d, s, n) }
    Script.note(3, number(to), number(from), d, s, n)
    return Script.outcome(.outOfBoundsMemoryAccess)
}
func runtimeMemoryFill(
    _ cx: ContextPointer, _ memory: Int, _ d: UInt64, _ value: UInt64, _ n: UInt64
) -> UInt64 {
    if let guest = Script.guest { return guest.fillMemory(memory, d, value, n) }
    Script.note(4, number(memory), d, value, n)
    return Script.outcome(.outOfBoundsMemoryAccess)
}
func runtimeDataDrop(_ cx: ContextPointer, _ segment: Int) { Script.note(5, number(segment)) }
func runtimeElementDrop(_ cx: ContextPointer, _ segment: Int) { Script.note(6, number(segment)) }
func runtimeTableGrow(
    _ cx: ContextPointer, _ table: Int, _ value: UInt64, _ delta: UInt64
) -> UInt64 {
    Script.note(7, number(table), value, delta)
    let old = Stage.tables[table].count
    if Script.choice % 4 == 1 { return .max }
    if Script.choice % 4 == 3 { return growthStopped | UInt64(TrapCode.interrupted.rawValue) }
    Stage.tables[table].count += 1
    return UInt64(old)
}
func runtimeTableFill(
    _ cx: ContextPointer, _ table: Int, _ d: UInt64, _ value: UInt64, _ n: UInt64
) -> UInt64 {
    Script.note(8, number(table), d, value, n)
    return Script.outcome(.outOfBoundsTableAccess)
}
func runtimeTableCopy(
    _ cx: ContextPointer, _ to: Int, _ from: Int, _ d: UInt64, _ s: UInt64, _ n: UInt64
) -> UInt64 {
    Script.note(9, number(to), number(from), d, s, n)
    return Script.outcome(.outOfBoundsTableAccess)
}
func runtimeTableInit(
    _ cx: ContextPointer, _ table: Int, _ segment: Int, _ d: UInt64, _ s: UInt64, _ n: UInt64
) -> UInt64 {
    Script.note(10, number(table), number(segment), d, s, n)
    return Script.outcome(.outOfBoundsTableAccess)
}
func runtimeFunctionReference(_ cx: ContextPointer, _ function: Int) -> UInt64 {
    Script.note(11, number(function))
    return Stage.number(Stage.functions + function % 5)
}
/// Odd types extend every other.
func runtimeIsSubtype(_ cx: ContextPointer, _ actual: UInt32, _ expected: UInt32) -> Bool {
    Script.note(12, UInt64(actual), UInt64(expected))
    return Script.guest == nil && actual & 1 == 1
}
func runtimeCallHost(
    _ function: UnsafeMutableRawPointer, _ arguments: StackPointer, _ cx: ContextPointer
) -> UInt64 {
    let record = function.assumingMemoryBound(to: FunctionRecord.self)
    if let guest = Script.guest { return guest.callHost(record, arguments) }
    Script.note(13, Stage.number(record), arguments[0], arguments[1], Stage.number(cx))
    Script.log.add(Stage.number(Stage.exchange.pointee.top))
    arguments[0] = arguments[0] &+ arguments[1]
    switch Script.choice % 4 {
    case 2: return UInt64(TrapCode.hostError.rawValue)
    case 3:
        Script.land()
        return landed
    default: return 0
    }
}
/// The bit may be there without a reason to stop.
func runtimeStopRequest(_ cx: ContextPointer) -> UInt64 {
    Script.note(24)
    switch Script.choice / 8 % 4 {
    case 0: return 0
    case 1: return UInt64(TrapCode.interrupted.rawValue)
    default: return UInt64(TrapCode.deadlineExceeded.rawValue)
    }
}
func runtimeBudgetExhausted(_ cx: ContextPointer) -> UInt64 {
    let exchange = Stage.exchange
    if Script.guest != nil {
        exchange.pointee.budget = 1 << 40
        return 0
    }
    Script.note(14, UInt64(bitPattern: exchange.pointee.budget))
    switch Script.choice % 4 {
    case 0:
        exchange.pointee.budget = 50
        return 0
    case 1: return UInt64(TrapCode.outOfFuel.rawValue)
    case 2: return suspended
    default: return UInt64(TrapCode.interrupted.rawValue)
    }
}
func runtimeTranslate(_ cx: ContextPointer, _ definedFunction: Int) -> UInt64 {
    Script.note(15, number(definedFunction))
    return Script.choice % 4 == 3
        ? UInt64(TrapCode.interrupted.rawValue) : Stage.number(Stage.code + Landing.callee)
}
func runtimeNotify(
    _ cx: ContextPointer, _ memory: Int, _ address: UInt64, _ count: UInt64
) -> UInt64 {
    Script.note(16, number(memory), address, count)
    return number(Script.choice % 4)
}
func runtimeWait(
    _ cx: ContextPointer, _ memory: Int, _ address: UInt64, _ is64: Bool, _ expected: UInt64,
    _ timeout: UInt64
) -> UInt64 {
    Script.note(17, number(memory), address, is64 ? 8 : 4, expected, timeout)
    let choice = number(Script.choice % 4)
    return choice == 3 ? UInt64(TrapCode.expectedSharedMemory.rawValue) &<< 32 : choice
}
/// Once in a while the memory has grown.
func runtimeMemoriesGrew(_ cx: ContextPointer) -> Bool {
    if Script.guest != nil || Script.choice % 8 != 7 { return false }
    Script.note(18)
    Script.choice += 1
    Stage.memories[0].byteCount += 16
    Stage.memories[1].byteCount += 16
    return true
}
func runtimeThrow(_ cx: ContextPointer, _ tag: Int, _ payload: StackPointer) -> UInt64 {
    Script.note(19, number(tag), payload[0], UInt64(UInt(bitPattern: payload)))
    Script.land()
    return Script.outcome(.hostError)
}
func runtimeThrowReference(_ cx: ContextPointer, _ reference: UInt64) -> UInt64 {
    Script.note(20, reference)
    Script.land()
    return Script.outcome(.hostError)
}
/// Puts the second spare cell into the list.
func runtimeRefill(
    _ cx: ContextPointer, _ sizeClass: Int, _ type: UInt32, _ top: StackPointer
) -> UInt64 {
    Script.note(21, number(sizeClass), UInt64(type), Stage.number(top))
    Stage.heap.storeBytes(
        of: Stage.number(Stage.objects + Objects.spare[1]),
        toByteOffset: HeapOffset.freeList(sizeClass), as: UInt64.self)
    return Script.outcome(.heapExhausted)
}
func runtimeAggregate(_ pc: CodePointer, _ sp: StackPointer, _ cx: ContextPointer) -> UInt64 {
    Script.note(22, pc[1], pc[2], pc[3], Stage.number(sp))
    switch Script.choice % 4 {
    case 0: return 0
    case 3: return UInt64(TrapCode.outOfBoundsArrayAccess.rawValue)
    default: return Stage.number(Stage.objects + Objects.array)
    }
}
func runtimeObserveCall(_ cx: ContextPointer, _ event: Int, _ function: UInt32) {
    Script.note(23, number(event), UInt64(function))
    Stage.memories[0].byteCount += 8
}
/// The stack is as large as it gets.
func runtimeGrowStack(_ cx: ContextPointer, _ frame: UnsafeMutableRawPointer) -> UInt64 {
    Script.note(24, Stage.number(frame))
    return UInt64(TrapCode.stackExhausted.rawValue)
}
