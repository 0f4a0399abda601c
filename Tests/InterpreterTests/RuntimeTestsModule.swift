import WasmInterpreter

/// Writes small modules for tests: sections in, bytes out. Nothing is checked.
struct TestModule {
    private var types: [[UInt8]] = []
    private var imports: [[UInt8]] = []
    private var functions: [UInt8] = []
    private var tables: [[UInt8]] = []
    private var memories: [[UInt8]] = []
    private var tags: [[UInt8]] = []
    private var globals: [[UInt8]] = []
    private var exports: [[UInt8]] = []
    private var elements: [[UInt8]] = []
    private var bodies: [[UInt8]] = []
    private var data: [[UInt8]] = []
    private var customs: [[UInt8]] = []
    var start: UInt8?
    private var importedFunctionCount: UInt8 = 0

    static let i32: UInt8 = 0x7f
    static let i64: UInt8 = 0x7e
    static let f32: UInt8 = 0x7d
    static let f64: UInt8 = 0x7c
    static let funcref: UInt8 = 0x70
    static let externref: UInt8 = 0x6f

    static func unsigned(_ value: UInt64) -> [UInt8] {
        var value = value
        var bytes: [UInt8] = []
        repeat {
            let low = UInt8(value & 0x7f)
            value >>= 7
            bytes.append(value == 0 ? low : low | 0x80)
        } while value != 0
        return bytes
    }

    static func signed(_ value: Int64) -> [UInt8] {
        var value = value
        var bytes: [UInt8] = []
        while true {
            let low = UInt8(value & 0x7f)
            value >>= 7
            if (value == 0 && low & 0x40 == 0) || (value == -1 && low & 0x40 != 0) {
                return bytes + [low]
            }
            bytes.append(low | 0x80)
        }
    }

    static func name(_ text: String) -> [UInt8] {
        unsigned(UInt64(text.utf8.count)) + Array(text.utf8)
    }

    /// `i32.const`
    static func i32(_ value: Int64) -> [UInt8] { [0x41] + signed(value) }
    /// `i64.const`
    static func i64(_ value: Int64) -> [UInt8] { [0x42] + signed(value) }

    static func limits(_ minimum: UInt64, _ maximum: UInt64?, is64: Bool = false) -> [UInt8] {
        let flags: UInt8 = (maximum == nil ? 0 : 1) | (is64 ? 4 : 0)
        return [flags] + unsigned(minimum) + (maximum.map { unsigned($0) } ?? [])
    }

    /// Adds a function type and answers its index.
    mutating func type(_ parameters: [UInt8] = [], _ results: [UInt8] = []) -> UInt8 {
        let count = { (list: [UInt8]) in Self.unsigned(UInt64(list.count)) + list }
        types.append([0x60] + count(parameters) + count(results))
        return UInt8(types.count - 1)
    }

    /// Imports a function of the type with this index; imports come before definitions.
    mutating func importFunction(_ module: String, _ name: String, type: UInt8) -> UInt8 {
        addImport(module, name, [0, type])
        importedFunctionCount += 1
        return importedFunctionCount - 1
    }
    mutating func importTable(
        _ module: String, _ name: String, _ minimum: UInt64, _ maximum: UInt64? = nil,
        element: UInt8 = TestModule.funcref
    ) { addImport(module, name, [1, element] + Self.limits(minimum, maximum)) }
    mutating func importMemory(
        _ module: String, _ name: String, _ minimum: UInt64, _ maximum: UInt64? = nil
    ) { addImport(module, name, [2] + Self.limits(minimum, maximum)) }
    mutating func importGlobal(_ module: String, _ name: String, _ type: UInt8, mutable: Bool) {
        addImport(module, name, [3, type, mutable ? 1 : 0])
    }
    mutating func importTag(_ module: String, _ name: String, type: UInt8) {
        addImport(module, name, [4, 0, type])
    }
    private mutating func addImport(_ module: String, _ name: String, _ description: [UInt8]) {
        imports.append(Self.name(module) + Self.name(name) + description)
    }

    /// Adds a function; `code` is without the final `end`. Answers its index, imports counted.
    mutating func function(type: UInt8, locals: [UInt8] = [], _ code: [UInt8]) -> UInt8 {
        functions.append(type)
        let groups = Self.unsigned(UInt64(locals.count)) + locals.flatMap { [1, $0] }
        let body = groups + code + [0x0b]
        bodies.append(Self.unsigned(UInt64(body.count)) + body)
        return importedFunctionCount + UInt8(functions.count - 1)
    }
    mutating func table(
        _ minimum: UInt64, _ maximum: UInt64? = nil, element: UInt8 = TestModule.funcref
    ) { tables.append([element] + Self.limits(minimum, maximum)) }
    mutating func memory(_ minimum: UInt64, _ maximum: UInt64? = nil, is64: Bool = false) {
        memories.append(Self.limits(minimum, maximum, is64: is64))
    }
    /// A tag whose values are the parameters of a function type.
    mutating func tag(type: UInt8) { tags.append([0, type]) }
    /// `value` is a constant expression without `end`.
    mutating func global(_ type: UInt8, mutable: Bool, _ value: [UInt8]) {
        globals.append([type, mutable ? 1 : 0] + value + [0x0b])
    }
    mutating func export(_ name: String, _ kind: ExternalKind, _ index: UInt8) {
        exports.append(Self.name(name) + [kind.rawValue, index])
    }
    /// An active segment of table 0.
    mutating func elements(at offset: [UInt8], _ functions: [UInt8]) {
        elements.append([0] + offset + [0x0b, UInt8(functions.count)] + functions)
    }
    mutating func passiveElements(_ functions: [UInt8]) {
        elements.append([1, 0, UInt8(functions.count)] + functions)
    }
    /// An active segment of memory 0.
    mutating func data(at offset: [UInt8], _ bytes: [UInt8]) {
        data.append([0] + offset + [0x0b] + Self.unsigned(UInt64(bytes.count)) + bytes)
    }
    mutating func passiveData(_ bytes: [UInt8]) {
        data.append([1] + Self.unsigned(UInt64(bytes.count)) + bytes)
    }
    mutating func custom(_ name: String, _ content: [UInt8]) {
        customs.append(Self.name(name) + content)
    }

    var bytes: [UInt8] {
        var bytes: [UInt8] = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]
        func section(_ id: UInt8, _ content: [UInt8]) {
            bytes += [id] + Self.unsigned(UInt64(content.count)) + content
        }
        func list(_ id: UInt8, _ items: [[UInt8]]) {
            guard !items.isEmpty else { return }
            section(id, Self.unsigned(UInt64(items.count)) + items.flatMap { $0 })
        }
        list(1, types)
        list(2, imports)
        list(3, functions.map { [$0] })
        list(4, tables)
        list(5, memories)
        list(13, tags)
        list(6, globals)
        list(7, exports)
        if let start { section(8, [start]) }
        list(9, elements)
        if !data.isEmpty { section(12, Self.unsigned(UInt64(data.count))) }
        list(10, bodies)
        list(11, data)
        for custom in customs { section(0, custom) }
        return bytes
    }

    func module(_ engine: Engine) throws -> Module { try Module(bytes, engine: engine) }
}

/// An engine, a store and a linker to start from.
struct House {
    let engine: Engine
    let store: Store
    let linker = Linker()

    init(_ configuration: Engine.Configuration = .init(), limits: StoreLimits = .init()) {
        engine = Engine(configuration)
        store = Store(engine: engine, limits: limits)
    }

    func instantiate(_ module: TestModule) throws -> Instance {
        try linker.instantiate(module.module(engine), in: store)
    }
}
