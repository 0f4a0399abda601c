import Testing
import WasmInterpreter

/// Guests that never end by themselves.
@Suite struct EndlessTests {
    /// Loops and recursions that use no more of anything while they run.
    static let loops = [
        "(func $f (loop (br 0)))",
        "(func $f (loop (br_if 0 (i32.const 1))))",
        "(func $f (loop (br_table 0 0 0 (i32.const 5))))",
        "(func $f (return_call $f))",
        "(func $f (return_call_indirect (i32.const 0))) (table funcref (elem $f))",
        "(type $t (func)) (func $f (return_call_ref $t (ref.func $f))) (elem declare func $f)",
        """
        (tag $t) (func $f (loop $l (block $b (try_table (catch $t $b) (throw $t))) (br $l)))
        """,
        """
        (tag $t) (func $f (loop $l
          (block $b (result exnref) (try_table (catch_ref $t $b) (throw $t)) (unreachable))
          (drop) (br $l)))
        """,
        "(memory 1) (func $f (loop (memory.fill (i32.const 0) (i32.const 0) (i32.const 65536)) (br 0)))",
        """
        (memory 1) (func $f (loop
          (memory.copy (i32.const 0) (i32.const 1) (i32.const 65535)) (br 0)))
        """,
    ]
    /// Recursions that fill the value stack.
    static let recursions = [
        "(func $f (call $f))",
        "(func $f (call_indirect (i32.const 0))) (table funcref (elem $f))",
        "(func $f (call $g)) (func $g (local v128 i64 v128) (call $f))",
        "(func $f (block (try_table (catch_all 0) (call $f))))",
        "(func $g (param i32 i64 f32 f64) (result v128) (call $g (i32.const 1) (i64.const 1) "
            + "(f32.const 1) (f64.const 1))) (func $f (drop (call $g (i32.const 1) (i64.const 1) "
            + "(f32.const 1) (f64.const 1))))",
    ]

    @Test(arguments: loops) func outOfFuel(fields: String) throws {
        let cage = Cage(fuel: 100_000)
        let instance = try cage.instantiate(text: fields + "(export \"f\" (func $f))")
        #expect(try cage.trap(instance) == .outOfFuel)
        #expect(cage.store.fuel == 0)
    }

    @Test(arguments: loops) func deadline(fields: String) throws {
        let cage = Cage(fuel: nil)
        let instance = try cage.instantiate(text: fields + "(export \"f\" (func $f))")
        cage.store.deadline = .now + .milliseconds(20)
        #expect(try cage.trap(instance) == .deadlineExceeded)
    }

    @Test(arguments: recursions) func stack(fields: String) throws {
        let cage = Cage(fuel: nil)
        let instance = try cage.instantiate(text: fields + "(export \"f\" (func $f))")
        // Twice: the first time leaves nothing behind.
        for _ in 0..<2 { #expect(try cage.trap(instance) == .stackExhausted) }
    }

    /// A start function that does not end, and one that never stops calling.
    @Test func start() throws {
        for (fields, code) in [
            (Self.loops[0], TrapCode.outOfFuel), (Self.recursions[0], .stackExhausted),
        ] {
            let cage = Cage(fuel: 200_000)
            let error = #expect(throws: Trap.self) {
                try cage.instantiate(text: fields + "(start $f)")
            }
            #expect(error?.code == code)
        }
        let cage = Cage(fuel: nil)
        cage.store.deadline = .now + .milliseconds(20)
        let error = #expect(throws: Trap.self) {
            try cage.instantiate(text: Self.loops[0] + "(start $f)")
        }
        #expect(error?.code == .deadlineExceeded)
    }

    // MARK: Through the host

    /// The host calls whatever export called it: the depth of the native stack is bounded.
    @Test func recursionThroughTheHost() throws {
        let cage = Cage(fuel: nil)
        var deepest = 0
        cage.linker.defineFunction("host", "again") { caller, _ in
            deepest = max(deepest, caller.store.limits.nestedCalls)
            _ = try caller.instance?.function("f")?.call()
        }
        let instance = try cage.instantiate(
            text: """
                (import "host" "again" (func $again))
                (func (export "f") (call $again))
                """)
        #expect(try cage.trap(instance) == .stackExhausted)
        #expect(deepest == 50)
    }

    /// The same with exceptions that every level catches and goes down again.
    @Test func recursionThroughTheHostThatCatches() throws {
        let cage = Cage(fuel: 100_000)
        cage.linker.defineFunction("host", "again") { caller, _ in
            _ = try caller.instance?.function("f")?.call()
        }
        let instance = try cage.instantiate(
            text: """
                (import "host" "again" (func $again))
                (tag $t)
                (func (export "f")
                  (block (try_table (catch_all 0) (call $again)))
                  (throw $t))
                """)
        // Traps are no exceptions: the deepest ends all of them.
        #expect(try cage.trap(instance) == .stackExhausted)
    }

    /// Through the start functions of instances that the host makes.
    @Test func recursionThroughInstantiation() throws {
        let cage = Cage()
        let box = ModuleBox()
        cage.linker.defineFunction("host", "again") { [linker = cage.linker] caller, _ in
            guard let module = box.module else { return }
            _ = try linker.instantiate(module, in: caller.store)
        }
        var hostile = HostileModule()
        hostile.section(1, 1, of: [0x60, 0, 0])
        hostile.section(
            2, 1, of: HostileModule.name("host") + HostileModule.name("again") + [0, 0])
        // The start function is the import itself; then nobody is the caller.
        hostile.section(8, count: 0, [])
        let module = try cage.module(hostile)
        box.module = module
        #expect(throws: (any Error).self) {
            try cage.linker.instantiate(module, in: cage.store)
        }
    }
}

private final class ModuleBox {
    var module: Module?
}
