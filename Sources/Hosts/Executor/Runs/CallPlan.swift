import WasmInterpreter
import WasmWASI
import WasmdGuests

/// What calls of a function of a stored module have in common.
final class CallPlan: Sendable {
    /// The function that was asked for; nil for that of the record.
    private let wanted: String?
    let function: Name
    let name: String
    let shape: CallShape
    /// What the guest can access: nothing.
    let world: SharedWorld
    /// Whether the module imports other stored modules.
    let isLinked: Bool

    /// - Throws: `FunctionMissing`, `.invalid` if no function is named, `ArgumentFault.signature` if
    ///   JSON cannot say what the function takes or gives.
    init(_ record: ModuleRecord, _ wanted: String?, in module: Module) throws {
        self.wanted = wanted
        name = try Executor.function(wanted, record, in: module)
        function = Name(name)
        guard let export = module.export(function),
            let type = module.functionType(of: module.type(of: export))
        else { throw FunctionMissing(name: name) }
        guard
            let shape = CallShape(type, parameters: record.parameters, results: record.results)
        else { throw ArgumentFault.signature("\(type)") }
        self.shape = shape
        var world = WASI(arguments: [name])
        world.standardInput = .null
        world.standardOutput = .null
        self.world = SharedWorld(world)
        isLinked = !Executor.storedImports(of: module).isEmpty
    }

    /// Whether it is the start of a program of WASI.
    var isProgram: Bool { name == "_start" }

    func isAsked(for function: String?) -> Bool {
        guard let function, let wanted else { return function == nil && wanted == nil }
        // By bytes: names that only normalisation makes equal are two.
        return wanted.utf8.elementsEqual(function.utf8)
    }
}
