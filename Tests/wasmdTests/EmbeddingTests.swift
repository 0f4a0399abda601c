import Testing
import WasmInterpreter
import WasmText

/// The README's example of embedding, so that it stays true.
@Suite struct EmbeddingTests {
    @Test func exampleOfTheREADME() throws {
        let text = """
            (import "env" "log" (func $log (param i32)))
            (func (export "add") (param i32 i32) (result i32)
              (call $log (local.get 0))
              (i32.add (local.get 0) (local.get 1)))
            """
        let folder = try TemporaryFolder()
        let path = try folder.write("math.wasm", try parseModule(Array(text.utf8)))
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
