// Invariants: no guest of the store runs meanwhile and nothing is allocated on its heap, so that the
// addresses of objects mean what they meant; slots are read as their types say.

import WasmMachine
import WasmValidator

/// Reads the state of an instance and numbers the objects that it finds.
struct Capture: ~Copyable {
    private let instance: InstanceStorage
    private let types: TypeRegistry
    /// Whether memories may begin as the state's and share its pages.
    private let sharesPages: Bool
    /// Indices of imported functions by the address of their record.
    private let importedFunctions: [UInt64: Int]
    /// Indices of the module's types by number; the first of equal ones.
    private var typeIndices: [TypeID: TypeIndex] = [:]
    private var shapes: [TypeIndex: ObjectShape] = [:]
    /// Objects in the order of their indices, and the indices by address.
    private var addresses: [UInt64] = []
    private var indices: [UInt64: Int] = [:]
    private var heap = SavedHeap()
    /// What was charged so far of what will be a `SavedState.Charge`.
    private var holding: ResourceHolding

    init(_ instance: InstanceStorage, sharesPages: Bool = true) {
        self.instance = instance
        self.sharesPages = sharesPages
        holding = ResourceHolding(instance.store.account)
        let module = instance.module
        types = module.engine.types
        var functions: [UInt64: Int] = [:]
        for index in (0..<module.layout.importedFunctionCount).reversed() {
            functions[UInt64(UInt(bitPattern: instance.functionRecord(index)))] = index
        }
        importedFunctions = functions
    }

    consuming func state() throws(SnapshotError) -> SavedState {
        guard instance.store.isIdle else { throw .running }
        let parsed = instance.module.parsed
        var state = SavedState()
        state.isDataDropped = instance.isDataDropped
        for index in parsed.importedMemoryCount..<instance.memories.count {
            state.memories.append(try image(index))
        }
        for index in parsed.importedGlobalCount..<parsed.globals.count {
            state.globals.append(try global(index))
        }
        for index in parsed.importedTableCount..<instance.tables.count {
            state.tables.append(try table(index))
        }
        for index in parsed.elementSegments.indices {
            state.elementSegments.append(try segment(index))
        }
        try followObjects()
        state.heap = heap
        state.charge = SavedState.Charge(holding)
        return state
    }

    private func image(_ index: Int) throws(SnapshotError) -> MemoryImage {
        let memory = instance.memories[index]
        guard memory.shared == nil else { throw .sharedMemory(index: index) }
        do throws(ResourceError) {
            let store = instance.store
            return try memory.makeImage(
                pool: store.engine.reservations, usesFile: sharesPages, account: store.account)
        } catch {
            throw .resource(error)
        }
    }

    private mutating func global(_ index: Int) throws(SnapshotError) -> SavedValue {
        let type = instance.globalType(index).value
        guard let cell = instance.globalCell(index) else { return SavedValue(low: 0) }
        guard type.isReference else {
            return SavedValue(low: cell[0], high: type.isVector ? cell[1] : 0)
        }
        return SavedValue(low: try reference(cell[0], type, .global(index: index)).bits)
    }

    private mutating func table(_ index: Int) throws(SnapshotError) -> SavedTable {
        let table = instance.tables[index]
        let type = ValueType(table.type.element)
        let elements = table.record.pointee.elements
        var count = Int(truncatingIfNeeded: table.count)
        var saved = SavedTable(count: table.count)
        while count > 0, elements[count - 1] == 0 { count -= 1 }
        try charge(count * 8)
        saved.elements.reserveCapacity(count)
        for element in 0..<count {
            let place = SnapshotError.Place.table(index: index, element: UInt64(element))
            saved.elements.append(try reference(elements[element], type, place))
        }
        return saved
    }

    private mutating func segment(_ index: Int) throws(SnapshotError) -> SavedSegment {
        let module = instance.module
        switch instance.elementStates[index] {
        case .dropped: return .dropped
        case .pending: return .kept
        case .ready(let buffer):
            // References to functions are made again when they are needed.
            guard module.tracedSegments.contains(index) else { return .kept }
            let type = module.valid.canonical(ValueType(module.parsed.elementSegments[index].type))
            try charge(buffer.count * 8)
            var references: [SavedReference] = []
            for slot in buffer {
                references.append(try reference(slot, type, .elementSegment(index: index)))
            }
            return .references(references)
        }
    }

    private mutating func charge(_ byteCount: Int) throws(SnapshotError) {
        guard holding.grow(by: byteCount) else {
            throw .resource(.totalExceeded(limit: instance.store.account.limit))
        }
    }

    // MARK: References

    private mutating func reference(
        _ slot: UInt64, _ type: ValueType, _ place: SnapshotError.Place
    ) throws(SnapshotError) -> SavedReference {
        guard slot != 0 else { return .null }
        switch type.reference.map({ types.top(of: $0.heapType) }) {
        case .func: return try function(slot, place)
        case .any, .extern:
            if slot & 1 != 0 { return SavedReference(bits: slot) }
            guard slot & 7 == 0 else { throw .reference(.host, place) }
            return try object(slot, place)
        default: throw .reference(.exception, place)
        }
    }

    private func function(
        _ slot: UInt64, _ place: SnapshotError.Place
    ) throws(SnapshotError) -> SavedReference {
        let record = UnsafePointer<FunctionRecord>(bitPattern: UInt(slot))
        if let record, record.pointee.context == instance.context {
            return .function(Int(record.pointee.functionIndex))
        }
        guard let index = importedFunctions[slot] else { throw .reference(.foreignFunction, place) }
        return .function(index)
    }

    private mutating func object(
        _ slot: UInt64, _ place: SnapshotError.Place
    ) throws(SnapshotError) -> SavedReference {
        if let known = indices[slot] { return .object(known) }
        let address = UnsafeRawPointer(instance.store.heap.space.pointer(UInt(slot)))
        let typeID = address.load(as: UInt32.self) & ObjectKind.typeMask
        guard let type = typeIndex(typeID), let shape = shape(type, typeID) else {
            throw .reference(.foreignType, place)
        }
        var length: UInt32 = 0
        if case .array = shape.layout {
            length = address.load(fromByteOffset: ArrayLayout.lengthOffset, as: UInt32.self)
        }
        let index = addresses.count
        addresses.append(slot)
        indices[slot] = index
        let offset = heap.contents.count
        heap.objects.append(SavedHeap.Object(type: type, length: length, offset: offset))
        let byteCount = shape.contentByteCount(length: length)
        // The object, its contents, and what finds it again meanwhile.
        try charge(byteCount + 64)
        heap.contents.append(contentsOf: repeatElement(0, count: byteCount))
        return .object(index)
    }

    private mutating func typeIndex(_ id: TypeID) -> TypeIndex? {
        if typeIndices.isEmpty {
            for (index, id) in instance.module.valid.typeIDs.enumerated().reversed() {
                typeIndices[id] = TypeIndex(truncatingIfNeeded: index)
            }
        }
        return typeIndices[id]
    }

    private mutating func shape(_ type: TypeIndex, _ id: TypeID) -> ObjectShape? {
        if let known = shapes[type] { return known }
        let made = ObjectShape(id, in: types)
        shapes[type] = made
        return made
    }

    /// Reads the contents of all objects, which may find more.
    private mutating func followObjects() throws(SnapshotError) {
        var next = 0
        while next < addresses.count {
            try readContents(next)
            next += 1
        }
    }

    private mutating func readContents(_ index: Int) throws(SnapshotError) {
        let object = heap.objects[index]
        let start = UnsafeRawPointer(instance.store.heap.space.pointer(UInt(addresses[index])))
        guard let shape = shapes[object.type] else { return }
        if shape.isPlainArray {
            let count = shape.contentByteCount(length: object.length)
            heap.contents.withUnsafeMutableBytes {
                UnsafeMutableRawBufferPointer(rebasing: $0[object.offset..<(object.offset + count)])
                    .copyMemory(
                        from: UnsafeRawBufferPointer(
                            start: start + ArrayLayout.elementsOffset, count: count))
            }
            return
        }
        try shape.forEachField(length: object.length) {
            (field, position) throws(SnapshotError) in
            let (loaded, high) = field.storage.load(from: start + field.offset)
            var low = loaded
            if let type = field.reference {
                low = try reference(loaded, type, .object(type: object.type)).bits
            }
            heap.contents.withUnsafeMutableBytes { contents in
                if let base = contents.baseAddress {
                    field.storage.store(low, high, at: base + (object.offset + position))
                }
            }
        }
    }
}
