import WasmValidator

/// Instantiation: allocates what a module defines, fills it, and runs the start function.
///
/// Specification: 4.7.3 (instantiation).
extension Store {
    /// Instantiates a module with what its imports were resolved to, in order.
    ///
    /// An instance whose active segments or start function fail stays in the store: what they
    /// wrote stays, and tables of other instances may refer to its functions.
    func instantiate(_ module: Module, imports: [External?]) throws -> InstanceStorage {
        let instance = try allocate(module, imports: imports, define: initialize)
        try applyElementSegments(of: instance)
        try applyDataSegments(of: instance)
        try runStart(of: instance)
        return instance
    }

    /// An instance whose memories, globals and tables `define` makes. What was made is freed on
    /// failure: nothing outside of the instance can refer to it yet.
    func allocate(
        _ module: Module, imports: [External?], define: (InstanceStorage) throws -> Void
    ) throws -> InstanceStorage {
        guard module.engine === engine else { throw EngineMismatch() }
        let imports = try ImportMatching(module: module, store: self).resolve(imports)
        guard instances.count < limits.instances else {
            throw ResourceError.tooManyInstances(limit: limits.instances)
        }
        try prepareStack()

        heap.register(module.valid.typeIDs, of: engine.types)
        let instance = try InstanceStorage(module, imports: imports, in: self)
        do {
            unfinishedInstances.append(instance)
            defer { unfinishedInstances.removeLast() }
            try define(instance)
            instances.append(instance)
            return instance
        } catch {
            // Objects of these types may be on the heap.
            hold(typesOf: module)
            // And nothing else: a limiter or observer may have made others meanwhile.
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

    /// Makes memories, globals and tables as the module defines them.
    private func initialize(_ instance: InstanceStorage) throws {
        let module = instance.module
        let parsed = module.parsed
        for type in parsed.memories.dropFirst(parsed.importedMemoryCount) {
            instance.add(try makeMemory(type))
        }
        let evaluator = ConstantEvaluator(instance)
        for (index, global) in parsed.globalDefinitions.enumerated() {
            let value = try evaluator.evaluate(global.initializer)
            let cell = instance.globalCell(parsed.importedGlobalCount + index)
            cell?[0] = value.low
            if global.type.value.isVector { cell?[1] = value.high }
        }
        for table in parsed.tableDefinitions {
            let fill = try table.initializer.map { try evaluator.evaluate($0).low }
            instance.add(try makeTable(module.valid.canonical(table.type), fill: fill ?? 0))
        }
        // Objects are made now and not when a guest stands somewhere in its code.
        for segment in module.tracedSegments { _ = try instance.elements(segment) }
    }

    private func applyElementSegments(of instance: InstanceStorage) throws {
        let evaluator = ConstantEvaluator(instance)
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
                    throw Trap(.outOfBoundsTableAccess)
                }
                let target = record.pointee.elements + Int(truncatingIfNeeded: start)
                // Objects were made before: now a collection could tell an observer, who may make
                // the table grow and so move it.
                if case .ready(let made) = instance.elementStates[index] {
                    if let origin = made.baseAddress {
                        target.update(from: origin, count: made.count)
                    }
                } else {
                    try evaluator.evaluate(segment, into: target)
                }
            }
            instance.dropElements(index)
        }
    }

    private func applyDataSegments(of instance: InstanceStorage) throws {
        let evaluator = ConstantEvaluator(instance)
        let parsed = instance.module.parsed
        for (index, segment) in parsed.dataSegments.enumerated() {
            guard case .active(let memory, let offset) = segment.mode,
                instance.memories.indices.contains(Int(memory))
            else { continue }
            let bytes = GuestMemory(instance.memories[Int(memory)].record.pointee)
            let start = try evaluator.evaluate(offset).low
            let count = segment.content.count
            guard bytes.contains(start, count: UInt64(count)) else {
                throw Trap(.outOfBoundsMemoryAccess)
            }
            if count > 0 {
                (bytes.base + Int(truncatingIfNeeded: start)).copyMemory(
                    from: parsed.bytes.base + segment.content.start, byteCount: count)
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
