import Testing
import WasmInterpreter
import WasmText

extension Cage {
    /// An instance of a module in the text format.
    func instantiate(text fields: String) throws -> Instance {
        let bytes = try parseModule(Array("(module \(fields))".utf8))
        return try linker.instantiate(Module(bytes, engine: engine), in: store)
    }
}

/// Guests that ask for more and more memory.
@Suite struct BombTests {
    @Test(arguments: [
        "(memory 65536)", "(memory 257)", "(memory i64 0xffffffffffff)",
        "(memory 1) (memory 0) (memory 65536)", "(memory 65536 65536 shared)",
    ])
    func memoryAtTheStart(fields: String) throws {
        let cage = Cage()
        let error = #expect(throws: ResourceError.self) { try cage.instantiate(text: fields) }
        guard case .memoryTooLarge? = error else {
            Issue.record("refused for another reason: \(String(describing: error))")
            return
        }
    }

    @Test func manyMemories() throws {
        let cage = Cage()
        let fields = String(repeating: "(memory 1)", count: 9)
        let error = #expect(throws: ResourceError.self) { try cage.instantiate(text: fields) }
        #expect(error == .tooManyMemories(limit: 8))
        var hostile = HostileModule()
        hostile.section(5, 101, of: [0, 0])
        #expect(cage.limit(hostile) == .memories)
    }

    @Test func growingMemory() throws {
        let cage = Cage()
        let instance = try cage.instantiate(
            text: """
                (memory (export "memory") 1)
                (func (export "f") (loop
                  (drop (memory.grow (i32.const 65535)))
                  (drop (memory.grow (i32.const -1)))
                  (drop (memory.grow (i32.const 1)))
                  (br 0)))
                """)
        #expect(try cage.trap(instance) == .outOfFuel)
        #expect(instance.memory("memory")?.byteCount == 16 << 20)
    }

    @Test(arguments: [
        "(table 0xffffffff funcref)", "(table 100001 funcref)",
        "(table i64 0xffffffffffffffff externref)", "(table 0xffffffff (ref null any))",
    ])
    func tableAtTheStart(fields: String) throws {
        let cage = Cage()
        let error = #expect(throws: ResourceError.self) { try cage.instantiate(text: fields) }
        guard case .tableTooLarge? = error else {
            Issue.record("refused for another reason: \(String(describing: error))")
            return
        }
    }

    @Test func growingTable() throws {
        let cage = Cage()
        let instance = try cage.instantiate(
            text: """
                (table $t (export "table") 1 externref)
                (func (export "f") (loop
                  (drop (table.grow $t (ref.null extern) (i32.const -1)))
                  (drop (table.grow $t (ref.null extern) (i32.const 1000)))
                  (br 0)))
                """)
        #expect(try cage.trap(instance) == .outOfFuel)
        guard case .table(let table)? = instance.export("table") else {
            Issue.record("no table")
            return
        }
        #expect(table.size <= 100_000)
    }

    @Test func manyInstances() throws {
        let cage = Cage()
        for _ in 0..<8 { _ = try cage.instantiate(HostileModule(function: [])) }
        let error = #expect(throws: ResourceError.self) {
            try cage.instantiate(HostileModule(function: []))
        }
        #expect(error == .tooManyInstances(limit: 8))
    }

    // MARK: Objects

    @Test(arguments: [
        // One of 64 GiB, one of 4 GiB, one that just does not fit.
        "(drop (array.new_default $v (i32.const -1)))",
        "(drop (array.new_default $b (i32.const -1)))",
        "(drop (array.new $b (i32.const 1) (i32.const 0x1000001)))",
        "(drop (array.new $v (v128.const i64x2 1 1) (i32.const 0x10000000)))",
        // A list of all that was ever made.
        """
        (loop (global.set $last (struct.new $node (global.get $last) (v128.const i64x2 0 0)))
          (br 0))
        """,
        // An array of itself, in an array of itself...
        """
        (loop (global.set $all (array.new $a (global.get $all) (i32.const 10000))) (br 0))
        """,
    ])
    func heap(code: String) throws {
        let cage = Cage(fuel: nil)
        let instance = try cage.instantiate(
            text: """
                (type $v (array (mut v128))) (type $b (array (mut i8)))
                (type $a (array (mut (ref null any))))
                (type $node (struct (field (ref null $node)) (field v128)))
                (global $last (mut (ref null $node)) (ref.null $node))
                (global $all (mut (ref null any)) (ref.null any))
                (func (export "f") \(code))
                """)
        #expect(try cage.trap(instance) == .heapExhausted)
        // The store still works.
        #expect(try cage.trap(cage.instantiate(HostileModule(function: []))) == nil)
    }

    /// What nobody can reach does not count, however much of it there was.
    @Test func garbage() throws {
        let cage = Cage(fuel: 20_000)
        let instance = try cage.instantiate(
            text: """
                (type $b (array (mut i8)))
                (func (export "f") (loop
                  (drop (array.new_default $b (i32.const 100000))) (br 0)))
                """)
        #expect(try cage.trap(instance) == .outOfFuel)
    }

    /// Following a long list takes no native stack.
    @Test func longList() throws {
        let cage = Cage(
            limits: StoreLimits(heapBytes: 64 << 20), fuel: nil)
        let instance = try cage.instantiate(
            text: """
                (type $node (struct (field (ref null $node))))
                (type $b (array (mut i8)))
                (global $last (mut (ref null $node)) (ref.null $node))
                (func (export "f") (local $count i32)
                  (loop
                    (global.set $last (struct.new $node (global.get $last)))
                    (br_if 0 (i32.lt_u
                      (local.tee $count (i32.add (local.get $count) (i32.const 1)))
                      (i32.const 300000))))
                  (local.set $count (i32.const 0))
                  (loop
                    (drop (array.new_default $b (i32.const 1000000)))
                    (br_if 0 (i32.lt_u
                      (local.tee $count (i32.add (local.get $count) (i32.const 1)))
                      (i32.const 200)))))
                """)
        #expect(try cage.trap(instance) == nil)
    }

    /// Exceptions that keep the exceptions they carry.
    @Test func exceptionsOfExceptions() throws {
        let cage = Cage(fuel: 10_000_000)
        let instance = try cage.instantiate(
            text: """
                (tag $t (param exnref v128))
                (global $last (mut exnref) (ref.null exn))
                (func (export "f") (loop $again
                  (block $caught (result exnref)
                    (try_table (catch_all_ref $caught)
                      (throw $t (global.get $last) (v128.const i64x2 0 0)))
                    (unreachable))
                  (global.set $last)
                  (br $again)))
                """)
        #expect(try cage.trap(instance) == .heapExhausted)
    }
}
