// Invariants: a cell is on at most one free list, or in an unswept block, or holds an object. Blocks
// of `unswept` have mark bits of the last collection; cells made since are in swept blocks only,
// which are not looked at again before the next collection. While a sweep is under way, no cell is
// handed out and no collection begins: a dead object in a block that was not swept may refer to what was
// freed.

import WasmMachine
import WasmSystem
import WasmValidator

/// Objects of the guests of one store: structures, arrays, payloads of exceptions.
///
/// Cells of one size share blocks. A collection marks what can be reached and leaves the rest to be
/// found when cells are needed. Objects never move.
final class Heap {
    /// See `HeapOffset`.
    let record: UnsafeMutableRawPointer
    var space: HeapSpace
    let externs: ExternTable
    let handles = HandleTable()
    /// Collect before every cell that is handed out.
    private let isStressed: Bool
    /// Blocks of a size class with cells that the last collection found dead; empty before the
    /// first collection, which most stores do not live to see.
    private var unswept: [[Int32]] = []
    private var typeCapacity = 0
    /// Whether the records of types are those of `sharedTypes`.
    private(set) var sharesTypes = false
    /// Kept when the heap has records of its own, too: they may be copies.
    private var sharedTypes: FunctionTypeRecords?
    /// What records of types point at.
    @exclusivity(unchecked) private var typeWords: [UnsafeMutablePointer<UInt32>] = []
    /// Whether the program has so little that a collection's own memory matters.
    private let isSmall: Bool
    /// Where the next collection keeps what it has to follow.
    @exclusivity(unchecked) var markStack = MarkStack()

    /// Bytes of cells handed to free lists since the last collection.
    private(set) var allocatedByteCount = 0
    /// A collection is due when so much was allocated.
    private var threshold: Int
    let minimumThreshold: Int
    /// Bytes of objects that the last collection found alive, with their cells' padding.
    private(set) var liveByteCount = 0
    private(set) var collectionCount = 0

    /// The block that a sweep which was stopped goes on with.
    private var sweepPosition: Int?
    /// Live bytes in the blocks before.
    private var sweptLiveByteCount = 0

    /// - Parameters:
    ///   - limit: bytes that objects may take.
    ///   - account: what they are charged to, with those of the program's other stores.
    init(limit: UInt64, account: ResourceAccount, isStressed: Bool) {
        space = HeapSpace(limit: limit, account: account)
        externs = ExternTable(account: account)
        // Of a small total, many threads have a part each: garbage must not take all of it.
        minimumThreshold = min(8 << 20, max(1 << 20, Int(clamping: account.limit / 32)))
        threshold = minimumThreshold
        isSmall = account.limit < 1 << 30
        self.isStressed = isStressed
        record = .allocate(byteCount: HeapOffset.byteCount, alignment: 8)
        record.initializeMemory(as: UInt8.self, repeating: 0, count: HeapOffset.byteCount)
    }

    deinit {
        for words in typeWords { words.deallocate() }
        if typeCapacity > 0, !sharesTypes { Allocation.free(types) }
        record.deallocate()
        markStack.release()
        space.release()
    }

    // MARK: Types

    @inline(__always)
    var types: UnsafeMutablePointer<TypeRecord> {
        record.load(as: UnsafeMutablePointer<TypeRecord>.self)
    }

    /// Makes the records of types that a module or a function of the host brings. The store holds them
    /// as long as it lives, since a number must not come to mean another type meanwhile.
    func register(_ ids: some Collection<TypeID>, of registry: TypeRegistry) {
        guard let highest = ids.max() else { return }
        if sharesTypes {
            if ids.allSatisfy({ isRegistered($0) }) { return }
            makeOwnTypes(Int(highest) + 1)
        } else if Int(highest) >= typeCapacity {
            makeOwnTypes(max(Int(highest) + 1, typeCapacity * 2))
        }
        for id in ids where !types[Int(id)].isRegistered {
            types[Int(id)] = typeRecord(id, registry)
        }
    }

    var hasTypes: Bool { typeCapacity > 0 }

    /// Whether the record of a type was made: then the store holds the type.
    func isRegistered(_ id: TypeID) -> Bool {
        Int(id) < typeCapacity && types[Int(id)].isRegistered
    }

    /// Uses the records of a module's types if the heap has none yet.
    func share(_ types: FunctionTypeRecords) {
        guard typeCapacity == 0 else { return }
        sharedTypes = types
        sharesTypes = true
        typeCapacity = types.count
        record.storeBytes(of: types.records, as: UnsafeMutablePointer<TypeRecord>.self)
    }

    /// Copies the records to a table of the heap's own.
    private func makeOwnTypes(_ capacity: Int) {
        let wanted = max(capacity, typeCapacity)
        let byteCount = wanted * MemoryLayout<TypeRecord>.stride
        // Zeros that cost nothing where they are not touched: an engine may know a million types.
        // Without memory the process ends, as with any allocation of the language.
        let memory =
            Allocation.zeroed(wanted, stride: MemoryLayout<TypeRecord>.stride)
            ?? .allocate(byteCount: byteCount, alignment: 8)
        let table = memory.bindMemory(to: TypeRecord.self, capacity: wanted)
        if typeCapacity > 0 {
            table.update(from: types, count: typeCapacity)
            if !sharesTypes { Allocation.free(types) }
        }
        sharesTypes = false
        record.storeBytes(of: table, as: UnsafeMutablePointer<TypeRecord>.self)
        typeCapacity = wanted
    }

    private func typeRecord(_ id: TypeID, _ registry: TypeRegistry) -> TypeRecord {
        let ancestors = registry.ancestors(of: id)
        var type = TypeRecord(functionType: id, registry)
        switch registry.definition(id).composite {
        case .function: break
        case .array(let element):
            type.byteCount = UInt32(FieldStorage(element.storage).byteCount)
            type.hasReferences = registry.isTraced(element)
            guard ancestors.count > 0 else { break }
            type.ancestors = UnsafePointer(keep(ancestors.map { ObjectKind.array.header($0) }))
        case .structure(let fields):
            let layout = StructureLayout(fields)
            type.byteCount = UInt32(truncatingIfNeeded: layout.byteCount)
            let offsets = zip(fields, layout.fields).filter { registry.isTraced($0.0) }.map {
                UInt32(truncatingIfNeeded: $0.1.offset)
            }
            guard !offsets.isEmpty else { break }
            type.references = UnsafePointer(keep(offsets))
            type.referenceCount = UInt32(truncatingIfNeeded: offsets.count)
        }
        return type
    }

    private func keep(_ words: [UInt32]) -> UnsafeMutablePointer<UInt32> {
        let memory = UnsafeMutablePointer<UInt32>.allocate(capacity: words.count)
        memory.initialize(from: words, count: words.count)
        typeWords.append(memory)
        return memory
    }

    // MARK: Free lists

    @inline(__always)
    private func setFreeList(_ sizeClass: Int, _ cell: UInt) {
        record.storeBytes(of: cell, toByteOffset: HeapOffset.freeList(sizeClass), as: UInt.self)
    }

    /// Takes a cell off a free list; nil if the list is empty.
    @inline(__always)
    func take(_ sizeClass: Int) -> UnsafeMutableRawPointer? {
        let list = record + HeapOffset.freeList(sizeClass)
        guard let cell = UnsafeMutableRawPointer(bitPattern: list.load(as: UInt.self)) else {
            return nil
        }
        list.storeBytes(of: cell.load(fromByteOffset: 8, as: UInt.self), as: UInt.self)
        return cell
    }

    /// Whether a collection should come before more is allocated.
    var isCollectionDue: Bool {
        isStressed || allocatedByteCount >= threshold || externs.isCollectionDue
    }

    /// Why there was no cell: the heap's own limit, or the program's.
    var refusal: TrapCode { space.isRefusedByAccount ? .totalExhausted : .heapExhausted }

    /// Whether a collection may help where the limit was reached: a guest at its limit must not
    /// spend all its time in collections, so a sixteenth of it must have been allocated since. But if
    /// that stopped a guest, what it held is garbage now.
    var isCollectionWorthwhile: Bool {
        hasRefused || allocatedByteCount > space.limitByteCount / 16
            // Of the program's limit other stores may have most.
            || space.isRefusedByAccount && allocatedByteCount > liveByteCount / 16
    }
    /// The limit forbade what was asked for, and nothing was collected since.
    var hasRefused = false

    /// Puts at least one cell into a free list that is empty, without collecting; `byteCount` is
    /// the size of the object if it is a large one. False if the limit forbids it.
    func fillFreeList(_ sizeClass: Int, _ byteCount: Int) -> Bool {
        if isSweeping { _ = sweep(of: nil) }
        if sizeClass == SizeClass.large { return takeLarge(byteCount) }
        if !unswept.isEmpty {
            while let block = unswept[sizeClass].popLast() {
                if sweep(Int(block)) { return true }
            }
        }
        guard let block = space.take(1) else { return false }
        let size = SizeClass.byteCount(sizeClass)
        space.blocks[block] = HeapSpace.Block(
            use: .cells, sizeClass: UInt8(truncatingIfNeeded: sizeClass),
            cellSize: UInt32(truncatingIfNeeded: size),
            reciprocal: UInt32(truncatingIfNeeded: ((1 << 32) + size - 1) / size))
        setFree(block, size) { _ in true }
        return true
    }

    private func takeLarge(_ byteCount: Int) -> Bool {
        let count = (byteCount + HeapSpace.blockSize - 1) / HeapSpace.blockSize
        guard let block = space.take(count) else { return false }
        for index in block..<(block + count) {
            space.blocks[index] = HeapSpace.Block(use: .continuation)
        }
        space.blocks[block] = HeapSpace.Block(
            use: .largeObject, span: UInt32(truncatingIfNeeded: count))
        let cell = space.address(ofBlock: block)
        // Until it has a header nothing may take it for an object with contents.
        let pointer = space.pointer(cell)
        pointer.storeBytes(of: ObjectKind.slots.header(0), as: UInt32.self)
        pointer.storeBytes(of: 0, toByteOffset: 4, as: UInt32.self)
        pointer.storeBytes(of: 0, toByteOffset: 8, as: UInt.self)
        setFreeList(SizeClass.large, cell)
        allocatedByteCount += count * HeapSpace.blockSize
        return true
    }

    /// Takes back a cell for an object of `byteCount` bytes that was not made in the end.
    func giveBack(_ cell: UnsafeMutableRawPointer, _ byteCount: Int) {
        let sizeClass = SizeClass.containing(byteCount)
        guard sizeClass == SizeClass.large else {
            let list = record.load(fromByteOffset: HeapOffset.freeList(sizeClass), as: UInt.self)
            cell.storeBytes(of: ObjectKind.free.header(0), as: UInt32.self)
            cell.storeBytes(of: list, toByteOffset: 8, as: UInt.self)
            return setFreeList(sizeClass, UInt(bitPattern: cell))
        }
        let offset = UInt(bitPattern: cell) &- space.base
        let block = Int(bitPattern: offset) / HeapSpace.blockSize
        let span = Int(space.blocks[block].span)
        space.free(block, span)
        allocatedByteCount -= span * HeapSpace.blockSize
    }

    /// Makes the free list of a block's dead cells; false if there are none.
    private func sweep(_ block: Int) -> Bool {
        let start = space.address(ofBlock: block) &- space.base
        return setFree(block, Int(space.blocks[block].cellSize)) {
            !space.isMarked(start &+ UInt(bitPattern: $0))
        }
    }

    /// Makes the cells of a block for which `isFree` holds the free list of their class.
    @discardableResult
    private func setFree(_ block: Int, _ size: Int, _ isFree: (Int) -> Bool) -> Bool {
        let start = space.pointer(space.address(ofBlock: block))
        var first: UInt = 0
        var last = start
        var count = 0
        var offset = 0
        while offset + size <= HeapSpace.blockSize {
            if isFree(offset) {
                let cell = start + offset
                cell.storeBytes(of: ObjectKind.free.header(0), as: UInt32.self)
                if first == 0 {
                    first = UInt(bitPattern: cell)
                } else {
                    last.storeBytes(of: UInt(bitPattern: cell), toByteOffset: 8, as: UInt.self)
                }
                last = cell
                count += 1
            }
            offset += size
        }
        guard first != 0 else { return false }
        last.storeBytes(of: 0, toByteOffset: 8, as: UInt.self)
        if isStressed { space.pointer(first).storeBytes(of: 0, toByteOffset: 8, as: UInt.self) }
        setFreeList(Int(space.blocks[block].sizeClass), first)
        allocatedByteCount += count * size
        return true
    }

    // MARK: Collection

    /// Before marking: dead cells must not look like objects, and no object is marked.
    ///
    /// - Returns: why the guest must stop before that is done, if it is one that may. What is left
    ///   to do then is done by the next collection.
    func beginCollection(of guest: Store?) -> TrapCode? {
        if unswept.isEmpty { unswept = Array(repeating: [], count: SizeClass.count) }
        for sizeClass in unswept.indices {
            while let block = unswept[sizeClass].popLast() {
                clearDead(Int(block))
                if unswept[sizeClass].count & 15 == 0, let stop = guest?.stopRequest() {
                    return stop
                }
            }
            setFreeList(sizeClass, 0)
        }
        if let stop = space.clearMarks(of: guest) { return stop }
        externs.clearMarks()
        // An eighth of the objects: beyond that the heap is searched, a few times at most.
        if isSmall { markStack.maximum = min(markStack.maximum, max(8192, space.usedBlocks << 10)) }
        return nil
    }

    private func clearDead(_ block: Int) {
        let start = space.address(ofBlock: block)
        let size = Int(space.blocks[block].cellSize)
        var offset = 0
        while offset + size <= HeapSpace.blockSize {
            let cell = start &+ UInt(bitPattern: offset)
            if !space.isMarked(cell &- space.base) {
                space.pointer(cell).storeBytes(of: ObjectKind.free.header(0), as: UInt32.self)
            }
            offset += size
        }
    }

    /// Marking is done: what is not marked is dead, and `sweep` finds it.
    func endMarking() {
        externs.sweep()
        markStack.shrink()
        sweepPosition = 0
        sweptLiveByteCount = 0
    }

    /// Whether marking is done and sweeping is not.
    var isSweeping: Bool { sweepPosition != nil }

    /// Frees blocks without marked cells, notes those with some, and gives memory back to the system.
    ///
    /// - Parameter guest: one that wanted a cell and may be stopped; nil if the host asks, which gets
    ///   as much memory back as there is.
    /// - Returns: why the guest must stop. If `isSweeping`, the next sweep goes on here.
    func sweep(of guest: Store?) -> TrapCode? {
        var block = sweepPosition ?? 0
        var next = block + 256
        while block < space.frontier {
            sweepBlock(&block)
            guard block >= next else { continue }
            next = block + 256
            if let stop = guest?.stopRequest() {
                sweepPosition = block
                return stop
            }
        }
        sweepPosition = nil
        let recent = guest == nil || isSmall ? 0 : allocatedByteCount
        liveByteCount = sweptLiveByteCount
        allocatedByteCount = 0
        hasRefused = false
        threshold = max(minimumThreshold, liveByteCount)
        collectionCount += 1
        // A guest that needed so much since the last collection needs as much again. Of a small total,
        // others need it too.
        return space.trim(
            keeping: max(threshold, recent) / HeapSpace.blockSize, of: guest)
    }

    private func sweepBlock(_ block: inout Int) {
        let description = space.blocks[block]
        switch description.use {
        case .free, .continuation: block += 1
        case .largeObject:
            let span = Int(description.span)
            if space.isMarked(space.address(ofBlock: block) &- space.base) {
                sweptLiveByteCount += span * HeapSpace.blockSize
            } else {
                space.free(block, span)
            }
            block += span
        case .cells:
            let marked = space.markedCount(block)
            let size = Int(description.cellSize)
            sweptLiveByteCount += marked * size
            if marked == 0 {
                space.free(block, 1)
            } else if marked < HeapSpace.blockSize / size {
                unswept[Int(description.sizeClass)].append(Int32(truncatingIfNeeded: block))
            }
            block += 1
        }
    }
}

extension TypeRegistry {
    /// Whether a field can refer to something that the collector must know of: references to
    /// functions cannot.
    func isTraced(_ field: FieldType) -> Bool {
        guard case .value(let type) = field.storage else { return false }
        return isTraced(type)
    }

    func isTraced(_ type: ValueType) -> Bool {
        guard let reference = type.reference else { return false }
        return top(of: reference.heapType) != .func
    }
}
