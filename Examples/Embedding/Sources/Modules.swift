import Wasmd

/// A module is validated when it is made, says what is in it, and is shared by any number of tasks,
/// each with a store of its own.
func modules() async throws {
    let engine = Engine()
    let module = try Module(
        text: """
            (module
              (@custom "version" "1.2")
              (import "env" "seed" (func $seed (result i64)))
              (memory (export "memory") 1)
              (func (export "mix") (param i64) (result i64)
                (i64.xor (call $seed) (i64.mul (local.get 0) (i64.const 0x9e3779b9)))))
            """, engine: engine)

    for wanted in module.imports {
        print("imports \(wanted.type.kind) \(wanted.module) \(wanted.name)")
    }
    for export in module.exports {
        let type = module.type(of: export)
        let signature = module.functionType(of: type).map { " \($0)" } ?? ""
        print("exports \(type.kind) \(export.name)\(signature)")
    }
    if let version = module.customSection("version") {
        print("version", String(decoding: version, as: UTF8.self))
    }

    let sum = try await withThrowingTaskGroup(of: Int64.self) { group in
        for number in 0..<4 as Range<Int64> {
            group.addTask {
                let linker = Linker()
                linker.define("env", "seed") { number * 1000 }
                let instance = try linker.instantiate(module, in: Store(engine: module.engine))
                return try instance.function("mix", as: ((Int64) -> Int64).self)(number)
            }
        }
        return try await group.reduce(0, &+)
    }
    print("sum of four tasks", sum)
}
