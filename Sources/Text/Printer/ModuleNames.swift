import WasmDecoder

/// The identifiers of a module's index spaces, made from its name section.
struct ModuleNames {
    var module: [UInt8]?
    var types = Identifiers.none
    var functions = Identifiers.none
    var tables = Identifiers.none
    var memories = Identifiers.none
    var globals = Identifiers.none
    var tags = Identifiers.none
    var elementSegments = Identifiers.none
    var dataSegments = Identifiers.none
    /// By type index.
    private var fields: [UInt32: Identifiers] = [:]
    private var section: NameSection?
    private let generates: Bool

    init(_ module: ParsedModule, _ option: TextPrinter.Names) {
        generates = option == .generated
        guard option != .none else { return }
        let section = module.names()
        self.section = section
        self.module = section?.module?.utf8
        func identifiers(_ names: NameMap?, _ count: Int, _ stem: StaticString) -> Identifiers {
            Identifiers(names, count: count, generated: option == .generated ? stem : nil)
        }
        types = identifiers(section?.types, module.types.count, "type")
        functions = identifiers(section?.functions, module.functions.count, "func")
        tables = identifiers(section?.tables, module.tables.count, "table")
        memories = identifiers(section?.memories, module.memories.count, "memory")
        globals = identifiers(section?.globals, module.globals.count, "global")
        tags = identifiers(section?.tags, module.tags.count, "tag")
        elementSegments = identifiers(
            section?.elementSegments, module.elementSegments.count, "elem")
        dataSegments = identifiers(section?.dataSegments, module.dataSegments.count, "data")
        for (index, type) in module.types.enumerated() {
            guard case .structure(let members) = type.composite else { continue }
            let index = UInt32(truncatingIfNeeded: index)
            let names = section?.fields[index]
            if names == nil, !generates { continue }
            fields[index] = identifiers(names, members.count, "field")
        }
    }

    /// Whether the module has a name section that could be read.
    var hasSection: Bool { section != nil }

    /// The identifiers of the fields of a structure type.
    func fields(of type: UInt32) -> Identifiers {
        fields.isEmpty ? .none : fields[type] ?? .none
    }

    /// The identifiers of the parameters and locals of a function.
    func locals(of function: FunctionIndex, count: Int) -> Identifiers {
        let names = section?.locals[function]
        if names == nil, !generates { return .none }
        return Identifiers(names, count: count, generated: generates ? "local" : nil)
    }

    /// Whether the name section has names of labels in a function.
    func hasLabels(of function: FunctionIndex) -> Bool {
        section.map { !$0.labels.isEmpty && $0.labels[function] != nil } ?? false
    }

    /// The identifiers of the labels in a function.
    func labels(of function: FunctionIndex) -> LabelNames {
        LabelNames(section?.labels[function], generates: generates)
    }
}

/// The identifiers of the labels in one function. Blocks may share one: the innermost counts.
struct LabelNames {
    struct Label {
        /// Where the identifier is in `text`.
        var range: Range<Int>
        /// The same for equal identifiers.
        var number: Int
    }

    private var text: [UInt8] = []
    private var labels: [UInt32: Label] = [:]
    private var numbers: [[UInt8]: Int] = [:]
    private var generates = false
    /// By number: how many blocks are around the innermost open one with this identifier, and it.
    private var innermost: [Int] = []

    init(_ names: NameMap?, generates: Bool) {
        self.generates = generates
        for (ordinal, name) in names?.all ?? [] where labels[ordinal] == nil {
            if !name.utf8.isEmpty { add(name.utf8, ordinal) }
        }
    }

    private mutating func add(_ name: [UInt8], _ ordinal: UInt32) {
        let start = text.count
        text += textIdentifier(name)
        let number = numbers[name] ?? innermost.count
        if number == innermost.count {
            numbers[name] = number
            innermost.append(0)
        }
        labels[ordinal] = Label(range: start..<text.count, number: number)
    }

    /// The label of a block, by its place among the blocks of the function as they begin.
    mutating func label(_ ordinal: Int) -> Label? {
        if let label = labels[UInt32(truncatingIfNeeded: ordinal)] { return label }
        return generates ? generate(ordinal) : nil
    }

    private mutating func generate(_ ordinal: Int) -> Label {
        let start = text.count
        text.append(0x24)
        appendGenerated("label", ordinal, to: &text)
        // No other label is made up like it, but one may be named so.
        var number = innermost.count
        if !numbers.isEmpty { number = numbers[Array(text[(start + 1)...])] ?? number }
        if number == innermost.count { innermost.append(0) }
        let label = Label(range: start..<text.count, number: number)
        labels[UInt32(truncatingIfNeeded: ordinal)] = label
        return label
    }

    func identifier(_ label: Label) -> ArraySlice<UInt8> { text[label.range] }

    /// A block with this label begins as number `depth` of those that are open, from 1. Returns
    /// what `leave` wants when it ends.
    mutating func enter(_ label: Label, depth: Int) -> Int {
        let outer = innermost[label.number]
        innermost[label.number] = depth
        return outer
    }

    mutating func leave(_ label: Label, outer: Int) { innermost[label.number] = outer }

    /// Whether the identifier means the open block number `depth`.
    func isVisible(_ label: Label, depth: Int) -> Bool { innermost[label.number] == depth }
}
