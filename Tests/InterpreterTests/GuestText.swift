import Glibc
import Testing
import WasmInterpreter

/// A store, and the modules of a test in the text format.
struct TextHouse {
    let engine: Engine
    let store: Store
    let linker = Linker()

    init(stressed: Bool = false, limits: StoreLimits = .init()) {
        var configuration = Engine.Configuration()
        configuration.collectsAtEveryAllocation = stressed
        engine = Engine(configuration)
        store = Store(engine: engine, limits: limits)
    }

    func module(_ text: String) throws -> Module {
        let path = "/tmp/gctext-\(getpid())-\(UInt.random(in: 0...UInt.max))"
        let file = fopen(path + ".wat", "w")
        fputs("(module \(text))", file)
        fclose(file)
        let status = system("python3 /tmp/gcpkg/w2w.py \(path).wat \(path).wasm")
        #expect(status == 0)
        defer { unlink(path + ".wat"); unlink(path + ".wasm") }
        return try Module(path: path + ".wasm", engine: engine)
    }

    func instantiate(_ text: String) throws -> Instance {
        try linker.instantiate(module(text), in: store)
    }
}
