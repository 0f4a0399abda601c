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

    private let cancellation: Cancellation?

    init(
        _ module: ParsedModule, _ registry: TypeRegistry, _ cancellation: Cancellation?
    ) throws(ValidationError) {
        self.module = module
        self.cancellation = cancellation
        self.registry = registry
        do {
            held = try registry.register(types: module.types, groupEnds: module.recursionGroupEnds)
        } catch {
            throw ValidationError(error, at: module.offset(ofSection: 1))
        }
        try Self.check(cancellation)
        try DeclarationValidator(module: module).validate()
        try Self.check(cancellation)
        tables = ModuleTables(module, ids: held.ids)
        required = module.requiredFeatures
        try checkCancellation()
        try validateDefinitions()
        try validateExports()
        try validateStart()
    }

    private func checkCancellation() throws(ValidationError) { try Self.check(cancellation) }

    private static func check(_ cancellation: Cancellation?) throws(ValidationError) {
        if let cancellation, cancellation.isCancelled {
            throw ValidationError(.cancelled, at: 0)
        }
    }

    /// Initializers and segments, in the order in which they can use each other.
    private mutating func validateDefinitions() throws(ValidationError) {
        var expressions = FunctionValidator(module, tables, registry, cancellation)
        let imported = max(module.importedGlobalCount, 0)
        // Up to 2.0 only imported globals are constant; a proposal of 3.0 lets in all earlier ones.
        let extended = module.features.contains(.extendedConstants)
        for (index, table) in module.tableDefinitions.enumerated() {
            guard let initializer = table.initializer else { continue }
            let type = tables.view.tables[max(module.importedTableCount, 0) + index].element
            try expressions.validate(initializer, type: type, globals: imported)
        }
        for (position, global) in module.globalDefinitions.enumerated() {
            if position & 1023 == 1023 { try checkCancellation() }
            let index = imported + position
            try expressions.validate(
                global.initializer, type: tables.view.globals[index].type,
                globals: extended ? index : imported)
        }
        let visible = extended ? module.globals.count : imported
        for (index, segment) in module.elementSegments.enumerated() {
            if index & 1023 == 1023 { try checkCancellation() }
            try validate(segment, index, &expressions, globals: visible)
        }
        for (position, segment) in module.dataSegments.enumerated() {
            guard case .active(let memory, let offset) = segment.mode else { continue }
            guard tables.view.memories.contains(memory) else {
                throw error(.unknown(.memory, memory), 11, position)
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
            throw error(.unknown(.table, tableIndex), 9, index)
        }
        let table = tables.view.tables[Int(tableIndex)]
        guard registry.matches(type, table.element) else {
            throw error(.typeMismatch(.elements), 9, index)
        }
        try expressions.validate(offset, type: table.address, globals: globals)
    }

    /// Names are different; what they name exists. Exported functions become declared.
    private func validateExports() throws(ValidationError) {
        // A few names are compared faster than hashed, and a small module makes no set.
        var names: Set<Name>? = module.exports.count <= 8 ? nil : []
        names?.reserveCapacity(module.exports.count)
        for (position, export) in module.exports.enumerated() {
            if position & 1023 == 1023 { try checkCancellation() }
            let index = export.index
            let (count, entity): (Int, ValidationError.Entity) =
                switch export.kind {
                case .function: (module.functions.count, .function)
                case .table: (module.tables.count, .table)
                case .memory: (module.memories.count, .memory)
                case .global: (module.globals.count, .global)
                case .tag: (module.tags.count, .tag)
                }
            guard Int(index) < count else { throw error(.unknown(entity, index), 7, position) }
            let isNew =
                names?.insert(export.name).inserted
                ?? !module.exports.prefix(position).contains { $0.name == export.name }
            guard isNew else {
                throw error(.duplicateExport(export.name), 7, position)
            }
            if export.kind == .function { tables.view.declared[Int(index)] = 1 }
        }
    }

    private func validateStart() throws(ValidationError) {
        guard let start = module.start else { return }
        guard let type = module.functionType(at: start) else {
            throw error(.unknown(.function, start), 8, 0)
        }
        guard type.parameters.isEmpty, type.results.isEmpty else {
            throw error(.startFunction, 8, 0)
        }
    }

    private func error(
        _ reason: ValidationError.Reason, _ section: UInt8, _ position: Int
    ) -> ValidationError {
        ValidationError(
            reason, at: module.offset(ofSection: section),
            entry: .init(section: section, position: position))
    }
}

extension ParsedModule {
    /// Where the section with this id starts: errors about what has no position of its own are
    /// there.
    func offset(ofSection id: UInt8) -> Int {
        sections.first { $0.id == id }?.range.start ?? 0
    }
}
