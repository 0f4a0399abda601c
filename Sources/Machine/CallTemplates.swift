// Calls. They never use the native stack: a frame is `[arguments / results][saved code][saved
// stack][other locals][operands]`, and a callee's frame starts at its first argument.
//
// The header (saved code and stack) is at index H = max(parameter slots, result slots), which
// follows from the function's type.
//
// Words of a call: 1 = what is called, 2 = [delta][H][..][..]; delta is the callee's frame, in
// slots from the caller's. Tail calls have two more fields: the caller's own H, and the number of
// argument slots to move down.
//
// Invariants: those of `State.swift`. A reference of a function type is 0 or the address of a
// `FunctionRecord` of the same store, which outlives the run; the entry in word 1 of a direct call
// is one of the module's `CodeTable`. Only the call that made a frame wrote its header: guests
// cannot name those slots.

import Synchronization

extension State {
    /// Makes the header of a callee's frame and jumps.
    @inline(__always) func enter(_ code: CodePointer, returningTo back: CodePointer) {
        let frame = sp + field(4)
        if _slowPath(
            UInt(bitPattern: frame)
                > cx.load(fromByteOffset: ContextOffset.stackLimit, as: UInt.self))
        {
            return callOnLargerStack(pc, sp, md, ms, cx, r, f, g)
        }
        let header = frame + field(5)
        header[0] = UInt64(UInt(bitPattern: back))
        header[1] = UInt64(UInt(bitPattern: sp))
        if _slowPath(useBudget()) { return refillBudget(code, frame, md, ms, cx, r, f, g) }
        dispatch(code, frame, md, ms, cx, r, f, g)
    }

    /// Calls the function of a reference: directly within this instance, else by `crossCall`.
    @inline(__always)
    func enter(_ function: UnsafeMutablePointer<FunctionRecord>, returningTo back: CodePointer) {
        if _slowPath(function.pointee.context != cx) {
            return crossCall(
                back, sp, UnsafeMutableRawPointer(function), UInt(bitPattern: field(4)), cx, r, f, g
            )
        }
        enter(function.pointee.code, returningTo: back)
    }

    @inline(__always)
    func importedFunction(_ offset: UInt) -> UnsafeMutablePointer<FunctionRecord> {
        cx.load(
            fromByteOffset: Int(bitPattern: offset), as: UnsafeMutablePointer<FunctionRecord>.self)
    }
}

/// Reads an entry of a code table, which another thread may change at the same time.
@inlinable @inline(__always) package func publishedCode(_ entry: UnsafePointer<Atomic<UInt>>)
    -> CodePointer
{
    // aarch64 orders a read through a pointer after the read of the pointer, without a barrier.
    #if arch(arm64)
        let address = entry.pointee.load(ordering: .relaxed)
    #else
        let address = entry.pointee.load(ordering: .acquiring)
    #endif
    return CodePointer(bitPattern: address).unsafelyUnwrapped
}

/// Word 1 is the address of the callee's entry in the code table.
@inline(__always) func call(_ m: State) {
    let entry = UnsafePointer<Atomic<UInt>>(bitPattern: UInt(m.word(1))).unsafelyUnwrapped
    m.enter(publishedCode(entry), returningTo: m.pc + 3)
}

/// Upper half of word 1: byte offset of the import in the context block.
@inline(__always) func callImport(_ m: State) {
    m.enter(m.importedFunction(m.unsignedHalf), returningTo: m.pc + 3)
}

/// Checks bounds, null and type of a table element; traps and returns nil if one fails.
@inline(__always) private func element(
    _ m: State, _ table: TableRecord, _ index: UInt, _ type: UInt
) -> (UnsafeMutablePointer<FunctionRecord>?, TrapCode) {
    if _slowPath(index >= table.count) { return (nil, .undefinedElement) }
    let reference = UInt(table.elements[Int(bitPattern: index)])
    guard let function = UnsafeMutablePointer<FunctionRecord>(bitPattern: reference) else {
        return (nil, .uninitializedElement)
    }
    if _slowPath(UInt(function.pointee.typeID) != type) {
        if !upcalls(m.cx).pointee.isSubtype(
            m.cx, function.pointee.typeID, UInt32(truncatingIfNeeded: type))
        {
            return (nil, .indirectCallTypeMismatch)
        }
    }
    return (function, .unreachable)
}

/// Table 0; upper half of word 1: the expected type's number in the registry.
@inline(__always) func callIndirect<A: Source>(_: A.Type, _ m: State) {
    let table = m.cx.load(
        fromByteOffset: ContextOffset.table0, as: UnsafePointer<TableRecord>.self)
    let index = UInt(A.get(m, UInt64.self))
    if _slowPath(index >= table.pointee.count) { return m.trap(.undefinedElement) }
    let reference = UInt(table.pointee.elements[Int(bitPattern: index)])
    if _slowPath(reference == 0) { return m.trap(.uninitializedElement) }
    let function = UnsafeMutablePointer<FunctionRecord>(bitPattern: reference).unsafelyUnwrapped
    if _slowPath(UInt(function.pointee.typeID) != m.unsignedHalf) {
        return callSubtype(m.pc, m.sp, UnsafeMutableRawPointer(function), m.ms, m.cx, m.r, m.f, m.g)
    }
    m.enter(function, returningTo: m.pc + 3)
}

/// The slow half of `callIndirect`: the types are not the same, but one may extend the other.
@inline(never) private func callSubtype(
    _ pc: CodePointer, _ sp: StackPointer, _ function: UnsafeMutableRawPointer, _ ms: UInt,
    _ cx: ContextPointer, _ r: UInt64, _ f: Double, _ g: Float
) {
    let memory = cx.load(
        fromByteOffset: ContextOffset.memory0, as: UnsafePointer<MemoryRecord>.self)
    let m = State(pc, sp, memory.pointee.base, ms, cx, r, f, g)
    let record = function.assumingMemoryBound(to: FunctionRecord.self)
    let expected = UInt32(truncatingIfNeeded: m.unsignedHalf)
    if !upcalls(cx).pointee.isSubtype(cx, record.pointee.typeID, expected) {
        return m.trap(.indirectCallTypeMismatch)
    }
    m.enter(record, returningTo: pc + 3)
}

/// Any table: field 1 the slot of the index, upper half of word 2 the table.
@inline(__always) func callIndirectFar(_ m: State) {
    let (function, code) = element(
        m, m.table(Int(m.farHalf)), UInt(m.sp[m.field(1)]), m.unsignedHalf)
    guard let function else { return m.trap(code) }
    m.enter(function, returningTo: m.pc + 3)
}

@inline(__always) func callReference(_ m: State) {
    let reference = UInt(m.sp[m.field(1)])
    if _slowPath(reference == 0) { return m.trap(.nullFunctionReference) }
    m.enter(
        UnsafeMutablePointer<FunctionRecord>(bitPattern: reference).unsafelyUnwrapped,
        returningTo: m.pc + 3)
}

/// The call at `pc`, whose callee's frame would start above the limit. It has changed nothing yet
/// and is made again, if the stack may grow.
@inline(never) func callOnLargerStack(
    _ pc: CodePointer, _ sp: StackPointer, _ md: MemoryPointer, _ ms: UInt,
    _ cx: ContextPointer, _ r: UInt64, _ f: Double, _ g: Float
) {
    let frame = sp + State(pc, sp, md, ms, cx, r, f, g).field(4)
    let code = upcalls(cx).pointee.growStack(cx, frame)
    if code != 0 { return leave(pc, sp, md, UInt(code), cx, r, f, g) }
    dispatch(pc, sp, md, ms, cx, r, f, g)
}

// MARK: Tail calls

extension State {
    /// Moves the arguments and the header into this frame and jumps.
    @inline(__always) func replace(with code: CodePointer) {
        let (back, caller) = header(field(6))
        sp.update(from: sp + field(4), count: field(7))
        let newHeader = sp + field(5)
        newHeader[0] = UInt64(UInt(bitPattern: back))
        newHeader[1] = UInt64(UInt(bitPattern: caller))
        if _slowPath(useBudget()) { return refillBudget(code, sp, md, ms, cx, r, f, g) }
        dispatch(code, sp, md, ms, cx, r, f, g)
    }

    /// `crossReplace` calls a callee of the host or of another instance.
    @inline(__always)
    func replace(with function: UnsafeMutablePointer<FunctionRecord>, orReturnTo back: CodePointer)
    {
        if _slowPath(function.pointee.context != cx) {
            return crossReplace(
                back, sp, UnsafeMutableRawPointer(function), UInt(word(2)), cx, r, f, g)
        }
        replace(with: function.pointee.code)
    }
}

@inline(__always) func returnCall(_ m: State) {
    let entry = UnsafePointer<Atomic<UInt>>(bitPattern: UInt(m.word(1))).unsafelyUnwrapped
    m.replace(with: publishedCode(entry))
}

@inline(__always) func returnCallImport(_ m: State) {
    m.replace(with: m.importedFunction(m.unsignedHalf), orReturnTo: m.pc + 3)
}

@inline(__always) func returnCallIndirect(_ m: State) {
    let (function, code) = element(
        m, m.table(Int(truncatingIfNeeded: m.word(3))), UInt(m.sp[m.field(1)]), m.unsignedHalf)
    guard let function else { return m.trap(code) }
    m.replace(with: function, orReturnTo: m.pc + 4)
}

@inline(__always) func returnCallReference(_ m: State) {
    let reference = UInt(m.sp[m.field(1)])
    if _slowPath(reference == 0) { return m.trap(.nullFunctionReference) }
    m.replace(
        with: UnsafeMutablePointer<FunctionRecord>(bitPattern: reference).unsafelyUnwrapped,
        orReturnTo: m.pc + 3)
}

// MARK: Leaving the instance

/// Only the instance whose code runs has the current limit of the stack, so code that calls or
/// returns to another instance passes the limit on, like the budget.
@inline(__always) func passStackLimit(from cx: ContextPointer, to target: ContextPointer) {
    target.storeBytes(
        of: cx.load(fromByteOffset: ContextOffset.stackLimit, as: UInt.self),
        toByteOffset: ContextOffset.stackLimit, as: UInt.self)
}

/// Words of a link area, which lies between the caller's operands and the callee's frame when a
/// call crosses instances: saved code, saved stack, saved context, H.
@inlinable package var linkSlots: Int { 4 }

/// Calls a function of the host or of another instance; `back` is where the caller continues and
/// `delta` the distance of the arguments from its frame, in slots.
///
/// A host function runs at once on its arguments. For a function of another instance the arguments
/// are copied to a frame after a link area, whose address the callee's header saves as the caller's
/// stack. The function returns to `crossReturn`, which reads from there where to return.
@inline(never) func crossCall(
    _ back: CodePointer, _ sp: StackPointer, _ function: UnsafeMutableRawPointer, _ delta: UInt,
    _ cx: ContextPointer, _ r: UInt64, _ f: Double, _ g: Float
) {
    let record = function.assumingMemoryBound(to: FunctionRecord.self)
    let arguments = sp + Int(bitPattern: delta)
    let headerIndex = Int(record.pointee.headerIndex)
    let limit = cx.load(fromByteOffset: ContextOffset.stackLimit, as: UInt.self)
    let exchange = cx.load(
        fromByteOffset: ContextOffset.exchange, as: UnsafeMutablePointer<MachineExchange>.self)
    let budget = cx.load(fromByteOffset: ContextOffset.budget, as: Int64.self) &- 1
    let link = arguments + headerIndex
    let frame = link + linkSlots
    if UInt(bitPattern: frame) > limit {
        return crossCallOnLargerStack(back, sp, function, delta, cx, r, f, g)
    }
    guard let target = record.pointee.context else {
        // The host may call back into the guest: note where the stack is free.
        exchange.pointee.code = back
        exchange.pointee.stack = sp
        exchange.pointee.context = cx
        exchange.pointee.top = frame
        exchange.pointee.budget = budget
        let code = exchange.pointee.upcalls.pointee.callHost(function, arguments, cx)
        cx.storeBytes(
            of: exchange.pointee.budget, toByteOffset: ContextOffset.budget, as: Int64.self)
        // The content of the accumulators is not needed any more.
        let state = State(back, sp, cx, 0, cx, 0, 0, 0)
        // The call may have taken long, which the budget does not show: it counts calls, not time.
        if _slowPath(
            exchange.pointee.stopWord.pointee.load(ordering: .relaxed)
                & StopBits.all != 0), code == 0 || code == landed
        {
            let stop = exchange.pointee.upcalls.pointee.stopRequest(cx)
            // The word before `back` belongs to the call itself.
            if stop != 0 { return leave(back - 1, sp, cx, UInt(stop), cx, 0, 0, 0) }
        }
        // It threw an exception that a guest catches.
        if code == landed { return state.land(exchange) }
        if code != 0 { return leave(back, sp, cx, UInt(code), cx, 0, 0, 0) }
        if exchange.pointee.budget < 0 {
            let memory = cx.load(
                fromByteOffset: ContextOffset.memory0, as: UnsafePointer<MemoryRecord>.self)
            let first = arguments[0]
            return refillBudget(
                back, sp, memory.pointee.base, memory.pointee.byteCount, cx, first,
                Double(bits: first), Float(bits: first))
        }
        return state.resume(back, sp, cx, arguments[0])
    }
    link[0] = UInt64(UInt(bitPattern: back))
    link[1] = UInt64(UInt(bitPattern: sp))
    link[2] = UInt64(UInt(bitPattern: cx))
    link[3] = UInt64(truncatingIfNeeded: headerIndex) | UInt64(record.pointee.resultSlots) &<< 32
    frame.update(from: arguments, count: Int(record.pointee.parameterSlots))
    frame[headerIndex] = UInt64(UInt(bitPattern: Machine.crossReturnCode))
    frame[headerIndex &+ 1] = UInt64(UInt(bitPattern: link))
    target.storeBytes(of: budget, toByteOffset: ContextOffset.budget, as: Int64.self)
    target.storeBytes(of: limit, toByteOffset: ContextOffset.stackLimit, as: UInt.self)
    let memory = target.load(
        fromByteOffset: ContextOffset.memory0, as: UnsafePointer<MemoryRecord>.self)
    if budget < 0 {
        return refillBudget(
            record.pointee.code, frame, memory.pointee.base, memory.pointee.byteCount, target,
            r, f, g)
    }
    dispatch(
        record.pointee.code, frame, memory.pointee.base, memory.pointee.byteCount, target, r, f, g)
}

/// A `crossCall` whose callee's frame would start above the limit: makes it if the stack may grow.
@inline(never) func crossCallOnLargerStack(
    _ back: CodePointer, _ sp: StackPointer, _ function: UnsafeMutableRawPointer, _ delta: UInt,
    _ cx: ContextPointer, _ r: UInt64, _ f: Double, _ g: Float
) {
    let record = function.assumingMemoryBound(to: FunctionRecord.self)
    let frame = sp + (Int(bitPattern: delta) + Int(record.pointee.headerIndex) + linkSlots)
    let code = upcalls(cx).pointee.growStack(cx, frame)
    if code != 0 { return leave(back, sp, cx, UInt(code), cx, r, f, g) }
    crossCall(back, sp, function, delta, cx, r, f, g)
}

/// A tail call to a function of the host or of another instance; `place` is word 2 of the call.
///
/// If this frame was itself called from another instance, the callee takes the frame's place and
/// uses the same link area, so that instances can call each other in turns without limit. Otherwise
/// the callee is called, and the code at `back` returns its results.
@inline(never) func crossReplace(
    _ back: CodePointer, _ sp: StackPointer, _ function: UnsafeMutableRawPointer, _ place: UInt,
    _ cx: ContextPointer, _ r: UInt64, _ f: Double, _ g: Float
) {
    let record = function.assumingMemoryBound(to: FunctionRecord.self)
    let delta = Int(place & 0xffff), newHeader = Int(place &>> 16 & 0xffff)
    let header = Int(place &>> 32 & 0xffff), count = Int(place &>> 48)
    let saved = sp[header], link = sp[header &+ 1]
    guard let target = record.pointee.context,
        saved == UInt64(UInt(bitPattern: Machine.crossReturnCode))
    else { return crossCall(back, sp, function, UInt(bitPattern: delta), cx, r, f, g) }
    sp.update(from: sp + delta, count: count)
    sp[newHeader] = saved
    sp[newHeader &+ 1] = link
    let budget = cx.load(fromByteOffset: ContextOffset.budget, as: Int64.self) &- 1
    target.storeBytes(of: budget, toByteOffset: ContextOffset.budget, as: Int64.self)
    passStackLimit(from: cx, to: target)
    let memory = target.load(
        fromByteOffset: ContextOffset.memory0, as: UnsafePointer<MemoryRecord>.self)
    let base = memory.pointee.base, size = memory.pointee.byteCount
    if budget < 0 {
        return refillBudget(record.pointee.code, sp, base, size, target, r, f, g)
    }
    dispatch(record.pointee.code, sp, base, size, target, r, f, g)
}

/// The place that a function called from another instance returns to; `sp` is the link area.
@inline(__always) func crossReturn(_ m: State) {
    let link = m.sp
    let headerIndex = Int(UInt32(truncatingIfNeeded: link[3]))
    let results = Int(link[3] &>> 32)
    let back = CodePointer(bitPattern: UInt(link[0])).unsafelyUnwrapped
    let caller = StackPointer(bitPattern: UInt(link[1])).unsafelyUnwrapped
    let context = ContextPointer(bitPattern: UInt(link[2])).unsafelyUnwrapped
    let arguments = link - headerIndex
    arguments.update(from: link + linkSlots, count: results)
    let budget = m.cx.load(fromByteOffset: ContextOffset.budget, as: Int64.self)
    context.storeBytes(of: budget, toByteOffset: ContextOffset.budget, as: Int64.self)
    passStackLimit(from: m.cx, to: context)
    m.resume(back, caller, context, arguments[0])
}

// MARK: Translation on demand

/// The code of a function that was not called yet: translates it and continues with its code, or
/// stops if the guest must not wait for that.
@inline(__always) func translateStub(_ m: State) {
    let answer = upcalls(m.cx).pointee.translate(m.cx, Int(truncatingIfNeeded: m.word(1)))
    guard answer >= lowestReference, let code = CodePointer(bitPattern: UInt(answer)) else {
        return leave(m.pc, m.sp, m.md, UInt(answer), m.cx, m.r, m.f, m.g)
    }
    dispatch(code, m.sp, m.md, m.ms, m.cx, m.r, m.f, m.g)
}
