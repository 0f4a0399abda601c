import Testing
import WasmInterpreter

/// Stand-ins for imports that nobody defines.
@Suite struct UnknownImportTests {
    private static let functions = """
        (import "env" "known" (func $known (result i32)))
        (import "env" "f" (func $f (param i32 externref) (result i64 f64 externref v128)))
        (func (export "call") (result i64 f64 externref v128)
          (call $f (i32.const 7) (ref.null extern)))
        (func (export "known") (result i32) (call $known))
        """
    private static let entities = """
        (import "env" "m" (memory 2)) (import "env" "t" (table 3 externref))
        (import "env" "g" (global $g (mut f32))) (import "env" "tag" (tag (param i64)))
        (func (export "g") (result f32) (global.get $g))
        (func (export "size") (result i32) (i32.add (memory.size) (table.size)))
        """

    @Test func functionsTrapWhenCalled() throws {
        let house = TextHouse()
        house.linker.define("env", "known") { () -> Int32 in 42 }
        let module = try house.module(Self.functions)
        let defined = try house.linker.defineUnknownImports(of: module, in: house.store, as: .trap)
        #expect(defined.map(\.name) == ["f"])
        let instance = try house.linker.instantiate(module, in: house.store)
        #expect(try instance.number("known") == 42)
        let trap = #expect(throws: Trap.self) { try instance.call("call") }
        #expect(trap?.code == .hostError)
        let cause = try #require(trap?.cause as? UnknownImport)
        #expect((cause.module, cause.name) == ("env", "f"))
        #expect(trap?.backtrace.frames.count == 1)
    }

    @Test func functionsReturnZeros() throws {
        let house = TextHouse()
        house.linker.define("env", "known") { () -> Int32 in 42 }
        let module = try house.module(Self.functions)
        var calls: [[Value]] = []
        try house.linker.defineUnknownImports(of: module, in: house.store, as: .zero) {
            calls.append($1)
        }
        let instance = try house.linker.instantiate(module, in: house.store)
        #expect(
            try instance.call("call") == [.i64(0), .f64(0), .extern(nil), .v128(low: 0, high: 0)])
        #expect(calls == [[.i32(7), .extern(nil)]])
    }

    @Test func otherKinds() throws {
        let house = TextHouse()
        let module = try house.module(Self.entities)
        try house.linker.defineUnknownImports(of: module, in: house.store, as: .trap)
        let error = #expect(throws: LinkError.self) {
            try house.linker.instantiate(module, in: house.store)
        }
        #expect(error?.failures.map(\.name) == ["m", "t", "g", "tag"])
        try house.linker.defineUnknownImports(of: module, in: house.store, as: .zero)
        let instance = try house.linker.instantiate(module, in: house.store)
        #expect(try instance.number("size") == 5)
        #expect(try instance.call("g") == [.f32(0)])
    }

    @Test func whatCannotBeNullTrapsOrStaysUnknown() throws {
        let house = TextHouse()
        let module = try house.module(
            """
            (import "env" "f" (func $f (result (ref extern))))
            (func (export "call") (drop (call $f)))
            """)
        try house.linker.defineUnknownImports(of: module, in: house.store, as: .zero)
        let instance = try house.linker.instantiate(module, in: house.store)
        let trap = #expect(throws: Trap.self) { try instance.call("call") }
        #expect(trap?.cause is UnknownImport)
        let other = try house.module("(import \"env\" \"g\" (global (ref extern)))")
        #expect(
            try house.linker.defineUnknownImports(of: other, in: house.store, as: .zero).isEmpty)
        #expect(throws: LinkError.self) { try house.linker.instantiate(other, in: house.store) }
    }

    @Test func limitsHold() throws {
        var limits = StoreLimits()
        limits.memoryBytes = 1 << 16
        let house = TextHouse(limits: limits)
        let module = try house.module(Self.entities)
        #expect(throws: ResourceError.self) {
            try house.linker.defineUnknownImports(of: module, in: house.store, as: .zero)
        }
    }
}
