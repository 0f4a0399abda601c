// What the machine calls in the runtime, by name only: enough to compile the handlers for another
// processor without a system, so that `Scripts/scan-handlers` can read their machine code.

import Synchronization

/// What handlers look at after calls of the host: see `InterruptHandle` in the engine.
enum InterruptHandle { static let stopBits: UInt32 = 5 }

@_silgen_name("runtimeMemoryGrow")
func runtimeMemoryGrow(_ cx: ContextPointer, _ memory: Int, _ delta: UInt64) -> UInt64
@_silgen_name("runtimeMemoryInit")
func runtimeMemoryInit(
    _ cx: ContextPointer, _ memory: Int, _ segment: Int, _ d: UInt64, _ s: UInt64, _ n: UInt64
) -> UInt64
@_silgen_name("runtimeMemoryCopy")
func runtimeMemoryCopy(
    _ cx: ContextPointer, _ to: Int, _ from: Int, _ d: UInt64, _ s: UInt64, _ n: UInt64
) -> UInt64
@_silgen_name("runtimeMemoryFill")
func runtimeMemoryFill(
    _ cx: ContextPointer, _ memory: Int, _ d: UInt64, _ value: UInt64, _ n: UInt64
) -> UInt64
@_silgen_name("runtimeDataDrop")
func runtimeDataDrop(_ cx: ContextPointer, _ segment: Int)
@_silgen_name("runtimeElementDrop")
func runtimeElementDrop(_ cx: ContextPointer, _ segment: Int)
@_silgen_name("runtimeTableGrow")
func runtimeTableGrow(
    _ cx: ContextPointer, _ table: Int, _ value: UInt64, _ delta: UInt64
) -> UInt64
@_silgen_name("runtimeTableFill")
func runtimeTableFill(
    _ cx: ContextPointer, _ table: Int, _ d: UInt64, _ value: UInt64, _ n: UInt64
) -> UInt64
@_silgen_name("runtimeTableCopy")
func runtimeTableCopy(
    _ cx: ContextPointer, _ to: Int, _ from: Int, _ d: UInt64, _ s: UInt64, _ n: UInt64
) -> UInt64
@_silgen_name("runtimeTableInit")
func runtimeTableInit(
    _ cx: ContextPointer, _ table: Int, _ segment: Int, _ d: UInt64, _ s: UInt64, _ n: UInt64
) -> UInt64
@_silgen_name("runtimeFunctionReference")
func runtimeFunctionReference(_ cx: ContextPointer, _ function: Int) -> UInt64
@_silgen_name("runtimeIsSubtype")
func runtimeIsSubtype(_ cx: ContextPointer, _ actual: UInt32, _ expected: UInt32) -> Bool
@_silgen_name("runtimeCallHost")
func runtimeCallHost(
    _ record: UnsafeMutablePointer<FunctionRecord>, _ arguments: StackPointer, _ cx: ContextPointer
) -> UInt64
@_silgen_name("runtimeStopRequest")
func runtimeStopRequest(_ execution: UnsafeMutablePointer<ExecutionState>) -> UInt64
@_silgen_name("runtimeBudgetExhausted")
func runtimeBudgetExhausted(_ execution: UnsafeMutablePointer<ExecutionState>) -> UInt64
@_silgen_name("runtimeTranslate")
func runtimeTranslate(_ cx: ContextPointer, _ definedFunction: Int) -> UInt64
@_silgen_name("runtimeGrowStack")
func runtimeGrowStack(_ cx: ContextPointer, _ frame: UnsafeMutableRawPointer) -> UInt64
@_silgen_name("runtimeNotify")
func runtimeNotify(
    _ cx: ContextPointer, _ memory: Int, _ address: UInt64, _ count: UInt64
) -> UInt64
@_silgen_name("runtimeWait")
func runtimeWait(
    _ cx: ContextPointer, _ memory: Int, _ address: UInt64, _ is64: Bool, _ expected: UInt64,
    _ timeout: UInt64
) -> UInt64
@_silgen_name("runtimeMemoriesGrew")
func runtimeMemoriesGrew(_ cx: ContextPointer) -> Bool
@_silgen_name("runtimeThrow")
func runtimeThrow(_ cx: ContextPointer, _ tag: Int, _ payload: StackPointer) -> UInt64
@_silgen_name("runtimeThrowReference")
func runtimeThrowReference(_ cx: ContextPointer, _ reference: UInt64) -> UInt64
@_silgen_name("runtimeRefill")
func runtimeRefill(
    _ cx: ContextPointer, _ sizeClass: Int, _ type: UInt32, _ top: StackPointer
) -> UInt64
@_silgen_name("runtimeAggregate")
func runtimeAggregate(_ pc: CodePointer, _ sp: StackPointer, _ cx: ContextPointer) -> UInt64
@_silgen_name("runtimeObserveCall")
func runtimeObserveCall(_ cx: ContextPointer, _ event: Int, _ function: UInt32)

/// Keeps the handlers: without a use they would be removed.
public func keepHandlers(_ table: UnsafeMutablePointer<UInt64>) { registerAllHandlers(table) }
