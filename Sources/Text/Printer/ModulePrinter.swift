import WasmDecoder

/// Prints one module, field by field; the extensions print what the fields are made of.
struct ModulePrinter: ~Copyable {
    let module: ParsedModule
    let options: TextPrinter
    let names: ModuleNames
    let hints: BranchHintMap
    let arities: ArityTable
    var out: TextWriter
    /// Of the function that is being printed.
    var locals = Identifiers.none
    var labels = LabelStack()
    /// Reused by all bodies.
    var folding = Folding()
    /// Where the next entry of the code section starts.
    var codeOffset = 0
    /// Whether anything was found that is longer than it need be.
    var isPadded = false
    /// Whether an instruction names a data segment.
    var namesDataSegments = false
    /// Whether one of a function does: the parser then writes the data count.
    var needsDataCount = false
    /// How many labels there are, in functions whose labels have names.
    var labelCounts: [UInt32: UInt32] = [:]
    /// The custom sections that were left out because they would not be right any more.
    var droppedSections: [Name] = []

    /// - Parameter sink: gets the text piece by piece; nil keeps it.
    init(_ module: ParsedModule, _ options: TextPrinter, sink: TextWriter.Sink? = nil) {
        self.module = module
        self.options = options
        names = ModuleNames(module, options.names)
        hints = BranchHintMap(module)
        arities = ArityTable(module)
        out = TextWriter(capacity: module.bytes.count &* 4, sink: sink)
    }

    /// The section whose names are printed as identifiers; nil if there is none.
    var identifiedNameSection: CustomSection? {
        guard options.names == .section, names.hasSection else { return nil }
        return module.customSections.first { $0.name == "name" }
    }

    mutating func printModule() throws(DecodingError) {
        out.write("(module")
        if let name = names.module {
            if name.isEmpty {
                annotation(name: name)
            } else {
                out.space()
                out.write(textIdentifier(name)[...])
            }
        }
        printTypes()
        printImports()
        try printTables()
        printMemories()
        printTags()
        try printGlobals()
        printExports()
        if let start = module.start {
            field("start")
            reference(start, names.functions)
            out.byte(0x29)
        }
        try printElementSegments()
        try printFunctions()
        try printDataSegments()
        let paddings = try findSectionPaddings()
        printCustomSections()
        print(paddings)
        if out.hasLines { out.newline(0) }
        out.write(")\n")
    }

    // MARK: Pieces of fields

    /// A new line, the parenthesis and the keyword.
    mutating func field(_ keyword: StaticString) {
        out.newline(1)
        out.byte(0x28)
        out.write(keyword)
    }

    /// What introduces an entity: its identifier, the name if that says something else, and the
    /// index as a comment.
    mutating func definition(_ index: Int, _ identifiers: Identifiers) {
        let index = UInt32(truncatingIfNeeded: index)
        if let identifier = identifiers[index] {
            out.space()
            out.write(identifier)
        }
        if let name = identifiers.original(index) { annotation(name: name) }
        out.write(" (;")
        out.number(index)
        out.write(";)")
    }

    mutating func annotation(name: [UInt8]) {
        out.write(" (@name ")
        out.string(utf8: name)
        out.byte(0x29)
    }

    /// A use of an entity: its identifier, or its index.
    @inline(__always)
    mutating func reference(_ index: UInt32, _ identifiers: Identifiers) {
        out.space()
        name(index, identifiers)
    }

    @inline(__always)
    mutating func name(_ index: UInt32, _ identifiers: Identifiers) {
        if let identifier = identifiers[index] {
            out.write(identifier)
        } else {
            out.number(index)
        }
    }

    // MARK: Fields

    private mutating func printImports() {
        var counts: [ExternalKind: Int] = [:]
        for item in module.imports {
            field("import ")
            out.string(utf8: item.module.utf8)
            out.space()
            out.string(utf8: item.name.utf8)
            let index = counts[item.type.kind, default: 0]
            counts[item.type.kind] = index + 1
            switch item.type {
            case .function(let type):
                out.write(" (func")
                definition(index, names.functions)
                let function = UInt32(truncatingIfNeeded: index)
                let count = module.functionType(typeIndex: type)?.parameters.count ?? 0
                typeUse(type, names.locals(of: function, count: count))
            case .table(let type):
                out.write(" (table")
                definition(index, names.tables)
                write(type)
            case .memory(let type):
                out.write(" (memory")
                definition(index, names.memories)
                write(type)
            case .global(let type):
                out.write(" (global")
                definition(index, names.globals)
                write(type)
            case .tag(let type):
                out.write(" (tag")
                definition(index, names.tags)
                typeUse(type)
            }
            out.write("))")
        }
    }

    private mutating func printTables() throws(DecodingError) {
        for (position, table) in module.tableDefinitions.enumerated() {
            field("table")
            definition(module.importedTableCount + position, names.tables)
            write(table.type)
            if let initializer = table.initializer { try write(initializer) }
            out.byte(0x29)
        }
    }

    private mutating func printMemories() {
        for index in module.importedMemoryCount..<module.memories.count {
            field("memory")
            definition(index, names.memories)
            write(module.memories[index])
            out.byte(0x29)
        }
    }

    private mutating func printTags() {
        for index in module.importedTagCount..<module.tags.count {
            field("tag")
            definition(index, names.tags)
            typeUse(module.tags[index])
            out.byte(0x29)
        }
    }

    private mutating func printGlobals() throws(DecodingError) {
        for (position, global) in module.globalDefinitions.enumerated() {
            field("global")
            definition(module.importedGlobalCount + position, names.globals)
            write(global.type)
            try write(global.initializer)
            out.byte(0x29)
        }
    }

    private mutating func printExports() {
        for item in module.exports {
            field("export ")
            out.string(utf8: item.name.utf8)
            switch item.kind {
            case .function:
                out.write(" (func")
                reference(item.index, names.functions)
            case .table:
                out.write(" (table")
                reference(item.index, names.tables)
            case .memory:
                out.write(" (memory")
                reference(item.index, names.memories)
            case .global:
                out.write(" (global")
                reference(item.index, names.globals)
            case .tag:
                out.write(" (tag")
                reference(item.index, names.tags)
            }
            out.write("))")
        }
    }
}
