import WasmDecoder

/// Imports, exports, tables, memories, globals, tags.
///
/// Specification: 6.6 (modules).
extension ModuleParser {
    // MARK: Imports and exports

    /// The cursor is after `(import`.
    mutating func importField() throws(TextError) {
        let module = try name()
        let name = try name()
        try expectOpen(.externalType)
        guard case .keyword(let keyword) = token.word, keyword.entitySpace != nil else {
            throw unexpected(.externalType)
        }
        cursor += 1
        switch keyword {
        case .func: try nameFunction()
        case .table: try nameTable()
        case .memory: try nameMemory()
        case .global: try nameGlobal()
        default: try nameTag()
        }
        try importedType(keyword, module, name)
        try expectClose()
    }

    /// The type of an import, and the entry for it.
    private mutating func importedType(
        _ keyword: Keyword, _ module: [UInt8], _ name: [UInt8]
    ) throws(TextError) {
        var type = ByteWriter()
        switch keyword {
        case .func:
            type.byte(ExternalKind.function.rawValue)
            type.index(try typeUse(parameters: .imported))
            defined.functions += 1
        case .table:
            type.byte(ExternalKind.table.rawValue)
            type.tableType(try tableType())
            defined.tables += 1
        case .memory:
            type.byte(ExternalKind.memory.rawValue)
            type.memoryType(try memoryType())
            defined.memories += 1
        case .global:
            type.byte(ExternalKind.global.rawValue)
            type.globalType(try globalType())
            defined.globals += 1
        default:
            type.byte(ExternalKind.tag.rawValue)
            type.byte(0)
            type.index(try typeUse(parameters: .ignored))
            defined.tags += 1
        }
        sections.add(.import) { section in
            section.vector(module)
            section.vector(name)
            section.append(type)
        }
    }

    /// `(export "name")*`, and `(import "module" "name")` with the type of the import. True if the
    /// entity is an import; then everything up to the closing parenthesis was read.
    mutating func inlineExportsAndImport(
        _ keyword: Keyword, _ kind: ExternalKind, _ index: UInt32
    ) throws(TextError) -> Bool {
        while openIfPresent(.export) {
            addExport(try name(), kind, index)
            try expectClose()
        }
        guard openIfPresent(.import) else { return false }
        let module = try name()
        let name = try name()
        try expectClose()
        try importedType(keyword, module, name)
        return true
    }

    private mutating func addExport(_ name: [UInt8], _ kind: ExternalKind, _ index: UInt32) {
        sections.add(.export) { section in
            section.vector(name)
            section.byte(kind.rawValue)
            section.index(index)
        }
    }

    /// The cursor is after `(export`.
    mutating func exportField() throws(TextError) {
        let name = try name()
        try expectOpen(.externalType)
        guard case .keyword(let keyword) = token.word, let space = keyword.entitySpace else {
            throw unexpected(.externalType)
        }
        cursor += 1
        let index = try index(of: space)
        try expectClose()
        let kind: ExternalKind =
            switch keyword {
            case .func: .function
            case .table: .table
            case .memory: .memory
            case .global: .global
            default: .tag
            }
        addExport(name, kind, index)
    }

    /// The cursor is after `(start`.
    mutating func startField() throws(TextError) {
        if sections.count(.start) > 0 {
            throw TextError(.multipleStarts, tokens[cursor - 1].range)
        }
        let index = try index(of: .function)
        sections.add(.start) { $0.index(index) }
    }

    // MARK: Tables

    /// The cursor is after `(table`.
    mutating func tableField() throws(TextError) {
        let index = defined.tables
        try nameTable()
        if try inlineExportsAndImport(.table, .table, index) { return }
        defined.tables += 1
        let address = addressType()
        if isAtReferenceType {
            return try tableWithElements(index, address)
        }
        let type = try tableType(address)
        guard token.kind != .close else {
            return sections.add(.table) { $0.tableType(type) }
        }
        let initializer = try expression()
        sections.add(.table) { section in
            section.byte(0x40)
            section.byte(0x00)
            section.tableType(type)
            section.append(initializer)
        }
    }

    private mutating func tableType() throws(TextError) -> TableType {
        try tableType(addressType())
    }

    private mutating func tableType(_ address: AddressType) throws(TextError) -> TableType {
        let limits = try limits()
        return TableType(
            element: try referenceType(), limits: limits, addressType: address)
    }

    /// `i32` or `i64`, if it is there.
    private mutating func addressType() -> AddressType {
        if keywordIfPresent(.i64) { return .i64 }
        _ = keywordIfPresent(.i32)
        return .i32
    }

    private mutating func limits() throws(TextError) -> Limits {
        var limits = Limits(minimum: try unsigned64())
        if token.kind == .number { limits.maximum = try unsigned64() }
        return limits
    }

    /// `reftype (elem ...)`: the table has as many elements as there are.
    private mutating func tableWithElements(
        _ index: UInt32, _ address: AddressType
    ) throws(TextError) {
        let element = try referenceType()
        guard openIfPresent(.elem) else { throw unexpected(.integer) }
        var elements: ElementList
        if token.kind == .open {
            elements = try elementExpressions(element)
        } else {
            elements = try functionIndices()
            // Functions as such are of type `(ref func)`, which only these tables take.
            if element.heapType != .func { elements.makeExpressions(of: element) }
        }
        try expectClose()
        let size = UInt64(truncatingIfNeeded: elements.count)
        let type = TableType(
            element: element, limits: Limits(minimum: size, maximum: size), addressType: address)
        sections.add(.table) { $0.tableType(type) }
        addElementSegment(elements, table: index, offset: zero(address))
    }

    /// The constant expression for address 0.
    private func zero(_ address: AddressType) -> [UInt8] {
        [address == .i64 ? 0x42 : 0x41, 0x00, 0x0b]
    }

    // MARK: Memories

    /// The cursor is after `(memory`.
    mutating func memoryField() throws(TextError) {
        let index = defined.memories
        try nameMemory()
        if try inlineExportsAndImport(.memory, .memory, index) { return }
        defined.memories += 1
        let address = addressType()
        guard opens(.data) || opens(.pagesize) else {
            let type = try memoryType(address)
            return sections.add(.memory) { $0.memoryType(type) }
        }
        let pageSizeLog2 = try pageSizeLog2()
        guard openIfPresent(.data) else { throw unexpected(.integer) }
        let content = try strings()
        try expectClose()
        let bytes = UInt64(truncatingIfNeeded: content.count)
        // A page may be larger than all there is.
        let pages = bytes == 0 ? 0 : (bytes - 1) >> UInt64(pageSizeLog2) + 1
        let type = MemoryType(
            limits: Limits(minimum: pages, maximum: pages), addressType: address,
            pageSizeLog2: pageSizeLog2)
        sections.add(.memory) { $0.memoryType(type) }
        addDataSegment(content, memory: index, offset: zero(address))
    }

    private mutating func memoryType() throws(TextError) -> MemoryType {
        try memoryType(addressType())
    }

    private mutating func memoryType(_ address: AddressType) throws(TextError) -> MemoryType {
        let limits = try limits()
        let isShared = keywordIfPresent(.shared)
        return MemoryType(
            limits: limits, addressType: address, shared: isShared,
            pageSizeLog2: try pageSizeLog2())
    }

    /// `(pagesize N)`, if it is there. Which powers of two are allowed is for validation.
    private mutating func pageSizeLog2() throws(TextError) -> UInt8 {
        guard openIfPresent(.pagesize) else { return 16 }
        let token = token
        let size = try unsigned64()
        guard size.nonzeroBitCount == 1 else {
            throw TextError(.expected(.pageSize), token.range)
        }
        try expectClose()
        return UInt8(truncatingIfNeeded: size.trailingZeroBitCount)
    }

    // MARK: Globals and tags

    /// The cursor is after `(global`.
    mutating func globalField() throws(TextError) {
        let index = defined.globals
        try nameGlobal()
        if try inlineExportsAndImport(.global, .global, index) { return }
        defined.globals += 1
        let type = try globalType()
        let initializer = try expression()
        sections.add(.global) { section in
            section.globalType(type)
            section.append(initializer)
        }
    }

    private mutating func globalType() throws(TextError) -> GlobalType {
        guard openIfPresent(.mut) else { return GlobalType(try valueType(), mutable: false) }
        let type = try valueType()
        try expectClose()
        return GlobalType(type, mutable: true)
    }

    /// The cursor is after `(tag`.
    mutating func tagField() throws(TextError) {
        let index = defined.tags
        try nameTag()
        if try inlineExportsAndImport(.tag, .tag, index) { return }
        defined.tags += 1
        let type = try typeUse(parameters: .ignored)
        sections.add(.tag) { section in
            section.byte(0)
            section.index(type)
        }
    }

    // MARK: Names

    mutating func nameFunction() throws(TextError) {
        guard let name = try entityName() else { return }
        names.functions.append(.init(index: defined.functions, name: name))
    }

    private mutating func nameTable() throws(TextError) {
        guard let name = try entityName() else { return }
        names.tables.append(.init(index: defined.tables, name: name))
    }

    private mutating func nameMemory() throws(TextError) {
        guard let name = try entityName() else { return }
        names.memories.append(.init(index: defined.memories, name: name))
    }

    private mutating func nameGlobal() throws(TextError) {
        guard let name = try entityName() else { return }
        names.globals.append(.init(index: defined.globals, name: name))
    }

    private mutating func nameTag() throws(TextError) {
        guard let name = try entityName() else { return }
        names.tags.append(.init(index: defined.tags, name: name))
    }
}
