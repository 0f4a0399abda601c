// What handlers call that allocate, and for arrays as wholes.
//
// Invariants: operands stand in consecutive slots and were validated; references are 0 or addresses
// of arrays of the type in question. Indices and counts are i32 and come zero-extended; nothing is
// touched before they were checked, and sums of two of them cannot overflow 64 bits.

import Glibc
import WasmValidator

/// Operations on whole arrays; the raw value is in the instruction.
enum AggregateOperation: Int {
    case arrayNew
    case arrayNewDefault
    case arrayNewFixed
    case arrayNewData
    case arrayNewElements
    // From here on without result.
    case arrayFill
    case arrayCopy
    case arrayInitData
    case arrayInitElements

    /// Operands in slots, a vector counting once; nil for as many as the instruction says.
    var operandCount: Int? {
        switch self {
        case .arrayNew, .arrayNewData, .arrayNewElements: 2
        case .arrayNewDefault: 1
        case .arrayNewFixed: nil
        case .arrayFill: 4
        case .arrayInitData, .arrayInitElements: 4
        case .arrayCopy: 5
        }
    }

    var hasResult: Bool { rawValue < AggregateOperation.arrayFill.rawValue }
}

/// Puts a cell for an object of a structure type into the free list of its class; answers 0, or the
/// trap code of what stops the guest.
@inline(never)
func runtimeRefill(
    _ cx: ContextPointer, _ sizeClass: Int, _ type: UInt32, _ top: StackPointer
) -> UInt64 {
    guard let store = ContextView(cx).execution.pointee.unretainedStore else { return 0 }
    return store._withUnsafeGuaranteedRef {
        let byteCount = Int($0.heap.types[Int(type)].byteCount)
        return $0.refill(sizeClass, byteCount, top: top, isInterruptible: true)?.answer ?? 0
    }
}

/// Runs the operation of an `aggregate` instruction at `pc`.
///
/// - Returns: the new array or 0, or a trap code.
@inline(never)
func runtimeAggregate(_ pc: CodePointer, _ sp: StackPointer, _ cx: ContextPointer) -> UInt64 {
    let fields = pc[1], words = pc[2]
    guard let operation = AggregateOperation(rawValue: Int(fields &>> 32 & 0xffff)),
        let store = ContextView(cx).execution.pointee.unretainedStore
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
    /// Behind all slots in use.
    let top: StackPointer
    /// Of arrays of the instruction's type, whose elements are stored so.
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
            return make(UInt64(index)) { elements, _ in
                var slot = operands
                for index in 0..<index {
                    storage.store(slot[0], slot[1], at: elements + index &* storage.byteCount)
                    slot += storage == .v128 ? 2 : 1
                }
            }
        case .arrayNewData:
            guard let source = bytes(operand(0), operand(1)) else {
                return TrapCode.outOfBoundsMemoryAccess.answer
            }
            return make(operand(1)) { copy(source, to: $0, $1) }
        case .arrayNewElements:
            let failure = prepareReferences()
            guard failure == 0 else { return failure }
            guard let source = references(operand(0), operand(1)) else {
                return TrapCode.outOfBoundsTableAccess.answer
            }
            return make(operand(1)) { copy(source, to: $0, $1) }
        case .arrayFill: return arrayFill()
        case .arrayCopy: return arrayCopy()
        case .arrayInitData:
            return initialize({ bytes($0, $1) }, orTrap: .outOfBoundsMemoryAccess)
        case .arrayInitElements:
            let failure = prepareReferences()
            guard failure == 0 else { return failure }
            return initialize({ references($0, $1) }, orTrap: .outOfBoundsTableAccess)
        }
    }

    private func operand(_ slot: Int) -> UInt64 {
        UInt64(UInt32(truncatingIfNeeded: operands[slot]))
    }

    // MARK: New arrays

    /// An array of `count` elements; `contents` writes its bytes, piece by piece.
    private func make(
        _ count: UInt64, _ contents: (UnsafeMutableRawPointer, Range<Int>) -> Void
    ) -> UInt64 {
        let byteCount = count &<< UInt64(storage.byteCountLog2)
        let size = ArrayLayout.elementsOffset &+ Int(truncatingIfNeeded: byteCount)
        let sizeClass = SizeClass.containing(size)
        var taken = store.heap.take(sizeClass)
        if taken == nil {
            if let trap = store.refill(sizeClass, size, top: top, isInterruptible: true) {
                return trap.answer
            }
            taken = store.heap.take(sizeClass)
        }
        guard let cell = taken else { return store.heap.refusal.answer }
        // Without its header it is no object: if the guest must stop now, nobody reads the elements
        // that are missing.
        let stop = inPieces(cx, byteCount) { contents(cell + ArrayLayout.elementsOffset, $0) }
        guard stop == 0 else { return stop }
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

    /// Bytes of data segment `index` for `count` elements; nil if it has not so many.
    private func bytes(
        _ start: UInt64, _ count: UInt64
    ) -> UnsafeRawBufferPointer? {
        let instance = ContextView(cx).instance
        let parsed = instance.module.parsed
        let content = parsed.dataSegments[index].content
        let available = instance.isDataDropped[index] ? 0 : UInt(bitPattern: content.count)
        let byteCount = count &<< UInt64(storage.byteCountLog2)
        guard fits(start, byteCount, in: available) else { return nil }
        return UnsafeRawBufferPointer(
            start: parsed.bytes.base + (content.start + Int(truncatingIfNeeded: start)),
            count: Int(truncatingIfNeeded: byteCount))
    }

    /// Makes the references of element segment `index`; answers 0, or why that cannot be.
    private func prepareReferences() -> UInt64 {
        do {
            _ = try ContextView(cx).instance.elements(index)
            return 0
        } catch {
            return elementsFailure(error)
        }
    }

    /// References of element segment `index`.
    private func references(
        _ start: UInt64, _ count: UInt64
    ) -> UnsafeRawBufferPointer? {
        // Segments whose elements can allocate were made at instantiation, others cannot fail.
        let elements = (try? ContextView(cx).instance.elements(index)) ?? nil
        guard fits(start, count, in: UInt(bitPattern: elements?.count ?? 0)) else { return nil }
        let first = Int(truncatingIfNeeded: start)
        return UnsafeRawBufferPointer(
            start: elements?.baseAddress.map { UnsafeRawPointer($0 + first) },
            count: Int(truncatingIfNeeded: count) * 8)
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
            memmove(target + $0.lowerBound, source + $0.lowerBound, $0.count)
        }
    }

    /// `array.init_data`, `array.init_elem`: array, index, index in the segment, count.
    private func initialize(
        _ segment: (UInt64, UInt64) -> UnsafeRawBufferPointer?, orTrap trap: TrapCode
    ) -> UInt64 {
        let count = operand(3)
        let (target, arrayTrap) = elements(0, operand(1), count)
        guard let target else { return arrayTrap }
        guard let source = segment(operand(2), count) else { return trap.answer }
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
        case .i8: memset(elements, Int32(truncatingIfNeeded: value.low), count)
        case .i16: repeated(UInt16(truncatingIfNeeded: value.low))
        case .i32, .f32: repeated(UInt32(truncatingIfNeeded: value.low))
        case .i64, .f64, .reference: repeated(value.low)
        case .v128:
            for index in 0..<count { store(value.low, value.high, at: elements + 16 &* index) }
        }
    }
}
