import WasmDecoder

/// The facts about a module as text. Empty parts are left out.
struct InspectionText {
    private let facts: ModuleFacts
    private let module: ParsedModule
    private var blocks: [String] = []

    init(_ facts: ModuleFacts) {
        self.facts = facts
        module = facts.module
        blocks.append(heading)
        addSections()
        addTypes()
        addImports()
        addDefinitions("Tables", module.tables.map(\.text), imported: module.importedTableCount)
        addDefinitions(
            "Memories", module.memories.map(\.text), imported: module.importedMemoryCount)
        addDefinitions(
            "Globals", module.globals.map(\.text), imported: module.importedGlobalCount)
        addDefinitions(
            "Tags", module.tags.map { module.text(of: .tag($0)) },
            imported: module.importedTagCount)
        addExports()
        addSegments()
        addProducers()
    }

    var text: String { blocks.joined(separator: "\n\n") + "\n" }

    /// Size, names and required features, one per line.
    private var heading: String {
        var table = TextTable(.left, .left)
        table.add("size", counted(module.bytes.count, "byte"))
        if let name = facts.names?.module { table.add("name", printable(name.description)) }
        let defined = counted(module.bodies.count, "function")
        let imported = module.importedFunctionCount
        table.add("code", imported == 0 ? defined : "\(defined), \(grouped(imported)) imported")
        if let start = module.start { table.add("start", function(start)) }
        if let features = facts.requiredFeatures {
            let names = features.names.joined(separator: ", ")
            table.add("needs", names.isEmpty ? "WebAssembly 1.0" : names)
        } else {
            table.add("valid", "no")
        }
        return ([printable(facts.file)] + table.lines).joined(separator: "\n")
    }

    private mutating func addSections() {
        var table = TextTable(.left, .right, .right, .right)
        for section in facts.sections {
            table.add(
                section.title, hexadecimal(section.range.start),
                counted(section.range.count, "byte"),
                section.entryCount.map { counted($0, "item") } ?? "")
        }
        add("Sections", table)
    }

    private mutating func addTypes() {
        var table = TextTable(.right, .left)
        for (index, type) in module.types.enumerated() { table.add("\(index)", type.text) }
        add("Types", table)
    }

    private mutating func addImports() {
        var table = TextTable(.left, .left, .left)
        for wanted in module.imports {
            table.add(
                "\(printable(wanted.module.description)).\(printable(wanted.name.description))",
                wanted.type.kind.description, module.text(of: wanted.type))
        }
        add("Imports", table)
    }

    private mutating func addExports() {
        var table = TextTable(.left, .left, .left)
        for export in module.exports {
            table.add(
                printable(export.name.description), "\(export.kind) \(export.index)",
                module.type(of: export).map(module.text(of:)) ?? "")
        }
        add("Exports", table)
    }

    private mutating func addDefinitions(_ title: String, _ types: [String], imported: Int) {
        var table = TextTable(.right, .left, .left)
        for (index, type) in types.enumerated() {
            table.add("\(index)", type, index < imported ? "imported" : "")
        }
        add(title, table)
    }

    private mutating func addSegments() {
        var table = TextTable(.right, .left, .left)
        for (index, segment) in module.dataSegments.enumerated() {
            table.add("\(index)", counted(segment.content.count, "byte"), Self.text(segment.mode))
        }
        add("Data segments", table)
        table = TextTable(.right, .left, .left)
        for (index, segment) in module.elementSegments.enumerated() {
            table.add(
                "\(index)", "\(counted(segment.count, "item")) \(segment.type)",
                Self.text(segment.mode))
        }
        add("Element segments", table)
    }

    private static func text(_ mode: SegmentMode) -> String {
        switch mode {
        case .passive: "passive"
        case .declarative: "declarative"
        case .active(let index, _): "active in \(index)"
        }
    }

    private mutating func addProducers() {
        var table = TextTable(.left, .left)
        for producer in facts.producers {
            for tool in producer.tools {
                table.add(printable(producer.role), printable("\(tool.name) \(tool.version)"))
            }
        }
        add("Producers", table)
        guard !facts.targetFeatures.isEmpty else { return }
        let words = printable(facts.targetFeatures.joined(separator: " "))
        let lines = words.wrapped(to: Help.width - 2).map { "  \($0)" }
        blocks.append((["Target features"] + lines).joined(separator: "\n"))
    }

    private func function(_ index: FunctionIndex) -> String {
        "function \(index)" + (facts.functionName(index).map { " (\(printable($0)))" } ?? "")
    }

    private mutating func add(_ title: String, _ table: TextTable) {
        guard !table.isEmpty else { return }
        blocks.append(([title] + table.lines).joined(separator: "\n"))
    }
}
