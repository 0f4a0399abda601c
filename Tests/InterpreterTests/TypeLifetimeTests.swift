import Testing
import WasmText

@testable import WasmInterpreter

/// An engine forgets the types of modules that are gone, and none that anything can still ask for.
@Suite struct TypeLifetimeTests {
    /// The text of a structure type that no other number has.
    private static func distinct(_ number: Int, name: String = "") -> String {
        let kinds = ["i32", "i64", "f32", "f64"]
        let fields = (0..<10).map { "(field (mut \(kinds[number >> (2 * $0) & 3])))" }
        return "(type \(name) (struct \(fields.joined())))"
    }

    private static func module(_ engine: Engine, _ fields: String) throws -> Module {
        try Module(parseModule(Array("(module \(fields))".utf8)), engine: engine)
    }

    @Test func loadedAndDropped() throws {
        let engine = Engine()
        for round in 0..<300 {
            let fields = (0..<20).map { Self.distinct(round * 20 + $0) }.joined()
            let module = try Self.module(engine, fields + "(func (export \"f\"))")
            if round % 10 == 0 {
                let store = Store(engine: engine)
                _ = try Linker().instantiate(module, in: store).call("f")
            }
            withExtendedLifetime(module) {}
        }
        #expect(engine.types.count == 0)
    }

    /// A store keeps the types of what it has, whoever else has let go of them.
    @Test func functionsInTablesKeepTheirTypes() throws {
        let engine = Engine()
        let store = Store(engine: engine)
        let linker = Linker()
        let table = try Table(
            store: store,
            type: TableType(
                element: .init(.func, nullable: true), limits: Limits(minimum: 2)))
        linker.define("env", "table", .table(table))
        do {
            let owner = try Self.module(
                engine,
                """
                \(Self.distinct(1, name: "$s")) (type $f (func (param (ref null $s)) (result i32)))
                (import "env" "table" (table 2 funcref))
                (func $f (type $f) (i32.const 42)) (elem (i32.const 0) func $f)
                """)
            _ = try linker.instantiate(owner, in: store)
        }
        let count = engine.types.count
        // Many others get numbers, and ask for a function of another type and of the same.
        for round in 2..<60 {
            let other = try Self.module(
                engine,
                """
                \(Self.distinct(round, name: "$o")) \(Self.distinct(1, name: "$s"))
                (type $g (func (param (ref null $o)) (result i32)))
                (type $f (func (param (ref null $s)) (result i32)))
                (import "env" "table" (table 2 funcref))
                (func (export "other") (result i32)
                  (call_indirect (type $g) (ref.null $o) (i32.const 0)))
                (func (export "same") (result i32)
                  (call_indirect (type $f) (ref.null $s) (i32.const 0)))
                """)
            let second = try linker.instantiate(other, in: store)
            #expect(
                #expect(throws: Trap.self) { try second.call("other") }?.code
                    == .indirectCallTypeMismatch)
            #expect(try second.number("same") == 42)
        }
        #expect(engine.types.count > count)
    }

    @Test func objectsKeepTheirTypes() throws {
        let engine = Engine()
        let store = Store(engine: engine)
        var reference: AnyReference?
        do {
            // The instance fails, and its object stays in the hands of the host.
            let module = try Self.module(
                engine,
                """
                \(Self.distinct(9, name: "$s"))
                (import "env" "take" (func $take (param anyref)))
                (func $start (call $take (struct.new_default $s)) unreachable) (start $start)
                """)
            let linker = Linker()
            linker.define("env", "take") { (_: borrowing Caller, value: AnyReference?) in
                reference = value
            }
            #expect(throws: Trap.self) { try linker.instantiate(module, in: store) }
        }
        for round in 10..<40 { _ = try Self.module(engine, Self.distinct(round)) }
        let kept = try Self.module(engine, Self.distinct(77))
        store.collectGarbage()
        guard case .structure? = reference?.kind else {
            Issue.record("no structure")
            return
        }
        #expect(engine.types.count == 4)
        withExtendedLifetime(kept) {}
    }

    @Test func whatTheHostMakesKeepsItsTypes() throws {
        let engine = Engine()
        let store = Store(engine: engine)
        let id: UInt32
        let tag: WasmInterpreter.Tag
        do {
            let module = try Self.module(engine, Self.distinct(5))
            id = module.valid.typeIDs[0]
            let type = ValueType.ref(.index(id), nullable: true)
            _ = try Global(
                store: store, type: GlobalType(type, mutable: true), value: .any(nil))
            tag = WasmInterpreter.Tag(store: store, parameters: [type])
        }
        for round in 20..<40 { _ = try Self.module(engine, Self.distinct(round)) }
        let other = try Self.module(engine, Self.distinct(41))
        #expect(other.valid.typeIDs[0] != id)
        #expect(tag.type.parameters == [ValueType.ref(.index(id), nullable: true)])
        guard case .structure(let fields) = engine.types.definition(id).composite else {
            Issue.record("no structure")
            return
        }
        #expect(fields.count == 10)
    }

    @Test func numbersWithoutATypeAreRefused() throws {
        let store = Store(engine: Engine())
        let unknown = ValueType.ref(.index(5000), nullable: true)
        #expect(throws: ValueError.self) {
            try Global(store: store, type: GlobalType(unknown, mutable: true), value: .any(nil))
        }
        #expect(throws: CreationError.self) { try store.makeStructure(5000, []) }
        #expect(throws: CreationError.self) { try store.makeArray(5000, []) }
        let function = Function(store: store, parameters: [unknown], results: []) { _, _ in }
        #expect(throws: CallError.self) { try function.call([.any(nil)]) }
    }

    /// Threads that load, instantiate and drop modules with types that others have too.
    @Test func threadsLoadAndDrop() async throws {
        let engine = Engine()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for task in 0..<6 {
                group.addTask {
                    for round in 0..<15 {
                        let number = (task + round) % 7
                        let module = try Self.module(
                            engine,
                            """
                            \(Self.distinct(number, name: "$s")) \(Self.distinct(99 + task, name: "$t"))
                            (type $f (func (param (ref null $s)) (result i32)))
                            (table funcref (elem $g))
                            (func $g (type $f) (i32.const \(number)))
                            (func (export "f") (result i32)
                              (if (ref.test (ref $s) (struct.new_default $t)) (then unreachable))
                              (call_indirect (type $f) (struct.new_default $s) (i32.const 0)))
                            """)
                        let store = Store(engine: engine)
                        let instance = try Linker().instantiate(module, in: store)
                        #expect(try instance.number("f") == Int32(number))
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(engine.types.count == 0)
    }
}
