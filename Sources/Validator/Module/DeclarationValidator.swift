import WasmDecoder

/// Validates the types of functions, tables, memories, globals, tags and segments: afterwards
/// every type index in them is known to be in range and of the right kind.
///
/// Specification: 3.2 (types), 3.5.2 to 3.5.9.
struct DeclarationValidator {
    let module: ParsedModule

    func validate() throws(ValidationError) {
        for (index, type) in module.functions.enumerated() {
            try checkFunction(type, at: place(index, module.importedFunctionCount, 3))
        }
        for (index, table) in module.tables.enumerated() {
            try check(table, at: place(index, module.importedTableCount, 4))
        }
        for (position, table) in module.tableDefinitions.enumerated()
        where table.initializer == nil && !table.type.element.isNullable {
            throw error(
                .typeMismatch(.tableWithoutInitializer), Place(section: 4, position: position))
        }
        for (index, memory) in module.memories.enumerated() {
            try check(memory, at: place(index, module.importedMemoryCount, 5))
        }
        for (index, tag) in module.tags.enumerated() {
            try checkTag(tag, at: place(index, module.importedTagCount, 13))
        }
        for (index, global) in module.globals.enumerated() {
            try check(global.value, at: place(index, module.importedGlobalCount, 6))
        }
        for (position, segment) in module.elementSegments.enumerated() {
            try check(ValueType(segment.type), at: Place(section: 9, position: position))
        }
    }

    private typealias Place = ValidationError.Entry

    /// Where errors about an entity are: in the section of imports or of definitions. Its place
    /// among the imports is looked up when there is an error.
    private func place(_ index: Int, _ importedCount: Int, _ section: UInt8) -> Place {
        Place(section: section, position: index - importedCount)
    }

    /// Imports have negative positions: so many before the first definition of their kind.
    private func error(_ reason: ValidationError.Reason, _ place: Place) -> ValidationError {
        var place = place
        if place.position < 0 {
            let kind: ExternalKind =
                switch place.section {
                case 3: .function
                case 4: .table
                case 5: .memory
                case 13: .tag
                default: .global
                }
            let imports = module.imports.indices.filter { module.imports[$0].type.kind == kind }
            let index = imports.count + place.position
            place = Place(
                section: 2, position: imports.indices.contains(index) ? imports[index] : 0)
        }
        return ValidationError(
            reason, at: module.offset(ofSection: place.section), entry: place)
    }

    private func check(_ type: ValueType, at place: Place) throws(ValidationError) {
        guard let index = type.reference?.heapType.typeIndex else { return }
        if Int(index) >= module.types.count {
            throw error(.unknown(.type, index), place)
        }
    }

    private func checkFunction(_ index: TypeIndex, at place: Place) throws(ValidationError) {
        guard Int(index) < module.types.count else {
            throw error(.unknown(.type, index), place)
        }
        guard case .function = module.types[Int(index)].composite else {
            throw error(.typeMismatch(.kindOfType(index)), place)
        }
    }

    private func checkTag(_ index: TypeIndex, at place: Place) throws(ValidationError) {
        try checkFunction(index, at: place)
        if module.functionType(typeIndex: index)?.results.isEmpty == false {
            throw error(.nonEmptyTagResultType, place)
        }
    }

    private func check(_ type: TableType, at place: Place) throws(ValidationError) {
        try check(ValueType(type.element), at: place)
        let most = type.addressType == .i32 ? UInt64(UInt32.max) : UInt64.max
        try check(type.limits, most: most, orElse: .tableSize(type.addressType), at: place)
    }

    private func check(_ type: MemoryType, at place: Place) throws(ValidationError) {
        guard type.pageSizeLog2 == 16 || type.pageSizeLog2 == 0 else {
            throw error(.invalidCustomPageSize, place)
        }
        try check(type.limits, most: type.maximumPages, orElse: .memorySize(type), at: place)
        if type.isShared, type.limits.maximum == nil {
            throw error(.sharedMemoryWithoutMaximum, place)
        }
    }

    private func check(
        _ limits: Limits, most: UInt64, orElse reason: ValidationError.Reason, at place: Place
    ) throws(ValidationError) {
        guard limits.minimum <= most, limits.maximum ?? 0 <= most else {
            throw error(reason, place)
        }
        if let maximum = limits.maximum, maximum < limits.minimum {
            throw error(.minimumGreaterThanMaximum, place)
        }
    }
}
