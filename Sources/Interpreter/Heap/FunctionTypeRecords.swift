// Invariant: the records do not change once they are made.

import WasmMachine
import WasmSystem
import WasmValidator

/// The records of the types of a module that has functions' types only, for the heaps of all stores
/// that begin with the module.
///
/// Such a record points at nothing of a heap. A store with one instance, as hosts make for each
/// connection or run, has no table of its own then: for a module with 50 types it would take 1.8 KiB.
final class FunctionTypeRecords: @unchecked Sendable {
    // Sendable: nothing changes.
    let records: UnsafeMutablePointer<TypeRecord>
    let count: Int
    /// Keeps the numbers of the types.
    private let types: HeldTypes

    /// Nil if the module has other types, none, or so many, or with such numbers, that each store
    /// should make its own.
    init?(_ module: ValidModule, of registry: TypeRegistry) {
        let ids = module.typeIDs
        guard let highest = ids.max(), ids.count <= Self.countLimit,
            Int(highest) < ids.count * 2 + 64
        else { return nil }
        for id in ids {
            guard case .function = registry.definition(id).composite else { return nil }
        }
        let count = Int(highest) + 1
        guard
            let memory = Allocation.zeroed(count, stride: MemoryLayout<TypeRecord>.stride)
        else { return nil }
        records = memory.bindMemory(to: TypeRecord.self, capacity: count)
        self.count = count
        types = module.heldTypes
        for id in ids { records[Int(id)] = TypeRecord(functionType: id, registry) }
    }

    deinit { Allocation.free(records) }

    /// Making the records is one step, in which no deadline is checked.
    private static let countLimit = 1000
}

extension TypeRecord {
    /// The record of a type of functions.
    init(functionType id: TypeID, _ registry: TypeRegistry) {
        let ancestors = registry.ancestors(of: id)
        self.init(
            ancestors: ancestors.baseAddress, depth: UInt32(truncatingIfNeeded: ancestors.count),
            isRegistered: true)
    }
}
