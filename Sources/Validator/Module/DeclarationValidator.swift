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
        for table in module.tableDefinitions
        where table.initializer == nil && !table.type.element.isNullable {
            throw ValidationError(
                .typeMismatch(.tableWithoutInitializer), at: module.offset(ofSection: 4))
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
        for segment in module.elementSegments {
            try check(ValueType(segment.type), at: module.offset(ofSection: 9))
        }
    }

    /// Where errors about an entity stand: in the section of imports or of definitions.
    private func place(_ index: Int, _ importedCount: Int, _ section: UInt8) -> Int {
        module.offset(ofSection: index < importedCount ? 2 : section)
    }

    private func check(_ type: ValueType, at offset: Int) throws(ValidationError) {
        guard let index = type.reference?.heapType.typeIndex else { return }
        if Int(index) >= module.types.count {
            throw ValidationError(.unknown(.type, index), at: offset)
        }
    }

    private func checkFunction(_ index: TypeIndex, at offset: Int) throws(ValidationError) {
        guard Int(index) < module.types.count else {
            throw ValidationError(.unknown(.type, index), at: offset)
        }
        guard case .function = module.types[Int(index)].composite else {
            throw ValidationError(.typeMismatch(.kindOfType(index)), at: offset)
        }
    }

    private func checkTag(_ index: TypeIndex, at offset: Int) throws(ValidationError) {
        try checkFunction(index, at: offset)
        if module.functionType(typeIndex: index)?.results.isEmpty == false {
            throw ValidationError(.nonEmptyTagResultType, at: offset)
        }
    }

    private func check(_ type: TableType, at offset: Int) throws(ValidationError) {
        try check(ValueType(type.element), at: offset)
        let most = type.addressType == .i32 ? UInt64(UInt32.max) : UInt64.max
        try check(type.limits, most: most, orElse: .tableSize(type.addressType), at: offset)
    }

    private func check(_ type: MemoryType, at offset: Int) throws(ValidationError) {
        guard type.pageSizeLog2 == 16 || type.pageSizeLog2 == 0 else {
            throw ValidationError(.invalidCustomPageSize, at: offset)
        }
        try check(type.limits, most: type.maximumPages, orElse: .memorySize(type), at: offset)
        if type.isShared, type.limits.maximum == nil {
            throw ValidationError(.sharedMemoryWithoutMaximum, at: offset)
        }
    }

    private func check(
        _ limits: Limits, most: UInt64, orElse reason: ValidationError.Reason, at offset: Int
    ) throws(ValidationError) {
        guard limits.minimum <= most, limits.maximum ?? 0 <= most else {
            throw ValidationError(reason, at: offset)
        }
        if let maximum = limits.maximum, maximum < limits.minimum {
            throw ValidationError(.minimumGreaterThanMaximum, at: offset)
        }
    }
}
