import WasmValidator

/// Instantiation: allocates and fills the entities that a module defines, and runs the start
/// function.
///
/// Specification: 4.7.3 (instantiation).
extension Store {
    /// Instantiates a module with its resolved imports, in order.
    ///
    /// An instance whose active segments or start function fail stays in the store: their writes
    /// stay, and tables of other instances may refer to its functions.
    ///
    /// All steps check the deadline and interruption. Work that is proportional to numbers in the
    /// module and not to its size uses fuel: elements of tables and arrays, bytes of segments.
    /// Large function bodies use fuel for their translation (`CodeTable.fuel`).
    ///
    /// - Parameter runsStart: false leaves the start function to the caller, who must call it
    ///   before everything else.
    func instantiate(
        _ module: Module, imports: ImportSource, runsStart: Bool = true
    ) throws -> InstanceStorage {
        let instance = try allocate(module, imports: imports, define: initialize)
        do {
            try applyElementSegments(of: instance)
            try applyDataSegments(of: instance)
        } catch let stop as GuestStop {
            throw Trap(stop.code)
        }
        if runsStart { try runStart(of: instance) }
        return instance
    }

    /// An instance whose memories, globals and tables `define` makes. On failure they are freed:
    /// nothing outside of the instance can refer to them yet.
    func allocate(
        _ module: Module, imports: ImportSource, define: (InstanceStorage) throws -> Void
    ) throws -> InstanceStorage {
        do {
            return try allocateUnlessStopped(module, imports: imports, define: define)
        } catch let stop as GuestStop {
            throw Trap(stop.code)
        }
    }

    private func allocateUnlessStopped(
        _ module: Module, imports: ImportSource, define: (InstanceStorage) throws -> Void
    ) throws -> InstanceStorage {
        guard module.engine === engine else { throw EngineMismatch() }
        guard callDepth == 0 || isGuestHeld || isOwnThread else { throw CallError.storeInUse }
        // Before the types of imports come, which are among them.
        if !heap.hasTypes, let types = module.typeRecords { heap.share(types) }
        let imports =
            switch imports {
            case .given(let given): try ImportMatching(module).resolve(given, in: self)
            case .prepared(let prepared): try prepared.resolve(in: self)
            }
        guard instances.count < limits.instances else {
            throw ResourceError.tooManyInstances(limit: limits.instances)
        }

        let instance: InstanceStorage
        do {
            try registerTypes(of: module)
            instance = try InstanceStorage(module, imports: imports, in: self)
        } catch {
            // The heap has registered some of them.
            hold(typesOf: module)
            throw error
        }
        do {
            unfinishedInstances.append(instance)
            defer { unfinishedInstances.removeLast() }
            try instance.makeTags()
            try define(instance)
            instances.append(instance)
            return instance
        } catch {
            // Objects of these types may be on the heap.
            hold(typesOf: module)
            // Only these: a limiter or observer may have made others meanwhile.
            let parsed = module.parsed
            var own = Set<ObjectIdentifier>()
            for memory in instance.memories.dropFirst(parsed.importedMemoryCount) {
                own.insert(ObjectIdentifier(memory))
            }
            for table in instance.tables.dropFirst(parsed.importedTableCount) {
                own.insert(ObjectIdentifier(table))
            }
            for tag in instance.tags.dropFirst(parsed.importedTagCount) {
                own.insert(ObjectIdentifier(tag))
            }
            memories.removeAll { own.contains(ObjectIdentifier($0)) }
            tables.removeAll { own.contains(ObjectIdentifier($0)) }
            tags.removeAll { own.contains(ObjectIdentifier($0)) }
            throw error
        }
    }

    /// Registers the module's types with the heap, some at a time: one may have ten thousand
    /// fields.
    private func registerTypes(of module: Module) throws(GuestStop) {
        let ids = module.valid.typeIDs
        var start = 0
        while start < ids.count {
            let end = min(start + 32, ids.count)
            heap.register(ids[start..<end], of: engine.types)
            start = end
            if start < ids.count { try checkStop() }
        }
    }

    /// Makes memories, globals and tables as the module defines them.
    private func initialize(_ instance: InstanceStorage) throws {
        let module = instance.module
        let parsed = module.parsed
        if module.code.fuel > 0, let code = charge(module.code.fuel) { throw GuestStop(code: code) }
        for type in parsed.memories.dropFirst(parsed.importedMemoryCount) {
            instance.add(try makeMemory(type))
            if let code = stopRequest() { throw GuestStop(code: code) }
        }
        var evaluator = ConstantEvaluator(instance)
        for (index, global) in parsed.globalDefinitions.enumerated() {
            let value = try evaluator.evaluate(global.initializer)
            let cell = instance.globalCell(parsed.importedGlobalCount + index)
            cell?[0] = value.low
            if global.type.value.isVector { cell?[1] = value.high }
        }
        for (index, definition) in parsed.tableDefinitions.enumerated() {
            let fill = try definition.initializer.map { try evaluator.evaluate($0).low } ?? 0
            let table = try makeTable(module.valid.canonical(definition.type))
            instance.add(table)
            if fill != 0 {
                let elements = table.record.pointee.elements
                try inPieces(Int(truncatingIfNeeded: table.count) * 8) {
                    (elements + $0.lowerBound / 8).update(repeating: fill, count: $0.count / 8)
                }
            }
            if index & 31 == 31 { try checkStop() }
        }
        // Objects are made here, because they cannot be made in the middle of guest code.
        for segment in module.tracedSegments { _ = try instance.elements(segment) }
    }

    private func applyElementSegments(of instance: InstanceStorage) throws {
        var evaluator = ConstantEvaluator(instance)
        for (index, segment) in instance.module.parsed.elementSegments.enumerated() {
            switch segment.mode {
            case .passive: continue
            case .declarative: break
            case .active(let table, let offset):
                guard instance.tables.indices.contains(Int(table)) else { continue }
                let record = instance.tables[Int(table)].record
                let start = try evaluator.evaluate(offset).low
                let count = UInt64(segment.count)
                let size = UInt64(record.pointee.count)
                guard count <= size, start <= size - count else {
                    var trap = Trap(.outOfBoundsTableAccess)
                    trap.detail = .tableAccess(
                        table: Int(table), index: start, count: count, tableCount: size)
                    throw trap
                }
                let target = record.pointee.elements + Int(truncatingIfNeeded: start)
                // Objects were made before: a collection here could call an observer, which may
                // grow and so move the table.
                if case .ready(let made) = instance.elementStates[index] {
                    if let origin = made.baseAddress {
                        try inPieces(made.count * 8) {
                            (target + $0.lowerBound / 8).update(
                                from: origin + $0.lowerBound / 8, count: $0.count / 8)
                        }
                    }
                } else {
                    try evaluator.evaluate(segment, into: target)
                }
            }
            instance.dropElements(index)
        }
    }

    private func applyDataSegments(of instance: InstanceStorage) throws {
        var evaluator = ConstantEvaluator(instance)
        let parsed = instance.module.parsed
        for (index, segment) in parsed.dataSegments.enumerated() {
            guard case .active(let memory, let offset) = segment.mode,
                instance.memories.indices.contains(Int(memory))
            else { continue }
            let bytes = GuestMemory(instance.memories[Int(memory)].record.pointee)
            let start = try evaluator.evaluate(offset).low
            let count = segment.content.count
            guard bytes.contains(at: start, count: UInt64(count)) else {
                var trap = Trap(.outOfBoundsMemoryAccess)
                trap.detail = .memoryAccess(
                    memory: Int(memory), address: start, byteCount: UInt64(count),
                    memoryByteCount: UInt64(bytes.byteCount))
                throw trap
            }
            if count > 0 {
                let target = bytes.base + Int(truncatingIfNeeded: start)
                let origin = parsed.bytes.base + segment.content.start
                try inPieces(count) {
                    (target + $0.lowerBound).copyMemory(
                        from: origin + $0.lowerBound, byteCount: $0.count)
                }
            }
            instance.dropData(index)
        }
    }

    private func runStart(of instance: InstanceStorage) throws {
        guard let start = instance.module.parsed.start,
            let record = instance.functionRecord(Int(start))
        else { return }
        let slots = try beginCall(signature(record.pointee.typeID))
        defer { endCall(slots) }
        try run(record, slots)
    }
}
