import WasmValidator

/// An entity that instances import and export.
///
/// Specification: 4.2.13 (external instances).
public enum External: Hashable {
    case function(Function)
    case table(Table)
    case memory(Memory)
    case global(Global)
    case tag(Tag)

    public var kind: ExternalKind {
        switch self {
        case .function: .function
        case .table: .table
        case .memory: .memory
        case .global: .global
        case .tag: .tag
        }
    }

    /// The type for import matching: type indices are numbers of the engine's registry, and
    /// the minimum of a memory or table is its current size.
    public var type: ExternalType {
        switch self {
        case .function(let function): .function(function.record.pointee.typeID)
        case .table(let table): .table(table.storage.currentType)
        case .memory(let memory): .memory(memory.storage.currentType)
        case .global(let global): .global(global.type)
        case .tag(let tag): .tag(tag.storage.typeID)
        }
    }

    public var store: Store {
        switch self {
        case .function(let function): function.store
        case .table(let table): table.store
        case .memory(let memory): memory.store
        case .global(let global): global.store
        case .tag(let tag): tag.store
        }
    }
}
