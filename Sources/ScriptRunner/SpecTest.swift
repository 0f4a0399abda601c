import WasmInterpreter

/// The module `spectest` that scripts import from, in a store.
///
/// - Parameter print: receives a line for each call of a print function.
func spectestExports(
    in store: Store, print: (@Sendable (String) -> Void)?
) -> [Name: External] {
    var exports: [Name: External] = [:]

    let prints: [(String, [ValueType])] = [
        ("print", []), ("print_i32", [.i32]), ("print_i64", [.i64]), ("print_f32", [.f32]),
        ("print_f64", [.f64]), ("print_i32_f32", [.i32, .f32]), ("print_f64_f64", [.f64, .f64]),
    ]
    for (name, parameters) in prints {
        let function = Function(store: store, parameters: parameters) { _, slots in
            guard let print else { return }
            var words: [String] = []
            for (index, type) in parameters.enumerated() {
                words.append(slots.value(index, as: type).text)
            }
            print(words.joined(separator: ", "))
        }
        exports[Name(name)] = .function(function)
    }

    let globals: [(String, ValueType, Value)] = [
        ("global_i32", .i32, .i32(666)), ("global_i64", .i64, .i64(666)),
        ("global_f32", .f32, .f32(666.6)), ("global_f64", .f64, .f64(666.6)),
    ]
    for (name, type, value) in globals {
        let global = try? Global(store: store, type: GlobalType(type, mutable: false), value: value)
        exports[Name(name)] = global.map { .global($0) }
    }

    for (name, addressType) in [("table", AddressType.i32), ("table64", .i64)] {
        let type = TableType(
            element: .funcref, limits: Limits(minimum: 10, maximum: 20), addressType: addressType)
        exports[Name(name)] = (try? Table(store: store, type: type)).map { .table($0) }
    }

    for (name, isShared) in [("memory", false), ("shared_memory", true)] {
        let type = MemoryType(limits: Limits(minimum: 1, maximum: 2), shared: isShared)
        exports[Name(name)] = (try? Memory(store: store, type: type)).map { .memory($0) }
    }
    return exports
}
