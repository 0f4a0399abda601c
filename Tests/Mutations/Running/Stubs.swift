import WasmInterpreter
import WasmWASI

/// What modules get for their imports: host functions that return zeros, or instances of modules
/// made to measure, so that calls cross instances.
struct Stubs {
    let module: Module
    let store: Store
    var random: RandomNumbers

    private var types: TypeRegistryView { TypeRegistryView(module: module) }

    /// Names for all imports that can be had.
    mutating func linker() -> Linker {
        let linker = Linker()
        if module.imports.contains(where: { "\($0.module)".hasPrefix("wasi_") }) {
            var wasi = WASI(
                arguments: ["program", "argument"], environment: [(name: "KEY", value: "value")])
            wasi.standardInput = .bytes(Array("a line\nand another\n".utf8))
            wasi.standardOutput = .buffer(OutputBuffer(limit: 1 << 20))
            wasi.standardError = .null
            wasi.clock = .custom(VirtualClock())
            wasi.random = .seeded(random.next())
            _ = try? linker.define(wasi)
        }
        let usesProvider = random.oneIn(2)
        if usesProvider { defineProvider(on: linker) }
        for wanted in module.imports where !linker.isDefined(wanted.module, wanted.name) {
            if let external = external(wanted.type) {
                linker.define(wanted.module, wanted.name, external)
            }
        }
        return linker
    }

    // MARK: A module that exports what is wanted

    private mutating func defineProvider(on linker: Linker) {
        let provider = ProviderModule(module, &random)
        guard !provider.exports.isEmpty,
            let made = try? Module(provider.bytes, engine: module.engine),
            let instance = try? Instance(made, in: store)
        else { return }
        for (index, name) in provider.exports {
            let wanted = module.imports[index]
            guard !linker.isDefined(wanted.module, wanted.name), !random.oneIn(8),
                let external = instance.export(Name(name))
            else { continue }
            linker.define(wanted.module, wanted.name, external)
        }
    }

    // MARK: The host's

    private mutating func external(_ type: ExternalType) -> External? {
        switch type {
        case .function(let index): return types.function(index).flatMap { function($0) }
        case .memory(let type):
            guard !type.isShared else { return nil }
            return (try? Memory(store: store, type: type)).map { .memory($0) }
        case .table(var type):
            guard type.element.isNullable,
                let element = types.canonical(ValueType(type.element)).reference
            else { return nil }
            type.element = element
            return (try? Table(store: store, type: type)).map { .table($0) }
        case .global(let type):
            let canonical = GlobalType(types.canonical(type.value), mutable: type.isMutable)
            guard let value = Self.zero(canonical.value),
                let global = try? Global(store: store, type: canonical, value: value)
            else { return nil }
            return .global(global)
        case .tag(let index):
            return types.function(index).map {
                .tag(Tag(store: store, parameters: $0.parameters))
            }
        }
    }

    /// A function that returns zeros. Some look at memory, call back into the guest or throw.
    private mutating func function(_ type: FunctionType) -> External? {
        guard type.results.allSatisfy({ Self.zero($0) != nil }) else { return nil }
        let slots = type.results.reduce(0) { $0 + $1.slotCount }
        let kind = random.below(24)
        let body: HostFunction.Body = { caller, arguments in
            switch kind {
            case 0: throw GuestExit(code: 3)
            case 1, 2:
                // One that takes nothing, so that no arguments are needed.
                let callable = caller.instance?.exports.lazy.compactMap { (_, external) in
                    if case .function(let function) = external { function } else { nil }
                }
                _ = try callable?.first { $0.type.parameters.isEmpty }?.call()
            case 3:
                guard let memory = try? caller.memory else { break }
                try? memory.store(UInt64.max, at: UInt64(max(0, memory.byteCount - 8)))
            case 4: throw Trap(.unreachable)
            case 5: throw try Exception(tag: Tag(store: caller.store, parameters: []))
            default: break
            }
            for slot in 0..<slots { arguments[slot] = 0 }
        }
        return .function(
            Function(
                store: store, parameters: type.parameters, results: type.results, body: body))
    }

    /// Zero or null of a type; nil where there is none that the host could make.
    static func zero(_ type: ValueType) -> Value? {
        switch type {
        case .i32: return .i32(0)
        case .i64: return .i64(0)
        case .f32: return .f32(0)
        case .f64: return .f64(0)
        case .v128: return .v128(low: 0, high: 0)
        default:
            guard let reference = type.reference, reference.isNullable else { return nil }
            switch reference.heapType {
            case .extern, .noextern: return .extern(nil)
            case .exn, .noexn: return .exception(nil)
            case .any, .eq, .i31, .struct, .array, .none: return .any(nil)
            case .func, .nofunc: return .function(nil)
            default: return reference.heapType.isAbstract ? nil : .function(nil)
            }
        }
    }
}

/// The types of a module in canonical form.
struct TypeRegistryView {
    let module: Module

    func canonical(_ type: ValueType) -> ValueType { module.valid.canonical(type) }

    func function(_ index: TypeIndex) -> FunctionType? {
        guard let id = module.valid.typeIDs[safe: Int(index)] else { return nil }
        return module.engine.types.definition(id).composite.functionType
    }
}
