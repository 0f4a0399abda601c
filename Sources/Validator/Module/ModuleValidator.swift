import WasmDecoder

/// Validates everything but function bodies: types, imports, definitions, segments, exports.
///
/// Specification: 3.5 (modules).
struct ModuleValidator {
    let module: ParsedModule
    let registry: TypeRegistry
    let held: HeldTypes
    let tables: ModuleTables
    /// What the module needs outside of function bodies.
    private(set) var required: Features

    init(_ module: ParsedModule, _ registry: TypeRegistry) throws(ValidationError) {
        self.module = module
        self.registry = registry
        do {
            held = try registry.register(types: module.types, groupEnds: module.recursionGroupEnds)
        } catch {
            throw ValidationError(error, at: module.offset(ofSection: 1))
        }
        try DeclarationValidator(module: module).validate()
        tables = ModuleTables(module, ids: held.ids)
        required = module.requiredFeatures
        try validateDefinitions()
        try validateExports()
        try validateStart()
    }

    /// Initializers and segments, in the order in which they can use each other.
    private mutating func validateDefinitions() throws(ValidationError) {
        var expressions = FunctionValidator(module, tables, registry)
        let imported = max(module.importedGlobalCount, 0)
        // Up to 2.0 only imported globals are constant; a proposal of 3.0 lets in all earlier ones.
        let extended = module.features.contains(.extendedConstants)
        for (index, table) in module.tableDefinitions.enumerated() {
            guard let initializer = table.initializer else { continue }
            let type = tables.view.tables[max(module.importedTableCount, 0) + index].element
            try expressions.validate(initializer, type: type, globals: imported)
        }
        for (position, global) in module.globalDefinitions.enumerated() {
            let index = imported + position
            try expressions.validate(
                global.initializer, type: tables.view.globals[index].type,
                globals: extended ? index : imported)
        }
        let visible = extended ? module.globals.count : imported
        for (index, segment) in module.elementSegments.enumerated() {
            try validate(segment, index, &expressions, globals: visible)
        }
        for segment in module.dataSegments {
            guard case .active(let memory, let offset) = segment.mode else { continue }
            guard tables.view.memories.contains(memory) else {
                throw error(.unknown(.memory, memory), 11)
            }
            try expressions.validate(
                offset, type: tables.view.memories[Int(memory)], globals: visible)
        }
        required.formUnion(Features(rawValue: expressions.required))
    }

    private func validate(
        _ segment: ElementSegment, _ index: Int, _ expressions: inout FunctionValidator,
        globals: Int
    ) throws(ValidationError) {
        let type = tables.view.elementSegments[index]
        switch segment.items {
        case .functions(let range, let count):
            try expressions.declare(count, functionsIn: range)
        case .expressions(let range, let count):
            try expressions.validate(count, expressionsIn: range, type: type, globals: globals)
        }
        guard case .active(let tableIndex, let offset) = segment.mode else { return }
        guard tables.view.tables.contains(tableIndex) else {
            throw error(.unknown(.table, tableIndex), 9)
        }
        let table = tables.view.tables[Int(tableIndex)]
        guard registry.matches(type, table.element) else {
            throw error(.typeMismatch(.elements), 9)
        }
        try expressions.validate(offset, type: table.address, globals: globals)
    }

    /// Names are different; what they name exists. Exported functions become declared.
    private func validateExports() throws(ValidationError) {
        // A few names are compared faster than hashed, and a small module makes no set.
        var names: Set<Name>? = module.exports.count <= 8 ? nil : []
        names?.reserveCapacity(module.exports.count)
        for (position, export) in module.exports.enumerated() {
            let index = export.index
            let (count, entity): (Int, ValidationError.Entity) =
                switch export.kind {
                case .function: (module.functions.count, .function)
                case .table: (module.tables.count, .table)
                case .memory: (module.memories.count, .memory)
                case .global: (module.globals.count, .global)
                case .tag: (module.tags.count, .tag)
                }
            guard Int(index) < count else { throw error(.unknown(entity, index), 7) }
            let isNew =
                names?.insert(export.name).inserted
                ?? !module.exports.prefix(position).contains { $0.name == export.name }
            guard isNew else {
                throw error(.duplicateExport(export.name), 7)
            }
            if export.kind == .function { tables.view.declared[Int(index)] = 1 }
        }
    }

    private func validateStart() throws(ValidationError) {
        guard let start = module.start else { return }
        guard let type = module.functionType(at: start) else {
            throw error(.unknown(.function, start), 8)
        }
        guard type.parameters.isEmpty, type.results.isEmpty else { throw error(.startFunction, 8) }
    }

    private func error(_ reason: ValidationError.Reason, _ section: UInt8) -> ValidationError {
        ValidationError(reason, at: module.offset(ofSection: section))
    }
}

extension ParsedModule {
    /// Where the section with this id starts: errors about what has no position of its own stand
    /// there.
    func offset(ofSection id: UInt8) -> Int {
        sections.first { $0.id == id }?.range.start ?? 0
    }
}
