// Invariant: when objects are allocated, everything that can still be used is in a root: slots of
// the value stacks below their tops, cells of globals, tables, element segments, handles of the
// host, or `temporaries` (see `keeping`). Accumulators of the machine are no roots: an instruction
// that allocates takes its operands from slots, and no value is only in an accumulator across such
// an instruction.

import WasmMachine
import WasmSystem

/// Allocating and collecting objects of a store.
extension Store {
    /// Puts a cell into an empty free list, after a collection if one is due or the limit is
    /// reached.
    ///
    /// - Parameters:
    ///   - byteCount: size of the object, for large ones.
    ///   - top: after all slots of the value stack that are in use.
    ///   - isInterruptible: called for a guest, which may be stopped during a collection.
    /// - Returns: nil, or why the guest must stop: the heap's limit, the system, or an
    ///   interruption.
    func fillFreeList(
        _ sizeClass: Int, _ byteCount: Int, top: UnsafeMutablePointer<UInt64>,
        isInterruptible: Bool = false
    ) -> TrapCode? {
        if heap.isCollectionDue, let stop = collect(top: top, isInterruptible: isInterruptible) {
            return stop
        }
        if heap.fillFreeList(sizeClass, byteCount) { return nil }
        if heap.isCollectionWorthwhile {
            if let stop = collect(top: top, isInterruptible: isInterruptible) { return stop }
            if heap.fillFreeList(sizeClass, byteCount) { return nil }
        }
        heap.hasRefused = true
        return heap.refusal
    }

    /// A cell for an object of `byteCount` bytes, which the caller must give a header and contents
    /// before anything else is allocated.
    ///
    /// - Throws: as `fillFreeList`.
    func allocate(
        _ byteCount: Int, top: UnsafeMutablePointer<UInt64>, isInterruptible: Bool = false
    ) throws(GuestStop) -> UnsafeMutableRawPointer {
        let sizeClass = SizeClass.containing(byteCount)
        if let cell = heap.take(sizeClass) { return cell }
        let stop = fillFreeList(sizeClass, byteCount, top: top, isInterruptible: isInterruptible)
        guard stop == nil, let cell = heap.take(sizeClass) else {
            throw GuestStop(code: stop ?? heap.refusal)
        }
        return cell
    }

    /// Runs `allocation`, during which values in `slots`, of any types, are in use.
    func keeping<Result, Failure>(
        _ slots: [(low: UInt64, high: UInt64)], _ allocation: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        // Others may be in use already: observers are called at collections and make objects too.
        let count = temporaries.count
        temporaries.append(contentsOf: slots)
        defer { temporaries.removeSubrange(count...) }
        return try allocation()
    }

    /// Makes an object that holds slots of any types, for the payload of an exception; they count
    /// as references as slots of the value stack do. Returns the address of the slots, which the
    /// caller must fill before anything else is allocated.
    func makeSlots(
        _ count: Int, number: UInt32, top: UnsafeMutablePointer<UInt64>, isInterruptible: Bool
    ) throws(GuestStop) -> UnsafeMutablePointer<UInt64> {
        let cell = try allocate(
            ArrayLayout.elementsOffset + 8 * count, top: top, isInterruptible: isInterruptible)
        cell.storeBytes(of: ObjectKind.slots.header(number), as: UInt32.self)
        cell.storeBytes(
            of: UInt32(truncatingIfNeeded: count), toByteOffset: ArrayLayout.lengthOffset,
            as: UInt32.self)
        return (cell + ArrayLayout.elementsOffset).assumingMemoryBound(to: UInt64.self)
    }

    /// Frees the objects that guests and host cannot reach any more, and releases values of the
    /// host that no guest refers to. Guests do this by themselves when they allocate; to be called
    /// between calls of guests, or by a host function.
    ///
    /// Cost: proportional to the objects that stay.
    public func collectGarbage() {
        collect(top: exchange.pointee.top)
        externs.releaseDead()
    }

    /// Bytes that objects of guests took after the last collection.
    public var liveHeapByteCount: Int { heap.liveByteCount }
    /// How often garbage was collected.
    public var collectionCount: Int { heap.collectionCount }

    private var externs: ExternTable { heap.externs }

    /// Collects if values of the host make it due; for places where all values in use are below
    /// `exchange.top`. Returns a trap code if the guest must stop.
    @inline(__always)
    func collectIfDue(top: UnsafeMutablePointer<UInt64>) -> TrapCode? {
        heap.externs.isCollectionDue ? collect(top: top, isInterruptible: true) : nil
    }

    /// - Returns: why the guest must stop, if the collection is interruptible. Unless an observer
    ///   took the time, the next one is still due then, or continues to free what this one found.
    @discardableResult
    private func collect(
        top: UnsafeMutablePointer<UInt64>, isInterruptible: Bool = false
    ) -> TrapCode? {
        // At this point of the guest not all of its values are in roots.
        guard !isGuestHeld else { return nil }
        let start = observer == nil ? nil : ContinuousClock.now
        let guest = isInterruptible ? self : nil
        // A guest needs only what an earlier collection left to be done; the host wants a full
        // collection.
        let wasSweeping = heap.isSweeping
        if wasSweeping, let stop = heap.sweep(of: guest) { return stop }
        if !wasSweeping || guest == nil {
            if let stop = mark(top: top, of: guest) { return stop }
            if let stop = heap.sweep(of: guest) { return stop }
        }
        clearStack(from: top, through: top)
        guard let start else { return nil }
        let collection = GarbageCollection(
            number: heap.collectionCount, duration: .now - start,
            liveByteCount: heap.liveByteCount)
        notify { $0.didCollectGarbage(collection) }
        return guest?.stopRequest()
    }

    /// Marks what can be reached.
    ///
    /// - Returns: a trap code if the guest must stop before that is done.
    private func mark(top: UnsafeMutablePointer<UInt64>, of guest: Store?) -> TrapCode? {
        if let stop = heap.beginCollection(of: guest) { return stop }
        var marker = Marker(heap, of: guest)
        markStack(&marker, valueStack, top)
        for execution in executions.all {
            execution._withUnsafeGuaranteedRef {
                guard let stack = $0.stack else { return }
                markStack(&marker, stack.base, stack.top)
                marker.markCandidate($0.accumulators.r)
            }
        }
        for slot in heap.handles.slots { marker.mark(slot) }
        for slots in temporaries {
            marker.markCandidate(slots.low)
            marker.markCandidate(slots.high)
        }
        for cell in tracedGlobalCells { marker.mark(cell.pointee) }
        for table in tables where engine.types.isTraced(ValueType(table.type.element)) {
            marker.mark(table.record.pointee.elements, count: Int(table.count))
        }
        for instance in instances { instance.markRoots(&marker) }
        for instance in unfinishedInstances { instance.markRoots(&marker) }
        marker.finish(heap)
        if let stop = marker.stop { return stop }
        heap.endMarking()
        return nil
    }

    /// Zeroes what ended calls left on the value stack, from `start` to some frames above `end`:
    /// later frames contain those slots too and would keep alive what is in them.
    private func clearStack(
        from start: UnsafeMutablePointer<UInt64>, through end: UnsafeMutablePointer<UInt64>
    ) {
        guard valueStack != nil else { return }
        let start = UnsafeMutableRawPointer(start)
        let end = min(UnsafeMutableRawPointer(end + 4096), stackEnd)
        guard end > start else { return }
        // Whole pages of a deep stack go back to the system, which takes less time than writing
        // zeros.
        let mask = SystemMemory.pageSize - 1
        let first = start + (0 &- Int(bitPattern: start)) & mask
        let last = end - Int(bitPattern: end) & mask
        if last - first > 1 << 20, SystemMemory.discard(first, last - first) {
            start.initializeMemory(as: UInt8.self, repeating: 0, count: first - start)
            last.initializeMemory(as: UInt8.self, repeating: 0, count: end - last)
        } else {
            start.initializeMemory(as: UInt8.self, repeating: 0, count: end - start)
        }
    }

    /// The run that began at `start` trapped: what its frames hold is garbage.
    func clearFrames(from start: UnsafeMutablePointer<UInt64>) {
        guard heap.space.frontier > 0, let last = exchange.pointee.stack, last >= start else {
            return
        }
        clearStack(from: start, through: last)
    }

    private func markStack(
        _ marker: inout Marker, _ base: UnsafeMutableRawPointer?,
        _ top: UnsafeMutablePointer<UInt64>
    ) {
        guard let base else { return }
        let count = (UnsafeMutableRawPointer(top) - base) / 8
        guard count > 0 else { return }
        marker.markCandidates(base.assumingMemoryBound(to: UInt64.self), count: count)
    }
}

extension InstanceStorage {
    fileprivate func markRoots(_ marker: inout Marker) {
        for offset in module.tracedGlobals {
            marker.mark(context.load(fromByteOffset: offset, as: UInt64.self))
        }
        for segment in module.tracedSegments {
            guard case .ready(let buffer) = elementStates[segment], let base = buffer.baseAddress
            else { continue }
            marker.mark(base, count: buffer.count)
        }
    }
}
