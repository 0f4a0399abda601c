// Functions that handlers call to allocate objects, and for operations on whole arrays.
//
// Invariants: operands are in consecutive slots and were validated; references are 0 or addresses
// of arrays of the type in question. Indices and counts are i32 and zero-extended; nothing is
// accessed before they were checked, and sums of two of them cannot overflow 64 bits.

import WasmMachine
import WasmSystem
import WasmValidator

/// Puts a cell for an object of a structure type into the free list of its class; returns 0, or a
/// trap code if the guest must stop.
func runtimeRefill(
    _ cx: ContextPointer, _ sizeClass: Int, _ type: UInt32, _ top: StackPointer
) -> UInt64 {
    guard let store = ContextView(cx).exchange.pointee.unretainedStore else { return 0 }
    return store._withUnsafeGuaranteedRef {
        let byteCount = Int($0.heap.types[Int(type)].byteCount)
        return $0.fillFreeList(sizeClass, byteCount, top: top, isInterruptible: true)?.answer ?? 0
    }
}

/// Runs the operation of an `aggregate` instruction at `pc`.
///
/// - Returns: the new array or 0, or a trap code.
func runtimeAggregate(_ pc: CodePointer, _ sp: StackPointer, _ cx: ContextPointer) -> UInt64 {
    let fields = pc[1], words = pc[2]
    guard let operation = AggregateOperation(rawValue: Int(fields &>> 32 & 0xffff)),
        let store = ContextView(cx).exchange.pointee.unretainedStore
    else { return TrapCode.unreachable.answer }
    return store._withUnsafeGuaranteedRef { store in
        let aggregate = Aggregate(
            store: store, cx: cx, operands: sp + Int(fields &>> 16 & 0xffff),
            top: sp + Int(fields &>> 48), header: UInt32(truncatingIfNeeded: words),
            storage: FieldStorage(rawValue: UInt8(truncatingIfNeeded: pc[3])) ?? .i8,
            index: Int(words &>> 32))
        return aggregate.run(operation)
    }
}

private struct Aggregate {
    let store: Store
    let cx: ContextPointer
    let operands: StackPointer
    /// After all slots in use.
    let top: StackPointer
    /// The header of arrays of the instruction's type; `storage` is how their elements are stored.
    let header: UInt32
    let storage: FieldStorage
    /// A segment, or the number of elements.
    let index: Int

    func run(_ operation: AggregateOperation) -> UInt64 {
        switch operation {
        case .arrayNew, .arrayNewDefault:
            let isDefault = operation == .arrayNewDefault
            let valueSlots = isDefault ? 0 : storage == .v128 ? 2 : 1
            let count = operand(valueSlots)
            return make(count) { elements, piece in
                fill(elements, piece, isDefault ? (0, 0) : (operands[0], operands[1]))
            }
        case .arrayNewFixed:
            let slots = storage == .v128 ? 2 : 1
            return make(UInt64(index)) { elements, piece in
                let first = piece.lowerBound &>> storage.byteCountLog2
                var slot = operands + first &* slots
                for index in first..<(piece.upperBound &>> storage.byteCountLog2) {
                    storage.store(slot[0], slot[1], at: elements + index &* storage.byteCount)
                    slot += slots
                }
            }
        case .structNew: return makeStructure()
        case .arrayNewData:
            let (source, trap) = bytes(operand(0), operand(1))
            guard let source else { return trap }
            return make(operand(1)) { copy(source, to: $0, $1) }
        case .arrayNewElements:
            let (source, trap) = references(operand(0), operand(1))
            guard let source else { return trap }
            return make(operand(1)) { copy(source, to: $0, $1) }
        case .arrayFill: return arrayFill()
        case .arrayCopy: return arrayCopy()
        case .arrayInitData:
            return initialize { bytes($0, $1) }
        case .arrayInitElements:
            return initialize { references($0, $1) }
        }
    }

    private func operand(_ slot: Int) -> UInt64 {
        UInt64(UInt32(truncatingIfNeeded: operands[slot]))
    }

    // MARK: New objects

    /// A cell for an object of `byteCount` bytes; or nil, and a trap code if the guest must stop.
    private func allocate(_ byteCount: Int) -> (UnsafeMutableRawPointer?, UInt64) {
        let sizeClass = SizeClass.containing(byteCount)
        if let cell = store.heap.take(sizeClass) { return (cell, 0) }
        if let trap = store.fillFreeList(sizeClass, byteCount, top: top, isInterruptible: true) {
            return (nil, trap.answer)
        }
        return (store.heap.take(sizeClass), store.heap.refusal.answer)
    }

    private func makeStructure() -> UInt64 {
        let layout = ContextView(cx).instance.structureLayout(index)
        let (taken, trap) = allocate(layout.byteCount)
        guard let cell = taken else { return trap }
        cell.storeBytes(of: header, as: UInt32.self)
        var slot = operands
        for field in layout.fields {
            field.storage.store(slot[0], slot[1], at: cell + field.offset)
            slot += field.storage == .v128 ? 2 : 1
        }
        return UInt64(UInt(bitPattern: cell))
    }

    /// An array of `count` elements; `contents` writes its bytes, piece by piece.
    private func make(
        _ count: UInt64, _ contents: (UnsafeMutableRawPointer, Range<Int>) -> Void
    ) -> UInt64 {
        let byteCount = count &<< UInt64(storage.byteCountLog2)
        let size = ArrayLayout.elementsOffset &+ Int(truncatingIfNeeded: byteCount)
        let (taken, trap) = allocate(size)
        guard let cell = taken else { return trap }
        // Without its header it is no object: if the guest must stop now, the elements that are
        // missing are never read.
        let stop = inPieces(cx, byteCount) { contents(cell + ArrayLayout.elementsOffset, $0) }
        guard stop == 0 else {
            store.heap.giveBack(cell, size)
            return stop
        }
        cell.storeBytes(of: header, as: UInt32.self)
        cell.storeBytes(
            of: UInt32(truncatingIfNeeded: count), toByteOffset: ArrayLayout.lengthOffset,
            as: UInt32.self)
        return UInt64(UInt(bitPattern: cell))
    }

    private func fill(
        _ elements: UnsafeMutableRawPointer, _ piece: Range<Int>,
        _ value: (low: UInt64, high: UInt64)
    ) {
        storage.fill(
            elements + piece.lowerBound, piece.count &>> storage.byteCountLog2, value)
    }

    private func copy(
        _ source: UnsafeRawBufferPointer, to elements: UnsafeMutableRawPointer, _ piece: Range<Int>
    ) {
        guard let base = source.baseAddress else { return }
        (elements + piece.lowerBound).copyMemory(
            from: base + piece.lowerBound, byteCount: piece.count)
    }

    // MARK: Segments

    /// Bytes of data segment `index` for `count` elements; or the trap, if it has fewer.
    private func bytes(
        _ start: UInt64, _ count: UInt64
    ) -> (UnsafeRawBufferPointer?, UInt64) {
        let instance = ContextView(cx).instance
        let parsed = instance.module.parsed
        let content = parsed.dataSegments[index].content
        let available = instance.isDataDropped[index] ? 0 : UInt(bitPattern: content.count)
        let byteCount = count &<< UInt64(storage.byteCountLog2)
        guard fits(start, byteCount, in: available) else {
            return (nil, TrapCode.outOfBoundsMemoryAccess.answer)
        }
        let source = UnsafeRawBufferPointer(
            start: parsed.bytes.base + (content.start + Int(truncatingIfNeeded: start)),
            count: Int(truncatingIfNeeded: byteCount))
        return (source, 0)
    }

    /// The same of element segment `index`.
    private func references(
        _ start: UInt64, _ count: UInt64
    ) -> (UnsafeRawBufferPointer?, UInt64) {
        let (elements, stop) = runtimeElements(cx, index)
        guard stop == 0 else { return (nil, stop) }
        guard fits(start, count, in: UInt(bitPattern: elements.count)) else {
            return (nil, TrapCode.outOfBoundsTableAccess.answer)
        }
        let first = Int(truncatingIfNeeded: start)
        let source = UnsafeRawBufferPointer(
            start: elements.baseAddress.map { UnsafeRawPointer($0 + first) },
            count: Int(truncatingIfNeeded: count) * 8)
        return (source, 0)
    }

    // MARK: Arrays that exist

    /// `count` elements of the array in a slot, or the trap.
    private func elements(
        _ slot: Int, _ start: UInt64, _ count: UInt64
    ) -> (UnsafeMutableRawPointer?, UInt64) {
        guard let array = UnsafeMutableRawPointer(bitPattern: UInt(operands[slot])) else {
            return (nil, TrapCode.nullArrayReference.answer)
        }
        let length = array.load(fromByteOffset: ArrayLayout.lengthOffset, as: UInt32.self)
        guard fits(start, count, in: UInt(length)) else {
            return (nil, TrapCode.outOfBoundsArrayAccess.answer)
        }
        let offset = Int(truncatingIfNeeded: start) &<< storage.byteCountLog2
        return (array + (ArrayLayout.elementsOffset &+ offset), 0)
    }

    private func arrayFill() -> UInt64 {
        let count = operand(storage == .v128 ? 4 : 3)
        let (target, trap) = elements(0, operand(1), count)
        guard let target else { return trap }
        return inPieces(cx, count &<< UInt64(storage.byteCountLog2)) {
            fill(target, $0, (operands[2], operands[3]))
        }
    }

    private func arrayCopy() -> UInt64 {
        let count = operand(4)
        let (target, trap) = elements(0, operand(1), count)
        let (source, otherTrap) = elements(2, operand(3), count)
        // Null is found before bounds.
        guard operands[0] != 0, operands[2] != 0 else { return TrapCode.nullArrayReference.answer }
        guard let target else { return trap }
        guard let source else { return otherTrap }
        let byteCount = count &<< UInt64(storage.byteCountLog2)
        return inPieces(cx, byteCount, backward: target > source) {
            Bytes.move(to: target + $0.lowerBound, from: source + $0.lowerBound, $0.count)
        }
    }

    /// `array.init_data`, `array.init_elem`: array, index, index in the segment, count.
    private func initialize(
        from segment: (UInt64, UInt64) -> (UnsafeRawBufferPointer?, UInt64)
    ) -> UInt64 {
        let count = operand(3)
        let (target, arrayTrap) = elements(0, operand(1), count)
        guard let target else { return arrayTrap }
        let (source, trap) = segment(operand(2), count)
        guard let source else { return trap }
        return inPieces(cx, UInt64(source.count)) { copy(source, to: target, $0) }
    }
}

extension FieldStorage {
    /// Writes one value to `count` elements.
    func fill(
        _ elements: UnsafeMutableRawPointer, _ count: Int, _ value: (low: UInt64, high: UInt64)
    ) {
        func repeated<T: BitwiseCopyable>(_ value: T) {
            elements.initializeMemory(as: T.self, repeating: value, count: count)
        }
        switch self {
        case .i8: Bytes.fill(elements, count, with: UInt8(truncatingIfNeeded: value.low))
        case .i16: repeated(UInt16(truncatingIfNeeded: value.low))
        case .i32, .f32: repeated(UInt32(truncatingIfNeeded: value.low))
        case .i64, .f64, .reference: repeated(value.low)
        case .v128:
            for index in 0..<count { store(value.low, value.high, at: elements + 16 &* index) }
        }
    }
}
