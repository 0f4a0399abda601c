import Glibc
import Testing
import Wasmd

@Suite struct ModuleTests {
    private let text = """
        (module
          (@custom "version" "1.2")
          (@custom "note" "first") (@custom "note" "second")
          (import "env" "log" (func (param i32 i64)))
          (import "env" "base" (global i32))
          (memory (export "memory") 1 2)
          (table (export "table") 3 externref)
          (tag (export "tag") (param f64))
          (global (export "global") (mut f32) (f32.const 1))
          (func (export "f") (param i32) (result f64) (f64.const 1)))
        """

    @Test func contents() throws {
        let module = try module(text)
        #expect(module.customSection("version") == Array("1.2".utf8))
        #expect(module.customSection("note") == Array("first".utf8))
        #expect(module.customSection("missing") == nil)
        let notes = module.customSections.filter { $0.name == "note" }.map(module.content)
        #expect(notes == [Array("first".utf8), Array("second".utf8)])

        #expect(module.imports.map(\.name) == ["log", "base"])
        #expect(
            module.functionType(of: module.imports[0].type)
                == FunctionType(parameters: [.i32, .i64]))
        #expect(module.functionType(of: module.imports[1].type) == nil)
        #expect(module.imports[1].type == .global(GlobalType(.i32, mutable: false)))

        let types = module.exports.map(module.type)
        #expect(types.map(\.kind) == [.memory, .table, .tag, .global, .function])
        #expect(types[0] == .memory(MemoryType(limits: Limits(minimum: 1, maximum: 2))))
        #expect(types[3] == .global(GlobalType(.f32, mutable: true)))
        #expect(
            module.functionType(of: types[4])
                == FunctionType(parameters: [.i32], results: [.f64]))
    }

    @Test func sharedByTasks() async throws {
        let module = try module(
            #"(module (func (export "square") (param i32) (result i32) (i32.mul (local.get 0) (local.get 0))))"#
        )
        let sum = try await withThrowingTaskGroup(of: Int32.self) { group in
            for number in 1...20 as ClosedRange<Int32> {
                group.addTask {
                    let instance = try Instance(module, in: Store(engine: module.engine))
                    return try instance.function("square", as: ((Int32) -> Int32).self)(number)
                }
            }
            return try await group.reduce(0, +)
        }
        #expect(sum == 2870)
    }

    @Test func errors() throws {
        #expect(throws: TextError.self) { try module("(module (func (i32.addd)))") }
        #expect(throws: ModuleError.self) { try module("(module (func (result i32)))") }
        #expect(throws: ModuleError.self) { try Module([0, 1, 2], engine: Engine()) }
        #expect(throws: ModuleError.self) { try Module(path: "/missing.wasm", engine: Engine()) }
    }

    @Test func textsOfFiles() throws {
        let path = "/tmp/wasmd-text-\(getpid()).wat"
        let stream = try #require(fopen(path, "w"))
        defer { unlink(path) }
        fputs("(module (func (export \"f\") (result i32) (i32.const 2)))", stream)
        fclose(stream)
        let engine = Engine()
        #expect(try Module(textPath: path, engine: engine).exports.map(\.name) == ["f"])
        do {
            _ = try Module(path: path, engine: engine)
            Issue.record("a text is no binary")
        } catch {
            #expect("\(error)".contains("looks like the text format"), "\(error)")
        }
        #expect(throws: ModuleError.self) { try Module(textPath: "/tmp/none.wat", engine: engine) }
    }
}
