import Testing
import WasmInterpreter
import WasmText
import WasmdOthismo

@Suite struct ImportedModuleTests {
    private let engine = Engine()

    private func rewrite(_ text: String) throws -> Module {
        let bytes = try parseModule(Array("(module \(text))".utf8))
        return try Module(ImportedModule.rewritten(bytes, engine: engine), engine: engine)
    }

    private func refusal(_ text: String) throws -> ImportedModule.Failure? {
        let bytes = try parseModule(Array("(module \(text))".utf8))
        do throws(ImportedModule.Failure) {
            _ = try ImportedModule.rewritten(bytes, engine: engine)
            return nil
        } catch {
            return error
        }
    }

    @Test func globals() throws {
        let module = try rewrite(
            """
            (import "env" "f" (func))
            (import "env" "global_int" (global $i (mut i32)))
            (import "env" "memory" (memory 2 3))
            (import "env" "global_float" (global (mut f64)))
            (global $own (export "own") (mut i64) (i64.const 5))
            (global (mut i32) (i32.const 6))
            (func (export "get") (result i32) (global.get $i))
            """)
        #expect(module.imports.map(\.name) == ["f"])
        #expect(
            module.exports.map(\.name) == [
                "own", "get", "othismo_global_0", "othismo_global_1", "othismo_global_3",
                "othismo_memory_0",
            ])
        let linker = Linker()
        linker.define("env", "f") { () in }
        let instance = try linker.instantiate(module, in: Store(engine: engine))
        #expect(instance.global("othismo_global_0")?.value == .i32(0))
        #expect(instance.global("othismo_global_1")?.value == .f64(0))
        #expect(instance.global("own")?.value == .i64(5))
        #expect(instance.global("othismo_global_3")?.value == .i32(6))
        #expect(instance.memory("othismo_memory_0")?.size == 2)
        #expect(try #require(instance.function("get")).call() == [.i32(0)])
    }

    @Test func memories() throws {
        #expect(try rewrite("(memory 1)").exports.map(\.name) == ["othismo_memory_0"])
        #expect(try rewrite("(memory (export \"m\") 1)").exports.map(\.name) == ["m"])
        let imported = try rewrite("(import \"a\" \"b\" (memory 1)) (export \"m\" (memory 0))")
        #expect(imported.exports.map(\.name) == ["m", "othismo_memory_0"])
    }

    @Test func unchanged() throws {
        let bytes = try parseModule(Array("(module (memory (export \"m\") 1))".utf8))
        #expect(try ImportedModule.rewritten(bytes, engine: engine) == bytes)
    }

    @Test func refused() throws {
        #expect(
            try refusal("(import \"a\" \"b\" (global externref))")
                == .unsupported("reference_type_global"))
        #expect(
            try refusal("(import \"a\" \"b\" (global v128))") == .unsupported("simd_global"))
        #expect(try refusal("(memory 1) (memory 1)") == .unsupported("multiple_memories"))
        #expect(throws: ImportedModule.Failure.self) {
            try ImportedModule.rewritten([1, 2, 3], engine: engine)
        }
    }
}
