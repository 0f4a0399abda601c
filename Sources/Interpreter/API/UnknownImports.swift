import WasmDecoder
import WasmValidator

/// Definitions for imports that a linker has no definition for.
public enum UnknownImports: Sendable, Hashable, CaseIterable {
    /// Functions that trap when they are called, with `TrapCode.hostError` and an `UnknownImport`
    /// as the cause. Imports of other kinds stay unknown, because they cannot trap.
    case trap
    /// Functions that return zeros and null references; memories and tables of their smallest size,
    /// filled with zeros and nulls; globals of zero or null; tags. A function with a result that
    /// can be neither zero nor null traps; other such imports stay unknown.
    case zero
}

/// An undefined import was called: see `UnknownImports.trap`.
public struct UnknownImport: Error, Hashable, Sendable {
    public let module: Name
    public let name: Name
}

extension UnknownImport: CustomStringConvertible {
    public var description: String { "unknown import \"\(module)\" \"\(name)\" was called" }
}

extension Linker {
    /// Defines all imports of a module that the linker has no definition for, so that the module
    /// can be instantiated, and runs as long as it does not use them.
    ///
    ///     try linker.defineUnknownImports(of: module, in: store, as: .trap)
    ///     let instance = try linker.instantiate(module, in: store)
    ///
    /// - Parameters:
    ///   - module: the module whose imports are defined.
    ///   - store: the store in which memories, tables, globals and tags are made, for `zero`.
    ///   - kind: the kind of definitions.
    ///   - onCall: called for each call of such a function, with its arguments.
    /// - Returns: the imports that it defined.
    /// - Throws: `ResourceError` if the store's limits do not allow a memory or table.
    @discardableResult
    public func defineUnknownImports(
        of module: Module, in store: Store, as kind: UnknownImports,
        onCall: ((UnknownImport, [Value]) -> Void)? = nil
    ) throws(ResourceError) -> [Import] {
        var defined: [Import] = []
        for wanted in module.imports where !isDefined(wanted.module, wanted.name) {
            if let function = standIn(for: wanted, of: module, kind, onCall) {
                define(wanted.module, wanted.name, function)
            } else if kind == .zero,
                let external = try emptyStandIn(for: wanted, of: module, in: store)
            {
                define(wanted.module, wanted.name, external)
            } else {
                continue
            }
            defined.append(wanted)
        }
        return defined
    }

    private func functionType(_ index: TypeIndex, of module: Module) -> FunctionType? {
        module.engine.types.definition(module.valid.typeIDs[Int(index)]).composite.functionType
    }

    /// For an import that is a function.
    private func standIn(
        for wanted: Import, of module: Module, _ kind: UnknownImports,
        _ onCall: ((UnknownImport, [Value]) -> Void)?
    ) -> HostFunction? {
        guard case .function(let index) = wanted.type,
            let type = functionType(index, of: module)
        else { return nil }
        return standIn(for: wanted, type, kind, onCall)
    }

    /// For an import of another kind.
    private func emptyStandIn(
        for wanted: Import, of module: Module, in store: Store
    ) throws(ResourceError) -> External? {
        let valid = module.valid
        switch wanted.type {
        case .function: return nil
        case .memory(let type):
            return .memory(try Memory(store: store, type: type))
        case .table(let type):
            do throws(CreationError) {
                return .table(try Table(store: store, type: valid.canonical(type)))
            } catch {
                if case .resource(let error) = error { throw error }
                return nil
            }
        case .global(var type):
            type.value = valid.canonical(type.value)
            let zero = store.value(0, 0, as: type.value)
            guard type.value.isDefaultable,
                let global = try? Global(store: store, type: type, value: zero)
            else { return nil }
            return .global(global)
        case .tag(let index):
            return functionType(index, of: module).map {
                .tag(Tag(store: store, parameters: $0.parameters))
            }
        }
    }

    private func standIn(
        for wanted: Import, _ type: FunctionType, _ kind: UnknownImports,
        _ onCall: ((UnknownImport, [Value]) -> Void)?
    ) -> HostFunction {
        let called = UnknownImport(module: wanted.module, name: wanted.name)
        let slotCount = type.results.reduce(0) { $0 + $1.slotCount }
        let traps = kind == .trap || !type.results.allSatisfy(\.isDefaultable)
        return HostFunction(type, isShared: onCall == nil) { caller, slots in
            if let onCall {
                let store = caller.store
                var slot = 0
                var arguments: [Value] = []
                for type in type.parameters {
                    let high = type.isVector ? slots[slot + 1] : 0
                    arguments.append(store.value(slots[slot], high, as: type))
                    slot += type.slotCount
                }
                onCall(called, arguments)
            }
            if traps { throw Trap(.hostError, cause: called) }
            for slot in 0..<slotCount { slots[slot] = 0 }
        }
    }
}
