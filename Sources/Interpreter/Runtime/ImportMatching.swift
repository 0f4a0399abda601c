// Invariant: the records and cells of a `ResolvedImport` belong to its store, or to a function of
// the host that the store keeps.

import WasmMachine
import WasmValidator

/// An import of an instance, in the instance's store.
enum ResolvedImport {
    case function(UnsafeMutablePointer<FunctionRecord>)
    case table(TableStorage)
    case memory(MemoryStorage)
    case global(UnsafeMutablePointer<UInt64>)
    case tag(TagStorage)

    init(_ external: External) {
        switch external {
        case .function(let function): self = .function(function.record)
        case .table(let table): self = .table(table.storage)
        case .memory(let memory): self = .memory(memory.storage)
        case .global(let global): self = .global(global.cell)
        case .tag(let tag): self = .tag(tag.storage)
        }
    }
}

/// Where an instance's imports come from.
enum ImportSource {
    /// In order, not matched yet; nil where nothing was found.
    case given([External?])
    /// Matched before.
    case prepared(PreparedImports)
}

/// Decides whether given entities match what a module imports.
///
/// Specification: 3.4 (external type matching), 4.7.2 (external typing).
struct ImportMatching {
    private let module: Module
    private var types: TypeRegistry { module.engine.types }

    init(_ module: Module) { self.module = module }

    /// The imports in order, all of them matching.
    ///
    /// - Throws: `LinkError` with all that are missing or do not match; `GuestStop`.
    func resolve(_ given: [External?], in store: Store) throws -> [ResolvedImport] {
        var resolved: [ResolvedImport] = []
        resolved.reserveCapacity(given.count)
        var error = LinkError()
        for (index, wanted) in module.imports.enumerated() {
            if index & 255 == 255 { try store.checkStop() }
            let external = index < given.count ? given[index] : nil
            if let reason = mismatch(external, wanted.type, in: store) {
                error.add { failure(wanted, reason) }
            } else if let external {
                resolved.append(ResolvedImport(external))
            }
        }
        try error.check()
        return resolved
    }

    private func mismatch(
        _ external: External?, _ wanted: ExternalType, in store: Store
    ) -> LinkError.Failure.Reason? {
        guard let external else { return .unknown }
        guard external.store === store else { return .foreignStore }
        return mismatch(external.type, wanted)
    }

    /// Why an entity of type `actual`, as `External.type` has it, does not match; nil if it
    /// matches.
    func mismatch(
        _ actual: ExternalType, _ wanted: ExternalType
    ) -> LinkError.Failure.Reason? {
        let expected = canonical(wanted)
        return types.matches(actual, expected)
            ? nil : .incompatible(expected: expected, actual: actual)
    }

    private func canonical(_ type: ExternalType) -> ExternalType {
        let valid = module.valid
        switch type {
        case .function(let index): return .function(valid.typeIDs[Int(index)])
        case .tag(let index): return .tag(valid.typeIDs[Int(index)])
        case .memory: return type
        case .global(var global):
            global.value = valid.canonical(global.value)
            return .global(global)
        case .table(let table): return .table(valid.canonical(table))
        }
    }
}

// Types as text.
extension ImportMatching {
    func failure(
        _ wanted: Import, _ reason: LinkError.Failure.Reason
    ) -> LinkError.Failure {
        let detail: String
        switch reason {
        case .unknown: detail = " (\(text(canonical(wanted.type))))"
        case .foreignStore: detail = " (it belongs to another store)"
        case .ownedByStore:
            detail = " (it belongs to a store: instantiate the module there, with the linker)"
        case .notShared:
            detail =
                " (threads may not share it: define it with defineShared or HostFunction.shared)"
        case .incompatible(let expected, let actual):
            detail = " (expected \(text(expected)), found \(text(actual)))"
        }
        return LinkError.Failure(
            module: wanted.module, name: wanted.name, type: wanted.type, reason: reason,
            detail: detail)
    }

    private func text(_ id: TypeID) -> String {
        types.text(types.definition(id).composite.functionType ?? FunctionType())
    }

    private func text(_ type: ExternalType) -> String {
        switch type {
        case .function(let id): "function \(text(id))"
        case .tag(let id): "tag \(text(id))"
        case .global(let global):
            "global \(global.isMutable ? "mut " : "")\(types.text(global.value))"
        case .table(let table):
            "table \(text(table.limits, table.addressType)) \(types.text(ValueType(table.element)))"
        case .memory(let memory):
            "memory \(text(memory.limits, memory.addressType))"
                + (memory.isShared ? " shared" : "")
                + (memory.pageSizeLog2 == 16
                    ? "" : " with pages of \(1 << memory.pageSizeLog2) byte")
        }
    }

    private func text(_ limits: Limits, _ address: AddressType) -> String {
        let prefix = address == .i64 ? "i64 " : ""
        guard let most = limits.maximum else { return "\(prefix)\(limits.minimum)" }
        return "\(prefix)\(limits.minimum) \(most)"
    }
}

extension ValidModule {
    /// A table's type with `TypeID`s in place of type indices.
    func canonical(_ table: TableType) -> TableType {
        var table = table
        table.element = canonical(ValueType(table.element)).reference ?? table.element
        return table
    }
}
