// Functions that handlers call for everything that takes more than a few instructions. None throws;
// results are values or trap codes, 0 for none.
//
// Invariants: `cx` is the context block of the running instance, indices were validated; all
// addresses, indices and counts come from the guest and are checked against the record's current
// size before anything is accessed. i32 operands are zero-extended.

import WasmMachine
import WasmSystem
import WasmValidator

private let refused = UInt64.max

extension TrapCode {
    /// The code as handlers return it.
    var answer: UInt64 { UInt64(rawValue) }
}

/// Whether `count` items from `start` on are below `size`; never overflows.
@inline(__always)
func fits(_ start: UInt64, _ count: UInt64, in size: UInt) -> Bool {
    count <= UInt64(size) && start <= UInt64(size) &- count
}

/// A place in guest memory; the range was checked.
@inline(__always)
private func place(
    _ memory: UnsafeMutablePointer<MemoryRecord>, _ address: UInt64
) -> UnsafeMutableRawPointer {
    memory.pointee.base + Int(truncatingIfNeeded: address)
}

/// Bytes from which on a bulk operation costs fuel. A smaller one takes no longer than a few units;
/// large ones are charged because a budget granted while units were fast must not last a hundred
/// milliseconds.
let bulkChargeLimit: UInt64 = 1 << 12

/// Takes a unit of the budget per KiB of a large bulk operation, so that moving gigabytes cannot
/// evade fuel or deadlines.
@inline(__always)
func charge(_ cx: ContextPointer, _ byteCount: UInt64) -> UInt64 {
    byteCount < bulkChargeLimit ? 0 : chargeLarge(ContextView(cx), byteCount >> 10)
}

@inline(never)
private func chargeLarge(_ context: ContextView, _ units: UInt64) -> UInt64 {
    let units = Int64(clamping: units)
    let left = context.budget.subtractingReportingOverflow(units).partialValue
    context.budget = left
    guard left < 0 else { return 0 }
    let exchange = context.exchange
    guard let store = exchange.pointee.unretainedStore else { return 0 }
    let answer = store._withUnsafeGuaranteedRef {
        $0.refill(owing: UInt64(-left), inOperation: true)
    }
    context.budget = exchange.pointee.budget
    return answer
}

/// Bytes that are moved at once: fresh pages take some 0.6 ms.
private let bulkPiece: UInt64 = 1 << 19

/// Calls `body` with the ranges of pieces of `count` bytes, from the last to the first if
/// `backward`, each after its budget was taken: gigabytes take seconds, and a guest must be able to
/// stop between pieces, and to be suspended: the instruction is executed again then, and goes on
/// with the pieces that are left.
///
/// - Returns: 0, `suspended`, or a trap code if the guest must stop; the pieces before were done.
@inline(__always)
func inPieces(
    _ cx: ContextPointer, _ count: UInt64, backward: Bool = false, _ body: (Range<Int>) -> Void
) -> UInt64 {
    if count <= bulkPiece {
        let stop = charge(cx, count)
        if stop == 0 { body(0..<Int(truncatingIfNeeded: count)) }
        return stop
    }
    let first = bytesDoneBefore(ContextView(cx))
    var done = first
    while done < count {
        // Whole KiB except for the last, so that all pieces together cost as much as one operation.
        let size = min(bulkPiece, count &- done)
        let stop = beginPiece(ContextView(cx), size >> 10, done: done, isFirst: done == first)
        guard stop == 0 else { return stop }
        let start = Int(truncatingIfNeeded: backward ? count &- done &- size : done)
        body(start..<(start &+ Int(truncatingIfNeeded: size)))
        done &+= size
    }
    return 0
}

/// Takes units, and checks whether the guest must stop or be suspended even if the budget is not
/// used up: a piece takes much longer than as many other units. At least one piece is done each
/// time.
@inline(never)
private func beginPiece(
    _ context: ContextView, _ units: UInt64, done: UInt64, isFirst: Bool
) -> UInt64 {
    let answer = context.exchange.pointee.unretainedStore?._withUnsafeGuaranteedRef { store in
        if let code = store.stopRequest() { return code.answer }
        return !isFirst && store.suspendsOperation(after: done) ? suspended : 0
    }
    guard answer ?? 0 == 0 else { return answer ?? 0 }
    return chargeLarge(context, units)
}

/// How much of the operation was done before the guest was suspended in it.
@inline(never)
private func bytesDoneBefore(_ context: ContextView) -> UInt64 {
    context.exchange.pointee.unretainedStore?._withUnsafeGuaranteedRef { store in
        guard let execution = store.suspendable else { return 0 }
        let done = execution.bytesDone
        execution.bytesDone = 0
        return done
    } ?? 0
}

// MARK: Memories

/// `memory.grow`: the size before in pages, `UInt64.max` if the memory cannot grow so far, or
/// `growthStopped` and a trap code if the guest must stop.
func runtimeMemoryGrow(_ cx: ContextPointer, _ memory: Int, _ delta: UInt64) -> UInt64 {
    let instance = ContextView(cx).instance
    let store = instance.store
    let old = store.grow(instance.memories[memory], by: delta) ?? refused
    return store.stopAfterClosure().map { growthStopped | $0.answer } ?? old
}

/// `memory.init`
func runtimeMemoryInit(
    _ cx: ContextPointer, _ memory: Int, _ segment: Int, _ destination: UInt64, _ source: UInt64,
    _ count: UInt64
) -> UInt64 {
    let context = ContextView(cx)
    let instance = context.instance
    let parsed = instance.module.parsed
    let content = parsed.dataSegments[segment].content
    let available = instance.isDataDropped[segment] ? 0 : UInt(bitPattern: content.count)
    let record = context.memory(memory)
    guard fits(source, count, in: available),
        fits(destination, count, in: record.pointee.byteCount)
    else { return TrapCode.outOfBoundsMemoryAccess.answer }
    guard count > 0 else { return 0 }
    let origin = parsed.bytes.base + content.start + Int(truncatingIfNeeded: source)
    let target = place(record, destination)
    return inPieces(cx, count) {
        (target + $0.lowerBound).copyMemory(from: origin + $0.lowerBound, byteCount: $0.count)
    }
}

/// `memory.copy`
func runtimeMemoryCopy(
    _ cx: ContextPointer, _ destinationMemory: Int, _ sourceMemory: Int, _ destination: UInt64,
    _ source: UInt64, _ count: UInt64
) -> UInt64 {
    let context = ContextView(cx)
    let to = context.memory(destinationMemory)
    let from = context.memory(sourceMemory)
    guard fits(source, count, in: from.pointee.byteCount),
        fits(destination, count, in: to.pointee.byteCount)
    else { return TrapCode.outOfBoundsMemoryAccess.answer }
    guard count > 0 else { return 0 }
    let target = place(to, destination), origin = place(from, source)
    // No piece may overwrite what a later one reads.
    return inPieces(cx, count, backward: target > origin) {
        Bytes.move(to: target + $0.lowerBound, from: origin + $0.lowerBound, $0.count)
    }
}

/// `memory.fill`
func runtimeMemoryFill(
    _ cx: ContextPointer, _ memory: Int, _ destination: UInt64, _ value: UInt64, _ count: UInt64
) -> UInt64 {
    let record = ContextView(cx).memory(memory)
    guard fits(destination, count, in: record.pointee.byteCount) else {
        return TrapCode.outOfBoundsMemoryAccess.answer
    }
    guard count > 0 else { return 0 }
    let target = place(record, destination)
    let byte = UInt8(truncatingIfNeeded: value)
    return inPieces(cx, count) { Bytes.fill(target + $0.lowerBound, $0.count, with: byte) }
}

/// `data.drop`
func runtimeDataDrop(_ cx: ContextPointer, _ segment: Int) {
    ContextView(cx).instance.dropData(segment)
}

// MARK: Tables

/// `table.grow`: the size before, `UInt64.max` if the table cannot grow so far, or `growthStopped`
/// and a trap code if the guest must stop; then the table is unchanged.
func runtimeTableGrow(
    _ cx: ContextPointer, _ table: Int, _ value: UInt64, _ delta: UInt64
) -> UInt64 {
    let instance = ContextView(cx).instance
    do throws(GuestStop) {
        let old = try withBudget(of: cx) { (store) throws(GuestStop) in
            let old = try store.grow(instance.tables[table], by: delta) {
                (elements, count) throws(GuestStop) in
                // The limiter may have taken a long time.
                if let code = store.stopAfterClosure() { throw GuestStop(code: code) }
                try store.inPieces(count * 8) {
                    (elements + $0.lowerBound / 8).update(repeating: value, count: $0.count / 8)
                }
            }
            if old == nil, let code = store.stopAfterClosure() { throw GuestStop(code: code) }
            return old
        }
        return old ?? refused
    } catch {
        return growthStopped | error.code.answer
    }
}

/// Runs work of the store for the guest that is in the middle of an instruction: the store counts
/// its budget in `exchange.budget`.
private func withBudget<Result, Failure>(
    of cx: ContextPointer, _ body: (Store) throws(Failure) -> Result
) throws(Failure) -> Result {
    let context = ContextView(cx)
    let exchange = context.exchange
    exchange.pointee.budget = context.budget
    defer { context.budget = exchange.pointee.budget }
    return try body(context.instance.store)
}

/// The references of an element segment, made on first use; or a trap code if the guest must stop
/// meanwhile. Empty if the segment was dropped.
func runtimeElements(
    _ cx: ContextPointer, _ segment: Int
) -> (UnsafeMutableBufferPointer<UInt64>, stop: UInt64) {
    let instance = ContextView(cx).instance
    let none = UnsafeMutableBufferPointer<UInt64>(start: nil, count: 0)
    if case .ready(let elements) = instance.elementStates[segment] { return (elements, 0) }
    do {
        let elements = try withBudget(of: cx) { _ in try instance.elements(segment) }
        return (elements ?? none, 0)
    } catch {
        if error is ResourceError { return (none, TrapCode.totalExhausted.answer) }
        // Segments with objects were made at instantiation; nothing else can fail.
        return (none, (error as? GuestStop)?.code.answer ?? TrapCode.unreachable.answer)
    }
}

/// `table.fill`
func runtimeTableFill(
    _ cx: ContextPointer, _ table: Int, _ at: UInt64, _ value: UInt64, _ count: UInt64
) -> UInt64 {
    let record = ContextView(cx).table(table)
    guard fits(at, count, in: record.pointee.count) else {
        return TrapCode.outOfBoundsTableAccess.answer
    }
    guard count > 0 else { return 0 }
    let target = record.pointee.elements + Int(truncatingIfNeeded: at)
    return inPieces(cx, count &* 8) {
        (target + $0.lowerBound / 8).update(repeating: value, count: $0.count / 8)
    }
}

/// `table.copy`
func runtimeTableCopy(
    _ cx: ContextPointer, _ destinationTable: Int, _ sourceTable: Int, _ destination: UInt64,
    _ source: UInt64, _ count: UInt64
) -> UInt64 {
    let context = ContextView(cx)
    let to = context.table(destinationTable)
    let from = context.table(sourceTable)
    guard fits(source, count, in: from.pointee.count),
        fits(destination, count, in: to.pointee.count)
    else { return TrapCode.outOfBoundsTableAccess.answer }
    guard count > 0 else { return 0 }
    let target = UnsafeMutableRawPointer(
        to.pointee.elements + Int(truncatingIfNeeded: destination))
    let origin = UnsafeMutableRawPointer(
        from.pointee.elements + Int(truncatingIfNeeded: source))
    return inPieces(cx, count &* 8, backward: target > origin) {
        Bytes.move(to: target + $0.lowerBound, from: origin + $0.lowerBound, $0.count)
    }
}

/// `table.init`
func runtimeTableInit(
    _ cx: ContextPointer, _ table: Int, _ segment: Int, _ destination: UInt64, _ source: UInt64,
    _ count: UInt64
) -> UInt64 {
    let context = ContextView(cx)
    let record = context.table(table)
    let (elements, stop) = runtimeElements(cx, segment)
    guard stop == 0 else { return stop }
    guard fits(source, count, in: UInt(bitPattern: elements.count)),
        fits(destination, count, in: record.pointee.count)
    else { return TrapCode.outOfBoundsTableAccess.answer }
    guard count > 0, let base = elements.baseAddress else { return 0 }
    let target = record.pointee.elements + Int(truncatingIfNeeded: destination)
    let origin = base + Int(truncatingIfNeeded: source)
    return inPieces(cx, count &* 8) {
        (target + $0.lowerBound / 8).update(from: origin + $0.lowerBound / 8, count: $0.count / 8)
    }
}

/// `elem.drop`
func runtimeElementDrop(_ cx: ContextPointer, _ segment: Int) {
    ContextView(cx).instance.dropElements(segment)
}

// MARK: References

/// `ref.func`: the address of a function's record.
func runtimeFunctionReference(_ cx: ContextPointer, _ function: Int) -> UInt64 {
    UInt64(UInt(bitPattern: ContextView(cx).instance.functionRecord(function)))
}

/// Whether a type is a subtype of another, by canonical numbers.
func runtimeIsSubtype(_ cx: ContextPointer, _ actual: UInt32, _ expected: UInt32) -> Bool {
    actual == expected
        || ContextView(cx).instance.module.engine.types.isSubtype(actual, of: expected)
}

// MARK: Translation

/// The address of the code of a function of the running instance, translated if necessary; or a
/// trap code if the guest must stop.
func runtimeTranslate(_ cx: ContextPointer, _ definedFunction: Int) -> UInt64 {
    let context = ContextView(cx)
    let exchange = context.exchange
    guard let store = exchange.pointee.unretainedStore?.takeUnretainedValue() else {
        return TrapCode.implementationLimit.answer
    }
    exchange.pointee.budget = context.budget
    defer { context.budget = exchange.pointee.budget }
    do throws(TranslationError) {
        let code = try context.instance.module.code.translate(
            definedFunction, for: TranslationClient(store: store))
        // References to the function were made with the stub.
        context.instance.existingRecord(definedFunction)?.pointee.code = code
        return UInt64(UInt(bitPattern: code))
    } catch .stopped(let stop) {
        return stop.answer
    } catch .noRoom {
        return TrapCode.totalExhausted.answer
    } catch {
        return TrapCode.implementationLimit.answer
    }
}

// MARK: Stack, host functions and budget

/// Lets frames start up to `frame`: 0, or the trap code of the limit that forbids it.
func runtimeGrowStack(_ cx: ContextPointer, _ frame: UnsafeMutableRawPointer) -> UInt64 {
    guard let store = ContextView(cx).exchange.pointee.unretainedStore else {
        return TrapCode.stackExhausted.answer
    }
    return store._withUnsafeGuaranteedRef { store in
        if let code = store.growStack(to: frame) { return code.answer }
        ContextView(cx).stackLimit = store.stackLimit
        return 0
    }
}

/// Calls the host function of a `FunctionRecord`: arguments from and results to `arguments`. An
/// error that it throws is kept in the store, and the result is `.hostError`, or `landed` if it is
/// an exception that a guest catches; `suspended` if the guest must wait. The budget is in
/// `exchange.budget` meanwhile.
func runtimeCallHost(
    _ function: UnsafeMutableRawPointer, _ arguments: StackPointer, _ cx: ContextPointer
) -> UInt64 {
    let record = function.assumingMemoryBound(to: FunctionRecord.self)
    guard let store = ContextView(cx).exchange.pointee.unretainedStore else {
        return TrapCode.hostError.answer
    }
    return store._withUnsafeGuaranteedRef {
        let code = $0.callHost(record, arguments, context: cx)
        return code == TrapCode.hostError.answer ? $0.unwindHostError() : code
    }
}

/// Called after a call of the host when a stop may have been requested; returns why the guest must
/// stop, or 0.
func runtimeStopRequest(_ cx: ContextPointer) -> UInt64 {
    guard let store = ContextView(cx).exchange.pointee.unretainedStore else { return 0 }
    return store._withUnsafeGuaranteedRef { $0.confirmedStopRequest()?.answer ?? 0 }
}

/// Called when more budget was used than there was: refills `exchange.budget`, which is negative by
/// what is owed, or returns why the guest must stop or wait.
func runtimeBudgetExhausted(_ cx: ContextPointer) -> UInt64 {
    let exchange = ContextView(cx).exchange
    guard let store = exchange.pointee.unretainedStore else { return 0 }
    return store._withUnsafeGuaranteedRef {
        if exchange.pointee.isProfiled { $0.profiler?.takeSample(of: $0) }
        return $0.refill(owing: UInt64(max(1, 0 &- exchange.pointee.budget)))
    }
}
