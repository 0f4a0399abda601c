import Testing
import WasmText

@testable import WasmInterpreter

/// Stores that begin with the same module share the records of its types, as long as they need no
/// others.
@Suite struct SharedTypeTests {
    private static func module(_ engine: Engine, _ fields: String) throws -> Module {
        try Module(parseModule(Array("(module \(fields))".utf8)), engine: engine)
    }

    /// A function of each of two types in an imported table.
    private static let owner = """
        (type $f (func (result i32))) (type $g (func (param i64) (result i32)))
        (import "env" "table" (table 2 funcref))
        (func $a (type $f) (i32.const 42)) (func $b (type $g) (i32.const 43))
        (elem (i32.const 0) func $a $b)
        (func (export "own") (result i32) (call_indirect (type $f) (i32.const 0)))
        """

    private static func linker(_ store: Store) throws -> Linker {
        let linker = Linker()
        let table = try Table(
            store: store,
            type: TableType(
                element: .init(.func, nullable: true), limits: Limits(minimum: 2)))
        linker.define("env", "table", .table(table))
        return linker
    }

    @Test func storesShareAndKeepThem() throws {
        let engine = Engine()
        do {
            let stores = [Store(engine: engine), Store(engine: engine)]
            do {
                let module = try Self.module(engine, Self.owner)
                for store in stores {
                    _ = try Self.linker(store).instantiate(module, in: store)
                }
            }
            #expect(stores[0].heap.sharesTypes && stores[1].heap.sharesTypes)
            #expect(stores[0].heap.types == stores[1].heap.types)
        }
        #expect(engine.types.count == 0)
    }

    /// A module that brings other types casts the functions of the first one.
    @Test func aSecondModuleBringsItsOwn() throws {
        let engine = Engine()
        let store = Store(engine: engine)
        let linker = try Self.linker(store)
        let first = try linker.instantiate(Self.module(engine, Self.owner), in: store)
        #expect(store.heap.sharesTypes)
        let shared = store.heap.types
        let second = try linker.instantiate(
            Self.module(
                engine,
                """
                (type $s (struct (field i64) (field f64)))
                (type $f (func (result i32))) (type $g (func (param i64) (result i32)))
                (import "env" "table" (table 2 funcref))
                (func (export "test") (param i32) (result i32)
                  (i32.or
                    (ref.test (ref $f) (table.get (local.get 0)))
                    (i32.shl (ref.test (ref $g) (table.get (local.get 0))) (i32.const 1))))
                (func (export "made") (result i32)
                  (ref.test (ref $s) (struct.new_default $s)))
                """), in: store)
        #expect(!store.heap.sharesTypes && store.heap.types != shared)
        #expect(try second.call("test", .i32(0)) == [.i32(1)])
        #expect(try second.call("test", .i32(1)) == [.i32(2)])
        #expect(try second.call("made") == [.i32(1)])
        #expect(try first.call("own") == [.i32(42)])
    }

    /// An instance that failed may have left functions in tables.
    @Test func failedInstancesKeepThem() throws {
        let engine = Engine()
        do {
            let store = Store(engine: engine)
            let linker = try Self.linker(store)
            do {
                let module = try Self.module(
                    engine, Self.owner + "(func $s unreachable) (start $s)")
                #expect(throws: Trap.self) { try linker.instantiate(module, in: store) }
            }
            let second = try linker.instantiate(
                Self.module(
                    engine,
                    """
                    (type $other (func (param f64 f64)))
                    (type $f (func (result i32)))
                    (import "env" "table" (table 2 funcref))
                    (func (export "same") (result i32) (call_indirect (type $f) (i32.const 0)))
                    (func (export "other") (f64.const 0) (f64.const 0)
                      (call_indirect (type $other) (i32.const 1)))
                    """), in: store)
            #expect(try second.call("same") == [.i32(42)])
            #expect(throws: Trap.self) { try second.call("other") }
        }
        #expect(engine.types.count == 0)
    }

    /// The types of functions of the host are among those of the module that imports them.
    @Test func preparedImportsShareToo() throws {
        let engine = Engine()
        let linker = Linker()
        linker.defineShared("env", "host") { (_: borrowing Caller, value: Float) -> Float in
            value * 2
        }
        let prepared = try linker.prepare(
            Self.module(
                engine,
                """
                (import "env" "host" (func $h (param f32) (result f32)))
                (table 1 funcref) (elem (i32.const 0) func $h)
                (type $t (func (param f32) (result f32)))
                (func (export "run") (param f32) (result f32)
                  (call_indirect (type $t) (local.get 0) (i32.const 0)))
                """))
        let stores = [Store(engine: engine), Store(engine: engine)]
        for store in stores {
            let instance = try prepared.instantiate(in: store)
            #expect(try instance.call("run", .f32(1.5)) == [.f32(3)])
            #expect(store.heap.sharesTypes)
        }
        #expect(stores[0].heap.types == stores[1].heap.types)
    }

    @Test func modulesWithObjectsHaveTheirOwn() throws {
        let engine = Engine()
        let store = Store(engine: engine)
        let module = try Self.module(engine, "(type (struct)) (func (export \"f\"))")
        _ = try Linker().instantiate(module, in: store).call("f")
        #expect(!store.heap.sharesTypes && module.typeRecords == nil)
    }
}
