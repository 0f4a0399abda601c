import Testing
import WasmInterpreter

/// Executions have stacks of their own, whose limits hold in whichever instance their guest is.
@Suite struct StackTests {
    /// `far` recurses in this instance, `near` in the one that imports it.
    private static let other = """
        (func $far (export "far") (param $n i32) (result i32)
          (if (result i32) (i32.eqz (local.get $n)) (then (i32.const 0))
            (else (i32.add (i32.const 1) (call $far (i32.sub (local.get $n) (i32.const 1)))))))
        """
    private static let fields = """
        (import "env" "ask" (func $ask (param i32) (result i32)))
        (import "other" "far" (func $far (param i32) (result i32)))
        (func $near (param $n i32) (result i32)
          (if (result i32) (i32.eqz (local.get $n)) (then (i32.const 0))
            (else (i32.add (i32.const 1) (call $near (i32.sub (local.get $n) (i32.const 1)))))))
        (func (export "run") (param $n i32) (result i32)
          (drop (call $ask (i32.const 1)))
          (drop (call $far (local.get $n)))
          (drop (call $ask (i32.const 2)))
          (i32.add (call $near (local.get $n)) (call $far (local.get $n))))
        (func (export "call") (param $n i32) (result i32)
          (i32.add (call $far (local.get $n)) (call $near (local.get $n))))
        """

    private func instance(
        stackByteCount: Int, _ linker: Linker = Linker()
    ) throws -> (Instance, TextHouse) {
        var limits = StoreLimits()
        limits.stackBytes = stackByteCount
        let house = TextHouse(limits: limits)
        house.linker.define("env", "ask") { (_: borrowing Caller, number: Int32) -> Int32 in
            throw Suspension(number)
        }
        house.linker.define(instance: try house.instantiate(Self.other), as: "other")
        return (try house.instantiate(Self.fields), house)
    }

    @Test func limitsGoWithTheStacks() throws {
        let (instance, house) = try instance(stackByteCount: 1 << 20)
        let run = try #require(instance.function("run"))
        // More than the first part of each stack, so that each must grow.
        let executions = try (0..<6).map { _ in try run.start([.i32(5000)]) }
        for execution in executions { _ = try execution.resume() }
        #expect(try instance.number("call", 5000) == 10_000)
        for execution in executions.reversed() {
            let outcome = try execution.resume(returning: [.i32(0)])
            #expect(ExecutionTests.request(outcome) == 2)
            #expect(try instance.number("call", 3000) == 6000)
        }
        for execution in executions {
            let outcome = try execution.resume(returning: [.i32(0)])
            #expect(ExecutionTests.results(outcome) == [.i32(10_000)])
        }
        _ = house
    }

    @Test func stacksEndInEachInstance() throws {
        let (instance, house) = try instance(stackByteCount: 1 << 18)
        let run = try #require(instance.function("run"))
        let waiting = try run.start([.i32(100)])
        _ = try waiting.resume()
        for _ in 0..<3 {
            let deep = try run.start([.i32(1_000_000)])
            _ = try deep.resume()
            let trap = #expect(throws: Trap.self) { try deep.resume(returning: [.i32(0)]) }
            #expect(trap?.code == .stackExhausted)
            let direct = #expect(throws: Trap.self) { try instance.call("call", .i32(1_000_000)) }
            #expect(direct?.code == .stackExhausted)
            #expect(try instance.number("call", 2000) == 4000)
        }
        #expect(ExecutionTests.request(try waiting.resume(returning: [.i32(0)])) == 2)
        #expect(
            ExecutionTests.results(try waiting.resume(returning: [.i32(0)])) == [.i32(200)])
        _ = house
    }

    /// A host function resumes another execution in the same instance while its caller waits for it
    /// on the native stack.
    @Test func limitsComeBackAfterNestedRuns() throws {
        var limits = StoreLimits()
        limits.stackBytes = 1 << 18
        let house = TextHouse(limits: limits)
        var inner: Execution?
        var traps = 0
        house.linker.define("env", "resume") { (_: borrowing Caller) -> Int32 in
            do { _ = try inner?.resume() } catch let trap as Trap {
                #expect(trap.code == .stackExhausted)
                traps += 1
            }
            return 0
        }
        let instance = try house.instantiate(
            """
            (import "env" "resume" (func $resume (result i32)))
            (func $down (export "down") (param $n i32) (result i32)
              (if (result i32) (i32.eqz (local.get $n)) (then (i32.const 0))
                (else (i32.add (i32.const 1) (call $down (i32.sub (local.get $n) (i32.const 1)))))))
            (func (export "outer") (param $n i32) (result i32)
              (drop (call $resume))
              (call $down (local.get $n)))
            """)
        let down = try #require(instance.function("down"))
        for depth: Int32 in [10, 5000, 1_000_000] {
            inner = try down.start([.i32(depth)])
            #expect(try instance.number("outer", 5000) == 5000)
            inner = try down.start([.i32(depth)])
            let trap = #expect(throws: Trap.self) { try instance.call("outer", .i32(1_000_000)) }
            #expect(trap?.code == .stackExhausted)
            let outer = try #require(instance.function("outer")).start([.i32(5000)])
            inner = try down.start([.i32(depth)])
            #expect(ExecutionTests.results(try outer.resume()) == [.i32(5000)])
        }
        #expect(traps == 3)
        inner = nil
    }

    /// There is room for one stack.
    @Test func executionsNeedNoOtherStack() throws {
        var limits = StoreLimits()
        limits.totalBytes = 900_000
        let house = TextHouse(limits: limits)
        let instance = try house.instantiate(
            #"(func (export "f") (param i32) (result i32) (local.get 0))"#)
        let function = try #require(instance.function("f"))
        for number: Int32 in 0..<3 {
            let execution = try function.start([.i32(number)])
            #expect(ExecutionTests.results(try execution.resume()) == [.i32(number)])
        }
        // The stack of the ended ones is kept for the next, which leaves no room for the store's.
        #expect(throws: ResourceError.totalExceeded(limit: 900_000)) {
            try instance.call("f", .i32(1))
        }
    }

    /// Executions end in any order; those that are left are known, and their objects stay.
    @Test func executionsEndInAnyOrder() throws {
        let house = ExecutionTests.house(stressed: true)
        let instance = try house.instantiate(
            """
            \(ExecutionTests.ask)
            (type $box (struct (field i32)))
            (func (export "f") (param $n i32) (result i32) (local $b (ref null $box))
              (local.set $b (struct.new $box (local.get $n)))
              (drop (call $ask (local.get $n)))
              (struct.get $box 0 (local.get $b)))
            """)
        let function = try #require(instance.function("f"))
        var waiting: [(number: Int32, execution: Execution)] = []
        for number: Int32 in 0..<40 {
            let execution = try function.start([.i32(number)])
            _ = try execution.resume()
            waiting.append((number, execution))
        }
        var step = 0
        while !waiting.isEmpty {
            let index = (step &* 7 &+ 3) % waiting.count
            let (number, execution) = waiting.remove(at: index)
            if step % 3 == 0 {
                execution.cancel()
            } else {
                let outcome = try execution.resume(returning: [.i32(0)])
                #expect(ExecutionTests.results(outcome) == [.i32(number)])
            }
            step += 1
        }
    }
}
