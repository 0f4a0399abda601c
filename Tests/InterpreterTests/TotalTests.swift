import Testing
import WasmText

@testable import WasmInterpreter

/// `StoreLimits.totalBytes`: what a program may take of everything together.
@Suite struct TotalTests {
    /// A value stack as it is at first, an instance and some code.
    private static let base = 1 << 20

    private func house(_ total: UInt64) -> TextHouse {
        var limits = StoreLimits()
        limits.totalBytes = total
        return TextHouse(limits: limits)
    }

    @Test func accountsCountAndRefuse() {
        let account = ResourceAccount(limit: 1000)
        #expect(account.charge(0) && account.charge(600) && !account.charge(401))
        #expect(!account.charge(-1) && !account.charge(.max))
        #expect(account.byteCount == 600)
        do {
            var holding = ResourceHolding(account)
            let fits = [
                holding.resize(to: 400), holding.grow(by: 1), holding.grow(by: .max),
            ]
            #expect(fits == [true, false, false])
            holding.shrink(by: 100)
            holding.shrink(by: -5)
            let left = holding.byteCount
            #expect(left == 300 && account.byteCount == 900)
        }
        #expect(account.byteCount == 600)
        account.release(10_000)
        #expect(account.byteCount == 0 && account.charge(1000) && !account.charge(1))
        #expect(ResourceAccount(limit: .max).isLimited == false)
        var free = ResourceHolding(nil)
        let isFree = free.resize(to: .max)
        #expect(isFree)
    }

    @Test func whatIsPaidInAdvanceIsThereLater() throws {
        let program = ResourceAccount(limit: 1000)
        #expect(ResourceAccount(prepaying: 1001, from: program) == nil)
        do {
            let thread = try #require(ResourceAccount(prepaying: 600, from: program))
            #expect(program.byteCount == 600 && thread.byteCount == 600)
            // Others take the rest, and the thread still has what was paid for it.
            #expect(program.charge(400) && !program.charge(1))
            #expect(thread.charge(500) && !thread.charge(101) && thread.hasRoom(for: 100))
            #expect(!thread.hasRoom(for: 101) && thread.limit == 1000)
            program.release(400)
            // Part from what was paid, part from the program; a further thread pays the program too.
            #expect(thread.charge(300) && program.byteCount == 800)
            #expect(ResourceAccount(prepaying: 201, from: thread) == nil)
            thread.release(750)
            #expect(program.byteCount == 50 && thread.charge(10))
            thread.release(60)
            #expect(program.byteCount == 0)
            let other = try #require(ResourceAccount(prepaying: 100, from: thread))
            #expect(program.byteCount == 100 && other.charge(40))
            other.release(40)
        }
        #expect(program.byteCount == 0)
    }

    @Test func threadsChargeTogether() async {
        let account = ResourceAccount(limit: 1000)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<2000 where account.charge(130) {
                        #expect(account.byteCount <= 1000)
                        account.release(130)
                    }
                }
            }
        }
        #expect(account.byteCount == 0)
    }

    @Test func memoriesAndTablesTogether() throws {
        let house = house(4 << 20)
        let instance = try house.instantiate(
            """
            (memory $a 1) (memory $b 1) (table $t 1 funcref) (table $u 1 externref)
            (func (export "a") (param i32) (result i32) (memory.grow $a (local.get 0)))
            (func (export "b") (param i32) (result i32) (memory.grow $b (local.get 0)))
            (func (export "t") (param i32) (result i32)
              (table.grow $t (ref.null func) (local.get 0)))
            (func (export "u") (param i32) (result i32)
              (table.grow $u (ref.null extern) (local.get 0)))
            """)
        // Neither has 3 MiB more beside the other.
        #expect(try instance.number("a", 24) == 1)
        #expect(try instance.number("b", 32) == -1)
        #expect(try instance.number("t", 400_000) == -1)
        #expect(try instance.number("t", 100_000) == 1)
        #expect(try instance.number("u", 200_000) == -1)
        #expect(try instance.number("b", 2) == 1)
        #expect(house.store.account.byteCount <= 4 << 20)
    }

    @Test func whatAModuleAsksForAtTheStart() throws {
        let house = house(2 << 20)
        for fields in [
            "(memory 20) (memory 20)", "(table 200000 funcref) (table 200000 funcref)",
            "(memory 20) (table 200000 externref)",
            "(type $a (array (mut i64))) (memory 24) (global (ref $a) "
                + "(array.new_default $a (i32.const 100000)))",
        ] {
            let error = #expect(throws: (any Error).self) { try house.instantiate(fields) }
            if let trap = error as? Trap {
                #expect(trap.code == .totalExhausted)
            } else {
                #expect(error as? ResourceError == .totalExceeded(limit: 2 << 20))
            }
        }
        // What was made of them was given back.
        #expect(house.store.account.byteCount < 1 << 19)
        _ = try house.instantiate("(memory 24)")
    }

    @Test func objectsCountWithTheRest() throws {
        let house = house(8 << 20)
        let instance = try house.instantiate(
            """
            (type $a (array (mut i64)))
            (memory 64)
            (global $kept (mut (ref null $a)) (ref.null $a))
            (func (export "keep") (param i32)
              (global.set $kept (array.new_default $a (local.get 0))))
            (func (export "drop") (param $n i32)
              (loop $l (drop (array.new_default $a (i32.const 1000)))
                (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
            (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
            """)
        // Garbage is no reason to refuse.
        try instance.call("drop", .i32(5000))
        try instance.call("keep", .i32(200_000))
        let trap = #expect(throws: Trap.self) { try instance.call("keep", .i32(250_000)) }
        #expect(trap?.code == .totalExhausted)
        #expect(try instance.number("grow", 40) == -1)
        try instance.call("keep", .i32(1))
        house.store.collectGarbage()
        #expect(try instance.number("grow", 8) == 64)
        try instance.call("drop", .i32(5000))
    }

    @Test func stacksCountAsFarAsTheyAreUsed() throws {
        let fields = """
            (memory 0 1000)
            (func $down (export "down") (param i32) (result i32)
              (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 0))
                (else (i32.add (i32.const 1) (call $down (i32.sub (local.get 0) (i32.const 1)))))))
            (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
            """
        let house = house(4 << 20)
        let instance = try house.instantiate(fields)
        #expect(house.store.account.byteCount < 8192, "no call, no stack")
        #expect(try instance.number("down", 1) == 1)
        let start = house.store.account.byteCount
        #expect(start < Self.base)
        #expect(try instance.number("down", 100) == 100)
        #expect(house.store.account.byteCount < start + 8192, "the first part was enough")
        #expect(try instance.number("down", 20_000) == 20_000)
        #expect(house.store.account.byteCount > start + 20_000 * 16)
        let trap = #expect(throws: Trap.self) { try instance.number("down", 1_000_000) }
        #expect(trap?.code == .totalExhausted)
        // The same with its own limit first.
        var limits = StoreLimits()
        limits.stackBytes = 1 << 20
        let own = try TextHouse(limits: limits).instantiate(fields)
        #expect(
            #expect(throws: Trap.self) { try own.number("down", 1_000_000) }?.code
                == .stackExhausted)
        #expect(try own.number("down", 1000) == 1000)
    }

    /// Growing the stack makes the same call again, whatever kind it is.
    @Test func everyKindOfCallGrowsTheStack() throws {
        let house = house(64 << 20)
        let other = try house.instantiate(
            """
            (type $f (func (param i32 i64 f64) (result f64)))
            (table (export "table") 4 funcref)
            (func (export "step") (type $f)
              (call_indirect (type $f) (local.get 0) (local.get 1) (local.get 2) (i32.const 3)))
            """)
        house.linker.define(instance: other, as: "other")
        house.linker.define("host", "step") { (_: borrowing Caller, depth: Int32) -> Int32 in
            depth
        }
        let instance = try house.instantiate(
            """
            (type $f (func (param i32 i64 f64) (result f64)))
            (import "other" "step" (func $other (type $f)))
            (import "host" "step" (func $host (param i32) (result i32)))
            (import "other" "table" (table $t 4 funcref))
            (elem (table $t) (i32.const 0) func $direct $indirect $reference $cross)
            (func $done (param i32 i64 f64) (result i32)
              (i32.eqz (call $host (local.get 0))))
            (func $direct (type $f)
              (if (result f64) (call $done (local.get 0) (local.get 1) (local.get 2))
                (then (f64.add (local.get 2) (f64.convert_i64_s (local.get 1))))
                (else (f64.add (f64.const 1) (call $direct
                  (i32.sub (local.get 0) (i32.const 1)) (local.get 1) (local.get 2))))))
            (func $indirect (type $f)
              (if (result f64) (call $done (local.get 0) (local.get 1) (local.get 2))
                (then (f64.add (local.get 2) (f64.convert_i64_s (local.get 1))))
                (else (f64.add (f64.const 1) (call_indirect $t (type $f)
                  (i32.sub (local.get 0) (i32.const 1)) (local.get 1) (local.get 2)
                  (i32.const 1))))))
            (func $reference (type $f)
              (if (result f64) (call $done (local.get 0) (local.get 1) (local.get 2))
                (then (f64.add (local.get 2) (f64.convert_i64_s (local.get 1))))
                (else (f64.add (f64.const 1) (call_ref $f
                  (i32.sub (local.get 0) (i32.const 1)) (local.get 1) (local.get 2)
                  (ref.func $reference))))))
            (func $cross (type $f)
              (if (result f64) (call $done (local.get 0) (local.get 1) (local.get 2))
                (then (f64.add (local.get 2) (f64.convert_i64_s (local.get 1))))
                (else (f64.add (f64.const 1) (call $other
                  (i32.sub (local.get 0) (i32.const 1)) (local.get 1) (local.get 2))))))
            (func (export "run") (param i32 i32) (result f64)
              (call_indirect $t (type $f) (local.get 1) (i64.const 40) (f64.const 0.5)
                (local.get 0)))
            """)
        for kind: Int32 in 0..<4 {
            for depth: Int32 in [1, 700, 5000, 15_000] {
                let result = try instance.call("run", .i32(kind), .i32(depth))
                #expect(result == [.f64(Double(depth) + 40.5)])
            }
        }
    }

    @Test func waitingCallsCount() throws {
        let house = house(8 << 20)
        let instance = try house.instantiate("(func (export \"f\"))")
        let function = try #require(instance.function("f"))
        var waiting: [Execution] = []
        let error = #expect(throws: ResourceError.self) {
            while waiting.count < 100 { waiting.append(try function.start()) }
        }
        #expect(error == .totalExceeded(limit: 8 << 20))
        #expect(5..<20 ~= waiting.count)
        waiting = []
        _ = try function.start()
    }

    @Test func valuesOfTheHostCount() throws {
        let house = house(2 << 20)
        let instance = try house.instantiate(
            """
            (table $t (export "t") 0 externref)
            (func (export "add") (param externref)
              (drop (table.grow $t (local.get 0) (i32.const 1))))
            (func (export "clear") (table.fill $t (i32.const 0) (ref.null extern) (table.size $t)))
            """)
        var added = 0
        let error = #expect(throws: CallError.self) {
            while added < 100_000 {
                try instance.call("add", .extern(ExternReference(added)))
                added += 1
            }
        }
        #expect(
            error == .argument(index: 0, .resource(.totalExceeded(limit: 2 << 20))))
        #expect(2000..<20_000 ~= added)
        // A collection makes room; the next call after a refusal begins with one.
        try instance.call("clear")
        #expect(throws: CallError.self) {
            try instance.call("add", .extern(ExternReference(1 << 40)))
        }
        try instance.call("clear")
        try instance.call("add", .extern(ExternReference(1 << 40)))
    }

    @Test func codeCounts() throws {
        let body = String(
            repeating: "(local.set 0 (i32.mul (local.get 0) (local.get 0)))", count: 900)
        let functions = (0..<200).map { "(func (export \"f\($0)\") (param i32) \(body))" }
        let house = house(2 << 20)
        let instance = try house.instantiate(functions.joined())
        let trap = #expect(throws: Trap.self) {
            for index in 0..<200 { try instance.call("f\(index)", .i32(1)) }
        }
        #expect(trap?.code == .totalExhausted)
        // What is translated runs on, and what is not is translated where there is room.
        try instance.call("f0", .i32(1))
        let large = Store(engine: house.engine)
        let again = try house.linker.instantiate(instance.module, in: large)
        for index in 0..<200 { try again.call("f\(index)", .i32(1)) }
    }

    @Test func segmentsCount() throws {
        let house = house(1500 << 10)
        let instance = try house.instantiate(
            """
            (type $a (array (mut funcref)))
            (memory 12) (table 1 funcref) (func $f)
            (elem $e func \(String(repeating: "$f ", count: 20_000)))
            (func (export "table") (table.init $e (i32.const 0) (i32.const 0) (i32.const 1)))
            (func (export "array") (drop (array.new_elem $a $e (i32.const 0) (i32.const 1))))
            """)
        for name in ["table", "array"] {
            let trap = #expect(throws: Trap.self) { try instance.call(name) }
            #expect(trap?.code == .totalExhausted)
        }
    }

    @Test func snapshotsForksAndRestoring() throws {
        let house = house(5 << 20)
        let fields = """
            (memory 20 100)
            (func (export "fill") (memory.fill (i32.const 0) (i32.const 7)
              (i32.mul (memory.size) (i32.const 65536))))
            (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
            """
        let instance = try house.instantiate(fields)
        let account = house.store.account
        let before = account.byteCount
        var small: Snapshot? = try instance.snapshot()
        #expect(account.byteCount < before + 10_000, "zeros take nothing")
        try instance.call("fill")
        var kept: [Snapshot] = [try instance.snapshot()]
        #expect(account.byteCount >= before + 20 << 16)
        let error = #expect(throws: SnapshotError.self) {
            while kept.count < 10 { kept.append(try instance.snapshot()) }
        }
        #expect(error == .resource(.totalExceeded(limit: 5 << 20)))
        // A fork in the same store counts as an instance does.
        #expect(throws: ResourceError.totalExceeded(limit: 5 << 20)) {
            try house.linker.instantiate(from: kept[0], in: house.store)
        }
        kept.removeAll()
        // Restoring what was larger: the room must be there again.
        #expect(try instance.number("grow", 16) == 20)
        let grown = try instance.snapshot()
        if let small { try instance.restore(small) }
        let other = try house.instantiate("(memory 20)")
        #expect(throws: SnapshotError.resource(.totalExceeded(limit: 5 << 20))) {
            try instance.restore(grown)
        }
        #expect(try instance.number("grow", 0) == 20, "it is as it was")
        small = nil
        withExtendedLifetime((small, other)) {}
        // A snapshot that outlives its store holds what it takes, and no more.
        let alone = try TotalTests().aloneSnapshot()
        #expect(alone.account.byteCount < 200_000 && alone.account.byteCount >= 65536)
    }

    private func aloneSnapshot() throws -> (account: ResourceAccount, snapshot: Snapshot) {
        let house = house(4 << 20)
        let instance = try house.instantiate(
            "(memory 1) (func (export \"f\") (memory.fill (i32.const 0) (i32.const 1) (i32.const 65536)))"
        )
        try instance.call("f")
        return (house.store.account, try instance.snapshot())
    }

    @Test func everythingIsGivenBack() throws {
        let account: ResourceAccount
        do {
            let house = house(64 << 20)
            account = house.store.account
            let instance = try house.instantiate(
                """
                (type $a (array (mut i64)))
                (memory 10) (table 1000 funcref) (func $f) (elem func $f)
                (global $g (mut (ref null $a)) (ref.null $a))
                (func (export "f") (param externref) (call $f)
                  (drop (memory.grow (i32.const 3)))
                  (drop (table.grow (ref.func $f) (i32.const 5000)))
                  (global.set $g (array.new_default $a (i32.const 100000))))
                """)
            try instance.call("f", .extern(ExternReference("value")))
            _ = try instance.snapshot()
            #expect(account.byteCount > 1 << 20)
        }
        #expect(account.byteCount == 0)
    }

    /// Stores of one program.
    @Test func storesCanShareAnAccount() throws {
        let house = house(4 << 20)
        let second = Store(engine: house.engine, account: house.store.account)
        let module = try house.module("(memory 35)")
        _ = try house.linker.instantiate(module, in: house.store)
        #expect(throws: ResourceError.totalExceeded(limit: 4 << 20)) {
            try house.linker.instantiate(module, in: second)
        }
        let shared = try SharedMemory(
            MemoryType(limits: Limits(minimum: 1, maximum: 100)), account: second.account)
        let foreign = try SharedMemory(MemoryType(limits: Limits(minimum: 60, maximum: 100)))
        #expect(throws: ResourceError.totalExceeded(limit: 4 << 20)) {
            try Memory(store: second, sharing: foreign)
        }
        #expect(shared.grow(by: 30) == nil)
        #expect(shared.grow(by: 6) == 1)
    }

    /// A collection at the limit of a small total may use little memory of its own.
    @Test func collectionsAtTheLimit() throws {
        let house = house(8 << 20)
        let instance = try house.instantiate(
            """
            (type $box (struct (field i64)))
            (type $list (struct (field (ref null $list)) (field (ref $box))))
            (global $kept (mut (ref null $list)) (ref.null $list))
            (func (export "add") (param $n i32)
              (loop $l
                (global.set $kept (struct.new $list (global.get $kept)
                  (struct.new $box (i64.extend_i32_u (local.get $n)))))
                (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
            (func (export "sum") (result i64) (local $s i64) (local $p (ref null $list))
              (local.set $p (global.get $kept))
              (loop $l (result i64)
                (local.set $s (i64.add (local.get $s)
                  (struct.get $box 0 (struct.get $list 1 (local.get $p)))))
                (local.set $p (struct.get $list 0 (local.get $p)))
                (br_if $l (local.get $s) (i32.eqz (ref.is_null (local.get $p)))) (drop)
                (local.get $s)))
            """)
        try instance.call("add", .i32(100_000))
        house.store.collectGarbage()
        #expect(try instance.call("sum") == [.i64(5_000_050_000)])
        let trap = #expect(throws: Trap.self) { try instance.call("add", .i32(1_000_000)) }
        #expect(trap?.code == .totalExhausted)
    }
}
