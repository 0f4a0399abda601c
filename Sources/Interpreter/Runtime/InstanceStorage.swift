// Invariants: `context` is a block of the module's layout; the pointers in it lead to records,
// cells and arrays that live as long as the store, or are owned by this object, which the store
// keeps until it is freed. A function record with null code was not needed yet, all its other
// fields are zero. `functionRecords` has one for each declared function of the module. The store
// outlives this object.

import WasmMachine
import WasmSystem
import WasmValidator

/// The store's state of an instance.
final class InstanceStorage {
    /// A segment of references that `table.init` copies from.
    enum ElementState {
        /// The references were not made yet.
        case pending
        case ready(UnsafeMutableBufferPointer<UInt64>)
        case dropped
    }

    unowned(unsafe) let store: Store
    let module: Module
    let context: ContextPointer
    private(set) var memories: [MemoryStorage]
    private(set) var tables: [TableStorage]
    @exclusivity(unchecked) private(set) var tags: [TagStorage]
    @exclusivity(unchecked) var elementStates: [ElementState]
    @exclusivity(unchecked) var isDataDropped: [Bool]
    /// Layouts of structures with many fields, made when instructions need them.
    private var structureLayouts: [Int: StructureLayout] = [:]

    /// The context block, the records, and references of element segments.
    @exclusivity(unchecked) private var holding: ResourceHolding
    /// Those of declared functions: only these are referred to.
    private let functionRecords: UnsafeMutablePointer<FunctionRecord>
    /// Those of other functions, which only the embedder asks for.
    private var otherRecords: [Int: UnsafeMutablePointer<FunctionRecord>] = [:]
    private let memoryRecords: UnsafeMutablePointer<UnsafeMutablePointer<MemoryRecord>>
    private let tableRecords: UnsafeMutablePointer<UnsafeMutablePointer<TableRecord>>

    /// Allocates an instance whose imports are in place; it has no memories and tables of its own
    /// yet and its globals are zero.
    ///
    /// - Parameter imports: what the module imports, checked.
    init(
        _ module: Module, imports: [ResolvedImport], in store: Store
    ) throws(ResourceError) {
        // Each a field of its own: a copy of the whole module retains all its arrays.
        let recordCount = module.valid.declared.count
        let memoryCount = module.parsed.memories.count
        let tableCount = module.parsed.tables.count
        var holding = ResourceHolding(store.account)
        try holding.take(Self.byteCount(module))
        guard let context = Allocation.zeroed(1, stride: module.layout.byteCount) else {
            throw .outOfMemory
        }
        let size = MemoryLayout<FunctionRecord>.stride
        guard let functions = Allocation.zeroed(max(recordCount, 1), stride: size) else {
            Allocation.free(context)
            throw .outOfMemory
        }
        self.store = store
        self.holding = holding
        self.module = module
        self.context = context
        functionRecords = functions.bindMemory(
            to: FunctionRecord.self, capacity: recordCount)
        memoryRecords = .allocate(capacity: max(memoryCount, 1))
        memoryRecords.initialize(repeating: store.emptyMemory, count: max(memoryCount, 1))
        tableRecords = .allocate(capacity: max(tableCount, 1))
        tableRecords.initialize(repeating: store.emptyTable, count: max(tableCount, 1))
        memories = []
        tables = []
        tags = []
        elementStates = Array(repeating: .pending, count: module.parsed.elementSegments.count)
        isDataDropped = Array(repeating: false, count: module.parsed.dataSegments.count)
        fillHeader()
        place(imports)
    }

    /// Makes the tags that the module defines.
    func makeTags() throws(GuestStop) {
        for (index, type) in module.parsed.tags.enumerated()
        where index >= module.parsed.importedTagCount {
            if index & 1023 == 1023 { try store.checkStop() }
            tags.append(
                store.makeTag(
                    module.valid.typeIDs[Int(type)], definition: (module, tags.count)))
        }
    }

    deinit {
        for case .ready(let buffer) in elementStates { buffer.deallocate() }
        tableRecords.deallocate()
        memoryRecords.deallocate()
        for record in otherRecords.values { record.deallocate() }
        Allocation.free(functionRecords)
        Allocation.free(context)
    }

    /// Bytes that an instance takes before it has entities of its own; the last part is for this
    /// object, its arrays and the store's records of types.
    static func byteCount(_ module: Module) -> Int {
        let entities =
            module.parsed.memories.count + module.parsed.tables.count + module.parsed.tags.count
        let segments = module.parsed.elementSegments.count + module.parsed.dataSegments.count
        return module.layout.byteCount
            + module.valid.declared.count * MemoryLayout<FunctionRecord>.stride
            + (entities + segments) * 32 + module.parsed.types.count * 64
            + module.fieldCount * 4 + 512
    }

    /// The instance that a context block belongs to.
    static func of(_ context: ContextPointer) -> InstanceStorage {
        Unmanaged.fromOpaque(
            context.load(fromByteOffset: ContextOffset.instance, as: UnsafeRawPointer.self)
        ).takeUnretainedValue()
    }

    private func fillHeader() {
        func put<T: BitwiseCopyable>(_ value: T, _ offset: Int) {
            context.storeBytes(of: value, toByteOffset: offset, as: T.self)
        }
        put(store.stackLimit, ContextOffset.stackLimit)
        put(Int64(0), ContextOffset.budget)
        put(memoryRecords[0], ContextOffset.memory0)
        put(tableRecords[0], ContextOffset.table0)
        put(memoryRecords, ContextOffset.memories)
        put(tableRecords, ContextOffset.tables)
        put(store.exchange, ContextOffset.exchange)
        put(Unmanaged.passUnretained(self).toOpaque(), ContextOffset.instance)
        put(module.code.entries, ContextOffset.codeTable)
        put(store.heap.record, ContextOffset.heap)
    }

    private func place(_ imports: [ResolvedImport]) {
        var functionCount = 0
        var globalCount = 0
        for wanted in imports {
            switch wanted {
            case .function(let record):
                context.storeBytes(
                    of: record,
                    toByteOffset: ContextLayout.importedFunction(functionCount),
                    as: UnsafeMutablePointer<FunctionRecord>.self)
                functionCount += 1
            case .global(let cell):
                context.storeBytes(
                    of: cell, toByteOffset: module.layout.globalOffsets[globalCount],
                    as: UnsafeMutablePointer<UInt64>.self)
                globalCount += 1
            case .memory(let memory): add(memory)
            case .table(let table): add(table)
            case .tag(let tag): tags.append(tag)
            }
        }
    }

    /// Gives the instance its next memory.
    func add(_ memory: MemoryStorage) {
        memoryRecords[memories.count] = memory.record
        if memories.isEmpty {
            context.storeBytes(
                of: memory.record, toByteOffset: ContextOffset.memory0,
                as: UnsafeMutablePointer<MemoryRecord>.self)
        }
        memories.append(memory)
    }

    /// Gives the instance its next table.
    func add(_ table: TableStorage) {
        tableRecords[tables.count] = table.record
        if tables.isEmpty {
            context.storeBytes(
                of: table.record, toByteOffset: ContextOffset.table0,
                as: UnsafeMutablePointer<TableRecord>.self)
        }
        tables.append(table)
    }

    /// The record of a function by its index, imports counted; made on first use.
    func functionRecord(_ index: Int) -> UnsafeMutablePointer<FunctionRecord>? {
        let layout = module.layout
        guard index >= 0 else { return nil }
        if index < layout.importedFunctionCount {
            return context.load(
                fromByteOffset: ContextLayout.importedFunction(index),
                as: UnsafeMutablePointer<FunctionRecord>.self)
        }
        let defined = index - layout.importedFunctionCount
        guard defined < module.parsed.bodies.count else { return nil }
        if let known = existingRecord(defined) { return known }
        let shape = module.code.shape(of: defined)
        let made = FunctionRecord(
            code: module.code.entry(of: defined), context: context,
            typeID: module.valid.typeIDs[Int(module.parsed.functions[index])],
            headerIndex: UInt16(clamping: shape.headerIndex),
            parameterSlots: UInt16(clamping: shape.parameterSlots),
            resultSlots: UInt16(clamping: shape.resultSlots),
            functionIndex: UInt32(truncatingIfNeeded: index))
        let record: UnsafeMutablePointer<FunctionRecord>
        if let position = module.valid.declared.position(of: defined) {
            record = functionRecords + position
        } else {
            record = .allocate(capacity: 1)
            otherRecords[defined] = record
        }
        record.initialize(to: made)
        return record
    }

    /// The record of a function with a body, if it was made.
    func existingRecord(_ defined: Int) -> UnsafeMutablePointer<FunctionRecord>? {
        guard let position = module.valid.declared.position(of: defined) else {
            return otherRecords.isEmpty ? nil : otherRecords[defined]
        }
        let record = functionRecords + position
        return UnsafeRawPointer(record).load(as: UInt.self) == 0 ? nil : record
    }

    /// Whether the address is that of the record of a function of the instance, if the record was
    /// made.
    func owns(_ record: UnsafeMutablePointer<FunctionRecord>) -> Bool {
        let size = UInt(MemoryLayout<FunctionRecord>.stride)
        let offset = UInt(bitPattern: record) &- UInt(bitPattern: functionRecords)
        if offset % size == 0, offset / size < UInt(module.valid.declared.count) {
            return record.pointee.context == context
        }
        return otherRecords.contains { $0.value == record }
    }

    /// The cell of a global's value; nil if there is no such global.
    func globalCell(_ index: Int) -> UnsafeMutablePointer<UInt64>? {
        let layout = module.layout
        guard layout.globalOffsets.indices.contains(index) else { return nil }
        let place = context + layout.globalOffsets[index]
        if index < layout.importedGlobalCount {
            return place.load(as: UnsafeMutablePointer<UInt64>.self)
        }
        return place.assumingMemoryBound(to: UInt64.self)
    }

    /// The type of a global in canonical form; `index` must be in range.
    func globalType(_ index: Int) -> GlobalType {
        var type = module.parsed.globals[index]
        type.value = module.valid.canonical(type.value)
        return type
    }

    /// The references of an element segment, made on first use; nil if it was dropped.
    ///
    /// - Throws: `ResourceError` if the program has no room for them; `GuestStop` if an object has
    ///   none or the guest must stop. A later call starts again.
    func elements(_ segment: Int) throws -> UnsafeMutableBufferPointer<UInt64>? {
        guard elementStates.indices.contains(segment) else { return nil }
        switch elementStates[segment] {
        case .dropped: return nil
        case .ready(let buffer): return buffer
        case .pending:
            let definition = module.parsed.elementSegments[segment]
            guard holding.grow(by: definition.count * 8) else {
                throw ResourceError.totalExceeded(limit: store.account.limit)
            }
            let buffer = UnsafeMutableBufferPointer<UInt64>.allocate(capacity: definition.count)
            buffer.initialize(repeating: 0)
            elementStates[segment] = .ready(buffer)
            do {
                var evaluator = ConstantEvaluator(self)
                if let base = buffer.baseAddress { try evaluator.evaluate(definition, into: base) }
            } catch {
                elementStates[segment] = .pending
                holding.shrink(by: definition.count * 8)
                buffer.deallocate()
                throw error
            }
            return buffer
        }
    }

    /// Charges what `setElements` will set, in place of the current elements.
    ///
    /// - Throws: `ResourceError` if the program has no room for it.
    func reserveElements(_ count: Int) throws(ResourceError) {
        guard holding.grow(by: count * 8) else {
            throw .totalExceeded(limit: store.account.limit)
        }
    }

    /// Releases the charge for reserved elements that are not needed.
    func forgetElements(_ count: Int) { holding.shrink(by: count * 8) }

    /// Makes references, for which room was reserved, those of a segment.
    func setElements(_ segment: Int, _ buffer: UnsafeMutableBufferPointer<UInt64>) {
        dropElements(segment)
        elementStates[segment] = .ready(buffer)
    }

    /// The layout of the fields of a structure type of the module.
    func structureLayout(_ type: Int) -> StructureLayout {
        if let known = structureLayouts[type] { return known }
        guard case .structure(let fields) = module.parsed.types[type].composite else {
            return StructureLayout([])
        }
        let layout = StructureLayout(fields)
        structureLayouts[type] = layout
        return layout
    }

    func dropElements(_ segment: Int) {
        guard elementStates.indices.contains(segment) else { return }
        if case .ready(let buffer) = elementStates[segment] {
            holding.shrink(by: buffer.count * 8)
            buffer.deallocate()
        }
        elementStates[segment] = .dropped
    }

    func dropData(_ segment: Int) {
        if isDataDropped.indices.contains(segment) { isDataDropped[segment] = true }
    }
}
