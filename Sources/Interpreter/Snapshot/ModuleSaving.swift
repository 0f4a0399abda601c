import WasmDecoder
import WasmValidator

/// Makes the sections that hold state out of a snapshot.
struct ModuleSaving {
    var assembly: ModuleAssembly
    private let module: Module
    private let state: SavedState
    private let layout: SavedModuleLayout
    private let removedExports: Set<Name>
    private let use: SegmentUse

    private var parsed: ParsedModule { module.parsed }

    init(
        _ snapshot: Snapshot, _ layout: SavedModuleLayout, removedExports: Set<Name>
    ) throws(SavedModuleError) {
        module = snapshot.module
        state = snapshot.state
        self.layout = layout
        self.removedExports = removedExports
        try Self.check(module)
        use = module.segmentUse
        assembly = ModuleAssembly(module.parsed, padded: layout == .stable)
    }

    /// Refuses modules whose state is not all their own.
    static func check(_ module: Module) throws(SavedModuleError) {
        let parsed = module.parsed
        if parsed.importedMemoryCount > 0 { throw .imported(.memory, index: 0) }
        if parsed.importedTableCount > 0 { throw .imported(.table, index: 0) }
        for index in 0..<parsed.importedGlobalCount where parsed.globals[index].isMutable {
            throw .imported(.global, index: index)
        }
    }

    mutating func save() throws(SavedModuleError) {
        if parsed.start != nil { assembly.remove(ModuleAssembly.startSection) }
        saveMemoryTypes()
        try saveGlobals()
        try saveTables()
        try saveData()
        removeExports()
        removeSegmentNames()
    }

    private func writer() -> BinaryWriter { BinaryWriter(padded: layout == .stable) }

    // MARK: Memories

    private mutating func saveMemoryTypes() {
        var entries = writer()
        for (type, image) in zip(parsed.memories, state.memories) {
            var type = type
            type.limits.minimum = UInt64(image.byteCount) >> UInt64(type.pageSizeLog2)
            entries.memoryType(type)
        }
        assembly.replace(
            ModuleAssembly.memorySection, count: state.memories.count, entries: entries.bytes)
    }

    private mutating func saveData() throws(SavedModuleError) {
        let limit = DecodingLimits.default
        var entries = writer()
        let kept = min(use.dataCount, parsed.dataSegments.count)
        for (index, segment) in parsed.dataSegments.prefix(kept).enumerated() {
            entries.byte(1)
            if case .passive = segment.mode, !state.isDataDropped[index] {
                entries.vector(parsed.bytes[segment.content])
            } else {
                entries.count(0)
            }
        }
        let room = (limit.dataSegments - kept) / max(state.memories.count, 1)
        var count = kept
        for (index, image) in state.memories.enumerated() {
            let runs = DataRuns(image, layout, maximumCount: room)
            let is64 = parsed.memories[index].addressType == .i64
            for run in runs.ranges {
                guard entries.bytes.count + run.count < limit.moduleSize else {
                    throw .tooLarge(limit: limit.moduleSize)
                }
                entries.unsigned(index == 0 ? 0 : 2)
                if index > 0 { entries.count(index) }
                entries.constant(is64 ? .i64 : .i32, low: UInt64(run.lowerBound))
                entries.size(run.count)
                runs.append(run, to: &entries)
            }
            count += runs.ranges.count
        }
        assembly.replace(ModuleAssembly.dataSection, count: count, entries: entries.bytes)
        if kept > 0 {
            var content = writer()
            content.count(count)
            assembly.replace(ModuleAssembly.dataCountSection, content: content.bytes)
        } else {
            assembly.remove(ModuleAssembly.dataCountSection)
        }
    }

    // MARK: Globals

    private mutating func saveGlobals() throws(SavedModuleError) {
        var entries = writer()
        let first = parsed.importedGlobalCount
        for (index, (definition, value)) in zip(
            parsed.globalDefinitions, state.globals
        ).enumerated() {
            let type = definition.type
            entries.globalType(type)
            if let reference = type.value.reference {
                try write(
                    SavedReference(bits: value.low), reference, .global(index: first + index),
                    &entries)
            } else {
                entries.constant(type.value, low: value.low, high: value.high)
            }
        }
        assembly.replace(
            ModuleAssembly.globalSection, count: state.globals.count, entries: entries.bytes)
    }

    /// Writes a constant expression for a reference.
    private func write(
        _ reference: SavedReference, _ type: ReferenceType, _ place: SnapshotError.Place,
        _ writer: inout BinaryWriter
    ) throws(SavedModuleError) {
        switch reference.target {
        case .null: writer.null(type.heapType)
        case .i31:
            writer.i31(
                UInt32(truncatingIfNeeded: reference.bits >> 1),
                isExternal: top(of: type) == .extern)
        case .function(let index):
            guard isFunction(index, a: type) else {
                throw .snapshot(.reference(.foreignFunction, place))
            }
            writer.function(index)
        case .object, nil: throw .object(place)
        }
    }

    private func top(of type: ReferenceType) -> HeapType {
        let canonical = module.valid.canonical(ValueType(type)).reference ?? type
        return module.engine.types.top(of: canonical.heapType)
    }

    /// Whether `ref.func` of the function has the type. An import may be given a function of a
    /// subtype of what it asks for.
    private func isFunction(_ index: Int, a type: ReferenceType) -> Bool {
        guard index < parsed.importedFunctionCount else { return index < parsed.functions.count }
        let canonical = module.valid.canonical(ValueType(type)).reference
        guard let id = canonical?.heapType.typeIndex else { return true }
        return module.engine.types.isSubtype(
            module.valid.typeIDs[Int(parsed.functions[index])], of: id)
    }

    // MARK: Tables

    private mutating func saveTables() throws(SavedModuleError) {
        var segments = ElementEntries()
        try keepSegments(&segments)
        var types = writer()
        for (index, table) in state.tables.enumerated() {
            let definition = parsed.tableDefinitions[index]
            var type = definition.type
            type.limits.minimum = table.count
            if type.element.isNullable {
                types.tableType(type)
            } else if let first = table.elements.first {
                // A table without nulls has an initialiser for all of its elements.
                types.append([0x40, 0x00])
                types.tableType(type)
                try write(first, type.element, .table(index: index, element: 0), &types)
            } else {
                types.append([0x40, 0x00])
                types.tableType(type)
                if let initializer = definition.initializer {
                    types.append(parsed.bytes[initializer.range])
                }
            }
            try save(table, index, type, &segments)
        }
        assembly.replace(
            ModuleAssembly.tableSection, count: state.tables.count, entries: types.bytes)
        declareFunctions(&segments)
        assembly.replace(
            ModuleAssembly.elementSection, count: segments.count, entries: segments.writer.bytes)
    }

    private struct ElementEntries {
        var writer = BinaryWriter()
        var count = 0
    }

    /// Segments that the code refers to keep their index and type.
    private func keepSegments(_ segments: inout ElementEntries) throws(SavedModuleError) {
        for (index, segment) in parsed.elementSegments.prefix(use.elementCount).enumerated() {
            var isKept = false
            switch (segment.mode, state.elementSegments[index]) {
            case (_, .dropped): break
            case (_, .kept): isKept = true
            case (_, .references(let references)):
                for reference in references {
                    if case .object = reference.target {
                        throw .object(.elementSegment(index: index))
                    }
                }
                isKept = true
            }
            segments.count += 1
            let writesExpressions: Bool
            let range: ByteRange
            switch segment.items {
            case .functions(let items, _): (writesExpressions, range) = (false, items)
            case .expressions(let items, _): (writesExpressions, range) = (true, items)
            }
            // Passive, or declarative, which is empty for the code.
            segments.writer.byte((writesExpressions ? 5 : 1) | (isKept ? 0 : 2))
            if writesExpressions {
                segments.writer.referenceType(segment.type)
            } else {
                segments.writer.byte(0)
            }
            if isKept {
                segments.writer.count(segment.count)
                segments.writer.append(parsed.bytes[range])
            } else {
                segments.writer.count(0)
            }
        }
    }

    /// More runs than this become one segment with nulls.
    private static let mostRuns = 1000

    private func save(
        _ table: SavedTable, _ index: Int, _ type: TableType, _ segments: inout ElementEntries
    ) throws(SavedModuleError) {
        var runs: [Range<Int>] = []
        for (position, element) in table.elements.enumerated() where element != .null {
            if let last = runs.last, last.upperBound == position {
                runs[runs.count - 1] = last.lowerBound..<(position + 1)
            } else {
                runs.append(position..<(position + 1))
            }
        }
        guard let first = runs.first, let last = runs.last else { return }
        if runs.count > Self.mostRuns { runs = [first.lowerBound..<last.upperBound] }
        for run in runs {
            let elements = table.elements[run]
            let areFunctions =
                type.element == .funcref
                && elements.allSatisfy { if case .function = $0.target { true } else { false } }
            segments.count += 1
            // Flags: a table index is given; elements are expressions.
            segments.writer.byte((index > 0 || !areFunctions ? 2 : 0) | (areFunctions ? 0 : 4))
            if index > 0 || !areFunctions { segments.writer.count(index) }
            segments.writer.constant(
                type.addressType == .i64 ? .i64 : .i32, low: UInt64(run.lowerBound))
            if areFunctions {
                if index > 0 { segments.writer.byte(0) }
            } else {
                segments.writer.referenceType(type.element)
            }
            segments.writer.count(elements.count)
            for (position, element) in zip(run, elements) {
                if areFunctions, case .function(let function) = element.target {
                    segments.writer.count(function)
                } else {
                    try write(
                        element, type.element,
                        .table(index: index, element: UInt64(position)), &segments.writer)
                }
            }
        }
    }

    /// `ref.func` in code needs functions to be named elsewhere.
    private func declareFunctions(_ segments: inout ElementEntries) {
        var missing = use.functions
        for export in parsed.exports
        where export.kind == .function && !removedExports.contains(export.name) {
            missing.remove(export.index)
        }
        guard !missing.isEmpty else { return }
        segments.count += 1
        segments.writer.append([0x03, 0x00])
        segments.writer.count(missing.count)
        for function in missing.sorted() { segments.writer.index(function) }
    }

    // MARK: Exports and names

    private mutating func removeExports() {
        let left = parsed.exports.filter { !removedExports.contains($0.name) }
        guard left.count < parsed.exports.count else { return }
        var entries = writer()
        for export in left {
            entries.vector(export.name.utf8)
            entries.byte(export.kind.rawValue)
            entries.index(export.index)
        }
        assembly.replace(
            ModuleAssembly.exportSection, count: left.count, entries: entries.bytes)
    }

    /// Names of segments would be those of others.
    private mutating func removeSegmentNames() {
        guard let section = parsed.customSections.first(where: { $0.name == "name" }),
            let left = NameSubsections.withoutSegments(parsed, section.content)
        else { return }
        assembly.replaceCustom("name", left)
    }
}
