import Testing
import WasmInterpreter
import WasmText

/// Modules that hold the state of an instance.
@Suite struct SavedModuleTests {
    private let house = TextHouse()

    private func load(_ bytes: [UInt8]) throws -> Module { try Module(bytes, engine: house.engine) }

    private func reload(
        _ instance: Instance, _ layout: SavedModuleLayout = .compact
    ) throws -> Instance {
        try house.linker.instantiate(
            load(instance.savedModule(layout)), in: Store(engine: house.engine))
    }

    private func refusal(_ instance: Instance) -> SavedModuleError? {
        do throws(SavedModuleError) {
            _ = try instance.savedModule()
            return nil
        } catch {
            return error
        }
    }

    @Test(arguments: [SavedModuleLayout.compact, .stable])
    func holdsAllState(_ layout: SavedModuleLayout) throws {
        let (instance, snapshot) = try SnapshotTests.prepared(house)
        let bytes = try snapshot.savedModule(layout)
        try SnapshotTests.expectPrepared(
            Instance(load(bytes), in: Store(engine: house.engine)))
        // The origin has not changed, and what was saved says so again.
        #expect(try instance.savedModule(layout) == bytes)
    }

    /// Otherwise a module would grow whenever its state is saved.
    @Test(arguments: [SavedModuleLayout.compact, .stable])
    func isAFixedPoint(_ layout: SavedModuleLayout) throws {
        let (instance, _) = try SnapshotTests.prepared(house)
        let first = try instance.savedModule(layout)
        let again = try Instance(load(first), in: Store(engine: house.engine))
        #expect(try again.savedModule(layout) == first)
    }

    @Test func passiveSegmentsThatWereNotDroppedStay() throws {
        let instance = try house.instantiate(SnapshotTests.counter)
        let again = try reload(instance)
        try again.call("initText")
        #expect(try #require(again.memory("memory")).loadString(at: 0, count: 5) == "hello")
        try again.call("initTable")
        #expect(try again.number("call", 0) == 1)
    }

    @Test func numbersKeepTheirBits() throws {
        let instance = try house.instantiate(
            """
            (global (export "a") (mut f32) (f32.const -nan:0x200001))
            (global (export "b") (mut f64) (f64.const nan:0x4000000000001))
            (global (export "c") i64 (i64.const -9223372036854775808))
            (global (export "d") (mut i32) (i32.const -64))
            (global (export "e") (mut i32) (i32.const 0x7fffffff))
            (global (export "f") (mut v128) (v128.const i64x2 -1 0x8000000000000000))
            (global (export "g") (mut i64) (i64.const 64))
            """)
        for layout in [SavedModuleLayout.compact, .stable] {
            let again = try reload(instance, layout)
            for name in ["a", "b", "c", "d", "e", "f", "g"] {
                let value = try #require(instance.global(Name(name))?.value)
                #expect(again.global(Name(name)).map { "\($0.value)" } == "\(value)")
            }
            #expect(again.global("f")?.value == .v128(low: .max, high: 1 << 63))
            #expect(again.global("a")?.type == instance.global("a")?.type)
        }
    }

    @Test func startFunctionsRunOnce() throws {
        let instance = try house.instantiate(
            """
            (global $n (export "n") (mut i32) (i32.const 0))
            (start $start)
            (func $start (global.set $n (i32.add (global.get $n) (i32.const 1))))
            """)
        #expect(try reload(reload(instance)).global("n")?.value == .i32(1))
    }

    @Test func memoriesOfAllKinds() throws {
        var configuration = Engine.Configuration()
        configuration.features = .all
        let engine = Engine(configuration)
        let text = """
            (module
            (memory (export "small") 1 1 (pagesize 1))
            (memory (export "long") i64 1)
            (memory (export "plain") 0 5)
            (func (export "fill")
              (i32.store8 0 (i32.const 0) (i32.const 7))
              (drop (memory.grow 1 (i64.const 1)))
              (i64.store 1 (i64.const 131064) (i64.const -1))
              (drop (memory.grow 2 (i32.const 3)))
              (i32.store 2 (i32.const 65534) (i32.const 0x01020304))))
            """
        let instance = try Instance(
            Module(parseModule(Array(text.utf8)), engine: engine),
            in: Store(engine: engine))
        try instance.call("fill")
        for layout in [SavedModuleLayout.compact, .stable] {
            let again = try Instance(
                Module(instance.savedModule(layout), engine: engine), in: Store(engine: engine))
            #expect(try #require(again.memory("small")).load(at: 0, as: UInt8.self) == 7)
            let long = try #require(again.memory("long"))
            #expect(long.size == 2)
            #expect(try long.load(at: 131_064, as: UInt64.self) == .max)
            let plain = try #require(again.memory("plain"))
            #expect(plain.size == 3)
            #expect(try plain.load(at: 65534, as: UInt32.self) == 0x0102_0304)
            #expect(plain.type.limits.maximum == 5)
        }
    }

    @Test func zerosAreLeftOut() throws {
        let instance = try house.instantiate(
            """
            (memory 64)
            (data (i32.const 1000000) "here")
            (data (i32.const 3000000) "and there")
            """)
        #expect(try instance.savedModule().count < 64)
    }

    /// More runs than there may be segments.
    @Test func manyRunsAreMerged() throws {
        let instance = try house.instantiate(
            """
            (memory (export "memory") 46)
            (func (export "fill") (local $i i32)
              (loop $next
                (i32.store8 (local.get $i) (i32.const 1))
                (local.set $i (i32.add (local.get $i) (i32.const 27)))
                (br_if $next (i32.lt_u (local.get $i) (i32.const 3000000)))))
            """)
        try instance.call("fill")
        let module = try load(instance.savedModule())
        #expect(module.parsed.dataSegments.count <= 100_000)
        let again = try Instance(module, in: Store(engine: house.engine))
        let (left, right) = (
            try #require(instance.memory("memory")), try #require(again.memory("memory"))
        )
        let bytes = try left.loadArray(of: UInt8.self, at: 0, count: 46 << 16)
        #expect(try right.loadArray(of: UInt8.self, at: 0, count: 46 << 16) == bytes)
    }

    @Test func referencesToFunctions() throws {
        let fields = """
            (type $call (func (result i32)))
            (global $f (export "f") (mut funcref) (ref.null func))
            (global $typed (mut (ref $call)) (ref.func $one))
            (table $full 2 9 (ref $call) (ref.func $one))
            (table $wide i64 3 funcref)
            (table $holes 2500 funcref)
            (elem declare func $two)
            (func $one (result i32) (i32.const 1))
            (func $two (result i32) (i32.const 2))
            (func (export "set") (local $i i32)
              (global.set $f (ref.func $two))
              (global.set $typed (ref.func $two))
              (table.set $full (i32.const 1) (ref.func $two))
              (table.set $wide (i64.const 2) (ref.func $two))
              (loop $next
                (table.set $holes (local.get $i) (ref.func $two))
                (local.set $i (i32.add (local.get $i) (i32.const 2)))
                (br_if $next (i32.lt_u (local.get $i) (i32.const 2500)))))
            (func (export "sum") (result i32)
              (call_ref $call (global.get $typed))
              (call_ref $call (table.get $full (i32.const 0)))
              (call_ref $call (table.get $full (i32.const 1)))
              (call_indirect $wide (type $call) (i64.const 2))
              (call_indirect $holes (type $call) (i32.const 2498))
              i32.add i32.add i32.add i32.add
              (i32.mul (i32.const 10) (ref.is_null (table.get $holes (i32.const 2499))))
              (i32.mul (i32.const 100) (ref.is_null (global.get $f)))
              i32.add i32.add)
            """
        let instance = try house.instantiate(fields)
        try instance.call("set")
        #expect(try instance.number("sum") == 19)
        for layout in [SavedModuleLayout.compact, .stable] {
            let again = try reload(instance, layout)
            #expect(try again.number("sum") == 19)
            // The code's references are still declared.
            try again.call("set")
        }
    }

    @Test func smallReferences() throws {
        let instance = try house.instantiate(
            """
            (global $a (mut anyref) (ref.null any))
            (global $e (mut externref) (ref.null extern))
            (table $t 2 (ref null i31))
            (func (export "set")
              (global.set $a (ref.i31 (i32.const -5)))
              (global.set $e (extern.convert_any (ref.i31 (i32.const 7))))
              (table.set $t (i32.const 1) (ref.i31 (i32.const 0x3fffffff))))
            (func (export "sum") (result i32)
              (i31.get_s (ref.cast (ref i31) (global.get $a)))
              (i31.get_s (ref.cast (ref i31) (any.convert_extern (global.get $e))))
              (i31.get_s (table.get $t (i32.const 1)))
              i32.add i32.add)
            """)
        try instance.call("set")
        #expect(try reload(reload(instance)).number("sum") == 0x3fff_ffff + 2)
    }

    @Test func namesAndCustomSectionsStay() throws {
        let instance = try house.instantiate(
            """
            (@custom "first" (before first) "1")
            (@custom "last" (after last) "2")
            (memory $m 1) (data $gone (i32.const 0) "x")
            (func $inner (result i32) (i32.const 3))
            (func (export "outer") (result i32) (call $inner))
            """)
        let module = try load(
            instance.savedModule(addingSections: [("last", [5]), ("mark", [6])]))
        #expect(module.name(ofFunction: 0) == "inner")
        #expect(module.names?.dataSegments.count == 0)
        #expect(module.customSection("first") == [UInt8(ascii: "1")])
        #expect(module.customSection("last") == [5])
        #expect(module.customSection("mark") == [6])
        #expect(module.customSections.count == 4)
        let left = try load(instance.savedModule(removingExports: ["outer"]))
        #expect(left.exports.isEmpty)
    }

    @Test func refusesWhatAModuleCannotSay() throws {
        let other = try house.instantiate(
            """
            (memory (export "memory") 1) (table (export "table") 1 funcref)
            (global (export "variable") (mut i32) (i32.const 1))
            (global (export "constant") i32 (i32.const 1))
            (func $f (export "f")) (elem (table 0) (i32.const 0) func $f)
            """)
        house.linker.define(instance: other, as: "m")
        #expect(
            refusal(try house.instantiate("(import \"m\" \"memory\" (memory 1))"))
                == .imported(.memory, index: 0))
        #expect(
            refusal(try house.instantiate("(import \"m\" \"table\" (table 1 funcref))"))
                == .imported(.table, index: 0))
        #expect(
            refusal(
                try house.instantiate(
                    """
                    (import "m" "constant" (global i32))
                    (import "m" "variable" (global (mut i32)))
                    """)) == .imported(.global, index: 1))
        #expect(refusal(try house.instantiate("(import \"m\" \"constant\" (global i32))")) == nil)
        // An import may be kept, a function of another instance not.
        let holder = try house.instantiate(
            """
            (import "m" "f" (func $f))
            (global (export "g") (mut funcref) (ref.func $f))
            """)
        let again = try house.linker.instantiate(load(holder.savedModule()), in: house.store)
        let kept = try #require(again.global("g")?.value)
        if case .function(let function) = kept {
            #expect(function == other.function("f"))
        } else {
            Issue.record("\(kept)")
        }
        let stranger = try house.instantiate(
            "(global (export \"g\") (mut funcref) (ref.null func))")
        try #require(stranger.global("g")).set(.function(other.function("f")))
        #expect(
            refusal(stranger)
                == .snapshot(.reference(.foreignFunction, .global(index: 0))))
        let objects = try house.instantiate(
            """
            (type $s (struct (field (mut i32))))
            (table 2 anyref)
            (func (export "set") (table.set (i32.const 1) (struct.new_default $s)))
            """)
        #expect(refusal(objects) == nil)
        try objects.call("set")
        #expect(refusal(objects) == .object(.table(index: 0, element: 1)))
        let shared = try house.instantiate("(memory 1 1 shared)")
        #expect(refusal(shared) == .snapshot(.sharedMemory(index: 0)))
    }
}
