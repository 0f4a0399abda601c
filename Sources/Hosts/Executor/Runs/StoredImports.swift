import WasmInterpreter
import WasmWASI
import WasmdEventLoop
import WasmdGuests
import WasmdOperation

extension Executor {
    /// Modules that one run may link.
    private static let linkLimit = 64

    /// A guest of a stored module. Imports whose module name is the id of a stored module are that
    /// module's exports.
    ///
    /// - Parameter tenant: whose run it is: modules of others are not found.
    /// - Throws: `.importMissing` if such a module is not stored, imports itself over others, or
    ///   there are too many; `LinkError`.
    func guest(
        of module: CachedModule, for tenant: Tenant?, in world: WASI, on loop: EventLoop
    ) async throws -> PreparedGuest {
        guard !Self.storedImports(of: module.module).isEmpty else {
            return try await module.prepared(imports: Self.imports, in: world, on: loop)
        }
        return try await linkedGuest(of: module, for: tenant, on: loop)
    }

    /// A guest of a module that imports stored ones.
    func linkedGuest(
        of module: CachedModule, for tenant: Tenant?, on loop: EventLoop
    ) async throws -> PreparedGuest {
        var links = Links()
        try await link(module.module, &links, for: tenant, on: loop)
        return PreparedGuest(module.module, linking: links.modules, imports: Self.imports)
    }

    private struct Links {
        /// In the order in which instances are made.
        var modules: [(name: Name, module: Module)] = []
        var names: Set<Name> = []
        /// From the run's module to the one that is looked at.
        var path: [ModuleID] = []
    }

    static func storedImports(of module: Module) -> [(Name, ModuleID)] {
        var seen: Set<Name> = []
        return module.imports.compactMap { wanted in
            guard wanted.module.utf8.count == 36, seen.insert(wanted.module).inserted,
                let id = try? ModuleID(wanted.module.utf8)
            else { return nil }
            return (wanted.module, id)
        }
    }

    private func link(
        _ module: Module, _ links: inout Links, for tenant: Tenant?, on loop: EventLoop
    ) async throws {
        for (name, id) in Self.storedImports(of: module) where !links.names.contains(name) {
            guard !links.path.contains(id) else {
                throw ExecutorError.importMissing("module \(id) imports itself over others")
            }
            guard links.modules.count + links.path.count < Self.linkLimit else {
                throw ExecutorError.importMissing(
                    "more than \(Self.linkLimit) modules would be linked")
            }
            guard let entry = try await modules.entry(id, on: loop),
                tenant == nil || entry.record.owner == tenant?.name
            else {
                throw ExecutorError.importMissing("the imported module \(id) is not stored")
            }
            let imported = try await loaded(entry, on: loop).module.module
            links.path.append(id)
            try await link(imported, &links, for: tenant, on: loop)
            links.path.removeLast()
            links.modules.append((name, imported))
            links.names.insert(name)
        }
    }
}
