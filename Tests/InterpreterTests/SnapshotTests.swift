import Testing
import WasmInterpreter
import WasmText

@Suite struct SnapshotTests {
    /// A counter in a global, in memory and in a table.
    static let counter = """
        (type $next (func (result i32)))
        (memory (export "memory") 1 10)
        (global $n (export "n") (mut i32) (i32.const 0))
        (global $v (export "v") (mut v128) (v128.const i64x2 1 2))
        (global $f (export "f") (mut f64) (f64.const 0.5))
        (table $t (export "t") 3 20 funcref)
        (elem $passive func $one $next)
        (elem (i32.const 1) func $one)
        (data $text "hello")
        (data (i32.const 100) "active")
        (func $one (result i32) (i32.const 1))
        (func $next (export "next") (result i32)
          (global.set $n (i32.add (global.get $n) (i32.const 1)))
          (i32.store (i32.const 70000) (global.get $n))
          (global.get $n))
        (func (export "grow") (result i32) (memory.grow (i32.const 2)))
        (func (export "prepare")
          (drop (memory.grow (i32.const 2)))
          (drop (table.grow $t (ref.func $next) (i32.const 2)))
          (global.set $v (v128.const i64x2 3 4))
          (global.set $f (f64.const -1))
          (memory.init $text (i32.const 0) (i32.const 0) (i32.const 5))
          (data.drop $text)
          (elem.drop $passive))
        (func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0)))
        (func (export "store") (param i32 i32) (i32.store8 (local.get 0) (local.get 1)))
        (func (export "call") (param i32) (result i32)
          (call_indirect (type $next) (local.get 0)))
        (func (export "initText") (memory.init $text (i32.const 0) (i32.const 0) (i32.const 5)))
        (func (export "initTable")
          (table.init $t $passive (i32.const 0) (i32.const 0) (i32.const 2)))
        """

    /// An instance of `counter` that has counted to 2, and the snapshot of it.
    static func prepared(_ house: TextHouse) throws -> (Instance, Snapshot) {
        let instance = try house.instantiate(counter)
        try instance.call("prepare")
        for _ in 0..<2 { try instance.call("next") }
        return (instance, try instance.snapshot())
    }

    /// Expects what `prepared` left behind.
    static func expectPrepared(_ instance: Instance) throws {
        #expect(instance.memory("memory")?.size == 3)
        #expect(instance.table("t")?.size == 5)
        #expect(instance.global("n")?.value == .i32(2))
        #expect(instance.global("v")?.value == .v128(low: 3, high: 4))
        #expect(instance.global("f")?.value == .f64(-1))
        let bytes = try #require(instance.memory("memory"))
        #expect(try bytes.loadString(at: 0, count: 5) == "hello")
        #expect(try bytes.loadString(at: 100, count: 6) == "active")
        #expect(try bytes.load(at: 70000, as: UInt32.self) == 2)
        #expect(try bytes.load(at: 196_604, as: UInt32.self) == 0)
        #expect(try instance.number("call", 1) == 1)
        #expect(throws: Trap.self) { try instance.call("call", .i32(0)) }
        #expect(throws: Trap.self) { try instance.call("initText") }
        #expect(throws: Trap.self) { try instance.call("initTable") }
        #expect(try instance.number("call", 4) == 3)
        #expect(try instance.number("next") == 4)
    }

    @Test func forksInOtherStores() throws {
        let house = TextHouse()
        let (origin, snapshot) = try Self.prepared(house)
        for _ in 0..<3 {
            let store = Store(engine: house.engine)
            let fork = try house.linker.instantiate(from: snapshot, in: store)
            #expect(fork.store === store)
            try Self.expectPrepared(fork)
        }
        // Neither the forks nor the origin see each other.
        try Self.expectPrepared(origin)
        try Self.expectPrepared(Instance(snapshot, in: house.store))
    }

    @Test func growsBehindTheContent() throws {
        let house = TextHouse()
        let (_, snapshot) = try Self.prepared(house)
        for _ in 0..<2 {
            let fork = try Instance(snapshot, in: Store(engine: house.engine))
            #expect(try fork.number("grow") == 3)
            for address: Int32 in [3 * 65536, 4 * 65536, 5 * 65536 - 1] {
                #expect(try fork.number("load", address) == 0)
                try fork.call("store", .i32(address), .i32(9))
                #expect(try fork.number("load", address) == 9)
            }
            #expect(throws: Trap.self) { try fork.call("load", .i32(5 * 65536)) }
        }
    }

    @Test func restoresInPlace() throws {
        let house = TextHouse()
        let instance = try house.instantiate(Self.counter)
        let fresh = try instance.snapshot()
        try instance.call("prepare")
        for _ in 0..<2 { try instance.call("next") }
        let later = try instance.snapshot()
        for _ in 0..<3 {
            try instance.restore(later)
            #expect(try instance.number("grow") == 3)
            try instance.call("store", .i32(4 * 65536), .i32(1))
            try instance.call("store", .i32(0), .i32(1))
            try instance.restore(later)
            try Self.expectPrepared(instance)
            try instance.restore(fresh)
            #expect(instance.memory("memory")?.size == 1)
            #expect(instance.table("t")?.size == 3)
            #expect(instance.global("n")?.value == .i32(0))
            #expect(throws: Trap.self) { try instance.call("load", .i32(65536)) }
            try instance.call("initText")
            try instance.call("initTable")
            #expect(try instance.number("call", 0) == 1)
            #expect(try instance.number("load", 0) == 0x68)
            // What was there before does not shine through.
            #expect(try instance.number("grow") == 1)
            #expect(try instance.number("load", 70000) == 0)
            #expect(try instance.number("load", 2 * 65536) == 0)
        }
    }

    @Test func savedAndLoaded() throws {
        let house = TextHouse()
        let (_, snapshot) = try Self.prepared(house)
        let bytes = snapshot.encoded()
        // Three pages of 4 KiB in use, of 48.
        #expect(bytes.count < 4 * 4096)
        #expect(snapshot.memoryByteCount == 2 * 4096)
        // Another process has the module's bytes only.
        let other = TextHouse()
        let module = try other.module(Self.counter)
        let loaded = try Snapshot(decoding: bytes, for: module)
        #expect(loaded.encoded() == bytes)
        try Self.expectPrepared(Instance(loaded, in: other.store))
        let instance = try Instance(module, in: other.store)
        try instance.restore(loaded)
        try Self.expectPrepared(instance)
    }

    @Test func refusesOtherModulesAndEngines() throws {
        let house = TextHouse()
        let (_, snapshot) = try Self.prepared(house)
        let other = try house.instantiate("(memory 1)")
        #expect(throws: SnapshotError.otherModule) { try other.restore(snapshot) }
        #expect(throws: SnapshotError.otherModule) {
            try Snapshot(decoding: snapshot.encoded(), for: other.module)
        }
        #expect(throws: EngineMismatch.self) {
            try Instance(snapshot, in: Store(engine: Engine()))
        }
    }

    @Test func startDoesNotRunAgain() throws {
        let house = TextHouse()
        var starts = 0
        house.linker.defineFunction("env", "started") { _, _ in starts += 1 }
        let instance = try house.instantiate(
            """
            (import "env" "started" (func $started))
            (memory (export "memory") 1)
            (data (i32.const 0) "x")
            (func $start (call $started)) (start $start)
            (func (export "call") (call $started))
            """)
        #expect(
            try #require(instance.memory("memory")).store(contentsOf: [0x79] as [UInt8], at: 0)
                == ())
        let fork = try house.linker.instantiate(
            from: instance.snapshot(), in: Store(engine: house.engine))
        #expect(starts == 1)
        #expect(try fork.memory("memory")?.loadString(at: 0, count: 1) == "y")
        try fork.call("call")
        #expect(starts == 2)
    }

    @Test func importsAreGivenAgain() throws {
        let fields = """
            (import "env" "f" (func $f (result i32)))
            (import "env" "g" (global $g i32))
            (import "env" "m" (memory 1))
            (global (mut funcref) (ref.func $f))
            (global (export "copy") i32 (global.get $g))
            (table 2 funcref)
            (elem (i32.const 0) func $f)
            (func (export "call") (result i32) (call_indirect (result i32) (i32.const 0)))
            (func (export "load") (result i32) (i32.load (i32.const 0)))
            """
        let house = TextHouse()
        func define(_ linker: Linker, _ store: Store, _ value: Int32) throws -> Memory {
            linker.defineFunction("env", "f", results: [.i32]) { $1.setResult(i32: value) }
            let type = GlobalType(.i32, mutable: false)
            linker.define(
                "env", "g", .global(try Global(store: store, type: type, value: .i32(value))))
            let memory = try Memory(store: store, type: MemoryType(limits: Limits(minimum: 1)))
            try memory.store(value, at: 0)
            linker.define("env", "m", .memory(memory))
            return memory
        }
        _ = try define(house.linker, house.store, 1)
        let instance = try house.instantiate(fields)
        #expect(try instance.number("call") == 1)
        let snapshot = try instance.snapshot()
        let linker = Linker()
        let store = Store(engine: house.engine)
        #expect(throws: LinkError.self) { try linker.instantiate(from: snapshot, in: store) }
        _ = try define(linker, store, 2)
        let fork = try linker.instantiate(from: snapshot, in: store)
        #expect(try fork.number("call") == 2)
        #expect(try fork.number("load") == 2)
        // The instance's own state is the snapshot's.
        #expect(fork.global("copy")?.value == .i32(1))
    }

    @Test func limitsOfTheStoreHold() throws {
        let house = TextHouse()
        let (_, snapshot) = try Self.prepared(house)
        let engine = house.engine
        #expect(throws: ResourceError.memoryTooLarge(pages: 3, limitPages: 2)) {
            try Instance(
                snapshot, in: Store(engine: engine, limits: StoreLimits(memoryBytes: 2 << 16)))
        }
        #expect(throws: ResourceError.tableTooLarge(elements: 5, limit: 4)) {
            try Instance(snapshot, in: Store(engine: engine, limits: StoreLimits(tableElements: 4)))
        }
        let small = Store(engine: engine, limits: StoreLimits(memoryBytes: 2 << 16, instances: 1))
        let instance = try Instance(snapshot.module, in: small)
        #expect(
            throws: SnapshotError.resource(.memoryTooLarge(pages: 3, limitPages: 2))
        ) {
            try instance.restore(snapshot)
        }
        // A refused restore changes nothing.
        #expect(instance.memory("memory")?.size == 1)
        #expect(instance.global("v")?.value == .v128(low: 1, high: 2))
        #expect(try instance.number("call", 1) == 1)
        #expect(throws: ResourceError.tooManyInstances(limit: 1)) {
            try Instance(snapshot, in: small)
        }
    }

    @Test func refusesWhatHasNoMeaningElsewhere() throws {
        let house = TextHouse()
        let instance = try house.instantiate(
            """
            (tag $e)
            (global $extern (export "extern") (mut externref) (ref.null extern))
            (global $exn (mut exnref) (ref.null exn))
            (table (export "t") 4 funcref)
            (func (export "own") (nop))
            (func (export "throw")
              (block $caught (result exnref)
                (try_table (catch_all_ref $caught) (throw $e))
                (unreachable))
              (global.set $exn))
            """)
        let own = try #require(instance.function("own"))
        let table = try #require(instance.table("t"))
        try table.set(.function(own), at: 2)
        _ = try instance.snapshot()

        let stranger = Function(store: house.store) { _, _ in }
        try table.set(.function(stranger), at: 3)
        #expect(
            throws: SnapshotError.reference(.foreignFunction, .table(index: 0, element: 3))
        ) {
            try instance.snapshot()
        }
        try table.set(.function(nil), at: 3)
        try instance.global("extern")?.set(.extern(ExternReference(handle: 1)))
        #expect(throws: SnapshotError.reference(.host, .global(index: 0))) {
            try instance.snapshot()
        }
        try instance.global("extern")?.set(.extern(nil))
        try instance.call("throw")
        #expect(throws: SnapshotError.reference(.exception, .global(index: 1))) {
            try instance.snapshot()
        }
        let shared = try house.instantiate("(memory 1 1 shared)")
        #expect(throws: SnapshotError.sharedMemory(index: 0)) { try shared.snapshot() }
    }

    @Test func refusesRunningGuests() throws {
        let house = TextHouse()
        var errors: [SnapshotError] = []
        house.linker.defineFunction("env", "f") { caller, _ in
            guard let instance = caller.instance else { return }
            do throws(SnapshotError) {
                let snapshot = try instance.snapshot()
                try instance.restore(snapshot)
            } catch {
                errors.append(error)
            }
        }
        let instance = try house.instantiate(
            "(import \"env\" \"f\" (func $f)) (func (export \"run\") (call $f))")
        let snapshot = try instance.snapshot()
        try instance.call("run")
        #expect(errors == [.running])
        try instance.restore(snapshot)
    }

    @Test func pagesOfOneByte() throws {
        var configuration = Engine.Configuration()
        configuration.features = .all
        let engine = Engine(configuration)
        let text = """
            (module (memory (export "memory") 5000 20000 (pagesize 1))
              (func (export "grow") (result i32) (memory.grow (i32.const 5000))))
            """
        let module = try Module(parseModule(Array(text.utf8)), engine: engine)
        let instance = try Instance(module, in: Store(engine: engine))
        try instance.memory("memory")?.store(contentsOf: [7] as [UInt8], at: 4999)
        let bytes = try instance.snapshot().encoded()
        let snapshot = try Snapshot(decoding: bytes, for: module)
        #expect(snapshot.memoryByteCount == 904)
        let fork = try Instance(snapshot, in: Store(engine: engine))
        #expect(fork.memory("memory")?.byteCount == 5000)
        #expect(try fork.number("grow") == 5000)
        let memory = try #require(fork.memory("memory"))
        #expect(try memory.loadArray(of: UInt8.self, at: 4998, count: 4) == [0, 7, 0, 0])
        try memory.store(contentsOf: [1] as [UInt8], at: 6000)
        try fork.restore(snapshot)
        #expect(memory.byteCount == 5000)
        #expect(try fork.number("grow") == 5000)
        #expect(try memory.loadArray(of: UInt8.self, at: 6000, count: 1) == [0])
    }

    @Test func forksOnThreads() throws {
        let house = TextHouse()
        let (_, snapshot) = try Self.prepared(house)
        let engine = house.engine
        let failures = concurrently(4) { thread in
            for round in 0..<50 {
                let fork = try Instance(snapshot, in: Store(engine: engine))
                let value = Int32(thread * 50 + round + 1)
                try fork.call("store", .i32(0), .i32(value))
                guard try fork.number("load", 0) == value & 0xff,
                    try fork.number("load", 1) == 0x65, try fork.number("next") == 3
                else { throw SnapshotError.running }
                if round % 2 == 0 {
                    try fork.restore(snapshot)
                    guard try fork.number("load", 0) == 0x68 else { throw SnapshotError.running }
                }
            }
        }
        #expect(failures == 0)
    }
}
