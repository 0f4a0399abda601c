import Testing
import WasmInterpreter

/// Guests that wait for host functions.
@Suite struct ExecutionTests {
    /// `ask(i32) -> i32` lets the guest wait; the request is the number.
    static func house(stressed: Bool = false) -> TextHouse {
        let house = TextHouse(stressed: stressed)
        house.linker.define("env", "ask") { (_: borrowing Caller, number: Int32) -> Int32 in
            throw Suspension(number)
        }
        return house
    }

    static let ask = #"(import "env" "ask" (func $ask (param i32) (result i32)))"#

    /// The number that the guest waits with; nil if it does not.
    static func request(_ outcome: Execution.Outcome) -> Int32? {
        guard case .suspended(.hostFunction(let suspension)) = outcome else { return nil }
        return suspension.request as? Int32
    }

    static func results(_ outcome: Execution.Outcome) -> [Value]? {
        if case .finished(let values) = outcome { values } else { nil }
    }

    static let sum = """
        \(ask)
        (func (export "sum") (param $n i32) (result i32) (local $s i32)
          (loop $again
            (local.set $s (i32.add (local.get $s) (call $ask (local.get $n))))
            (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
          (local.get $s))
        """

    private func start(_ instance: Instance, _ name: Name, _ arguments: Value...) throws
        -> Execution
    {
        try #require(instance.function(name)).start(arguments)
    }

    @Test func guestGoesOnWithResults() throws {
        let instance = try Self.house().instantiate(Self.sum)
        let execution = try start(instance, "sum", .i32(3))
        #expect(execution.reason == nil)
        #expect(Self.request(try execution.resume()) == 3)
        #expect(Self.request(try execution.resume(returning: [.i32(10)])) == 2)
        #expect(Self.request(try execution.resume(returning: [.i32(20)])) == 1)
        #expect(Self.results(try execution.resume(returning: [.i32(30)])) == [.i32(60)])
        #expect(throws: SuspensionError.notSuspended) { try execution.resume() }
    }

    @Test func guestsOfOneStoreGoOnInAnyOrder() throws {
        let instance = try Self.house().instantiate(Self.sum)
        var sums: [Int32] = Array(repeating: 0, count: 50)
        var waiting: [(index: Int, execution: Execution, request: Int32)] = []
        for index in sums.indices {
            let execution = try start(instance, "sum", .i32(Int32(index % 7 + 1)))
            let request = try #require(Self.request(try execution.resume()))
            waiting.append((index, execution, request))
        }
        var random = SystemRandomNumberGenerator()
        while let place = waiting.indices.randomElement(using: &random) {
            let (index, execution, request) = waiting.remove(at: place)
            let outcome = try execution.resume(returning: [.i32(request &* 100 &+ Int32(index))])
            if let request = Self.request(outcome) {
                waiting.append((index, execution, request))
            } else if case .i32(let sum)? = Self.results(outcome)?.first {
                sums[index] = sum
            }
        }
        for (index, sum) in sums.enumerated() {
            let n = Int32(index % 7 + 1)
            #expect(sum == 100 * n * (n + 1) / 2 + n * Int32(index))
        }
    }

    /// Everything in between leaves the waiting guest's frames alone.
    @Test func storeIsFreeWhileGuestsWait() throws {
        let house = Self.house()
        let instance = try house.instantiate(
            Self.sum + """
                (func $deep (export "deep") (param i32) (result i32)
                  (if (result i32) (local.get 0)
                    (then (i32.add (i32.const 1) (call $deep (i32.sub (local.get 0) (i32.const 1)))))
                    (else (i32.const 0))))
                """)
        let execution = try start(instance, "sum", .i32(2))
        #expect(Self.request(try execution.resume()) == 2)
        #expect(try instance.number("deep", 10_000) == 10_000)
        let other = try house.instantiate(Self.sum)
        #expect(throws: SuspensionError.cannotWait) { try other.call("sum", .i32(1)) }
        #expect(Self.request(try execution.resume(returning: [.i32(5)])) == 1)
        #expect(Self.results(try execution.resume(returning: [.i32(6)])) == [.i32(11)])
    }

    @Test func plainCallsCannotWait() throws {
        let instance = try Self.house().instantiate(Self.sum)
        #expect(throws: SuspensionError.cannotWait) { try instance.call("sum", .i32(1)) }
        // And nothing is left of it.
        #expect(Self.request(try start(instance, "sum", .i32(4)).resume()) == 4)
    }

    @Test func hostBetweenGuestsCannotWait() throws {
        let house = Self.house()
        house.linker.define("env", "between") { (caller: borrowing Caller) -> Int32 in
            let inner = try #require(caller.instance?.function("inner"))
            return try inner(7 as Int32)
        }
        let instance = try house.instantiate(
            Self.ask + """
                (import "env" "between" (func $between (result i32)))
                (func (export "inner") (param i32) (result i32) (call $ask (local.get 0)))
                (func (export "outer") (result i32) (call $between))
                (func (export "after") (result i32) (drop (call $ask (i32.const 1))) (call $between))
                """)
        #expect(throws: SuspensionError.cannotWait) { try start(instance, "outer").resume() }
        let execution = try start(instance, "after")
        #expect(Self.request(try execution.resume()) == 1)
        #expect(throws: SuspensionError.cannotWait) { try execution.resume(returning: [.i32(0)]) }
        #expect(throws: SuspensionError.notSuspended) { try execution.resume() }
    }

    /// A host function may run another guest in steps: it has a stack of its own.
    @Test func hostFunctionsResumeOthers() throws {
        final class Kept { var execution: Execution? }
        let house = Self.house(), kept = Kept()
        let other = try house.instantiate(Self.sum)
        house.linker.define("env", "step") { (_: borrowing Caller) -> Int32 in
            guard let execution = kept.execution else { return -1 }
            let isFirst = execution.reason == nil
            let outcome = try isFirst ? execution.resume() : execution.resume(returning: [.i32(1)])
            return Self.request(outcome) ?? 0
        }
        let instance = try house.instantiate(
            """
            (import "env" "step" (func $step (result i32)))
            (func (export "drive") (result i32)
              (i32.add (i32.mul (call $step) (i32.const 100))
                (i32.add (i32.mul (call $step) (i32.const 10)) (call $step))))
            """)
        kept.execution = try start(other, "sum", .i32(3))
        #expect(try instance.number("drive") == 321)
        kept.execution = nil
    }

    @Test func hostFunctionsWaitWithoutAGuest() throws {
        let house = Self.house()
        let wait = Function(
            store: house.store, parameters: [.i32, .i64], results: [.i64]
        ) { _, slots in throw Suspension(slots.i64(1)) }
        let execution = try wait.start([.i32(1), .i64(2)])
        guard case .suspended(.hostFunction(let suspension)) = try execution.resume() else {
            Issue.record("not suspended")
            return
        }
        #expect(suspension.request as? Int64 == 2)
        #expect(execution.backtrace.frames.isEmpty)
        #expect(Self.results(try execution.resume(returning: [.i64(-5)])) == [.i64(-5)])
    }

    @Test func tailCallsWaitToo() throws {
        let instance = try Self.house().instantiate(
            Self.ask + """
                (func (export "tail") (param i32) (result i32) (return_call $ask (local.get 0)))
                (func (export "caller") (result i32)
                  (i32.add (i32.const 1) (call 1 (i32.const 8))))
                """)
        let execution = try start(instance, "caller")
        #expect(Self.request(try execution.resume()) == 8)
        #expect(Self.results(try execution.resume(returning: [.i32(41)])) == [.i32(42)])
    }

    // MARK: Misuse

    @Test func resumingMustFit() throws {
        let instance = try Self.house().instantiate(Self.sum)
        let execution = try start(instance, "sum", .i32(1))
        #expect(throws: SuspensionError.resultsUnexpected) {
            try execution.resume(returning: [.i32(1)])
        }
        #expect(throws: SuspensionError.resultsUnexpected) {
            try execution.resume(throwing: GuestExit(code: 1))
        }
        #expect(Self.request(try execution.resume()) == 1)
        #expect(throws: SuspensionError.resultsMissing) { try execution.resume() }
        #expect(throws: CallError.resultCount(expected: 1, given: 0)) {
            try execution.resume(returning: [])
        }
        #expect(throws: CallError.result(index: 0, .typeMismatch(expected: .i32))) {
            try execution.resume(returning: [.i64(1)])
        }
        // It waits as before.
        #expect(Self.results(try execution.resume(returning: [.i32(9)])) == [.i32(9)])
        #expect(throws: CallError.argumentCount(expected: 1, given: 0)) {
            try start(instance, "sum")
        }
    }

    @Test func guestCannotResumeItself() throws {
        final class Kept { var execution: Execution? }
        let house = TextHouse(), kept = Kept()
        house.linker.define("env", "again") { (_: borrowing Caller) in
            kept.execution?.cancel()
            _ = try kept.execution?.resume()
        }
        let instance = try house.instantiate(
            #"(import "env" "again" (func $again)) (func (export "run") (call $again))"#)
        kept.execution = try start(instance, "run")
        #expect(throws: SuspensionError.notSuspended) { try kept.execution?.resume() }
        kept.execution = nil
    }

    // MARK: Errors

    @Test func errorsEndTheGuest() throws {
        struct Own: Error, Equatable {}
        let instance = try Self.house().instantiate(Self.sum)
        let execution = try start(instance, "sum", .i32(1))
        _ = try execution.resume()
        #expect(throws: Own()) { try execution.resume(throwing: Own()) }
        #expect(throws: SuspensionError.notSuspended) { try execution.resume() }
    }

    static let catching = """
        \(ask)
        (tag $e (export "e") (param i32))
        (func $inner (param i32) (result i32) (call $ask (local.get 0)))
        (func (export "catching") (result i32)
          (block $caught (result i32)
            (try_table (catch $e $caught) (return (call $inner (i32.const 1))))
            (unreachable))
          (call $ask)
          (i32.add (i32.const 1000)))
        """

    @Test func exceptionsOfResumedHostFunctionsAreCaught() throws {
        let house = Self.house()
        let instance = try house.instantiate(Self.catching)
        let tag = try #require(instance.tag("e"))
        let execution = try start(instance, "catching")
        #expect(Self.request(try execution.resume()) == 1)
        let exception = try Exception(tag: tag, values: [.i32(77)])
        // The handler lets the guest wait again, with what was thrown.
        #expect(Self.request(try execution.resume(throwing: exception)) == 77)
        #expect(Self.results(try execution.resume(returning: [.i32(5)])) == [.i32(1005)])

        let other = try Exception(tag: Tag(store: house.store, parameters: []))
        let second = try start(instance, "catching")
        _ = try second.resume()
        #expect(throws: other) { try second.resume(throwing: other) }
    }

    @Test func backtracesOfWaitingAndTrappingGuests() throws {
        let instance = try Self.house().instantiate(
            Self.ask + """
                (func $inner (param i32)
                  (if (i32.eqz (call $ask (local.get 0))) (then (unreachable))))
                (func $outer (export "outer") (call $inner (i32.const 3)))
                """)
        let execution = try start(instance, "outer")
        #expect(execution.backtrace.frames.isEmpty)
        _ = try execution.resume()
        #expect(execution.backtrace.frames.map(\.functionIndex) == [1, 2])
        let trap = #expect(throws: Trap.self) { try execution.resume(returning: [.i32(0)]) }
        #expect(trap?.code == .unreachable)
        #expect(trap?.backtrace.frames.map(\.functionIndex) == [1, 2])
        #expect(execution.backtrace.frames.isEmpty)
    }

    // MARK: Objects

    static let objects = """
        \(ask)
        (type $box (struct (field (mut i32))))
        (global $made (mut i32) (i32.const 0))
        (func $make (param i32) (result (ref $box))
          (struct.new $box (local.get 0)))
        (func (export "keep") (param i32) (result i32) (local $b (ref null $box))
          (local.set $b (call $make (local.get 0)))
          (i32.add (call $ask (i32.const 0)) (struct.get $box 0 (local.get $b))))
        (func (export "litter") (param i32)
          (loop $again
            (drop (call $make (i32.const -1)))
            (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
        """

    @Test(arguments: [false, true]) func waitingGuestsKeepTheirObjects(stressed: Bool) throws {
        let house = Self.house(stressed: stressed)
        let instance = try house.instantiate(Self.objects)
        let executions = try (0..<20).map { try start(instance, "keep", .i32($0)) }
        for execution in executions { _ = try execution.resume() }
        try instance.call("litter", .i32(1000))
        house.store.collectGarbage()
        try instance.call("litter", .i32(1000))
        for (index, execution) in executions.enumerated() {
            let outcome = try execution.resume(returning: [.i32(100)])
            #expect(Self.results(outcome) == [.i32(100 + Int32(index))])
        }
    }

    @Test func argumentsAndResultsAreKept() throws {
        let house = TextHouse(stressed: true)
        house.linker.defineFunction("env", "give", results: [.externref]) { _, _ in
            throw Suspension(0)
        }
        let instance = try house.instantiate(
            """
            (import "env" "give" (func $give (result externref)))
            (func (export "both") (param externref) (result externref externref)
              (local.get 0) (call $give))
            """)
        let first = Value.extern(ExternReference("first"))
        let second = Value.extern(ExternReference("second"))
        let execution = try start(instance, "both", first)
        house.store.collectGarbage()
        _ = try execution.resume()
        house.store.collectGarbage()
        #expect(Self.results(try execution.resume(returning: [second])) == [first, second])
    }

    @Test func cancelledGuestsGiveBackEverything() throws {
        final class Marker {}
        let house = Self.house()
        weak var marker: Marker?
        let instance = try house.instantiate(
            Self.ask + """
                (func (export "hold") (param externref) (result i32) (call $ask (i32.const 1)))
                """)
        do {
            let held = Marker()
            marker = held
            let box = HashableBox(held)
            let execution = try start(instance, "hold", .extern(ExternReference(box)))
            _ = try execution.resume()
            house.store.collectGarbage()
            #expect(marker != nil)
        }
        house.store.collectGarbage()
        // The execution is gone, and with its frames what they referred to.
        #expect(marker == nil)
        #expect(Self.request(try start(instance, "hold", .extern(nil)).resume()) == 1)
    }

    private struct HashableBox: Hashable {
        let object: AnyObject
        init(_ object: AnyObject) { self.object = object }
        static func == (a: Self, b: Self) -> Bool { a.object === b.object }
        func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(object)) }
    }

    @Test func executionsKeepTheirStore() throws {
        var execution: Execution?
        weak var store: Store?
        do {
            let instance = try Self.house().instantiate(Self.sum)
            store = instance.store
            execution = try start(instance, "sum", .i32(1))
            _ = try execution?.resume()
        }
        #expect(store != nil)
        #expect(Self.results(try #require(execution).resume(returning: [.i32(3)])) == [.i32(3)])
        execution = nil
        #expect(store == nil)
    }
}
