import Wasmd

/// The module of a text.
func module(_ text: String, engine: Engine = Engine()) throws -> Module {
    try Module(text: text, engine: engine)
}

/// An instance in a store of its own.
func instance(
    _ text: String, limits: StoreLimits = StoreLimits(),
    _ define: (Linker) throws -> Void = { _ in }
) throws -> Instance {
    let module = try module(text)
    let linker = Linker()
    try define(linker)
    return try linker.instantiate(module, in: Store(engine: module.engine, limits: limits))
}
