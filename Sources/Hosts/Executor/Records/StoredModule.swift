import Synchronization
import WasmInterpreter

/// A module's record as it was at one version, and what calls of it need again and again.
final class StoredModule: Sendable {
    let record: ModuleRecord
    /// Of the record, in the store.
    let key: [UInt8]
    /// What a change of the record must name.
    let version: UInt64
    /// For records of runs: what was asked for.
    let caller: String
    private let plan = Mutex<CallPlan?>(nil)

    init(_ record: ModuleRecord, key: [UInt8], version: UInt64) {
        self.record = record
        self.key = key
        self.version = version
        caller = "POST /wasm/\(record.id)"
    }

    /// As `plan`, if the last call was one of this function; nil otherwise.
    func knownPlan(_ function: String?) -> CallPlan? {
        guard let known = plan.withLock({ $0 }), known.isAsked(for: function) else { return nil }
        return known
    }

    /// How the record's function is called, or the one with this name; made at the first call of
    /// a name, and kept for the last one.
    ///
    /// - Parameter module: of the record.
    /// - Throws: as `CallPlan.init`.
    func plan(_ function: String?, in module: Module) throws -> CallPlan {
        if let known = knownPlan(function) { return known }
        let made = try CallPlan(record, function, in: module)
        plan.withLock { $0 = made }
        return made
    }
}

/// The modules that were asked for last, decoded. Each has one place among 512, by its id: ids are
/// random, so that nobody can choose modules which share a place.
final class KnownModules: Sendable {
    private static let count = 512
    /// Bytes of a stored record; a larger one is not kept. Decoded it takes some five times as many.
    private static let largest = 16 << 10

    private let places = Mutex([StoredModule?](repeating: nil, count: KnownModules.count))

    private static func place(_ id: ModuleID) -> Int {
        Int(truncatingIfNeeded: id.low % UInt64(count))
    }

    subscript(id: ModuleID) -> StoredModule? {
        let found = places.withLock { $0[Self.place(id)] }
        return found?.record.id == id ? found : nil
    }

    func keep(_ module: StoredModule, byteCount: Int) {
        guard byteCount <= Self.largest else { return }
        let replaced = places.withLock { places in
            let place = Self.place(module.record.id)
            defer { places[place] = module }
            return places[place]
        }
        // Freed after the lock was released.
        withExtendedLifetime(replaced) {}
    }
}
