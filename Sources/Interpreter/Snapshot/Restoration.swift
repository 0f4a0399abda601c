// Invariants: the state was read from an instance of the module or checked when it was decoded, so
// that indices are in range and values have the types of their places. While objects are made,
// those made before are `temporaries` of the store; afterwards nothing is allocated on its heap
// before all are where they belong.

import WasmMachine
import WasmValidator

/// Puts a saved state into an instance.
struct Restoration {
    private let content: SavedContent
    private var state: SavedState { _read { yield content.state } }
    private let instance: InstanceStorage
    private var store: Store { instance.store }
    private var parsed: ParsedModule { instance.module.parsed }

    init(_ content: SavedContent, to instance: InstanceStorage) {
        self.content = content
        self.instance = instance
    }

    /// Makes memories, tables and globals of an instance that has none of its own.
    func define() throws(ResourceError) {
        for (type, image) in zip(
            parsed.memories.dropFirst(parsed.importedMemoryCount), state.memories)
        {
            instance.add(try store.makeMemory(type, image: image))
        }
        for (definition, table) in zip(parsed.tableDefinitions, state.tables) {
            let type = instance.module.valid.canonical(definition.type)
            instance.add(try store.makeTable(type, count: table.count))
        }
        try instance.reserveElements(segmentReferenceCount)
        let known = store.temporaries.count
        defer { store.temporaries.removeSubrange(known...) }
        fill(objects: try makeObjects())
    }

    /// Of all element segments whose references the state has.
    private var segmentReferenceCount: Int {
        state.elementSegments.reduce(0) { count, segment in
            if case .references(let references) = segment {
                count + references.count
            } else {
                count
            }
        }
    }

    /// Replaces memories, tables and globals of an instance that has its own; what can fail comes first.
    func replace() throws(SnapshotError) {
        let memories = instance.memories.dropFirst(parsed.importedMemoryCount)
        let tables = instance.tables.dropFirst(parsed.importedTableCount)
        for (index, memory) in zip(memories.indices, memories) where memory.shared != nil {
            throw .sharedMemory(index: index)
        }
        let known = store.temporaries.count
        defer { store.temporaries.removeSubrange(known...) }
        let objects: [UInt64]
        do throws(ResourceError) {
            try instance.reserveElements(segmentReferenceCount)
        } catch {
            throw .resource(error)
        }
        do throws(ResourceError) {
            for (memory, image) in zip(memories, state.memories) {
                let size = UInt64(memory.record.pointee.byteCount)
                try store.approveMemory(from: size, to: UInt64(image.byteCount))
                try memory.prepare(for: image)
            }
            for (table, saved) in zip(tables, state.tables) {
                try store.approveTable(from: table.count, to: saved.count)
                try table.prepare(for: saved.count)
            }
            objects = try makeObjects()
        } catch {
            instance.forgetElements(segmentReferenceCount)
            for memory in memories { memory.settle() }
            throw .resource(error)
        }
        for (memory, image) in zip(memories, state.memories) { memory.restore(image) }
        for (table, saved) in zip(tables, state.tables) { table.restore(saved.count) }
        fill(objects: objects)
    }

    // MARK: Values

    private func fill(objects: [UInt64]) {
        for (offset, value) in state.globals.enumerated() {
            let index = parsed.importedGlobalCount + offset
            guard let cell = instance.globalCell(index) else { continue }
            let type = parsed.globals[index].value
            cell[0] =
                type.isReference
                ? slot(SavedReference(bits: value.low), objects) : value.low
            if type.isVector { cell[1] = value.high }
        }
        for (offset, saved) in state.tables.enumerated() {
            let table = instance.tables[parsed.importedTableCount + offset]
            write(saved.elements, to: table.record.pointee.elements, objects)
        }
        for (index, saved) in state.elementSegments.enumerated() {
            restoreSegment(index, saved, objects)
        }
        instance.isDataDropped = state.isDataDropped
    }

    private func write(
        _ references: [SavedReference], to slots: UnsafeMutablePointer<UInt64>, _ objects: [UInt64]
    ) {
        for (index, reference) in references.enumerated() {
            slots[index] = slot(reference, objects)
        }
    }

    private func slot(_ reference: SavedReference, _ objects: [UInt64]) -> UInt64 {
        switch reference.target {
        case .i31: reference.bits
        case .function(let index):
            UInt64(UInt(bitPattern: instance.functionRecord(index)))
        case .object(let index): objects[index]
        case .null, nil: 0
        }
    }

    private func restoreSegment(_ index: Int, _ saved: SavedSegment, _ objects: [UInt64]) {
        switch saved {
        case .dropped: instance.dropElements(index)
        case .kept:
            if case .dropped = instance.elementStates[index] {
                instance.elementStates[index] = .pending
            }
        case .references(let references):
            let buffer = UnsafeMutableBufferPointer<UInt64>.allocate(capacity: references.count)
            if let slots = buffer.baseAddress { write(references, to: slots, objects) }
            instance.setElements(index, buffer)
        }
    }

    // MARK: Objects

    /// Makes all objects, and returns their addresses in the order of their indices.
    private func makeObjects() throws(ResourceError) -> [UInt64] {
        guard !state.heap.objects.isEmpty else { return [] }
        var shapes: [TypeIndex: ObjectShape] = [:]
        var addresses: [UInt64] = []
        addresses.reserveCapacity(state.heap.objects.count)
        for object in state.heap.objects {
            let id = instance.module.valid.typeIDs[Int(object.type)]
            guard let shape = shapes[object.type] ?? ObjectShape(id, in: store.engine.types)
            else { continue }
            shapes[object.type] = shape
            let address = try makeObject(shape, object.length)
            addresses.append(address)
            store.temporaries.append((address, 0))
        }
        for (object, address) in zip(state.heap.objects, addresses) {
            if let shape = shapes[object.type] { fillObject(address, object, shape, addresses) }
        }
        return addresses
    }

    /// An object of zeros.
    private func makeObject(
        _ shape: ObjectShape, _ length: UInt32
    ) throws(ResourceError) -> UInt64 {
        let byteCount = shape.byteCount(length: length)
        let cell: UnsafeMutableRawPointer
        do throws(GuestStop) {
            cell = try store.allocate(byteCount, top: store.exchange.pointee.top)
        } catch {
            throw store.heapError
        }
        cell.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
        var kind = ObjectKind.structure
        if case .array = shape.layout {
            kind = .array
            cell.storeBytes(of: length, toByteOffset: ArrayLayout.lengthOffset, as: UInt32.self)
        }
        cell.storeBytes(of: kind.header(shape.typeID), as: UInt32.self)
        return UInt64(UInt(bitPattern: cell))
    }

    private func fillObject(
        _ address: UInt64, _ object: SavedHeap.Object, _ shape: ObjectShape, _ objects: [UInt64]
    ) {
        let cell = store.heap.space.pointer(UInt(address))
        state.heap.contents.withUnsafeBytes { contents in
            let contents = UnsafeRawBufferPointer(rebasing: contents[object.offset...])
            guard let start = contents.baseAddress else { return }
            if shape.isPlainArray {
                (cell + ArrayLayout.elementsOffset).copyMemory(
                    from: start, byteCount: shape.contentByteCount(length: object.length))
                return
            }
            shape.forEachField(length: object.length) { field, position in
                var low = contents.word(position, field.storage.byteCount)
                if field.reference != nil { low = slot(SavedReference(bits: low), objects) }
                let high = field.storage == .v128 ? contents.word(position + 8, 8) : 0
                field.storage.store(low, high, at: cell + field.offset)
            }
        }
    }
}

extension UnsafeRawBufferPointer {
    /// Up to eight bytes as a number in little endian order.
    func word(_ position: Int, _ byteCount: Int) -> UInt64 {
        switch byteCount {
        case 1: UInt64(self[position])
        case 2:
            UInt64(UInt16(littleEndian: loadUnaligned(fromByteOffset: position, as: UInt16.self)))
        case 4:
            UInt64(UInt32(littleEndian: loadUnaligned(fromByteOffset: position, as: UInt32.self)))
        default: UInt64(littleEndian: loadUnaligned(fromByteOffset: position, as: UInt64.self))
        }
    }
}
