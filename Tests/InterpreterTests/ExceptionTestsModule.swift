@testable import WasmInterpreter

/// Instructions that the tests of exceptions are made of.
enum Code {
    static let exnref: UInt8 = 0x69
    static let v128: UInt8 = 0x7b
    static let empty: [UInt8] = [0x40]

    enum Clause {
        case `catch`(UInt8, UInt8)
        case catchRef(UInt8, UInt8)
        case catchAll(UInt8)
        case catchAllRef(UInt8)

        var bytes: [UInt8] {
            switch self {
            case .catch(let tag, let label): [0, tag, label]
            case .catchRef(let tag, let label): [1, tag, label]
            case .catchAll(let label): [2, label]
            case .catchAllRef(let label): [3, label]
            }
        }
    }

    static func get(_ local: UInt8) -> [UInt8] { [0x20, local] }
    static func set(_ local: UInt8) -> [UInt8] { [0x21, local] }
    static func i32(_ value: Int64) -> [UInt8] { TestModule.i32(value) }
    static func call(_ function: UInt8) -> [UInt8] { [0x10, function] }
    static func br(_ label: UInt8) -> [UInt8] { [0x0c, label] }
    static let `return`: [UInt8] = [0x0f]
    static let drop: [UInt8] = [0x1a]
    static let unreachable: [UInt8] = [0]
    static let add: [UInt8] = [0x6a]
    static let multiply: [UInt8] = [0x6c]

    /// `type` is the byte of a block type: a value type or a type index.
    static func block(_ type: [UInt8], _ body: [UInt8]...) -> [UInt8] {
        [0x02] + type + body.flatMap { $0 } + [0x0b]
    }
    static func loop(_ type: [UInt8], _ body: [UInt8]...) -> [UInt8] {
        [0x03] + type + body.flatMap { $0 } + [0x0b]
    }
    static func `if`(_ type: [UInt8], _ body: [UInt8]...) -> [UInt8] {
        [0x04] + type + body.flatMap { $0 } + [0x0b]
    }
    static func tryTable(
        _ type: [UInt8], _ clauses: [Clause], _ body: [UInt8]...
    ) -> [UInt8] {
        [0x1f] + type + [UInt8(clauses.count)] + clauses.flatMap(\.bytes) + body.flatMap { $0 }
            + [0x0b]
    }
    static func `throw`(_ tag: UInt8) -> [UInt8] { [0x08, tag] }
    static let throwRef: [UInt8] = [0x0a]

    // Before 3.0.
    static func `try`(_ type: [UInt8], _ body: [UInt8]...) -> [UInt8] {
        [0x06] + type + body.flatMap { $0 }
    }
    static func `catch`(_ tag: UInt8, _ body: [UInt8]...) -> [UInt8] {
        [0x07, tag] + body.flatMap { $0 }
    }
    static func catchAll(_ body: [UInt8]...) -> [UInt8] { [0x19] + body.flatMap { $0 } }
    static func rethrow(_ label: UInt8) -> [UInt8] { [0x09, label] }
    static func delegate(_ label: UInt8) -> [UInt8] { [0x18, label] }
    static let end: [UInt8] = [0x0b]
}

extension House {
    /// A house where the legacy instructions are allowed, too.
    static var legacy: House {
        var configuration = Engine.Configuration()
        configuration.features.formUnion(.legacyExceptions)
        return House(configuration)
    }
}

extension Instance {
    /// Calls an exported function with i32 values; it must have one i32 as result.
    func int(_ name: String, _ arguments: Int32...) throws -> Int32? {
        let results = try function(Name(name))?.call(arguments.map { .i32($0) })
        guard case .i32(let value)? = results?.first else { return nil }
        return value
    }
}

/// A module with types `[] -> [i32]`, `[i32] -> []`, `[] -> []`, `[i32] -> [i32]`, tag 0 with an i32
/// and tag 1 without values.
struct ThrowingModule {
    var module = TestModule()
    let toInt: UInt8
    let fromInt: UInt8
    let plain: UInt8
    let intToInt: UInt8

    init() {
        toInt = module.type([], [TestModule.i32])
        fromInt = module.type([TestModule.i32])
        plain = module.type()
        intToInt = module.type([TestModule.i32], [TestModule.i32])
    }

    mutating func addTags() {
        module.tag(type: fromInt)
        module.tag(type: plain)
    }

    /// Exports a function from i32 to i32.
    mutating func export(_ name: String, locals: [UInt8] = [], _ code: [UInt8]...) {
        let function = module.function(
            type: intToInt, locals: locals, code.flatMap { $0 })
        module.export(name, .function, function)
    }

    /// Throws tag 0 with its argument if that is not zero; else answers -1. Has index 0.
    mutating func addThrower() -> UInt8 {
        module.function(
            type: intToInt,
            Code.get(0) + Code.if(Code.empty, Code.get(0), Code.throw(0)) + Code.i32(-1))
    }
}
