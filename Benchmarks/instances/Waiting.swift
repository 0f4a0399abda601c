import WasmInterpreter
import WasmWASI

/// Calls `ask` for ever, which lets the guest wait.
private let asking = """
    (import "env" "ask" (func $ask (result i32)))
    (memory (export "memory") 1)
    (func (export "run") (loop $l (drop (call $ask)) (br $l)))
    (func (export "next") (result i32) (i32.const 1))
    """

/// With functions that any store can use.
private func prepare(_ module: Module) throws -> PreparedModule {
    let linker = Linker()
    linker.defineShared("env", "ask") { (_: borrowing Caller) -> Int32 in throw Suspension(()) }
    return try linker.prepare(module)
}

/// A guest that waits for its host.
private struct WaitingGuest {
    let execution: Execution

    init(_ instance: Instance) throws {
        guard let run = instance.function("run") else { fatalError("run is exported") }
        execution = try run.start()
        _ = try execution.resume()
    }
}

/// Prepared modules: what an instance takes that runs nothing, and one that waits.
func usePreparedModules() throws {
    let waiting = try module(asking)
    let prepared = try prepare(waiting)
    report("prepare a module", try microseconds(5000) { _ = try prepare(waiting) })
    report(
        "store + prepared instance",
        try microseconds(20_000) { _ = try prepared.instantiate(in: Store(engine: engine)) })
    report(
        "store + prepared instance + call",
        try microseconds(20_000) { try call(prepared.instantiate(in: Store(engine: engine))) })
    report(
        "store + prepared instance + wait",
        try microseconds(20_000) {
            _ = try WaitingGuest(prepared.instantiate(in: Store(engine: engine)))
        })
    let count = max(100, 50 * percentage)
    try reportMemory("store + prepared instance", count) {
        try prepared.instantiate(in: Store(engine: engine))
    }
    try reportMemory("store + prepared instance + wait", count) {
        try WaitingGuest(prepared.instantiate(in: Store(engine: engine)))
    }
    let store = Store(engine: engine)
    let instance = try prepared.instantiate(in: store)
    try reportMemory("wait in a store with others", count) { try WaitingGuest(instance) }
}

/// Guests of WASI from one prepared module, with arguments, an environment and streams in memory.
func useWASIGuests() throws {
    let program = try module(
        """
        (import "wasi_snapshot_preview1" "fd_write"
          (func (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "environ_get" (func (param i32 i32) (result i32)))
        (memory (export "memory") 1)
        (func (export "_start"))
        """)
    let linker = Linker()
    linker.defineWASI()
    let prepared = try linker.prepare(program)
    var world = WASI(arguments: ["guest", "one"])
    world.environmentBytes = [(Array("PATH".utf8), Array("/".utf8))]
    world.standardInput = .bytes([1, 2, 3])
    world.standardOutput = .buffer(OutputBuffer())
    world.standardError = .null
    func make() throws -> Instance {
        let store = Store(engine: engine)
        store.wasiGuest = try WASIGuest(world)
        return try prepared.instantiate(in: store)
    }
    report("guest of WASI", try microseconds(20_000) { _ = try make() })
    report(
        "guest of WASI + call of _start", try microseconds(20_000) { _ = try make().runCommand() })
    try reportMemory("guest of WASI", max(100, 50 * percentage), make)
}

/// What it costs to let a guest go on until it waits again, among so many instances of its store.
func resumeAmongInstances() throws {
    for count in [1, 1000, 10_000] {
        var limits = StoreLimits()
        limits.instances = count
        let store = Store(engine: engine, limits: limits)
        let prepared = try prepare(module(asking))
        let guest = try WaitingGuest(prepared.instantiate(in: store))
        for _ in 1..<count { _ = try Instance(bare, in: store) }
        report(
            "resume among \(count) instances",
            try microseconds(100_000) { _ = try guest.execution.resume(returning: [.i32(1)]) })
    }
}
