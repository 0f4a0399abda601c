import Testing
import WasmInterpreter

/// The README's example of embedding, so that it stays true.
@Suite struct EmbeddingTests {
    @Test func exampleOfTheREADME() throws {
        let i32 = ModuleBuilder.i32
        var builder = ModuleBuilder()
        builder.importFunction("env", "log", [i32])
        builder.function(
            [i32, i32], [i32], export: "add",
            code: [0x20, 0, 0x10, 0, 0x20, 0, 0x20, 1, 0x6a])
        let folder = try TemporaryFolder()
        let path = try folder.write("math.wasm", builder.bytes)
        var logged: [Int32] = []

        let engine = Engine()
        let module = try Module(path: path, engine: engine)

        let linker = Linker()
        linker.define("env", "log") { (value: Int32) in
            logged.append(value)
        }
        let store = Store(engine: engine)
        store.fuel = 1_000_000
        let instance = try linker.instantiate(module, in: store)

        let add = try instance.function("add", as: ((Int32, Int32) -> Int32).self)
        #expect(try add(2, 3) == 5)
        #expect(logged == [2])
    }
}
