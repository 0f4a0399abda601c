import Testing
import WasmInterpreter
import WasmText

/// A store, and the modules of a test in the text format.
struct TextHouse {
    let engine: Engine
    let store: Store
    let linker = Linker()

    /// - Parameter stressed: collect garbage at every allocation.
    init(stressed: Bool = false, translatesEarly: Bool = false, limits: StoreLimits = .init()) {
        var configuration = Engine.Configuration()
        configuration.eagerTranslation = translatesEarly
        configuration.collectsAtEveryAllocation = stressed
        engine = Engine(configuration)
        store = Store(engine: engine, limits: limits)
    }

    /// The module with these fields.
    func module(_ fields: String) throws -> Module {
        try Module(parseModule(Array("(module \(fields))".utf8)), engine: engine)
    }

    func instantiate(_ fields: String) throws -> Instance {
        try linker.instantiate(module(fields), in: store)
    }
}

extension Instance {
    /// Calls an exported function.
    @discardableResult
    func call(_ name: String, _ arguments: Value...) throws -> [Value] {
        try #require(function(Name(name))).call(arguments)
    }

    /// Calls an exported function with i32 arguments and one i32 result.
    func number(_ name: String, _ arguments: Int32...) throws -> Int32? {
        let results = try #require(function(Name(name))).call(arguments.map { .i32($0) })
        guard case .i32(let result)? = results.first else { return nil }
        return result
    }
}

extension Value {
    var anyReference: AnyReference? {
        if case .any(let reference?) = self { reference } else { nil }
    }
}
