import WasmDecoder

/// The items of an element segment, encoded.
struct ElementList {
    var count = 0
    /// The type of the elements, if they are given as expressions; nil for function indices.
    var type: ReferenceType?
    var items = ByteWriter()
    /// The items, if they are function indices.
    var functions: [UInt32] = []

    /// Makes expressions `ref.func x` of function indices.
    mutating func makeExpressions(of type: ReferenceType) {
        self.type = type
        items.removeAll()
        for function in functions {
            items.opcode(.refFunc)
            items.index(function)
            items.opcode(.end)
        }
    }
}

/// Element and data segments.
///
/// Specification: 6.6.8 (element segments), 6.6.9 (data segments).
extension ModuleParser {
    /// The cursor is after `(elem`.
    mutating func elementField() throws(TextError) {
        if let name = try entityName() {
            names.elementSegments.append(.init(index: defined.elementSegments, name: name))
        }
        if keywordIfPresent(.declare) {
            let elements = try elementList()
            // 3 or 7: declarative, with the kind or type of the elements.
            return addElementSegment(elements, flags: 3, hasType: true)
        }
        // WebAssembly 1.0 wrote the table as a bare number.
        let isOldForm = token.kind == .number && tokens[cursor + 1].kind == .open
        guard isOldForm || (token.kind == .open && !isAtReferenceType) else {
            let elements = try elementList()
            return addElementSegment(elements, flags: 1, hasType: true)
        }
        var table: UInt32?
        if isOldForm {
            table = try index(of: .table)
        } else if openIfPresent(.table) {
            table = try index(of: .table)
            try expectClose()
        }
        let offset = try offset()
        let elements: ElementList
        if table == nil || isOldForm, isAtIndex || token.kind == .close {
            elements = try functionIndices()
        } else {
            elements = try elementList()
        }
        addElementSegment(elements, table: table ?? 0, offset: offset)
    }

    /// `(offset instr*)` or a single instruction in parentheses.
    private mutating func offset() throws(TextError) -> [UInt8] {
        guard openIfPresent(.offset) else { return try foldedExpression() }
        let offset = try expression()
        try expectClose()
        return offset
    }

    /// `reftype expr*` or `func x*`.
    private mutating func elementList() throws(TextError) -> ElementList {
        if keywordIfPresent(.func) { return try functionIndices() }
        return try elementExpressions(try referenceType())
    }

    mutating func functionIndices() throws(TextError) -> ElementList {
        var list = ElementList()
        while token.kind != .close {
            let function = try index(of: .function)
            list.functions.append(function)
            list.items.index(function)
            list.count += 1
        }
        return list
    }

    /// `(item instr*)` or single instructions in parentheses.
    mutating func elementExpressions(_ type: ReferenceType) throws(TextError) -> ElementList {
        var list = ElementList(type: type)
        while token.kind != .close {
            if openIfPresent(.item) {
                list.items.append(try expression())
                try expectClose()
            } else {
                list.items.append(try foldedExpression())
            }
            list.count += 1
        }
        return list
    }

    /// An active segment.
    mutating func addElementSegment(_ elements: ElementList, table: UInt32, offset: [UInt8]) {
        // The short forms are for table 0 and for functions, by index or of type funcref.
        let isShort = table == 0 && (elements.type == nil || elements.type == .funcref)
        var head = ByteWriter()
        if !isShort { head.index(table) }
        head.append(offset)
        addElementSegment(elements, flags: isShort ? 0 : 2, head, hasType: !isShort)
    }

    private mutating func addElementSegment(
        _ elements: ElementList, flags: UInt8, _ head: ByteWriter = ByteWriter(), hasType: Bool
    ) {
        defined.elementSegments += 1
        sections.add(.element) { section in
            section.byte(elements.type == nil ? flags : flags | 4)
            section.append(head)
            if hasType {
                if let type = elements.type {
                    section.referenceType(type)
                } else {
                    section.byte(0)
                }
            }
            section.count(elements.count)
            section.append(elements.items)
        }
    }

    // MARK: Data

    /// The cursor is after `(data`.
    mutating func dataField() throws(TextError) {
        if let name = try entityName() {
            names.dataSegments.append(.init(index: defined.dataSegments, name: name))
        }
        // WebAssembly 1.0 wrote the memory as a bare number.
        let isOldForm = token.kind == .number && tokens[cursor + 1].kind == .open
        guard isOldForm || token.kind == .open else {
            let content = try strings()
            defined.dataSegments += 1
            return sections.add(.data) { section in
                section.byte(1)
                section.vector(content)
            }
        }
        var memory: UInt32 = 0
        if isOldForm {
            memory = try index(of: .memory)
        } else if openIfPresent(.memory) {
            memory = try index(of: .memory)
            try expectClose()
        }
        let offset = try offset()
        addDataSegment(try strings(), memory: memory, offset: offset)
    }

    /// An active segment.
    mutating func addDataSegment(_ content: [UInt8], memory: UInt32, offset: [UInt8]) {
        defined.dataSegments += 1
        sections.add(.data) { section in
            section.byte(memory == 0 ? 0 : 2)
            if memory != 0 { section.index(memory) }
            section.append(offset)
            section.vector(content)
        }
    }
}
