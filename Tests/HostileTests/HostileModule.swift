import WasmInterpreter

/// The bytes of a module that means no good, section by section; nothing is checked.
struct HostileModule {
    var bytes: [UInt8] = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]

    static func unsigned(_ value: UInt64) -> [UInt8] {
        var rest = value
        var bytes: [UInt8] = []
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        return bytes + [UInt8(truncatingIfNeeded: rest)]
    }

    static func unsigned(_ value: Int) -> [UInt8] { unsigned(UInt64(value)) }

    static func name(_ text: String) -> [UInt8] { unsigned(text.utf8.count) + Array(text.utf8) }

    /// A section with a count, true or not, and its content.
    mutating func section(_ id: UInt8, count: Int, _ content: [UInt8]) {
        let count = Self.unsigned(count)
        bytes += [id] + Self.unsigned(count.count + content.count)
        bytes += count
        bytes += content
    }

    /// A section of `count` equal items.
    mutating func section(_ id: UInt8, _ count: Int, of item: [UInt8]) {
        var content: [UInt8] = []
        content.reserveCapacity(count * item.count)
        for _ in 0..<count { content += item }
        section(id, count: count, content)
    }

    /// A body with its size. `locals` are groups, with their count.
    static func body(locals: [UInt8] = [0], _ code: [UInt8]) -> [UInt8] {
        unsigned(locals.count + code.count + 1) + locals + code + [0x0b]
    }

    /// One function of type `[] -> []`, exported as `f`.
    init(locals: [UInt8] = [0], function code: [UInt8]) {
        section(1, 1, of: [0x60, 0, 0])
        section(3, 1, of: [0])
        section(7, 1, of: [1, 0x66, 0, 0])
        section(10, 1, of: Self.body(locals: locals, code))
    }

    init() {}
}

/// An engine and a store with limits, so that what goes beyond them is refused and not tried.
struct Cage {
    let engine: Engine
    let store: Store
    let linker = Linker()

    init(
        limits: StoreLimits = StoreLimits(
            memoryBytes: 16 << 20, tableElements: 100_000, instances: 8, memories: 8, tables: 8,
            nestedCalls: 50, heapBytes: 16 << 20, stackBytes: 1 << 20),
        fuel: UInt64? = 1_000_000
    ) {
        var configuration = Engine.Configuration()
        configuration.features = .all
        engine = Engine(configuration)
        store = Store(engine: engine, limits: limits)
        store.fuel = fuel
    }

    func module(_ hostile: HostileModule) throws(ModuleError) -> Module {
        try Module(hostile.bytes, engine: engine)
    }

    func instantiate(_ hostile: HostileModule) throws -> Instance {
        try linker.instantiate(module(hostile), in: store)
    }

    /// The limit that refused a module; nil if it was not refused, or for something else.
    func limit(_ hostile: HostileModule) -> DecodingLimits.Kind? {
        do throws(ModuleError) {
            _ = try module(hostile)
            return nil
        } catch {
            switch error {
            case .malformed(let error): return error.limit
            case .invalid(let error):
                if case .malformed(let inner) = error.reason { return inner.limit }
                return nil
            case .file, .cancelled: return nil
            }
        }
    }

    /// What kind of trap a call of an export ends in; nil if it returns.
    func trap(_ instance: Instance, _ name: Name = "f", _ arguments: Value...) throws -> TrapCode? {
        guard let function = instance.function(name) else { throw CageError.noFunction }
        do {
            _ = try function.call(arguments)
            return nil
        } catch let trap as Trap {
            return trap.code
        }
    }
}

enum CageError: Error {
    case noFunction
}
