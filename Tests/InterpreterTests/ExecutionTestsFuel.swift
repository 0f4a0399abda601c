import Testing
import WasmInterpreter
import WasmSystem

/// Guests that are suspended because of the work they did.
@Suite struct ExecutionFuelTests {
    /// A bit of everything that takes budget: loops, calls of all kinds, exceptions, large fills.
    private static let library = """
        (tag $e (export "e") (param i64))
        (table (export "table") 2 funcref)
        (type $unary (func (param i64) (result i64)))
        (func $twice (export "twice") (type $unary) (i64.mul (local.get 0) (i64.const 2)))
        (func $fail (export "fail") (type $unary)
          (if (i64.eqz (i64.and (local.get 0) (i64.const 3))) (then (throw $e (local.get 0))))
          (i64.add (local.get 0) (i64.const 1)))
        (elem (i32.const 0) $twice $fail)
        """
    private static let program = """
        (type $unary (func (param i64) (result i64)))
        (import "library" "e" (tag $e (param i64)))
        (import "library" "twice" (func $twice (type $unary)))
        (import "library" "table" (table 2 funcref))
        (import "env" "note" (func $note (type $unary)))
        (memory 40)
        (func $fib (param i64) (result i64)
          (if (result i64) (i64.lt_u (local.get 0) (i64.const 2))
            (then (local.get 0))
            (else (i64.add (call $fib (i64.sub (local.get 0) (i64.const 1)))
              (call $fib (i64.sub (local.get 0) (i64.const 2)))))))
        (func $down (param i64 i64) (result i64)
          (if (i64.eqz (local.get 0)) (then (return (local.get 1))))
          (return_call $down (i64.sub (local.get 0) (i64.const 1))
            (i64.add (local.get 1) (local.get 0))))
        (func $far (param i64) (result i64) (return_call $twice (local.get 0)))
        (func (export "run") (param $n i64) (result i64 f64 f32)
          (local $sum i64) (local $d f64) (local $f f32) (local $i i64)
          (local.set $d (f64.const 1)) (local.set $f (f32.const 2))
          (loop $again
            (local.set $sum (i64.add (local.get $sum) (call $fib (i64.const 6))))
            (local.set $sum (i64.xor (local.get $sum) (call $down (local.get $i) (i64.const 3))))
            (local.set $sum (i64.add (local.get $sum) (call $far (local.get $i))))
            (local.set $sum (i64.add (local.get $sum) (call $note (local.get $sum))))
            (local.set $sum (i64.add (local.get $sum)
              (block $caught (result i64)
                (try_table (result i64) (catch $e $caught)
                  (call_indirect (type $unary) (local.get $i)
                    (i32.wrap_i64 (i64.and (local.get $i) (i64.const 1))))))))
            (local.set $d (f64.add (f64.mul (local.get $d) (f64.const 1.25))
              (f64.convert_i64_u (local.get $sum))))
            (local.set $f (f32.sub (f32.const 9.5) (f32.mul (local.get $f) (f32.const 0.5))))
            (memory.fill (i32.const 100) (i32.wrap_i64 (local.get $i)) (i32.const 200000))
            (memory.copy (i32.const 300000) (i32.const 100) (i32.const 100000))
            (local.set $sum (i64.add (local.get $sum) (i64.load32_u (i32.const 399000))))
            (br_if $again (i64.lt_u
              (local.tee $i (i64.add (local.get $i) (i64.const 1))) (local.get $n))))
          ;; A call, so that nothing is owed at the end.
          (call $twice (local.get $sum)) (local.get $d) (local.get $f))
        """

    private static func function() throws -> Function {
        let house = TextHouse()
        house.linker.define("env", "note") { (_: borrowing Caller, number: Int64) -> Int64 in
            number &* 3
        }
        house.linker.define(instance: try house.instantiate(library), as: "library")
        return try #require(try house.instantiate(program).function("run"))
    }

    private static var rounds: Value { .i64(12) }

    /// What the program answers and how much fuel it takes.
    private static func expected() throws -> (results: [Value], fuel: UInt64) {
        let function = try function()
        function.store.fuel = 1 << 40
        let results = try function.call([rounds])
        return (results, (1 << 40) - (function.store.fuel ?? 0))
    }

    @Test(arguments: [1, 2, 3, 7, 64, 1000, 100_000] as [UInt64])
    func fuelInPortions(portion: UInt64) throws {
        let expected = try Self.expected()
        let function = try Self.function()
        let store = function.store
        store.onOutOfFuel = .suspend
        store.fuel = 0
        var given: UInt64 = 0
        let execution = try function.start([Self.rounds])
        var outcome = try execution.resume()
        while case .suspended(let reason) = outcome {
            guard case .outOfFuel = reason else {
                Issue.record("suspended: \(reason)")
                return
            }
            let left = try #require(store.fuel)
            store.fuel = left + portion
            given += portion
            outcome = try execution.resume()
        }
        guard case .finished(let results) = outcome else { return }
        #expect(results == expected.results)
        #expect(given - (store.fuel ?? 0) == expected.fuel)
    }

    @Test(arguments: [0, 1, 2, 5, 100] as [UInt64], [nil, 1 << 40] as [UInt64?])
    func slices(slice: UInt64, fuel: UInt64?) throws {
        let expected = try Self.expected()
        let function = try Self.function()
        function.store.fuel = fuel
        let execution = try function.start([Self.rounds])
        execution.slice = slice
        var count = 0
        var outcome = try execution.resume()
        while case .suspended = outcome {
            count += 1
            outcome = try execution.resume()
        }
        guard case .finished(let results) = outcome else { return }
        #expect(results == expected.results)
        #expect(count >= 12)
        if let fuel { #expect(fuel - (function.store.fuel ?? 0) == expected.fuel) }
    }

    /// The shortest time ends each slice at the first look at the clock.
    @Test(arguments: [nil, 1 << 40] as [UInt64?], [nil, 3] as [UInt64?])
    func slicesOfTime(fuel: UInt64?, units: UInt64?) throws {
        let expected = try Self.expected()
        let function = try Self.function()
        function.store.fuel = fuel
        let execution = try function.start([Self.rounds])
        execution.sliceTime = .nanoseconds(1)
        execution.slice = units
        var count = 0
        var outcome = try execution.resume()
        while case .suspended(.endOfSlice) = outcome, count < 100_000 {
            count += 1
            // At least a call of the host happens before the next look.
            execution.sliceTime = count % 3 == 0 ? .milliseconds(10) : .nanoseconds(1)
            outcome = try execution.resume()
        }
        guard case .finished(let results) = outcome else {
            Issue.record("suspended for another reason")
            return
        }
        #expect(results == expected.results)
        #expect(count >= 1)
        if let fuel { #expect(fuel - (function.store.fuel ?? 0) == expected.fuel) }
    }

    /// Large bulk operations are left and gone on with between pieces, in both directions of a copy,
    /// and everything costs what it costs at once.
    @Test(arguments: [nil, 0, 1, 700] as [UInt64?], [nil, 1 << 40] as [UInt64?])
    func slicesOfBulkOperations(slice: UInt64?, fuel: UInt64?) throws {
        let text = """
            (memory 200)
            (table $t 400000 funcref)
            (data $d "\(String(repeating: "0123456789", count: 120_000))")
            (func $f)
            (elem declare func $f)
            (func $sum (result i64) (local $at i32) (local $sum i64)
              (loop $l
                (local.set $sum (i64.add
                  (i64.mul (local.get $sum) (i64.const 31)) (i64.load (local.get $at))))
                (br_if $l (i32.lt_u
                  (local.tee $at (i32.add (local.get $at) (i32.const 4096)))
                  (i32.const 13000000))))
              (local.get $sum))
            (func $nothing)
            (func (export "run") (result i64 i64 i64 i32)
              (memory.fill (i32.const 5) (i32.const 0x5a) (i32.const 6000001))
              (memory.init $d (i32.const 1000) (i32.const 3) (i32.const 1199990))
              (call $sum)
              (memory.copy (i32.const 700000) (i32.const 0) (i32.const 7000000))
              (call $sum)
              (memory.copy (i32.const 100) (i32.const 300000) (i32.const 9000000))
              (call $sum)
              (table.fill $t (i32.const 1) (ref.func $f) (i32.const 399999))
              (table.copy $t $t (i32.const 0) (i32.const 1) (i32.const 399999))
              (ref.is_null (table.get $t (i32.const 399998)))
              (call $nothing))
            """
        let plain = try #require(try TextHouse().instantiate(text).function("run"))
        plain.store.fuel = 1 << 40
        let expected = try plain.call([])
        let cost = (1 << 40) - (plain.store.fuel ?? 0)
        let function = try #require(try TextHouse().instantiate(text).function("run"))
        function.store.fuel = fuel
        let execution = try function.start([])
        execution.slice = slice
        if slice == nil { execution.sliceTime = .nanoseconds(1) }
        var count = 0
        var outcome = try execution.resume()
        while case .suspended(.endOfSlice) = outcome, count < 1_000_000 {
            count += 1
            // A loop needs a slice in which it comes to its next look at the clock.
            if slice == nil {
                execution.sliceTime = count % 3 == 0 ? .milliseconds(10) : .nanoseconds(1)
            }
            outcome = try execution.resume()
        }
        guard case .finished(let results) = outcome else {
            Issue.record("suspended for another reason")
            return
        }
        #expect(results == expected)
        // 33 MB, in pieces of half a MiB.
        #expect(count > (slice == nil ? 3 : 40))
        if let fuel { #expect(fuel - (function.store.fuel ?? 0) == cost) }
    }

    /// What waits in the middle of a large fill can be cancelled and interrupted.
    @Test func bulkOperationsThatAreLeftCanEnd() throws {
        let text = """
            (memory 2000)
            (func (export "run")
              (memory.fill (i32.const 0) (i32.const 1) (i32.const 120000000)))
            """
        let function = try #require(try TextHouse().instantiate(text).function("run"))
        func begun() throws -> Execution {
            let execution = try function.start([])
            execution.sliceTime = .nanoseconds(1)
            guard case .suspended(.endOfSlice) = try execution.resume() else {
                Issue.record("not suspended")
                return execution
            }
            return execution
        }
        try begun().cancel()
        let second = try begun()
        function.store.interruptHandle.interrupt()
        #expect(
            #expect(throws: Trap.self) { try second.resume() }?.code == .interrupted)
        // Another execution begins its own from the start.
        let third = try begun()
        let fourth = try begun()
        for execution in [third, fourth] {
            execution.sliceTime = nil
            guard case .finished = try execution.resume() else {
                Issue.record("not finished")
                return
            }
        }
    }

    /// Host functions that take long count, although they cost one unit each.
    @Test func slicesEndAfterSlowHostFunctions() throws {
        let house = TextHouse()
        var calls = 0
        house.linker.define("env", "slow") { (_: borrowing Caller) in
            calls += 1
            SystemClock.sleep(until: SystemClock.monotonic.now + 1_000_000)
        }
        let instance = try house.instantiate(
            """
            (import "env" "slow" (func $slow))
            (func (export "f") (loop $l (call $slow) (br $l)))
            """)
        let execution = try #require(instance.function("f")).start([])
        execution.sliceTime = .microseconds(500)
        for _ in 0..<4 {
            let before = calls
            guard case .suspended(.endOfSlice) = try execution.resume() else {
                Issue.record("not suspended")
                return
            }
            // The first look comes after 16 calls at the latest.
            #expect(calls - before <= 17)
        }
        execution.cancel()
    }

    @Test func closureGivesMore() throws {
        let expected = try Self.expected()
        let function = try Self.function()
        let store = function.store
        final class Count { var given: UInt64 = 0 }
        let count = Count()
        store.onOutOfFuel = .ask { missing in
            count.given += missing + 10
            return missing + 10
        }
        store.fuel = 0
        #expect(try function.call([Self.rounds]) == expected.results)
        #expect(count.given - (store.fuel ?? 0) == expected.fuel)

        // It gives no more: the guest traps, in an execution as well.
        store.onOutOfFuel = .ask { _ in 0 }
        store.fuel = 5
        #expect(#expect(throws: Trap.self) { try function.call([Self.rounds]) }?.code == .outOfFuel)
        store.fuel = 5
        let execution = try function.start([Self.rounds])
        #expect(#expect(throws: Trap.self) { try execution.resume() }?.code == .outOfFuel)
        #expect(store.fuel == 0)
    }

    /// A closure that calls into the store is refused; the guest's frames stay as they are.
    @Test func closureMayNotCallGuests() throws {
        let expected = try Self.expected()
        let function = try Self.function()
        final class Refused { var count = 0 }
        let refused = Refused()
        function.store.onOutOfFuel = .ask { [unowned store = function.store] missing in
            store.collectGarbage()
            let host = Function(store: store) { _, _ in }
            do { _ = try host.call() } catch { refused.count += 1 }
            return missing + 100
        }
        function.store.fuel = 0
        #expect(try function.call([Self.rounds]) == expected.results)
        #expect(refused.count > 5)
        function.store.onOutOfFuel = .trap
    }

    @Test func plainCallsTrap() throws {
        let function = try Self.function()
        function.store.onOutOfFuel = .suspend
        function.store.fuel = 100
        let trap = #expect(throws: Trap.self) { try function.call([Self.rounds]) }
        #expect(trap?.code == .outOfFuel)
        #expect(trap?.backtrace.frames.isEmpty == false)
    }

    @Test func waitingGuestsCanBeStopped() throws {
        let function = try Self.function()
        let store = function.store
        let execution = try function.start([Self.rounds])
        execution.slice = 10
        guard case .suspended(.endOfSlice) = try execution.resume() else {
            Issue.record("not suspended")
            return
        }
        #expect(execution.backtrace.frames.isEmpty == false)
        store.interruptHandle.interrupt()
        let trap = #expect(throws: Trap.self) { try execution.resume() }
        #expect(trap?.code == .interrupted)
        #expect(trap?.backtrace.frames.isEmpty == false)
        #expect(throws: SuspensionError.notSuspended) { try execution.resume() }
    }

    /// A suspended guest's accumulators and operands are in use, whatever else the store does.
    @Test func objectsOfGuestsBetweenSlicesStay() throws {
        let house = TextHouse(stressed: true)
        let instance = try house.instantiate(
            """
            (type $list (struct (field i32) (field (ref null $list))))
            (func $count (param (ref null $list)) (result i32)
              (if (result i32) (ref.is_null (local.get 0)) (then (i32.const 0))
                (else (i32.add (struct.get $list 0 (local.get 0))
                  (call $count (struct.get $list 1 (local.get 0)))))))
            (func (export "build") (param i32) (result i32) (local $l (ref null $list))
              (loop $again
                (local.set $l (struct.new $list (local.get 0) (local.get $l)))
                (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
              (call $count (local.get $l)))
            """)
        let build = try #require(instance.function("build"))
        let execution = try build.start([.i32(30)])
        execution.slice = 1
        var outcome = try execution.resume()
        while case .suspended = outcome {
            house.store.collectGarbage()
            _ = try build.call([.i32(3)])
            outcome = try execution.resume()
        }
        guard case .finished(let results) = outcome else { return }
        #expect(results == [.i32(465)])
    }
}
